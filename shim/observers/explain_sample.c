// SPDX-License-Identifier: MIT
/*
 * explain_sample.c - the requests that are noted.
 */
#include "observers/explain_sample.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/iovec.h"
#include "base/raw_syscall.h"

/* ---- files ---- */

static enum explain_kind kind_of(mode_t mode)
{
	if (S_ISREG(mode))
		return EXPLAIN_FILE;
	if (S_ISBLK(mode))
		return EXPLAIN_BLOCK_DEVICE;
	if (S_ISFIFO(mode))
		return EXPLAIN_PIPE;
	if (S_ISSOCK(mode))
		return EXPLAIN_SOCKET;
	return S_ISCHR(mode) ? EXPLAIN_TERMINAL : EXPLAIN_UNKNOWN;
}

/* The end of a path that is too long says more than its beginning. */
static void write_path(struct explain_file_name *name, int fd)
{
	char link[32], path[4096];
	long length;
	size_t from;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = RAW_SYSCALL(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path));
	if (length < 0)
		return;
	from = (size_t)length < sizeof(name->path) ? 0 : (size_t)length - sizeof(name->path) + 1;
	memcpy(name->path, path + from, (size_t)length - from);
}

static uint16_t name_of(uint64_t device, uint64_t inode, int fd)
{
	unsigned at = (unsigned)((inode * 2654435761u) ^ device);

	for (unsigned i = 0; i < 8; i++) {
		struct explain_file_name *name =
			&explain_file->names[(at + i) % (EXPLAIN_FILES - 1)];
		uint32_t state = 0;

		if (atomic_load(&name->state) == 0 &&
		    atomic_compare_exchange_strong(&name->state, &state, 1)) {
			name->device = device;
			name->inode = inode;
			write_path(name, fd);
			atomic_store(&name->state, 2);
		}
		if (name->device == device && name->inode == inode)
			return (uint16_t)((at + i) % (EXPLAIN_FILES - 1));
	}
	atomic_fetch_add(&explain_file->nr_unnamed, 1);
	return EXPLAIN_FILES - 1;
}

/* Ask no server of a network file system: it may not answer. */
static void describe_file(struct explain_sample *sample, int fd)
{
	struct statx found = { 0 };
	long mode = RAW_SYSCALL(SYS_fcntl, fd, F_GETFL);

	sample->flags = mode < 0 ? 0 : (uint32_t)mode;
	sample->kind = EXPLAIN_UNKNOWN;
	sample->file = EXPLAIN_FILES - 1;
	if (mode < 0 || RAW_SYSCALL(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
				    STATX_TYPE | STATX_INO, &found) < 0)
		return;
	sample->kind = (uint8_t)kind_of(found.stx_mode);
	sample->file = name_of((uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor,
			       found.stx_ino, fd);
}

/* ---- the sample ---- */

struct explain_pending explain_pending[EXPLAIN_PENDING];

/* The request whose aiocb has this hash gives way. */
static void end_at(unsigned at)
{
	if (!atomic_exchange(&explain_pending[at].cb, NULL))
		return;
	atomic_store(&explain_file->samples[atomic_load(&explain_pending[at].sample)].state,
		     EXPLAIN_DONE);
}

void sample_end(const struct aiocb *cb)
{
	end_at(explain_hash(cb));
}

/* NULL: the file is full, and this request does not replace another. */
static struct explain_sample *take(void)
{
	uint64_t nr = atomic_fetch_add(&explain_file->nr_samples, 1);
	uint32_t at = (uint32_t)nr, state = EXPLAIN_DONE;

	if (nr >= EXPLAIN_SAMPLES) {
		explain_row();
		at = explain_draw(nr < UINT32_MAX ? (uint32_t)nr : UINT32_MAX);
		if (at >= EXPLAIN_SAMPLES ||
		    !atomic_compare_exchange_strong(&explain_file->samples[at].state, &state,
						    EXPLAIN_IN_USE))
			return NULL;
	}
	atomic_store(&explain_file->samples[at].state, EXPLAIN_IN_USE);
	return &explain_file->samples[at];
}

/* Requests that the program has submitted and not collected. */
static uint32_t depth_now(void)
{
	uint64_t submitted = 0, completed = 0, collected = 0;

	for (unsigned i = 0; i < EXPLAIN_ROWS; i++) {
		submitted += explain_file->rows[i].submitted;
		completed += explain_file->rows[i].completed;
		collected += explain_file->rows[i].collected;
	}
	/* Some programs never collect. */
	if (collected == 0)
		collected = completed;
	return submitted > collected ? (uint32_t)(submitted - collected) : 0;
}

/* A block of zeros asks for the null signal, that is, for none. */
static uint8_t notification_of(const struct sigevent *event)
{
	bool is_null = event->sigev_notify == SIGEV_SIGNAL && event->sigev_signo == 0;

	return (uint8_t)(is_null ? SIGEV_NONE : event->sigev_notify);
}

static uint64_t length_of(const struct aiocb *cb, enum request_op op, bool is_vectored)
{
	ssize_t nbytes;

	if (op == OP_FSYNC || op == OP_FDATASYNC)
		return 0;
	if (!is_vectored)
		return cb->aio_nbytes;
	nbytes = iovec_measure((const struct iovec *)(uintptr_t)cb->aio_buf, cb->aio_nbytes);
	return nbytes < 0 ? 0 : (uint64_t)nbytes;
}

struct explain_sample *sample_begin(const struct aiocb *cb, enum request_op op, bool is_vectored,
				    uint64_t now, unsigned nr_before)
{
	uint32_t weight = sampler_draw_next(&explain_self.submissions, now);
	unsigned at = explain_hash(cb);
	struct explain_sample *sample;
	bool is_sync = op == OP_FSYNC || op == OP_FDATASYNC;

	end_at(at);
	sample = take();
	if (!sample)
		return NULL;
	*sample = (struct explain_sample){
		.state = EXPLAIN_IN_USE,
		.weight = weight,
		.submitted_ns = now,
		.nbytes = length_of(cb, op, is_vectored),
		.offset = is_sync ? 0 : cb->aio_offset,
		.op = (uint8_t)op,
		.notify = notification_of(&cb->aio_sigevent),
		.row = explain_row(),
		.depth = depth_now() + nr_before + 1,
	};
	describe_file(sample, cb->aio_fildes);
	atomic_store(&explain_pending[at].sample, (uint32_t)(sample - explain_file->samples));
	atomic_store(&explain_pending[at].cb, cb);
	return sample;
}

void sample_note_call(struct explain_sample *sample, uint64_t share_ns)
{
	sample->call_ns = share_ns < UINT32_MAX ? (uint32_t)share_ns : UINT32_MAX;
}

void sample_start(void)
{
	memset(explain_pending, 0, sizeof(explain_pending));
}
