// SPDX-License-Identifier: MIT
/*
 * features.c - what programs for glibc must not contain, and why
 *
 * The defects have tests of their own (test/differences.txt). Here they are left
 * out, so that the model is tested by glibc: what remains must pass.
 */
#include "generate.h"

#include <string.h>

static const struct {
	const char *name, *reason; /* why it is off for glibc */
} features[FEATURE_NR] = {
	[FEATURE_CANCEL_ONE] = { "cancel-one",
				 "cancelling the first of a queue strands the others" },
	[FEATURE_CLOSE] = { "close", "queued requests act on the file that has the fd by then" },
	[FEATURE_FORK] = { "fork", "the child waits for threads which only the parent has" },
	[FEATURE_SUBMIT_IN_HANDLER] = { "submit-in-handler",
					"lists change under the call that was interrupted" },
	[FEATURE_ASK_IN_HANDLER] = { "ask-in-handler",
				     "aio_error takes a mutex that the interrupted call may hold" },
	[FEATURE_INTERRUPT] = { "interrupt",
				"an interrupted LIO_WAIT leaves its records on the stack" },
	[FEATURE_BOTH_WAYS] = { "both-ways", "a pending read of a socket holds up writes" },
	[FEATURE_FILE_PRIORITY] = { "file-priority",
				    "priorities reorder what overlaps, and aio_fsync overtakes" },
	[FEATURE_INVALID_SIGNAL] = { "invalid-signal", "it overwrites a good result" },
};

static bool is_off;

void features_choose(const char *implementation)
{
	is_off = strcmp(implementation, "glibc") == 0;
}

bool feature_is_on(enum feature feature)
{
	(void)feature;
	return !is_off;
}

void features_print(FILE *out)
{
	for (int i = 0; i < FEATURE_NR; i++)
		fprintf(out, "  %-18s %s\n", features[i].name, features[i].reason);
}
