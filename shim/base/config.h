/* SPDX-License-Identifier: MIT */
/*
 * config.h - the RTAIO_* environment.
 *
 * config_load() is the only reader of the environment.  It runs when the library is
 * loaded, since the program may throw its environment away, and again at the
 * first use of AIO, since the program may choose by itself before that.  Afterwards the
 * struct is constant (aio_init may lower or raise idle_ns), so every thread
 * reads it without a lock.
 */
#ifndef RTAIO_CONFIG_H
#define RTAIO_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum backend_choice {
	BACKEND_INVALID = 0, /* RTAIO_BACKEND holds a value nobody knows */
	BACKEND_AUTO,
	BACKEND_IO_URING,
	BACKEND_LIBAIO,
	BACKEND_THREADS,
	BACKEND_GLIBC,
	BACKEND_NR,
};

struct config {
	enum backend_choice backend;
	unsigned in_flight_kib; /* of O_DIRECT transfers with the kernel: in_flight.h */
	unsigned depth;         /* requests of a file's descriptor in flight in the engine */
	unsigned threads_max;   /* requests on files that workers perform at once */
	unsigned callbacks_max; /* threads for SIGEV_THREAD callbacks */
	unsigned busy_poll_us;  /* longest busy-poll before a thread sleeps */
	bool inline_lane;
	bool offload;
	bool verbose;
	bool stats;
	char stats_path[256];     /* empty: standard error */
	bool is_always_deep;      /* copies are offloaded however few are under way; testing aid */
	unsigned uring_features;  /* URING_* bits allowed; testing aid */
	_Atomic uint64_t idle_ns; /* how long our threads stay without work */
};

/* Names of enum backend_choice, as RTAIO_BACKEND spells them. */
extern const char *const backend_names[BACKEND_NR];

extern struct config config;

/*
 * Read the environment into @config.  What it does not mention stays as it is.  What
 * cannot be used is reported on standard error at the first use.  Nothing is read in
 * a setuid program and its like (AT_SECURE).
 */
void config_load(bool at_first_use);

#endif
