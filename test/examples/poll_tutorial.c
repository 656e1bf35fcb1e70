// SPDX-License-Identifier: MIT
/*
 * poll_tutorial.c - submit, work, poll, collect; with rtaio and without
 *
 * Reads a file, works meanwhile, and looks now and then whether the read has ended.  The functions
 * of rtaio are weak: the program is built without the library, and runs without it.  Then it asks
 * aio_error instead.
 *
 *	cc -o poll_tutorial poll_tutorial.c $(pkg-config --cflags rtaio)
 *	./poll_tutorial file                 on glibc
 *	rtaio ./poll_tutorial file           with the library
 *
 * It may also be linked with the library, shared or static.
 */
#include <rtaio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma weak aio_waitcomplete
#pragma weak rtaio_version

#define BUFFER_SIZE 4096

static unsigned long do_other_work(void)
{
	static unsigned long sum;

	for (unsigned long i = 0; i < 1000; i++)
		sum += i * i;
	return sum;
}

/* Has a request ended?  If so, @nr is what it returned, with errno. */
static int poll_for_end(struct aiocb *cb, ssize_t *nr)
{
	static const struct timespec zero; /* only look */
	struct aiocb *ended;
	int err;

	if (aio_waitcomplete) {
		*nr = aio_waitcomplete(&ended, &zero);
		return ended != NULL || errno != EAGAIN;
	}
	err = aio_error(cb);
	if (err == EINPROGRESS)
		return 0;
	*nr = aio_return(cb);
	errno = err;
	return 1;
}

int main(int argc, char **argv)
{
	static char buffer[BUFFER_SIZE];
	struct aiocb cb = { 0 };
	ssize_t nr;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return EXIT_FAILURE;
	}
	cb.aio_fildes = open(argv[1], O_RDONLY);
	if (cb.aio_fildes == -1) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	cb.aio_buf = buffer;
	cb.aio_nbytes = sizeof(buffer);
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;

	/* Requests are kept for aio_waitcomplete from its first call on. */
	if (aio_waitcomplete)
		poll_for_end(&cb, &nr);
	if (aio_read(&cb) == -1) {
		perror("aio_read");
		return EXIT_FAILURE;
	}
	while (!poll_for_end(&cb, &nr))
		do_other_work();
	if (nr == -1) {
		perror("read");
		return EXIT_FAILURE;
	}
	printf("%s: read %zd bytes: %.*s\n", rtaio_version ? "rtaio" : "glibc", nr,
	       (int)strcspn(buffer, "\n"), buffer);
	return EXIT_SUCCESS;
}
