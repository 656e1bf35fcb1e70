/* SPDX-License-Identifier: MIT */
/*
 * descriptors.h - files, pipes and sockets of a program, and plain calls on them
 */
#ifndef RTAIO_FUZZ_DESCRIPTORS_H
#define RTAIO_FUZZ_DESCRIPTORS_H

#include "history.h"

/* The descriptor a step names, or NULL. A closed one still exists. */
struct descriptor *descriptor_of(int id);

/* The fd to use: that of a closed descriptor may be another's by now. */
int descriptor_fd(const struct descriptor *descriptor);

/* VERB_FILE to VERB_BAD. Without effect if what it needs is not there. */
void descriptors_open(const struct step *step);

void descriptor_close(struct descriptor *descriptor);

/* VERB_DUP2 */
void descriptors_replace(const struct step *step);

/* Plain, without waiting; recorded. True: something was moved. */
bool stream_feed(struct object *object, int fd, int64_t length);
bool stream_drain(struct object *object, int fd, int64_t length);

/* In the second process: those of the first one are not to be kept open. */
void descriptors_drop_streams(void);

/* Close everything that is still open. */
void descriptors_close_all(void);

/* The fds that are open, as a set. */
uint64_t descriptors_in_use(void);

#endif
