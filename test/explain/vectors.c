// SPDX-License-Identifier: MIT
/*
 * vectors.c - reads 64 times with three buffers, of 3000 bytes in all, once by a list
 */
#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/uio.h>

#define READS     64
#define LIO_READV 16

int main(int argc, char **argv)
{
	int (*call_readv)(struct aiocb *) =
		(int (*)(struct aiocb *))dlsym(RTLD_DEFAULT, "aio_readv");
	static char buf[3000];
	struct iovec vector[] = { { buf, 1000 }, { buf + 1000, 500 }, { buf + 1500, 1500 } };
	struct aiocb cb = { .aio_buf = vector, .aio_nbytes = 3 }, *list[] = { &cb };

	cb.aio_fildes = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	cb.aio_lio_opcode = LIO_READV;
	if (cb.aio_fildes < 0 || !call_readv)
		return 2;
	for (int i = 0; i < READS; i++) {
		const struct aiocb *waited[] = { &cb };

		if ((i ? call_readv(&cb) : lio_listio(LIO_NOWAIT, list, 1, NULL)) < 0)
			return 1;
		while (aio_error(&cb) == EINPROGRESS)
			aio_suspend(waited, 1, NULL);
		if (aio_return(&cb) != 3000)
			return 1;
	}
	return 0;
}
