/* SPDX-License-Identifier: MIT */
/*
 * requests.h - the steps that call the interface, and what their answers claim
 *
 * Each may run in any thread and in a handler. What an answer says about the
 * moment it was given is checked at once; the rest is the model's, at the end.
 */
#ifndef RTAIO_FUZZ_REQUESTS_H
#define RTAIO_FUZZ_REQUESTS_H

#include "history.h"

/* What stands in aio_lio_opcode, at the latest when the request was accepted. */
int opcode_of(int verb);

void request_submit(const struct step *step);

/* lio_listio of the entries that follow @step, of which there are @nr steps. */
void request_submit_list(const struct step *step, int nr);

/* @is_alone: no other thread and no handler has steps to run. */
void request_suspend(const struct step *step, bool is_alone);
void request_cancel(const struct step *step);

/* Nobody looks at the request any more: overwrite its memory. */
void request_scrub(const struct step *step);

#endif
