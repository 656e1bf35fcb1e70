/* SPDX-License-Identifier: MIT */
/*
 * check_report.h - what is found, once for each kind and place of submission.
 */
#ifndef RTAIO_CHECK_REPORT_H
#define RTAIO_CHECK_REPORT_H

#include <stdbool.h>

#include "api/observe.h"
#include "observers/check_requests.h"
#include "observers/check_trace.h"

/* X(name, text): the texts are in rtaio(1) as well. */
#define KINDS(X)                                    \
	X(submitted_again, "submitted-again")       \
	X(changed, "changed-in-flight")             \
	X(freed, "freed-in-flight")                 \
	X(copied, "copied-in-flight")               \
	X(buffer_freed, "buffer-freed")             \
	X(buffer_on_stack, "buffer-on-dead-stack")  \
	X(aiocb_on_stack, "aiocb-on-dead-stack")    \
	X(list_on_stack, "list-on-dead-stack")      \
	X(returned_early, "returned-early")         \
	X(returned_twice, "returned-twice")         \
	X(never_returned, "never-returned")         \
	X(overlapping_writes, "overlapping-writes") \
	X(offset_on_stream, "offset-on-stream")     \
	X(closed, "closed-in-flight")               \
	X(callback_blocks, "callback-blocks")       \
	X(result_ignored, "result-ignored")         \
	X(unsafe_in_handler, "unsafe-in-signal-handler")

enum kind {
#define X(name, text) KIND_##name,
	KINDS(X)
#undef X
		KINDS_NR,
};

void report_start(const struct observed *observed);

/*
 * Report once what was found about @submitted.  @here: the frames of the misuse, or NULL and
 * @noticed says when it was noticed.  The text goes on after the kind.  Without the lock.
 */
void report(enum kind kind, const struct submitted *submitted, const struct frames *here,
	    const char *noticed, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same without a request, but with the function of a callback. */
void report_callback(const void *function, const struct submitted *submitted, unsigned long ms);

/*
 * `rtaio check` misses the summary of a process that is killed, and knows by this line that there
 * was one.
 */
void report_begin(void);
void report_summary(void);

/* "read of 512 bytes at offset 0 of descriptor 3 (aiocb 0x1234)" */
#define DESCRIPTION_MAX 128
struct description {
	char text[DESCRIPTION_MAX];
};
struct description describe(const struct submitted *submitted);

#endif
