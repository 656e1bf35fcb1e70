// SPDX-License-Identifier: MIT
/*
 * short.c - transfers that end early, at any byte
 *
 * A file system in user space answers to reads and writes with fewer bytes than it was asked for.
 * Its files are shared memory, so that the program sees what it has taken.  Files on disk end
 * transfers early at their end, and at RLIMIT_FSIZE; there the result must be that of a plain call.
 *
 * A result may be any true one: so many bytes have been transferred, no byte beyond them, and
 * none twice.
 */
#include "strained.h"

#include "fuse.h"
#include "transparency.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define NR_BATCHES 24
#define NR_OPS     12
#define SLOT       (96 * 1024)  /* an op has one of its own */
#define LONG       (300 * 1024) /* several requests of the kernel */
#define SIZE       ((size_t)NR_OPS * SLOT + LONG)
#define RECORD_MAX 3000
#define ALIGNMENT  512

/* The first four are the server's. */
enum target {
	UNCACHED,
	CACHED,
	O_DIRECTLY,
	APPENDED,
	NR_SERVED,
	ON_DISK = NR_SERVED,
	ON_DEVICE,
	NR_TARGETS
};

static const char *const names[NR_SERVED] = { "uncached", "cached", "directly", "appended" };

/* What is in each file. */
static unsigned char *contents[NR_TARGETS];
static int fds[NR_TARGETS];
static unsigned int random_state;
static int nr_short;

static unsigned int random_below(unsigned int end)
{
	random_state = random_state * 1103515245u + 12345u;
	return (random_state >> 8) % end;
}

/* ---- the server ---- */

static int device;
static size_t *appended_size; /* shared, too */

static struct fuse_attr attributes_of(uint64_t node)
{
	bool is_root = node == FUSE_ROOT_ID;
	uint64_t target = node - FUSE_ROOT_ID - 1;

