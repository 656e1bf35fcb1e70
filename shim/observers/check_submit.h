/* SPDX-License-Identifier: MIT */
/*
 * check_submit.h - rules for requests that are submitted.
 */
#ifndef RTAIO_CHECK_SUBMIT_H
#define RTAIO_CHECK_SUBMIT_H

#include <aio.h>

#include "observers/check_state.h"
#include "observers/check_requests.h"

struct submit_call {
	const char *function;
	struct aiocb *const *list; /* NULL: the call submits one request */
	struct here *here;
};

/* Before the call: judge, and expect the request. */
void submit_expect(const struct submit_call *call, const struct aiocb *cb, enum operation operation,
		   bool is_vectored);

/* Behind it: the request goes on, or was refused. */
void submit_accepted(const struct aiocb *cb);
void submit_refused(const struct aiocb *cb);

/* The same for a list, which may be gone.  False: some of its requests may have been refused. */
void submit_list_accepted(struct aiocb *const list[], bool all);

/* @function is not async-signal-safe. */
void submit_check_handler(const char *function, struct here *here);

#endif
