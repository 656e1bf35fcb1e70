// SPDX-License-Identifier: MIT
/*
 * config.c - the RTAIO_* environment.
 *
 * An unusable value is reported, and the default kept.  An unknown RTAIO_ variable is reported,
 * too: it may be a typo.  With an unknown RTAIO_BACKEND AIO fails: the user has asked for a
 * backend by name.
 *
 * A program with more rights than its caller ignores the environment: the caller could make
 * RTAIO_STATS write to any file.
 */
#include "base/config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/log.h"
#include "base/number.h"

#define DEPTH_DEFAULT     256
#define THREADS_DEFAULT   16
#define CALLBACKS_DEFAULT 1024
#define LIMIT_MAX         65536
#define IN_FLIGHT_DEFAULT 16384 /* KiB: enough to keep a disk busy, and soon done */
#define BUSY_POLL_DEFAULT_US \
	40 /* costs less than two switches of threads, which glibc pays for each request */
#define BUSY_POLL_MAX_US 1000        /* signals wait as long */
#define IDLE_DEFAULT_NS  1000000000u /* as glibc's workers */

/* At the first use only: no messages in a program that does not use AIO. */
#define complain(...)                          \
	do {                                   \
		if (is_first_use)              \
			log_line(__VA_ARGS__); \
	} while (0)

static bool is_first_use; /* config_load() has one caller at a time */

const char *const backend_names[BACKEND_NR] = {
	[BACKEND_INVALID] = "invalid",   [BACKEND_AUTO] = "auto",
	[BACKEND_IO_URING] = "io_uring", [BACKEND_LIBAIO] = "libaio",
	[BACKEND_THREADS] = "threads",   [BACKEND_GLIBC] = "glibc",
};

struct config config = {
	.backend = BACKEND_AUTO,
	.depth = DEPTH_DEFAULT,
	.in_flight_kib = IN_FLIGHT_DEFAULT,
	.threads_max = THREADS_DEFAULT,
	.callbacks_max = CALLBACKS_DEFAULT,
	.busy_poll_us = BUSY_POLL_DEFAULT_US,
	.inline_lane = true,
	.offload_lane = true,
	.uring_features = UINT_MAX,
	.idle_ns = IDLE_DEFAULT_NS,
};

static void set_backend(const char *name, const char *value, void *out)
{
	_Atomic enum backend_choice *choice = out;

	for (int i = BACKEND_AUTO; i < BACKEND_NR; i++) {
		if (strcmp(value, backend_names[i]) == 0) {
			atomic_store(choice, (enum backend_choice)i);
			return;
		}
	}
	atomic_store(choice, BACKEND_INVALID);
	complain("%s=%s is not a backend: use auto, io_uring, libaio, threads or glibc; "
		 "asynchronous I/O fails with ENOSYS until then",
		 name, value);
}

static void set_within(const char *name, const char *value, unsigned *out, unsigned long min,
		       unsigned long max)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = number_strtoul(value, &end, 10);
	if (errno || *end || end == value || *value == '-' || number < min || number > max)
		complain("%s=%s is not a number from %lu to %lu: %u is used", name, value, min, max,
			 *out);
	else
		*out = (unsigned)number;
}

static void set_limit(const char *name, const char *value, void *out)
{
	set_within(name, value, out, 1, LIMIT_MAX);
}

static void set_busy_poll(const char *name, const char *value, void *out)
{
	set_within(name, value, out, 0, BUSY_POLL_MAX_US);
}

static void set_switch(const char *name, const char *value, void *out)
{
	bool *on = out;

	if (strcmp(value, "1") == 0)
		*on = true;
	else if (strcmp(value, "0") == 0)
		*on = false;
	else
		complain("%s=%s is neither 0 nor 1: %d is used", name, value, *on);
}

static bool is_on(const char *value)
{
	return *value != '\0' && strcmp(value, "0") != 0;
}

/* True: done.  The file will have @what. */
static bool copy_path(const char *name, const char *value, char path[PATH_BYTES], const char *what)
{
	if (strlen(value) >= PATH_BYTES) {
		complain("%s: the file name is longer than %d bytes: no %s", name, PATH_BYTES - 1,
			 what);
		return false;
	}
	strcpy(path, value);
	return true;
}

