/* SPDX-License-Identifier: MIT */
/*
 * reach.c - which blocks of the library's code were run?
 *
 * gcc's -fsanitize-coverage=trace-pc calls the function below at the begin of each block.  It marks
 * the block in a table with a byte for each byte of code, by the address that the call returns to.
 * The table is the file REACHED, shared by all processes that load the library, so that those count
 * which end by _exit or a signal.  scripts/check-generated reads it and knows which test reaches
 * what.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/raw_syscall.h"

#define SIZE (1u << 20)

void __sanitizer_cov_trace_pc(void);

extern const char __ehdr_start __attribute__((visibility("hidden")));

static unsigned char reached[SIZE] __attribute__((aligned(65536)));
static bool is_shared;

/* Once for each process image; the table is empty until then. */
static void share_table(void)
{
	long fd;

	is_shared = true;
	fd = RAW_SYSCALL(SYS_openat, AT_FDCWD, REACHED, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	RAW_SYSCALL(SYS_mmap, reached, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	RAW_SYSCALL(SYS_close, fd);
}

void __sanitizer_cov_trace_pc(void)
{
	size_t place = (size_t)((const char *)__builtin_return_address(0) - &__ehdr_start);

	if (!is_shared)
		share_table();
	if (place < SIZE)
		reached[place] = 1;
}
