/* SPDX-License-Identifier: MIT */
/*
 * counters.c - one set of gcov's counters for all processes.
 *
 * gcov writes a process's counters when it exits.  One that ends by _exit, exec or a signal writes
 * none, and a library that wrote files in the middle of a test would not be the one that is tested.
 * So the pages with the counters are those of a file, COUNTERS, shared by all processes that load
 * the library; each count is one atomic addition to memory, which outlives the process that made
 * it.  With RTAIO_COVERAGE_DUMP in its environment a process writes them at its end as gcov does.
 *
 * Linked to what scripts/check-coverage builds, and to nothing else.  The linker brings gcov's
 * calls here (--wrap); counters.ld puts the counters together.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct gcov_info;
void __wrap___gcov_init(struct gcov_info *info);
void __real___gcov_init(struct gcov_info *info);

extern long coverage_begin[], coverage_end[];

/* Only system calls: the program, or another preload, may have functions of these names. */
static int open_counters(size_t size)
{
	int fd = syscall(SYS_openat, AT_FDCWD, COUNTERS, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd >= 0 && syscall(SYS_ftruncate, fd, size)) {
		syscall(SYS_close, fd);
		return -1;
	}
	return fd;
}

/* Constructors of others may have called the library before: their counts are moved along. */
static void share_counters(void)
{
	size_t size = (char *)coverage_end - (char *)coverage_begin;
	long *shared;
	int fd;

	if (size == 0 || (fd = open_counters(size)) < 0)
		return;
	shared = (long *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (shared == MAP_FAILED)
		return;
	for (size_t i = 0; i < size / sizeof(long); i++)
		if (coverage_begin[i] != 0)
			__atomic_fetch_add(&shared[i], coverage_begin[i], __ATOMIC_RELAXED);
	syscall(SYS_mremap, shared, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, coverage_begin);
}

/* gcov calls this once for each object, before other constructors of the library. */
void __wrap___gcov_init(struct gcov_info *info)
{
	static bool is_shared, dumps;

	if (!is_shared) {
		is_shared = true;
		dumps = getenv("RTAIO_COVERAGE_DUMP") != NULL;
		share_counters();
	}
	if (dumps)
		__real___gcov_init(info);
	/* An exit without an object writes nothing. */
}
