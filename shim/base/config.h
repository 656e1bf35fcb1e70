/* SPDX-License-Identifier: MIT */
/*
 * config.h - the RTAIO_* environment.
 *
 * config_load() is the only reader of the environment.  It runs when the library is loaded,
 * since the program may clear its environment, and again at the first use of AIO, since the
 * program may set variables before that.  Afterwards the struct is constant but for idle_ns,
 * which aio_init may change, so threads read it without a lock.  The backend is atomic, since a
 * thread may call aio_error while another one is the first user.
 */
#ifndef RTAIO_CONFIG_H
#define RTAIO_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum backend_choice {
	BACKEND_INVALID = 0, /* RTAIO_BACKEND has an unknown value */
	BACKEND_AUTO,
	BACKEND_IO_URING,
	BACKEND_LIBAIO,
	BACKEND_THREADS,
	BACKEND_GLIBC,
	BACKEND_NR,
};

/* Who observes the program's requests: api/observe.h. */
enum observe_choice {
	OBSERVE_NOTHING = 0,
	OBSERVE_EXPLAIN,
	OBSERVE_CHECK,
};

#define PATH_BYTES 256 /* of a path in the configuration, with its end */

struct config {
	_Atomic enum backend_choice backend;
	unsigned in_flight_kib; /* most O_DIRECT data in flight: in_flight.h */
	unsigned depth;         /* most requests in flight in the engine per descriptor of a file */
	unsigned threads_max;   /* most file requests on workers at once */
	unsigned callbacks_max; /* most threads for SIGEV_THREAD callbacks */
	unsigned busy_poll_us;  /* longest busy-poll before a thread sleeps */
	bool inline_lane;       /* and the copier, which makes some of its reads */
	bool offload_lane;
	bool verbose;
	bool stats;
	char stats_path[PATH_BYTES]; /* empty: standard error */
	enum observe_choice observe;
	char observe_path
		[PATH_BYTES];     /* explain: a directory; check: a file, empty: standard error */
	unsigned callback_ms;     /* for tests: when a callback counts as blocked; 0: the default */
	bool is_always_ahead;     /* for tests: as if every thread submitted far ahead */
	unsigned uring_features;  /* for tests: URING_* bits that may be used */
	_Atomic uint64_t idle_ns; /* how long threads of the library stay without work */
};

/* The values of RTAIO_BACKEND. */
extern const char *const backend_names[BACKEND_NR];

extern struct config config;

/*
 * Variables that are not set change nothing.  Errors are reported only at the first use.  Setuid
 * programs and their like (AT_SECURE) read nothing.
 */
void config_load(bool at_first_use);

#endif
