/* SPDX-License-Identifier: MIT */
/*
 * explain_calls.h - how many system calls a request takes.
 *
 * perf's tracepoint of system calls makes each call of the whole machine longer as long as anybody
 * has it open.  So it is open for short windows only, and the requests that were done in them are
 * counted, too.
 */
#ifndef RTAIO_EXPLAIN_CALLS_H
#define RTAIO_EXPLAIN_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/explain_data.h"

#define EXPLAIN_THREADS 1024u

struct explain_calls {
	double nr; /* in all windows */
	double requests;
	unsigned windows;
	char why[192]; /* nothing was counted, with the remedy; else empty */

	/* The window that is open. */
	bool is_open;
	int fds[EXPLAIN_THREADS];
	unsigned nr_fds;
	unsigned nr_processes;
	uint64_t done_before;
};

/* Begins a window for the processes in @progress, whose files are in @directory. */
void explain_calls_open(struct explain_calls *calls, const struct explain_progress *progress,
			const char *directory);
/* Ends it. */
void explain_calls_close(struct explain_calls *calls, const char *directory);

#endif
