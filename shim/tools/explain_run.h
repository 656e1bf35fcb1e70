/* SPDX-License-Identifier: MIT */
/*
 * explain_run.h - runs the command, and has its processes note their requests.
 */
#ifndef RTAIO_EXPLAIN_RUN_H
#define RTAIO_EXPLAIN_RUN_H

#include <stdbool.h>
#include <sys/resource.h>

#include "tools/explain_calls.h"
#include "tools/explain_data.h"

struct explain_how {
	char *const *command;
	char *const *assignments; /* NAME=VALUE, for the command alone; ends with NULL */
	bool shows_progress;
};

struct explain_run {
	int status;      /* as a shell has it: 128 and the signal if one has killed it */
	bool is_stopped; /* it was asked to end by a signal */
	double seconds;
	struct rusage usage;
	struct explain_calls calls;
	struct explain_data data;
};

/*
 * @more: one more assignment, or NULL.  False: it could not be run; a message says why, and the
 * status.
 */
bool explain_run(struct explain_run *run, const struct explain_how *how, char *more);

#endif
