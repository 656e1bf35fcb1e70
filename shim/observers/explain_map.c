// SPDX-License-Identifier: MIT
/*
 * explain_map.c - make and map the file of this process.
 */
#include "observers/explain_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/raw_syscall.h"
#include "observers/explain_file.h"

/* exec keeps the pid: then a number follows. */
static int create(const char *directory)
{
	char path[512];
	long fd = -EEXIST;

	for (int i = 0; fd == -EEXIST && i < 1000; i++) {
		snprintf(path, sizeof(path), "%s/%ld-%d", directory, RAW_SYSCALL(SYS_getpid), i);
		fd = RAW_SYSCALL(SYS_openat, AT_FDCWD, path,
				 O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	return (int)fd;
}

/*
 * All of it, since a write to a page without room would be SIGBUS; within the limit, or SIGXFSZ
 * comes.
 */
static long reserve(int fd)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

	RAW_SYSCALL(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit);
	if (limit.rlim_cur < sizeof(struct explain_file))
		return -EFBIG;
	return RAW_SYSCALL(SYS_fallocate, fd, 0, 0L, sizeof(struct explain_file));
}

long explain_map(const char *directory)
{
	int fd = create(directory);
	long at = fd < 0 ? fd : reserve(fd);

	if (at == 0)
		at = RAW_SYSCALL(SYS_mmap, NULL, sizeof(struct explain_file),
				 PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
	if (fd >= 0)
		RAW_SYSCALL(SYS_close, fd);
	return at;
}

void explain_write_command(char *out, size_t size)
{
	long fd = RAW_SYSCALL(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0),
	     length = fd < 0 ? 0 : RAW_SYSCALL(SYS_read, fd, out, size - 1);

	if (fd >= 0)
		RAW_SYSCALL(SYS_close, fd);
	if (length <= 0)
		snprintf(out, size, "%s", program_invocation_short_name);
	for (long i = 0; i + 1 < length; i++)
		if (out[i] == '\0')
			out[i] = ' ';
}