	return (struct fuse_attr){
		.ino = node,
		.size = is_root              ? 0
			: target == APPENDED ? *appended_size
					     : SIZE,
		.mode = is_root ? S_IFDIR | 0755 : S_IFREG | 0644,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void reply(const struct fuse_in_header *in, const void *data, size_t size)
{
	fuse_reply(device, in->unique, 0, data, size);
}

static void reply_lookup(const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = { .nodeid = FUSE_ROOT_ID + 1 };

	for (int i = 0; i < NR_SERVED; i++)
		if (strcmp(name, names[i]) == 0)
			out.nodeid += (uint64_t)i;
	out.attr = attributes_of(out.nodeid);
	reply(in, &out, sizeof(out));
}

/* Half of the answers are short, and one in a hundred reads finds nothing. */
static uint32_t shortened(uint32_t size, bool may_be_none)
{
	if (may_be_none && random_below(100) == 0)
		return 0;
	return size > 1 && random_below(2) ? 1 + random_below(size) : size;
}

static void serve_read(const struct fuse_in_header *in, const struct fuse_read_in *read)
{
	uint64_t target = in->nodeid - FUSE_ROOT_ID - 1;
	size_t left = read->offset < SIZE ? SIZE - read->offset : 0;
	uint32_t size = read->size < left ? read->size : (uint32_t)left;

	reply(in, contents[target] + read->offset, shortened(size, true));
}

static void serve_write(const struct fuse_in_header *in, const struct fuse_write_in *write)
{
	uint64_t target = in->nodeid - FUSE_ROOT_ID - 1;
	struct fuse_write_out out = { .size = shortened(write->size, false) };

	if (write->offset + write->size > SIZE) {
		fuse_reply(device, in->unique, ENOSPC, NULL, 0);
		return;
	}
	memcpy(contents[target] + write->offset, write + 1, out.size);
	if (target == APPENDED && *appended_size < write->offset + out.size)
		*appended_size = write->offset + out.size;
	reply(in, &out, sizeof(out));
}

static void answer(const struct fuse_in_header *in, const void *arg)
{
	struct fuse_attr_out attributes = { .attr = attributes_of(in->nodeid) };
	struct fuse_open_out opened = { .open_flags = FOPEN_NOFLUSH };
	uint64_t target = in->nodeid - FUSE_ROOT_ID - 1;

	switch (in->opcode) {
	case FUSE_INIT:
		fuse_reply_initial(device, in->unique, NR_OPS * 4, FUSE_ASYNC_DIO);
		break;
	case FUSE_LOOKUP:
		reply_lookup(in, arg);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		reply(in, &attributes, sizeof(attributes));
		break;
	case FUSE_OPEN:
		if (target == UNCACHED || target == APPENDED)
			opened.open_flags |= FOPEN_DIRECT_IO;
		reply(in, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		serve_read(in, arg);
		break;
	case FUSE_WRITE:
		serve_write(in, arg);
		break;
	case FUSE_RELEASE:
		reply(in, NULL, 0);
		break;
	default:
		fuse_reply(device, in->unique, ENOSYS, NULL, 0);
	}
}

/* The end of its program is all that it waits for. */
static void obey(int control)
{
	(void)control;
	_exit(0);
}

static bool start_server(void)
{
	int root;

	if (fuse_start(&device, &root, answer, obey) < 0)
		return false;
	for (int i = 0; i < NR_SERVED; i++) {
		int flags = i == APPENDED ? O_APPEND : i == O_DIRECTLY ? O_DIRECT : 0;

		fds[i] = openat(root, names[i], O_RDWR | O_CLOEXEC | flags);
		check(fds[i] >= 0);
	}
	return true;
}

/* ---- requests ---- */

struct op {
	struct aiocb cb;
	unsigned char *buf;
	ssize_t expected; /* of a plain call, or -errno; where it is known */
};

static struct op ops[NR_OPS];

static bool is_write(const struct op *op)
{
	return op->cb.aio_lio_opcode == LIO_WRITE;
}

static bool is_served(enum target target)
{
	return target < NR_SERVED;
}

/*
 * No byte is zero: that is what the page cache has for bytes that did not come.  The kernel reads
 * on there, too, where an answer to an O_DIRECT read is short.
 */
static void fill(unsigned char *buf, size_t size)
{
	unsigned char first = (unsigned char)random_below(255);

	for (size_t i = 0; i < size; i++)
		buf[i] = (unsigned char)(1 + (first + i * 7) % 255);
}

static void choose_range(enum target target, int i, size_t *size, off_t *offset)
{
	unsigned int longest = i == NR_OPS - 1 ? LONG : SLOT;

	if (target == APPENDED) {
		*size = 1 + random_below(RECORD_MAX);
		*offset = 0;
	} else if (target == ON_DEVICE) {
		*size = ALIGNMENT * (1 + random_below(longest / ALIGNMENT / 2));
		*offset = (off_t)i * SLOT + ALIGNMENT * (off_t)random_below(SLOT / ALIGNMENT / 2);
	} else {
		*size = 1 + random_below(random_below(2) ? longest / 2 : 5000);
		*offset = (off_t)i * SLOT + (off_t)random_below(SLOT / 2);
	}
}

/* What a plain call returns; one that writes what is there already changes nothing. */
static ssize_t ask_plain_call(enum target target, const struct op *op)
{
	const struct aiocb *cb = &op->cb;
	ssize_t res;

	if (is_write(op)) {
		memcpy(op->buf, contents[target] + cb->aio_offset, cb->aio_nbytes);
		res = pwrite(fds[target], op->buf, cb->aio_nbytes, cb->aio_offset);
	} else {
		res = pread(fds[target], op->buf, cb->aio_nbytes, cb->aio_offset);
	}
	return res < 0 ? -errno : res;
}

static void prepare(enum target target, int i, bool is_to_write, bool is_notified)
{
	struct op *op = &ops[i];
	size_t size;
	off_t offset;

	choose_range(target, i, &size, &offset);
	aiocb_init_lio(&op->cb, is_to_write ? LIO_WRITE : LIO_READ, fds[target], op->buf, size,
		       offset);
	if (is_notified)
		notify_by_signal(&op->cb.aio_sigevent, SIGRTMIN, i);
	op->expected = is_served(target) ? (ssize_t)size : ask_plain_call(target, op);
	if (is_to_write)
		fill(op->buf, size);
	else
		memset(op->buf, 0, size);
}

/* ---- results ---- */

static bool may_read_zeros(enum target target)
{
	return target == CACHED || target == O_DIRECTLY;
}

static void check_read(enum target target, const struct op *op, size_t size)
{
	const unsigned char *there = contents[target] + op->cb.aio_offset;

	for (size_t i = 0; i < size; i++)
		if (op->buf[i] != there[i] && !(op->buf[i] == 0 && may_read_zeros(target)))
			check_failed("target %d: byte %zu of %zu read at %lld is %u, not %u",
				     target, i, size, (long long)op->cb.aio_offset, op->buf[i],
				     there[i]);
}

/* @before is what was there; the first @size bytes have been written, and no other. */
static void check_write(enum target target, const struct op *op, const unsigned char *before,
			size_t size)
{
	static _Alignas(4096) unsigned char now[LONG];

	if (is_served(target))
		memcpy(now, contents[target] + op->cb.aio_offset, op->cb.aio_nbytes);
	else
		check_equal(pread(fds[target], now, op->cb.aio_nbytes, op->cb.aio_offset),
			    op->cb.aio_nbytes);
	for (size_t i = 0; i < op->cb.aio_nbytes; i++)
		if (now[i] != (i < size ? op->buf : before)[i])
			check_failed(
				"target %d: byte %zu of %zu at %lld, of which %zu were written, is %u",
				target, i, op->cb.aio_nbytes, (long long)op->cb.aio_offset, size,
				now[i]);
}

/*
 * FUSE makes EIO of a short answer to an O_DIRECT write, with glibc as well.  The bytes may be
 * there.
 */
static bool may_fail(enum target target, const struct op *op)
{
	return target == O_DIRECTLY && is_write(op);
}

/* The result, which is that of the plain call where that is known; -1 for an error. */
static ssize_t take_result(enum target target, struct op *op)
{
	int error = await(&op->cb);
	ssize_t size = aio_return(&op->cb);

	if (!is_served(target))
		check_equal(error ? -error : size, op->expected);
	else if (error && !(error == EIO && may_fail(target, op)))
		check_failed("target %d: a %s of %zu bytes ends with %s", target,
			     is_write(op) ? "write" : "read", op->cb.aio_nbytes,
			     strerrorname_np(error));
	if (error) {
		check_equal(size, -1);
		return -1;
	}
	check(size >= 0 && (size_t)size <= op->cb.aio_nbytes);
	check(size > 0 || !is_write(op));
	nr_short += (size_t)size < op->cb.aio_nbytes;
	return size;
}

static void finish_batch(enum target target, unsigned char *before)
{
	for (int i = 0; i < NR_OPS; i++) {
		struct op *op = &ops[i];
		ssize_t size = take_result(target, op);

		if (!is_write(op)) {
			check_read(target, op, size < 0 ? 0 : (size_t)size);
		} else if (size >= 0 || !may_fail(target, op)) {
			check_write(target, op, before + op->cb.aio_offset,
				    size < 0 ? 0 : (size_t)size);
			if (!is_served(target) && size > 0)
				memcpy(contents[target] + op->cb.aio_offset, op->buf, (size_t)size);
		}
	}
}

/* One after the other, in the order of their submission. */
static void finish_appends(size_t at)
{
	for (int i = 0; i < NR_OPS; i++) {
		size_t size = (size_t)take_result(APPENDED, &ops[i]);

		check_memory(contents[APPENDED] + at, ops[i].buf, size);
		at += size;
	}
	check_equal(*appended_size, at);
}

/* ---- the trial ---- */

static void submit_batch(bool is_list)
{
	struct aiocb *list[NR_OPS];

	for (int i = 0; i < NR_OPS; i++) {
		list[i] = &ops[i].cb;
		if (!is_list)
			check_equal((is_write(&ops[i]) ? aio_write : aio_read)(list[i]), 0);
	}
	if (is_list)
		check_equal(lio_listio(LIO_NOWAIT, list, NR_OPS, NULL), 0);
}

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	check_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	check_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/*
 * A file on disk ends early, or may be written up to some byte; its last byte is there again after.
 */
static void do_batch(enum target target)
{
	static unsigned char before[SIZE];
	bool is_notified = random_below(2), is_on_disk = !is_served(target);
	bool is_list = random_below(2);
	size_t old_size = *appended_size, end = random_below(SIZE);

	memcpy(before, contents[target], SIZE);
	if (target == CACHED && random_below(2))
		posix_fadvise(fds[target], 0, 0, POSIX_FADV_DONTNEED);
	if (is_on_disk)
		limit_file_size(end);
	for (int i = 0; i < NR_OPS; i++)
		prepare(target, i, target == APPENDED || random_below(2), is_notified);
	submit_batch(is_list);
	if (target == APPENDED)
		finish_appends(old_size);
	else
		finish_batch(target, before);
	if (is_on_disk)
		limit_file_size(RLIM_INFINITY);
}

/* Reads of a file that ends at some byte. */
static void read_to_the_end(enum target target)
{
	size_t end = random_below(SIZE);

	check_equal(ftruncate(fds[target], (off_t)end), 0);
	for (int i = 0; i < NR_OPS; i++)
		prepare(target, i, false, false);
	submit_batch(random_below(2));
	finish_batch(target, NULL);
}

static void fill_file(enum target target)
{
	check_equal(ftruncate(fds[target], 0), 0);
	check_equal(pwrite(fds[target], contents[target], SIZE, 0), SIZE);
}

static bool open_files(void)
{
	for (int i = 0; i < NR_TARGETS; i++) {
		contents[i] =
			mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		check(contents[i] != MAP_FAILED);
		fill(contents[i], SIZE);
	}
	appended_size = mmap(NULL, sizeof(*appended_size), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(appended_size != MAP_FAILED);
	for (int i = 0; i < NR_OPS; i++)
		ops[i].buf = direct_buffer(LONG);
	fds[ON_DISK] = temp_file(0);
	fds[ON_DEVICE] = direct_file(SIZE, 0);
	if (fds[ON_DEVICE] < 0)
		fds[ON_DEVICE] = temp_file(0);
	fill_file(ON_DISK);
	fill_file(ON_DEVICE);
	return start_server();
}

int try_short(unsigned int seed)
{
	random_state = seed;
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGRTMIN, SIG_IGN);
	if (!open_files())
		return -1;
	for (int batch = 0; batch < NR_BATCHES; batch++)
		for (enum target target = 0; target < NR_TARGETS; target++) {
			do_batch(target);
			if (is_served(target))
				continue;
			read_to_the_end(target);
			fill_file(target);
		}
	return nr_short;
}
