/* SPDX-License-Identifier: MIT */
/*
 * report.h - what the workload of check-faults tells the process that watches it
 *
 * The workload may crash or hang at any moment, so all is in memory that both share.
 */
#ifndef RTAIO_TEST_REPORT_H
#define RTAIO_TEST_REPORT_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "older_libc.h"

#define ROUNDS      3
#define NR_THREADS  2
#define BLOCK       4096
#define NR_BLOCKS   64
#define NR_APPENDED 4
#define RECORD      100
#define UNKNOWN     (-1) /* of a block: a write of it has failed */

enum target { BUFFERED, DIRECT, NR_TARGETS };

struct report {
	_Atomic int nr_ready, nr_ended[ROUNDS], may_go;
	_Atomic int nr_refused, nr_failed;
	_Atomic int nr_troubles; /* of disturb.h */
	_Atomic bool has_begun;  /* in place of strace's sign */
	_Atomic bool has_fault;
	char fault[256];
	_Atomic int line[NR_THREADS]; /* of workload.c, where the thread is */
	int version[NR_THREADS][NR_TARGETS][NR_BLOCKS];
	bool was_appended[NR_THREADS][ROUNDS * NR_APPENDED];
};

extern struct report *report;

/* The system call that fails, the time as in strace(1), the error; and where the files are. */
extern const char *call, *when, *directory;
extern int injected;

/* The first fault counts; then nothing that follows does. */
void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* May a call or a request of the program end with this error? */
bool is_allowed(int error);

/* What all bytes of a block are. */
unsigned char byte_of(int thread, int target, int block, int version);

/* A file of a thread: "blocks", "direct" or "records". */
void make_path(char path[PATH_MAX], const char *kind, int thread);

#endif
