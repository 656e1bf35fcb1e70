// SPDX-License-Identifier: MIT
/*
 * explain.c - the observer behind RTAIO_EXPLAIN: counts all requests, and notes a sample of them.
 *
 * `rtaio explain` reads the file that this makes (explain_file.h), while the program runs and
 * afterwards. The clock and the kernel are asked only for the sample, since that takes longer than
 * many a request.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "api/observe.h"
#include "base/clock.h"
#include "base/probes.h"
#include "base/raw_syscall.h"
#include "observers/explain_map.h"
#include "observers/explain_sample.h"
#include "rtaio.h"

#define EXPORT __attribute__((visibility("default")))

#define LIST_NOTES 32 /* most notes of one list */

static struct aio_calls calls;
static bool is_glibc;

/* ---- the program's calls ---- */

static int do_submit(struct aiocb *cb, enum request_op op, bool is_vectored)
{
	if (op == OP_READ)
		return is_vectored ? calls.aio_readv(cb) : calls.aio_read(cb);
	if (op == OP_WRITE)
		return is_vectored ? calls.aio_writev(cb) : calls.aio_write(cb);
	return calls.aio_fsync(op == OP_FSYNC ? O_SYNC : O_DSYNC, cb);
}

static int submit_noted(struct aiocb *cb, enum request_op op, bool is_vectored)
{
	uint64_t since = explain_self.submissions.last_ns, began = clock_now_ns(), ended;
	struct explain_sample *sample = sample_begin(cb, op, is_vectored, began, 0);
	int ret;

	/* The kernel was asked about the file meanwhile. */
	began = clock_now_ns();
	if (sample)
		sample->submitted_ns = began;
	ret = do_submit(cb, op, is_vectored);
	ended = clock_now_ns();
	if (!sample)
		return ret;
	if (ret == 0) {
		COUNT(submitting_ns, sampler_estimate(ended - began, sample->weight, since, ended));
		sample_note_call(sample, ended - began);
	} else {
		sample->submitted_ns = 0; /* it never was a request */
		sample_end_last(cb);
	}
	return ret;
}

static int submit(struct aiocb *cb, enum request_op op, bool is_vectored)
{
	int ret;

	if (sampler_is_next(&explain_self.submissions)) {
		ret = submit_noted(cb, op, is_vectored);
	} else {
		sample_end_last(cb);
		ret = do_submit(cb, op, is_vectored);
	}
	if (ret == 0)
		COUNT(submitted, 1);
	return ret;
}

static int explain_aio_read(struct aiocb *cb)
{
	return submit(cb, OP_READ, false);
}

static int explain_aio_write(struct aiocb *cb)
{
	return submit(cb, OP_WRITE, false);
}

static int explain_aio_readv(struct aiocb *cb)
{
	return submit(cb, OP_READ, true);
}

static int explain_aio_writev(struct aiocb *cb)
{
	return submit(cb, OP_WRITE, true);
}

static int explain_aio_fsync(int op, struct aiocb *cb)
{
	return submit(cb, op == O_SYNC ? OP_FSYNC : OP_FDATASYNC, false);
}

static int explain_aio_error(const struct aiocb *cb)
{
	int err = calls.aio_error(cb);

	if (err == EINPROGRESS)
		COUNT(polls, 1);
	return err;
}

static ssize_t explain_aio_return(struct aiocb *cb)
{
	struct explain_sample *sample;
	int err = is_glibc ? calls.aio_error(cb) : 0; /* its result is undefined afterwards */
	ssize_t res = calls.aio_return(cb);

	COUNT(collected, 1);
	if (err)
		COUNT(errors, 1);
	sample = sample_find(cb);
	if (sample) {
		if (is_glibc)
			sample->result = err ? -err : res;
		sample->collected_ns = clock_now_ns();
		sample_end(cb);
	}
	return res;
}

static int explain_aio_suspend(const struct aiocb *const list[], int nent,
			       const struct timespec *timeout)
{
	uint64_t since = explain_self.waits.last_ns, began, ended;
	uint32_t weight;
	int ret;

	COUNT(waits, 1);
	if (!sampler_is_next(&explain_self.waits))
		return calls.aio_suspend(list, nent, timeout);
	began = clock_now_ns();
	weight = sampler_draw_next(&explain_self.waits, began);
	ret = calls.aio_suspend(list, nent, timeout);
	ended = clock_now_ns();
	COUNT(waiting_ns, sampler_estimate(ended - began, weight, since, ended));
	return ret;
}

static int explain_aio_cancel(int fd, struct aiocb *cb)
{
	return calls.aio_cancel(fd, cb);
}

static void explain_aio_init(const struct aioinit *init)
{
	calls.aio_init(init);
}

/* ---- lists ---- */

struct list {
	struct explain_sample *samples[LIST_NOTES];
	int nr_samples;
	unsigned nr_entries;
	uint64_t weight; /* of the samples */
};

/* Syncs of glibc's, and unknown opcodes, are counted but not noted. */
static enum request_op op_of(const struct aiocb *cb)
{
	int opcode = cb->aio_lio_opcode & ~LIO_VECTORED;

	if (opcode == LIO_READ)
		return OP_READ;
	return opcode == LIO_WRITE ? OP_WRITE : OP_INVALID;
}

static bool is_entry(const struct aiocb *cb)
{
	return cb && cb->aio_lio_opcode != LIO_NOP;
}

static void note_entry(struct list *list, const struct aiocb *cb, enum request_op op)
{
	struct explain_sample *sample = NULL;

	if (op != OP_INVALID && list->nr_samples < LIST_NOTES &&
	    sampler_is_next(&explain_self.submissions))
		sample = sample_begin(cb, op, cb->aio_lio_opcode & LIO_VECTORED, clock_now_ns(),
				      list->nr_entries);
	else
		sample_end_last(cb);
	list->nr_entries++;
	if (!sample)
		return;
	sample->in_list = 1;
	list->weight += sample->weight;
	list->samples[list->nr_samples++] = sample;
}

