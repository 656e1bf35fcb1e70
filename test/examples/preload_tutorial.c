// SPDX-License-Identifier: MIT
/*
 * preload_tutorial.c - the example of every POSIX AIO tutorial
 *
 * Starts a read, does other work, asks aio_error until the read is over and
 * collects the result with aio_return.  It knows nothing of rtaio.
 *
 *	cc -o preload_tutorial preload_tutorial.c
 *	./preload_tutorial file                 on glibc
 *	rtaio --verbose ./preload_tutorial file on io_uring and Linux AIO
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE 4096

static unsigned long do_other_work(void)
{
	static unsigned long sum;

	for (unsigned long i = 0; i < 1000; i++)
		sum += i * i;
	return sum;
}

int main(int argc, char **argv)
{
	static char buffer[BUFFER_SIZE];
	struct aiocb cb;
	unsigned long work = 0;
	ssize_t nr;
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return EXIT_FAILURE;
	}
	memset(&cb, 0, sizeof(cb));
	cb.aio_fildes = open(argv[1], O_RDONLY);
	if (cb.aio_fildes == -1) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	cb.aio_buf = buffer;
	cb.aio_nbytes = sizeof(buffer);
	cb.aio_offset = 0;
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;

	if (aio_read(&cb) == -1) {
		perror("aio_read");
		return EXIT_FAILURE;
	}
	while ((err = aio_error(&cb)) == EINPROGRESS)
		work += do_other_work();
	nr = aio_return(&cb);
	if (err != 0) {
		fprintf(stderr, "read: %s\n", strerror(err));
		return EXIT_FAILURE;
	}
	printf("read %zd bytes: %.*s\n", nr, (int)strcspn(buffer, "\n"), buffer);
	close(cb.aio_fildes);
	return work == 1 ? EXIT_FAILURE : EXIT_SUCCESS;
}
