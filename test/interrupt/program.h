/* SPDX-License-Identifier: MIT */
/*
 * program.h - a program that uses POSIX AIO, and whose signal handler does, too
 */
#ifndef RTAIO_TEST_INTERRUPT_PROGRAM_H
#define RTAIO_TEST_INTERRUPT_PROGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* What the program tells the process that interrupts it. */
struct shared {
	_Atomic long nr_rounds, nr_handled, nr_inside; /* signals, and those in the object's text */
	_Atomic int part;                              /* of the round */
	unsigned long begin_text, end_text;            /* of the object */
};

extern struct shared *shared;

/*
 * Starts it; it stops itself by SIGSTOP once before its endless loop, and handles SIGUSR1.
 * @is_stepped: it is traced, and traps at the end of the handler.
 */
pid_t start_program(const char *object, bool is_stepped);

void print_failure(const char *what);

/* step.c: a signal at every instruction; @times in all. */
bool step_through(pid_t pid, long times);

/* storm.c: signals at random moments, as fast as the program handles them. */
bool storm(pid_t pid, long times);

#endif
