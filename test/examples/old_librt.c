// SPDX-License-Identifier: MIT
/*
 * old_librt.c - a program that was linked before glibc 2.34
 *
 * Such a program needs librt.so.1, and asks it for aio_read@GLIBC_2.2.5 and
 * lio_listio@GLIBC_2.4, or @GLIBC_2.2.5 if it is very old.  It may have timers
 * and message queues from there too, which rtaio must not hide.  A modern system cannot link such
 * a program any more, but for a stand-in of the old library (librt_stub.c):
 *
 *	cc -shared -fPIC -o librt.so.1 -Wl,-soname,librt.so.1 \
 *		-Wl,--version-script=librt_stub.map librt_stub.c
 *	cc -o old_librt old_librt.c ./librt.so.1
 *	rm librt.so.1
 *
 * It then has a choice that present programs do not have: besides the preload,
 * rtaio's own librt.so.1 may stand in for glibc's, from a private directory.
 *
 *	rtaio --verbose ./old_librt file         preloaded
 *	rtaio --librt --verbose ./old_librt file in place of librt.so.1
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What the linker chose before glibc 2.4. */
__asm__(".symver very_old_lio_listio, lio_listio@GLIBC_2.2.5");
int very_old_lio_listio(int mode, struct aiocb *const list[], int nent, struct sigevent *sig);

static void prep_read(struct aiocb *cb, int fd, char *byte, off_t offset)
{
	memset(cb, 0, sizeof(*cb));
	cb->aio_fildes = fd;
	cb->aio_lio_opcode = LIO_READ;
	cb->aio_buf = byte;
	cb->aio_nbytes = 1;
	cb->aio_offset = offset;
	cb->aio_sigevent.sigev_notify = SIGEV_NONE;
}

/* Waits for one request. */
static ssize_t result_of(struct aiocb *cb)
{
	const struct aiocb *list[] = { cb };

	while (aio_error(cb) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	return aio_return(cb);
}

static int use_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_delete(timer) == 0;
}

/* What the compiler chose with -D_FORTIFY_SOURCE since glibc 2.7. */
mqd_t __mq_open_2(const char *name, int flags);

/* There is none of that name. */
static int use_queues(void)
{
	const char *name = "/rtaio-of-old-librt";

	return mq_open(name, O_RDONLY) == -1 && errno == ENOENT &&
	       __mq_open_2(name, O_RDONLY) == -1 && errno == ENOENT;
}

int main(int argc, char **argv)
{
	struct aiocb cbs[3], *old[] = { &cbs[1] }, *very_old[] = { &cbs[2] };
	char bytes[4] = "";
	ssize_t nr;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return EXIT_FAILURE;
	}
	fd = open(argv[1], O_RDONLY);
	if (fd == -1) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	for (int i = 0; i < 3; i++)
		prep_read(&cbs[i], fd, &bytes[i], i);
	if (aio_read(&cbs[0]) == -1 || lio_listio(LIO_WAIT, old, 1, NULL) == -1 ||
	    very_old_lio_listio(LIO_WAIT, very_old, 1, NULL) == -1) {
		perror("reading");
		return EXIT_FAILURE;
	}
	nr = result_of(&cbs[0]) + result_of(&cbs[1]) + result_of(&cbs[2]);
	printf("read %zd bytes: %s; timers %s, queues %s\n", nr, bytes,
	       use_timer() ? "work" : "fail", use_queues() ? "work" : "fail");
	return close(fd) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
