/* SPDX-License-Identifier: MIT */
/*
 * observe.h - load an observer, and let it take the program's calls.
 *
 * RTAIO_EXPLAIN and RTAIO_CHECK ask for one.  It lies in the folder "rtaio" next to the library,
 * and exports one variable, a struct observer named rtaio_observer.  It is loaded with the library,
 * since dlopen must not be called in a handler, where the first use of AIO may be.
 */
#ifndef RTAIO_OBSERVE_H
#define RTAIO_OBSERVE_H

#include <stdbool.h>

#include "api/calls.h"
#include "base/config.h"
#include "base/observer.h"

/* What an observer may use. */
struct observed {
	const char *version;           /* the observer's must be the same */
	const struct aio_calls *calls; /* do what the program asked for */
	const struct config *config;
	const char *const *backend_names; /* by config->backend */
	const char *argument; /* of RTAIO_EXPLAIN or RTAIO_CHECK: a directory, a file, or "" */
	void (*log_line)(const char *format, ...) __attribute__((format(printf, 1, 2)));
	void (*log_write)(int fd, const char *text, size_t size); /* log.h */
};

/* At load. */
void observe_load(void);

/* The library's own functions: own_calls.c offers them when the library is loaded. */
extern const struct aio_calls *observe_own_calls;

/* The first use in this process.  @next: whom all calls go to instead of the library, or NULL. */
void observe_start(const struct aio_calls *next, bool is_child);

#endif
