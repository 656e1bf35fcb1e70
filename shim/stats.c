// SPDX-License-Identifier: MIT
/*
 * stats.c - counters, and how they are printed at exit.
 */
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "futex.h"
#include "log.h"

_Atomic uint64_t stats_counters[STATS_NR];

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

void stats_print(void)
{
	int fd = STDERR_FILENO;

	if (config.stats_path[0]) {
		/* The directory may be open to others, who put a link, a FIFO or a terminal there. */
		fd = (int)RAW_SYSCALL(SYS_openat, AT_FDCWD, config.stats_path,
				      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
					      O_NONBLOCK | O_NOCTTY,
				      0600);
		if (fd < 0) {
			log_line("RTAIO_STATS: cannot open %s: %s", config.stats_path,
				 strerrordesc_np(-fd));
			return;
		}
	}
	log_to(fd, "statistics of process %d, backend %s", (int)RAW_SYSCALL(SYS_getpid),
	       backend_names[config.backend]);
	for (int i = 0; i < STATS_NR; i++)
		log_to(fd, "%-16s %12" PRIu64 "  %s", names[i],
		       atomic_load_explicit(&stats_counters[i], memory_order_relaxed),
		       descriptions[i]);
	if (fd != STDERR_FILENO)
		RAW_SYSCALL(SYS_close, fd);
}

void stats_forget(void)
{
	for (int i = 0; i < STATS_NR; i++)
		atomic_store_explicit(&stats_counters[i], 0, memory_order_relaxed);
}
