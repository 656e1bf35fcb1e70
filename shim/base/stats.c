// SPDX-License-Identifier: MIT
/*
 * stats.c - counters, and how they are printed at exit.
 */
#include "base/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"

struct stats_row stats_rows[THREAD_ROWS];

/* Several threads may call _exit: the first prints, the others wait until it is done. */
enum { NOT_PRINTED = 0, PRINTING, PRINTED };
static _Atomic uint32_t printing;

static const char *const names[STATS_NR] = {
#define X(name, description) #name,
	STATS_COUNTERS(X)
#undef X
};

static const char *const descriptions[STATS_NR] = {
#define X(name, description) description,
	STATS_COUNTERS(X)
#undef X
};

/* Standard error, or the file that RTAIO_STATS names; -errno, with a message. */
static int open_destination(void)
{
	int fd;

	if (!config.stats_path[0])
		return STDERR_FILENO;
	/* Others may write to the directory, and place a link, a FIFO or a terminal there. */
	fd = (int)RAW_SYSCALL(SYS_openat, AT_FDCWD, config.stats_path,
			      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
				      O_NOCTTY,
			      0600);
	if (fd < 0)
		log_line("RTAIO_STATS: cannot open %s: %s", config.stats_path,
			 strerrordesc_np(-fd));
	return fd;
}

uint64_t stats_sum(enum stats_counter first, enum stats_counter last)
{
	unsigned nr_rows = thread_nr_rows();
	uint64_t sum = 0;

	for (unsigned row = 0; row < nr_rows; row++)
		for (int i = first; i <= (int)last; i++)
			sum += atomic_load_explicit(&stats_rows[row].counters[i],
						    memory_order_relaxed);
	return sum;
}

/* A later engine may have another row, so all use the first one. */
void stats_max(enum stats_counter counter, uint64_t value)
{
	_Atomic uint64_t *word = &stats_rows[0].counters[counter];

	if (value > atomic_load_explicit(word, memory_order_relaxed))
		atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Write the line with the total and the share of each lane.  Returns its length. */
static size_t print_total(char *text, size_t size)
{
	const struct {
		const char *name;
		uint64_t nr;
	} lanes[] = {
		{ "inline", stats_sum(STATS_inline_reads, STATS_inline_writes) },
		{ "direct", stats_sum(STATS_direct_reads, STATS_direct_writes) },
		{ "copier", stats_sum(STATS_copier_reads, STATS_copier_reads) },
		{ "offload", stats_sum(STATS_offload_reads, STATS_offload_fsyncs) },
		{ "engine", stats_sum(STATS_engine_reads, STATS_engine_fsyncs) },
	};
	uint64_t total = 0;
	size_t used;

	for (size_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		total += lanes[i].nr;
	used = (size_t)snprintf(text, size,
				"rtaio: statistics of process %d, backend %s: %" PRIu64 " requests",
				(int)RAW_SYSCALL(SYS_getpid), backend_names[config.backend], total);
	for (size_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		if (lanes[i].nr > 0)
			used += (size_t)snprintf(text + used, size - used, ", %u.%u %% %s",
						 (unsigned)(lanes[i].nr * 100 / total),
						 (unsigned)(lanes[i].nr * 1000 / total % 10),
						 lanes[i].name);
	text[used++] = '\n';
	return used;
}

/* One write of at most PIPE_BUF, since many processes may append to one file or pipe. */
static void print(void)
{
	static char text[PIPE_BUF]; /* not on the stack: _exit may be called on a small one */
	size_t used;
	int fd;

	_Static_assert(sizeof(text) > 300 + STATS_NR * 110, "all lines fit");
	fd = open_destination();
	if (fd < 0)
		return;
	used = print_total(text, sizeof(text));
	for (int i = 0; i < STATS_NR; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "rtaio: %-16s %12" PRIu64 "  %s\n", names[i],
					 stats_sum((enum stats_counter)i, (enum stats_counter)i),
					 descriptions[i]);
	log_write(fd, text, used);
	if (fd != STDERR_FILENO)
		RAW_SYSCALL(SYS_close, fd);
}

/* With signals blocked: a handler that calls _exit would wait for the thread it interrupted. */
void stats_print(void)
{
	uint64_t mask = signals_block(ALL_SIGNALS);
	uint32_t expected = NOT_PRINTED;

	if (atomic_compare_exchange_strong(&printing, &expected, PRINTING)) {
		print();
		atomic_store(&printing, PRINTED);
		futex_wake(&printing, INT_MAX);
	}
	signals_set(mask);
	while (atomic_load(&printing) == PRINTING)
		futex_wait(&printing, PRINTING, NULL);
}

void stats_after_fork(void)
{
	atomic_store(&printing, NOT_PRINTED);
	for (unsigned row = 0; row < thread_nr_rows(); row++)
		for (int i = 0; i < STATS_NR; i++)
			atomic_store_explicit(&stats_rows[row].counters[i], 0,
					      memory_order_relaxed);
}
