// SPDX-License-Identifier: MIT
/*
 * check_report.c - what is found, once for each kind and place of submission.
 *
 * A report is one write, so that those of several processes stay whole.
 */
#include "observers/check_report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/raw_syscall.h"

#define REPORTED_MAX 1024u /* a power of two */
#define REPORT_SIZE  16384u
#define TRACE_SIZE   6144u
#define PLACE_DEPTH  4u /* so many of the newest addresses make a place */

static struct observed observed;
static char path[sizeof(((struct config *)0)->observe_path)];
static _Atomic uint64_t reported[REPORTED_MAX];
static _Atomic unsigned nr_findings;

static const char *const names[] = {
#define X(name, text) text,
	KINDS(X)
#undef X
};

void report_start(const struct observed *the_observed)
{
	observed = *the_observed;
	strcpy(path, observed.argument);
	memset(reported, 0, sizeof(reported));
	atomic_store(&nr_findings, 0);
}

/* FNV-1a, by words. */
static uint64_t place_of(enum kind kind, const void *function, const struct trace *trace)
{
	uint64_t hash = (UINT64_C(0xcbf29ce484222325) ^ kind) * UINT64_C(0x100000001b3);

	hash = (hash ^ (uintptr_t)function) * UINT64_C(0x100000001b3);
	for (unsigned i = 0; i < trace->nr && i < PLACE_DEPTH; i++)
		hash = (hash ^ (uintptr_t)trace->address[i]) * UINT64_C(0x100000001b3);
	return hash ? hash : 1;
}

/* A full table ends the reports, too. */
static bool is_new(uint64_t place)
{
	for (unsigned i = 0; i < REPORTED_MAX; i++) {
		_Atomic uint64_t *slot = &reported[(place + i) & (REPORTED_MAX - 1)];
		uint64_t found = 0;

		if (atomic_compare_exchange_strong(slot, &found, place))
			return true;
		if (found == place)
			return false;
	}
	return false;
}

static int open_destination(void)
{
	int fd;

	if (!path[0])
		return STDERR_FILENO;
	fd = (int)RAW_SYSCALL(SYS_openat, AT_FDCWD, path,
			      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
			      0600);
	return fd < 0 ? STDERR_FILENO : fd;
}

static void write_text(const char *text, size_t size)
{
	int fd = open_destination();

	observed.log_write(fd, text, size);
	if (fd != STDERR_FILENO)
		RAW_SYSCALL(SYS_close, fd);
}

/* A report is too large for a handler's stack. */
struct text {
	char *bytes;
	size_t used;
};

static bool text_open(struct text *text)
{
	long address = RAW_SYSCALL(SYS_mmap, NULL, REPORT_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	text->bytes = raw_is_error(address) ? NULL : (char *)address;
	text->used = 0;
	return text->bytes;
}

static void text_close(struct text *text)
{
	write_text(text->bytes, text->used);
	RAW_SYSCALL(SYS_munmap, text->bytes, REPORT_SIZE);
}

static void add_list(struct text *text, const char *format, va_list args)
{
	size_t room = REPORT_SIZE - text->used;
	int used = vsnprintf(text->bytes + text->used, room, format, args);

	text->used += (size_t)used < room ? (size_t)used : room - 1;
}

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_list(text, format, args);
	va_end(args);
}

static void add_trace(struct text *text, const char *title, const struct trace *trace)
{
	if (trace->nr == 0)
		return;
	add(text, "  %s:\n", title);
	text->used += trace_print(trace, text->bytes + text->used, TRACE_SIZE);
}

struct description describe(const struct submitted *submitted)
{
	static const char *const verbs[] = { "read", "write", "sync" };
	const struct aiocb *fields = &submitted->fields;
	const char *verb = verbs[submitted->operation];
	struct description description;

	if (submitted->operation == OPERATION_SYNC)
		snprintf(description.text, sizeof(description.text),
			 "%s of descriptor %d (aiocb %p)", verb, fields->aio_fildes,
			 (const void *)submitted->cb);
	else
		snprintf(description.text, sizeof(description.text),
			 "%s of %zu bytes at offset %" PRId64 " of descriptor %d (aiocb %p)", verb,
			 submitted->nbytes, (int64_t)fields->aio_offset, fields->aio_fildes,
			 (const void *)submitted->cb);
	return description;
}

void report(enum kind kind, const struct submitted *submitted, const struct frames *here,
	    const char *noticed, const char *format, ...)
{
	int saved_errno = errno;
	struct trace trace;
	struct text text;
	va_list args;

	if (!is_new(place_of(kind, NULL, &submitted->trace)))
		return;
	atomic_fetch_add(&nr_findings, 1);
	if (!text_open(&text))
		return;
	add(&text, "rtaio check: %s: ", names[kind]);
	va_start(args, format);
	add_list(&text, format, args);
	va_end(args);
	add(&text, "\n");
	add_trace(&text, "submitted here", &submitted->trace);
	if (here) {
		frames_to_trace(here, &trace);
		add_trace(&text, "misused here", &trace);
	} else {
		add(&text, "  %s\n", noticed);
	}
	text_close(&text);
	errno = saved_errno;
}

void report_callback(const void *function, const struct submitted *submitted, unsigned long ms)
{
	struct trace empty = { 0 }, callback = { .nr = 1 };
	int saved_errno = errno;
	struct text text;

	if (!is_new(place_of(KIND_callback_blocks, function, &empty)))
		return;
	atomic_fetch_add(&nr_findings, 1);
	if (!text_open(&text))
		return;
	callback.address[0] = (void *)(uintptr_t)function;
	add(&text, "rtaio check: %s: a callback of SIGEV_THREAD has been blocked for %lu ms\n",
	    names[KIND_callback_blocks], ms);
	if (submitted)
		add_trace(&text, "submitted here", &submitted->trace);
	add_trace(&text, "the callback", &callback);
	text_close(&text);
	errno = saved_errno;
}

void report_begin(void)
{
	char line[64];
	int used = snprintf(line, sizeof(line), "rtaio check: process %d is watched\n",
			    (int)RAW_SYSCALL(SYS_getpid));

	write_text(line, (size_t)used);
}

void report_summary(void)
{
	unsigned nr = atomic_load(&nr_findings);
	uint64_t requests = atomic_load(&requests_nr);
	char line[96], found[32] = "no misuse found";
	int used;

	if (nr > 0)
		snprintf(found, sizeof(found), "%u finding%s", nr, nr == 1 ? "" : "s");
	used = snprintf(line, sizeof(line), "rtaio check: %s, %" PRIu64 " request%s\n", found,
			requests, requests == 1 ? "" : "s");
	write_text(line, (size_t)used);
}
