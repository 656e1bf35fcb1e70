/* SPDX-License-Identifier: MIT */
/*
 * gate.h - memory that is not there until the test says so
 *
 * A system call that touches it waits (userfaultfd).  So a request on a file, with
 * such a buffer, is under way for as long as the test likes.
 */
#ifndef RTAIO_TEST_GATE_H
#define RTAIO_TEST_GATE_H

#include <stdbool.h>
#include <stddef.h>

struct gate {
	int fd;
	char *memory;
	size_t size;
};

/* False: this machine does not allow it, and the reason is printed. */
bool gate_make(struct gate *gate, size_t size);

/* Wait until another thread waits for the memory: once for each of these. */
void gate_await(struct gate *gate);

/* The memory is there, full of @value. */
void gate_open(struct gate *gate, int value);

/*
 * Another gate: @size bytes of whole pages at @memory can be read, but a thread that writes there
 * waits until gate_allow_writes().  False: as above.
 */
bool gate_forbid_writes(struct gate *gate, void *memory, size_t size);
void gate_allow_writes(struct gate *gate);

#endif
