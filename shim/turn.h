/* SPDX-License-Identifier: MIT */
/*
 * turn.h - which streams have a request in flight, for those who queue behind it.
 *
 * Of a stream, one read and one write are in flight at a time.  What is
 * submitted meanwhile can only wait, so the engine need not be woken for it: it
 * looks into its inbox when the turn ends, and before it sleeps.
 *
 * The engine takes and ends turns.  A submitter asks for the turn, hands its
 * request over without a wake, and asks once more: if the turn still goes on,
 * its end is yet to come.  Else the engine may sleep already and must be woken.
 * Both sides make their change before their look, in sequential consistency;
 * test/model/inbox.pml is the model.
 */
#ifndef RTAIO_TURN_H
#define RTAIO_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "descriptor.h"

/* [engine] A request is put in flight on this stream; @way is 0 for reads, 1 for writes. */
uint64_t turn_take(int fd, const struct descriptor *descriptor, int way);

/* [engine] It is not any more.  Before the engine looks into its inbox. */
void turn_end(int fd, int way, uint64_t turn);

/* [any thread] The turn of that very stream; 0: none, or it is not known. */
uint64_t turn_of(int fd, const struct descriptor *descriptor, int way);
bool turn_goes_on(int fd, int way, uint64_t turn);

/* Child of a fork: nothing is in flight. */
void turn_forget(void);

#endif