static void note_entries(struct list *list, struct aiocb *const entries[], int nent)
{
	for (int i = 0; i < nent; i++)
		if (is_entry(entries[i]))
			note_entry(list, entries[i], op_of(entries[i]));
}

/* The call has failed with EAGAIN: these entries have not begun. */
static unsigned count_refused(struct aiocb *const entries[], int nent)
{
	unsigned nr = 0;

	for (int i = 0; i < nent; i++)
		if (is_entry(entries[i]) && calls.aio_error(entries[i]) == EAGAIN)
			nr++;
	errno = EAGAIN;
	return nr;
}

static int explain_list(int mode, struct aiocb *const entries[], int nent, struct sigevent *event,
			__typeof__(calls.lio_listio) call)
{
	struct list list = { .nr_samples = 0 };
	uint64_t began = 0, share;
	int ret;

	note_entries(&list, entries, nent);
	if (list.nr_samples > 0)
		began = clock_now_ns();
	for (int i = 0; i < list.nr_samples; i++)
		list.samples[i]->submitted_ns = began;
	ret = call(mode, entries, nent, event);
	COUNT(lists, 1);
	if (mode == LIO_WAIT)
		COUNT(waits, 1);
	COUNT(submitted, list.nr_entries);
	if (ret < 0 && errno == EAGAIN)
		COUNT(submitted, -(uint64_t)count_refused(entries, nent));
	if (list.nr_samples == 0)
		return ret;
	share = (clock_now_ns() - began) / list.nr_entries;
	for (int i = 0; i < list.nr_samples; i++)
		sample_note_call(list.samples[i], mode == LIO_WAIT ? 0 : share);
	if (mode == LIO_WAIT)
		COUNT(waiting_ns, share * list.weight);
	else
		COUNT(submitting_ns, share * list.weight);
	return ret;
}

static int explain_lio_listio(int mode, struct aiocb *const entries[], int nent,
			      struct sigevent *event)
{
	return explain_list(mode, entries, nent, event, calls.lio_listio);
}

static int explain_lio_listio_old(int mode, struct aiocb *const entries[], int nent,
				  struct sigevent *event)
{
	return explain_list(mode, entries, nent, event, calls.lio_listio_old);
}

static const struct aio_calls explain_calls = {
	.aio_read = explain_aio_read,
	.aio_write = explain_aio_write,
	.aio_readv = explain_aio_readv,
	.aio_writev = explain_aio_writev,
	.aio_fsync = explain_aio_fsync,
	.aio_error = explain_aio_error,
	.aio_return = explain_aio_return,
	.aio_suspend = explain_aio_suspend,
	.aio_cancel = explain_aio_cancel,
	.lio_listio = explain_lio_listio,
	.lio_listio_old = explain_lio_listio_old,
	.aio_init = explain_aio_init,
};

/* ---- what the library tells ---- */

static void refused(const struct aiocb *cb, enum refusal why)
{
	struct explain_sample *sample = sample_find(cb);

	if (sample)
		sample->refusal = (uint8_t)why;
}

static void issued(const struct aiocb *cb, int lane)
{
	struct explain_sample *sample = sample_find(cb);

	if (sample)
		sample->lane = (uint8_t)lane;
}

static void completed(const struct aiocb *cb, ssize_t res)
{
	struct explain_sample *sample = sample_find(cb);

	COUNT(completed, 1);
	if (res < 0)
		COUNT(errors, 1);
	if (!sample || sample->completed_ns)
		return;
	/* What was refused and never issued was cancelled, or another sync did its work. */
	if (sample->lane == 0 && sample->refusal == REFUSED_none)
		sample->lane = PROBE_INLINE;
	sample->result = res;
	sample->completed_ns = clock_now_ns();
}

static void ending(void)
{
	atomic_store(&explain_file->ended_ns, clock_now_ns());
}

/* ---- first use ---- */

static bool start(const struct observed *observed, bool is_child)
{
	long at;

	if (strcmp(observed->version, RTAIO_VERSION) != 0) {
		observed->log_line("explain is of version %s: nothing is noted", RTAIO_VERSION);
		return false;
	}
	if (is_child && explain_file)
		RAW_SYSCALL(SYS_munmap, explain_file, sizeof(*explain_file)); /* the parent's */
	explain_file = NULL;
	sample_start();
	at = explain_map(observed->argument);
	if (raw_is_error(at)) {
		observed->log_line("explain: no file in %s: %s", observed->argument,
				   strerror((int)-at));
		return false;
	}
	explain_file = (struct explain_file *)at;
	calls = *observed->calls;
	is_glibc = observed->config->backend == BACKEND_GLIBC;
	explain_file->size = sizeof(*explain_file);
	explain_file->pid = (uint32_t)RAW_SYSCALL(SYS_getpid);
	strcpy(explain_file->version, RTAIO_VERSION);
	snprintf(explain_file->backend, sizeof(explain_file->backend), "%s",
		 observed->backend_names[observed->config->backend]);
	explain_write_command(explain_file->command, sizeof(explain_file->command));
	explain_file->started_ns = clock_now_ns();
	atomic_store(&explain_file->magic, EXPLAIN_MAGIC);
	return true;
}

EXPORT extern const struct observer rtaio_observer;

const struct observer rtaio_observer = {
	.start = start,
	.calls = &explain_calls,
	.refused = refused,
	.issued = issued,
	.completed = completed,
	.ending = ending,
};
