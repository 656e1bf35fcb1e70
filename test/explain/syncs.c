// SPDX-License-Identifier: MIT
/*
 * syncs.c - asks for many syncs of a file at once, and waits for all
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SYNCS 64

int main(int argc, char **argv)
{
	static struct aiocb cbs[SYNCS];
	int fd = argc > 1 ? open(argv[1], O_WRONLY) : -1;

	if (fd < 0)
		return 2;
	for (int i = 0; i < SYNCS; i++) {
		cbs[i].aio_fildes = fd;
		if (pwrite(fd, "x", 1, i) != 1 || aio_fsync(O_SYNC, &cbs[i]) < 0)
			return 1;
	}
	for (int i = 0; i < SYNCS; i++) {
		const struct aiocb *list[] = { &cbs[i] };

		while (aio_error(&cbs[i]) == EINPROGRESS)
			aio_suspend(list, 1, NULL);
		if (aio_return(&cbs[i]) != 0)
			return 1;
	}
	return 0;
}
