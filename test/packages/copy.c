// SPDX-License-Identifier: MIT
/*
 * copy.c - copies standard input to standard output by POSIX AIO, a line of a pipe at a time
 *
 * So it runs for as long as the other end of the pipe is open.
 */
#include <aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static ssize_t finish(struct aiocb *cb)
{
	const struct aiocb *const list[] = { cb };

	while (aio_suspend(list, 1, NULL))
		;
	return aio_return(cb);
}

int main(void)
{
	static char buffer[256];
	struct aiocb cb = { .aio_fildes = STDIN_FILENO, .aio_buf = buffer };
	ssize_t nr;

	for (;;) {
		cb.aio_fildes = STDIN_FILENO;
		cb.aio_nbytes = sizeof(buffer);
		if (aio_read(&cb)) {
			perror("aio_read");
			return EXIT_FAILURE;
		}
		nr = finish(&cb);
		if (nr <= 0)
			return nr == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		cb.aio_fildes = STDOUT_FILENO;
		cb.aio_nbytes = (size_t)nr;
		if (aio_write(&cb)) {
			perror("aio_write");
			return EXIT_FAILURE;
		}
		if (finish(&cb) != nr)
			return EXIT_FAILURE;
	}
}
