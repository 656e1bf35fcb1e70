// SPDX-License-Identifier: MIT
/*
 * edges.c - what requests at the edges of a file or block device end with
 *
 * usage: edges PATH [COMMAND]
 *
 * Prints a line for each request, with its result and a checksum of what it read,
 * in an order that is always the same: the output on glibc and on any other
 * implementation must not differ.  The file is opened in several ways, filled and
 * read through each; with a COMMAND, that is executed in between, and what is left
 * of the file is used as it is.  A path that cannot be written is only read.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "older_libc.h"

#define BLOCK 4096
#define SIZE  (256 * BLOCK)
#define DEEP  32
/* A server may be away for a while. */
#define DEADLINE_S 180

static const struct view {
	const char *name;
	int flags;
} views[] = {
	{ "buffered", O_RDWR },        { "direct", O_RDWR | O_DIRECT },
	{ "dsync", O_RDWR | O_DSYNC }, { "append", O_RDWR | O_APPEND },
	{ "read-only", O_RDONLY },     { "write-only", O_WRONLY },
};

#define NR_VIEWS (sizeof(views) / sizeof(views[0]))

/* Offsets count from the end where is_from_end is set. */
static const struct edge {
	const char *name;
	bool is_write, is_from_end;
	off_t offset;
	size_t size, odd; /* odd: bytes that the buffer is off a block */
} edges[] = {
	{ "read the first block", false, false, 0, BLOCK, 0 },
	{ "read 1000 bytes at 12345", false, false, 12345, 1000, 0 },
	{ "read into an odd address", false, false, BLOCK, BLOCK, 1 },
	{ "read into an address off by 512", false, false, BLOCK, BLOCK, 512 },
	{ "read 512 bytes", false, false, 512, 512, 0 },
	{ "read across the end", false, true, -BLOCK, 2 * BLOCK, 0 },
	{ "read at the end", false, true, 0, BLOCK, 0 },
	{ "read behind the end", false, true, 16 * BLOCK, BLOCK, 0 },
	{ "read nothing", false, false, 0, 0, 0 },
	{ "read at -1", false, false, -1, BLOCK, 0 },
	{ "read at -4096", false, false, -BLOCK, BLOCK, 0 },
	{ "read far away", false, false, INT64_MAX - 2 * BLOCK + 1, BLOCK, 0 },
	/* Before a block, which f2fs gives back: then no write is tried for a while. */
	{ "write 512 bytes", true, false, 512, 512, 0 },
	{ "write the second block", true, false, BLOCK, BLOCK, 0 },
	{ "write 1000 bytes at 12345", true, false, 12345, 1000, 0 },
	{ "write from an odd address", true, false, 2 * BLOCK, BLOCK, 1 },
	{ "write across the end", true, true, -BLOCK, 2 * BLOCK, 0 },
	{ "write at the end", true, true, 0, BLOCK, 0 },
	{ "write behind the end", true, true, 4 * BLOCK, BLOCK, 0 },
	{ "write nothing", true, false, 0, 0, 0 },
	{ "write at -1", true, false, -1, BLOCK, 0 },
	{ "write far away", true, false, INT64_MAX - 2 * BLOCK + 1, BLOCK, 0 },
};

static unsigned char *memory; /* DEEP blocks, and one more that nobody may use */

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static unsigned int checksum(const unsigned char *bytes, size_t size)
{
	unsigned int sum = 2166136261u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 16777619u;
	return sum;
}

static void fill(unsigned char *bytes, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)((i ^ i >> 8 ^ i >> 16) * 7 + seed);
}

/* Wait for a request; what it ends with is printed. */
static void show_end(struct aiocb *cb, bool is_read)
{
	const struct aiocb *list[1] = { cb };
	struct timespec timeout = { .tv_sec = DEADLINE_S };
	ssize_t result;
	int error;

	if (aio_error(cb) == EINPROGRESS)
		aio_suspend(list, 1, &timeout);
	error = aio_error(cb);
	if (error == EINPROGRESS) {
		printf(" hangs\n");
		exit(1);
	}
	result = aio_return(cb);
	if (error)
		printf(" %s, %zd", strerrorname_np(error), result);
	else
		printf(" %zd", result);
	if (is_read && result > 0)
		printf(" %08x", checksum((unsigned char *)cb->aio_buf, (size_t)result));
}

static struct aiocb block_at(int fd, void *buf, size_t size, off_t offset)
{
	struct aiocb cb = {
		.aio_fildes = fd, .aio_buf = buf, .aio_nbytes = size, .aio_offset = offset
	};

	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	return cb;
}

static void show_request(struct aiocb *cb, bool is_write)
{
	if ((is_write ? aio_write : aio_read)(cb) < 0)
		printf(" refused: %s", strerrorname_np(errno));
	else
		show_end(cb, !is_write);
	printf("\n");
	fflush(stdout);
}

