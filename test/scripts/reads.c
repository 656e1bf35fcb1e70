// SPDX-License-Identifier: MIT
/*
 * reads.c - reads the blocks of a file one by one, past the page cache where that is possible
 *
 * Each waits in aio_suspend, without a look at aio_error that would take its end.
 * With a second argument it throws its environment away first.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK 4096

int main(int argc, char **argv)
{
	struct aiocb cb = { .aio_nbytes = BLOCK };
	const struct aiocb *list[] = { &cb };
	void *buf;

	if (argc < 2 || posix_memalign(&buf, BLOCK, BLOCK))
		return 2;
	if (argc > 2)
		clearenv();
	cb.aio_buf = buf;
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
	}
	perror("reads");
	return 1;
}
