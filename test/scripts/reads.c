// SPDX-License-Identifier: MIT
/*
 * reads.c - reads the blocks of a file one by one, past the page cache where that is possible
 *
 * Each waits in aio_suspend, without a look at aio_error that would take its end.
 * With a second argument it throws its environment away first, executes itself anew with one that
 * has names without values, lets a child of vfork leave now and then, or reads through the page
 * cache.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 4096

static void execute_with_names(char *file)
{
	static char preload[4096];
	char *argv[] = { "reads", file, NULL },
	     *entries[] = { "RTAIO_STATS", preload, "RTAIO_NOBODY_KNOWS", NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
	execve("/proc/self/exe", argv, entries);
	perror("execve");
}

/* Its memory is this process's. */
static void leave_in_vfork_child(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	struct aiocb cb = { .aio_nbytes = BLOCK };
	const struct aiocb *list[] = { &cb };
	void *buf;

	if (argc < 2 || posix_memalign(&buf, BLOCK, BLOCK))
		return 2;
	if (argc > 2 && strcmp(argv[2], "without-environment") == 0)
		clearenv();
	if (argc > 2 && strcmp(argv[2], "names") == 0)
		execute_with_names(argv[1]);
	cb.aio_buf = buf;
	cb.aio_fildes = -1;
	if (argc == 2 || strcmp(argv[2], "buffered") != 0)
		cb.aio_fildes = open(argv[1], O_RDONLY | O_DIRECT);
	if (cb.aio_fildes < 0)
		cb.aio_fildes = open(argv[1], O_RDONLY);
	for (;;) {
		ssize_t got;

		if (aio_read(&cb) < 0 || aio_suspend(list, 1, NULL) < 0 || aio_error(&cb))
			break;
		got = aio_return(&cb);
		if (got == 0)
			return 0;
		cb.aio_offset += got;
		if (argc > 2 && strcmp(argv[2], "vfork") == 0)
			leave_in_vfork_child();
	}
	perror("reads");
	return 1;
}