/* 0, 1, or the name of the file that receives the counters. */
static void set_stats(const char *name, const char *value, void *out)
{
	struct config *target = out;

	target->stats_path[0] = '\0';
	target->stats = is_on(value);
	if (target->stats && strcmp(value, "1") != 0)
		target->stats = copy_path(name, value, target->stats_path, "statistics");
}

/*
 * The directory for the records of each process; empty: off.  RTAIO_CHECK goes first, wherever it
 * stands.
 */
static void set_explain(const char *name, const char *value, void *out)
{
	struct config *target = out;

	if (target->observe != OBSERVE_CHECK && is_on(value) &&
	    copy_path(name, value, target->observe_path, "report"))
		target->observe = OBSERVE_EXPLAIN;
}

/* 0, 1, or the name of the file that receives the findings. */
static void set_check(const char *name, const char *value, void *out)
{
	struct config *target = out;

	if (!is_on(value))
		return;
	target->observe = OBSERVE_NOTHING;
	target->observe_path[0] = '\0';
	if (strcmp(value, "1") == 0 || copy_path(name, value, target->observe_path, "findings"))
		target->observe = OBSERVE_CHECK;
}

/* A mask of the features of io_uring that may be used: tests simulate older kernels. */
static void set_features(const char *name, const char *value, void *out)
{
	unsigned *features = out;
	char *end;

	*features = (unsigned)number_strtoul(value, &end, 0);
	if (*end)
		complain("%s=%s is not a number", name, value);
}

static const struct variable {
	const char *name;
	void (*set)(const char *name, const char *value, void *out);
	void *out;
} variables[] = {
	{ "RTAIO_BACKEND", set_backend, &config.backend },
	{ "RTAIO_DEPTH", set_limit, &config.depth },
	{ "RTAIO_IN_FLIGHT", set_limit, &config.in_flight_kib },
	{ "RTAIO_THREADS", set_limit, &config.threads_max },
	{ "RTAIO_CALLBACKS", set_limit, &config.callbacks_max },
	{ "RTAIO_BUSY_POLL", set_busy_poll, &config.busy_poll_us },
	{ "RTAIO_INLINE", set_switch, &config.inline_lane },
	{ "RTAIO_OFFLOAD", set_switch, &config.offload_lane },
	{ "RTAIO_VERBOSE", set_switch, &config.verbose },
	{ "RTAIO_STATS", set_stats, &config },
	{ "RTAIO_EXPLAIN", set_explain, &config },
	{ "RTAIO_CHECK", set_check, &config },
	{ "RTAIO_TEST_CALLBACK_MS", set_limit, &config.callback_ms },
	{ "RTAIO_TEST_COPIER", set_switch, &config.is_always_ahead },
	{ "RTAIO_TEST_URING", set_features, &config.uring_features },
};

static const struct variable *find_variable(const char *name, size_t name_len)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (strncmp(name, variables[i].name, name_len) == 0 &&
		    variables[i].name[name_len] == '\0')
			return &variables[i];
	return NULL;
}

static void read_entry(const char *entry)
{
	const struct variable *variable;
	const char *equals;

	/* Most programs set none: spare them the late binding of strncmp. */
	if (*entry != 'R' || strncmp(entry, "RTAIO_", strlen("RTAIO_")) != 0)
		return;
	equals = strchr(entry, '=');
	if (!equals)
		return;
	log_note_stderr();
	variable = find_variable(entry, (size_t)(equals - entry));
	if (variable)
		variable->set(variable->name, equals + 1, variable->out);
	else if (strncmp(entry, "RTAIO_TEST_", strlen("RTAIO_TEST_")) != 0)
		complain(
			"%.*s is not a variable of rtaio: it knows RTAIO_BACKEND, RTAIO_VERBOSE, "
			"RTAIO_STATS, RTAIO_INLINE, RTAIO_OFFLOAD, RTAIO_BUSY_POLL, RTAIO_DEPTH, "
			"RTAIO_IN_FLIGHT, RTAIO_THREADS, RTAIO_CALLBACKS, RTAIO_EXPLAIN and RTAIO_CHECK",
			(int)(equals - entry), entry);
}

void config_load(bool at_first_use)
{
	if (getauxval(AT_SECURE))
		return;
	is_first_use = at_first_use;
	for (char **entry = environ; entry && *entry; entry++)
		read_entry(*entry);
}
