/* SPDX-License-Identifier: MIT */
/*
 * workload.h - requests of all kinds, in two threads, while system calls fail
 *
 * The program's own calls that strace may choose as well are repeated, or their failure is a
 * reason to leave out a part.
 */
#ifndef RTAIO_TEST_WORKLOAD_H
#define RTAIO_TEST_WORKLOAD_H

#define TRACER 1234567 /* what getppid() returns once strace is there */

/* Open files, wait for strace, and do ROUNDS rounds; the report says how far it has come. */
_Noreturn void workload_run(void);

#endif
