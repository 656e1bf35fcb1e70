// SPDX-License-Identifier: MIT
/*
 * copy_file.c - copy a file with several requests in flight, as programs for FreeBSD do it
 *
 * Each slot reads a block, writes it, and takes the next block.  aio_waitcomplete tells whose
 * request has ended.  The same source works on FreeBSD.
 *
 *	cc -o copy_file copy_file.c $(pkg-config --cflags --libs rtaio)
 *	./copy_file FROM TO
 */
#include <aio.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <rtaio.h>
#endif

#define NR_SLOTS   8
#define BLOCK_SIZE 65536

static struct slot {
	struct aiocb cb; /* first: aio_waitcomplete gives its address */
	char buffer[BLOCK_SIZE];
	size_t size; /* of this block */
	int is_write;
} slots[NR_SLOTS];

static int from, to;
static off_t end, next; /* the end of the file; the first byte that no slot has taken */

/* Transfer @size bytes at @begin of the slot's buffer, which are at @offset of the file. */
static void submit(struct slot *slot, size_t begin, size_t size, off_t offset)
{
	memset(&slot->cb, 0, sizeof(slot->cb));
	slot->cb.aio_fildes = slot->is_write ? to : from;
	slot->cb.aio_buf = slot->buffer + begin;
	slot->cb.aio_nbytes = size;
	slot->cb.aio_offset = offset;
	slot->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if ((slot->is_write ? aio_write : aio_read)(&slot->cb) == -1)
		err(EXIT_FAILURE, "cannot submit");
}

/* False: all blocks are taken. */
static int read_next_block(struct slot *slot)
{
	if (next == end)
		return 0;
	slot->size = end - next < BLOCK_SIZE ? (size_t)(end - next) : BLOCK_SIZE;
	slot->is_write = 0;
	submit(slot, 0, slot->size, next);
	next += (off_t)slot->size;
	return 1;
}

/* @nr bytes were transferred.  False: the slot has nothing more to do. */
static int go_on(struct slot *slot, size_t nr)
{
	char *begin = (char *)slot->cb.aio_buf + nr;
	size_t done = (size_t)(begin - slot->buffer);
	off_t offset = slot->cb.aio_offset + (off_t)nr;

	if (nr == 0)
		errx(EXIT_FAILURE, "the file has become shorter");
	if (done < slot->size) { /* a short transfer */
		submit(slot, done, slot->size - done, offset);
	} else if (!slot->is_write) {
		slot->is_write = 1;
		submit(slot, 0, slot->size, offset - (off_t)slot->size);
	} else {
		return read_next_block(slot);
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct timespec zero = { 0, 0 };
	struct aiocb *cb;
	struct stat st;
	int nr_busy = 0;

	if (argc != 3)
		errx(EXIT_FAILURE, "usage: copy_file FROM TO");
	from = open(argv[1], O_RDONLY);
	if (from == -1 || fstat(from, &st) == -1)
		err(EXIT_FAILURE, "%s", argv[1]);
	to = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (to == -1)
		err(EXIT_FAILURE, "%s", argv[2]);
	end = st.st_size;

	/* rtaio keeps completions from the first call on, so it comes before the first request. */
	aio_waitcomplete(&cb, &zero);
	for (int i = 0; i < NR_SLOTS; i++)
		nr_busy += read_next_block(&slots[i]);
	while (nr_busy > 0) {
		ssize_t nr = aio_waitcomplete(&cb, NULL);

		if (nr == -1)
			err(EXIT_FAILURE, "%s", cb ? "a transfer failed" : "aio_waitcomplete");
		nr_busy -= !go_on((struct slot *)cb, (size_t)nr);
	}
	if (close(to) == -1)
		err(EXIT_FAILURE, "%s", argv[2]);
	printf("copied %lld bytes\n", (long long)end);
	return EXIT_SUCCESS;
}
