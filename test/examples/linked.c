// SPDX-License-Identifier: MIT
/*
 * linked.c - a program that is linked with rtaio
 *
 * No preload is needed: -lrtaio stands before libc on the link line, so the
 * AIO functions come from there.  The source is plain POSIX all the same; it
 * writes two records with one lio_listio and waits for both.
 *
 *	cc -o linked linked.c $(pkg-config --cflags --libs rtaio)
 *	RTAIO_VERBOSE=1 ./linked file
 *
 * If the library is in no directory the loader knows, add
 * -Wl,-rpath,$(pkg-config --variable=libdir rtaio).
 */
#include <aio.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_SIZE 16
#define NR_RECORDS  2

static void prep_record(struct aiocb *cb, int fd, char *record, int number)
{
	memset(record, '.', RECORD_SIZE - 1);
	record[0] = (char)('0' + number);
	record[RECORD_SIZE - 1] = '\n';
	memset(cb, 0, sizeof(*cb));
	cb->aio_fildes = fd;
	cb->aio_lio_opcode = LIO_WRITE;
	cb->aio_buf = record;
	cb->aio_nbytes = RECORD_SIZE;
	cb->aio_offset = (off_t)number * RECORD_SIZE;
	cb->aio_sigevent.sigev_notify = SIGEV_NONE;
}

int main(int argc, char **argv)
{
	struct aiocb cbs[NR_RECORDS], *list[NR_RECORDS];
	char records[NR_RECORDS][RECORD_SIZE];
	ssize_t nr = 0;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return EXIT_FAILURE;
	}
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd == -1) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	for (int i = 0; i < NR_RECORDS; i++) {
		prep_record(&cbs[i], fd, records[i], i);
		list[i] = &cbs[i];
	}
	if (lio_listio(LIO_WAIT, list, NR_RECORDS, NULL) == -1) {
		perror("lio_listio");
		return EXIT_FAILURE;
	}
	for (int i = 0; i < NR_RECORDS; i++)
		nr += aio_return(&cbs[i]);
	printf("wrote %zd bytes\n", nr);
	return close(fd) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