static void show_edge(const char *view, int fd, const struct edge *edge)
{
	off_t end = edge->is_from_end ? lseek(fd, 0, SEEK_END) : 0;
	struct aiocb cb =
		block_at(fd, memory + edge->odd, edge->size, edge->offset + (end > 0 ? end : 0));

	fill(memory, 4 * BLOCK, edge->is_write ? (unsigned int)edge->offset / BLOCK : 0);
	printf("%s: %s:", view, edge->name);
	show_request(&cb, edge->is_write);
}

/* The second half of the buffer may not be used. */
static void show_bad_buffer(const char *view, int fd, bool is_write)
{
	struct aiocb cb = block_at(fd, memory + (DEEP - 1) * BLOCK, 2 * BLOCK, 8 * BLOCK);

	printf("%s: %s half a buffer:", view, is_write ? "write" : "read");
	show_request(&cb, is_write);
}

static void show_sync(const char *view, int fd, int how)
{
	struct aiocb cb = block_at(fd, NULL, 0, 0);

	printf("%s: %s:", view, how == O_SYNC ? "sync" : "sync of the data");
	if (aio_fsync(how, &cb) < 0)
		printf(" refused: %s", strerrorname_np(errno));
	else
		show_end(&cb, false);
	printf("\n");
}

/* Many blocks at once, one by one or as a list. */
static void show_deep(const char *view, int fd, bool is_write, bool is_list)
{
	static struct aiocb cbs[DEEP];
	struct aiocb *list[DEEP];

	fill(memory, DEEP * BLOCK, is_write ? 77 : 0);
	for (int i = 0; i < DEEP; i++) {
		cbs[i] = block_at(fd, memory + i * BLOCK, BLOCK, (off_t)(i * 37 % 64) * BLOCK);
		cbs[i].aio_lio_opcode = is_write ? LIO_WRITE : LIO_READ;
		list[i] = &cbs[i];
	}
	printf("%s: %s %d blocks%s:", view, is_write ? "write" : "read", DEEP,
	       is_list ? " in a list" : "");
	if (is_list && lio_listio(LIO_WAIT, list, DEEP, NULL) < 0)
		printf(" %s", strerrorname_np(errno));
	for (int i = 0; i < DEEP && !is_list; i++)
		if ((is_write ? aio_write : aio_read)(&cbs[i]) < 0)
			die("cannot submit");
	for (int i = 0; i < DEEP; i++)
		show_end(&cbs[i], !is_write);
	printf("\n");
	fflush(stdout);
}

static void show_view(const char *view, int fd)
{
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		show_edge(view, fd, &edges[i]);
	for (int is_write = 0; is_write < 2; is_write++) {
		show_bad_buffer(view, fd, is_write);
		show_deep(view, fd, is_write, false);
		show_sync(view, fd, is_write ? O_SYNC : O_DSYNC);
		show_deep(view, fd, is_write, true);
	}
}

/* What a plain read finds afterwards. */
static void show_content(const char *view, const char *path)
{
	static unsigned char content[2 * SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : pread(fd, content, sizeof(content), 0);

	printf("%s: then it holds", view);
	if (size < 0)
		printf(" %s\n", strerrorname_np(errno));
	else
		printf(" %lld %08x\n", (long long)lseek(fd, 0, SEEK_END),
		       checksum(content, (size_t)size));
	if (fd >= 0)
		close(fd);
}

/* The file as each view finds it. */
static void prepare(const char *path)
{
	static unsigned char content[SIZE];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	off_t end = 0;

	if (fd < 0)
		return;
	fill(content, SIZE, 1);
	/* A device has the length that it has: its end is filled, too. */
	if (ftruncate(fd, 0) < 0) {
		if (errno != EINVAL)
			die("cannot truncate");
		end = lseek(fd, 0, SEEK_END) - SIZE;
	}
	if (pwrite(fd, content, SIZE, end) != SIZE || pwrite(fd, content, SIZE, 0) != SIZE ||
	    fsync(fd) < 0)
		printf("prepared: %s\n", strerrorname_np(errno));
	close(fd);
}

int main(int argc, char **argv)
{
	int fds[NR_VIEWS];

	if (argc < 2)
		return 2;
	memory = mmap(NULL, (DEEP + 1) * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	/* Kept, since the kernel or the library would map something else at a free address. */
	if (memory == MAP_FAILED || mprotect(memory + DEEP * BLOCK, BLOCK, PROT_NONE) < 0)
		die("mmap");
	prepare(argv[1]);
	for (size_t i = 0; i < NR_VIEWS; i++)
		fds[i] = open(argv[1], views[i].flags | O_CLOEXEC);
	if (argc > 2) {
		fflush(stdout);
		printf("command: status %d\n", system(argv[2]));
	}
	for (size_t i = 0; i < NR_VIEWS; i++) {
		if (fds[i] < 0) {
			printf("%s: cannot be opened\n", views[i].name);
			continue;
		}
		if (argc <= 2)
			prepare(argv[1]);
		show_view(views[i].name, fds[i]);
		show_content(views[i].name, argv[1]);
	}
	return 0;
}
