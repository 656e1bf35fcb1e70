// SPDX-License-Identifier: MIT
/*
 * requests.c - the steps that call the interface, and what their answers claim
 */
#include "requests.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "descriptors.h"
#include "notification.h"

#define UNCERTAIN_TIMEOUT_US 1000
/* So much goes into a stream without a reader, however the kernel counts. */
#define CERTAIN_WRITES 12
#define CERTAIN_BYTES  32768

static struct record *record_of(int id)
{
	struct record *record = id >= 0 && id < REQUESTS_MAX ? &history.records[id] : NULL;

	return record && atomic_load(&record->state) == STATE_SUBMITTED && record_is_mine(record)
		       ? record
		       : NULL;
}

/* Has it ended for everybody, so that its memory may be used again? */
static bool is_over(struct record *record)
{
	return record_is_accepted(record) && record_observe(record) && atomic_load(&record->done) &&
	       !record->is_reused && !record->is_scrubbed &&
	       (!notice_comes(record->notice) || atomic_load(&record->nr_notices) > 0) &&
	       (!record->group || !notice_comes(record->group->notice) ||
		atomic_load(&record->group->nr_notices) > 0);
}

static bool take_block(struct record *record, int id)
{
	struct record *other = record_of(id);

	if (!other || !is_over(other))
		return false;
	record_check_untouched(other);
	other->is_reused = true;
	record->cb = other->cb;
	return true;
}

int opcode_of(int verb)
{
	/* 3 and 4 are glibc's own for aio_fsync; it leaves them in every block. */
	static const int opcodes[VERB_NR] = {
		[VERB_READ] = LIO_READ, [VERB_WRITE] = LIO_WRITE, [VERB_NOP] = LIO_NOP,
		[VERB_DSYNC] = 3,       [VERB_FSYNC] = 4,         [VERB_STRANGE] = 99
	};

	return opcodes[verb];
}

static void fill_block(struct record *record, const struct step *step)
{
	struct aiocb *cb = record->cb;

	cb->aio_fildes = record->fd;
	cb->aio_buf = record->buffer;
	cb->aio_nbytes = (size_t)record->length;
	cb->aio_offset = record->offset;
	cb->aio_reqprio = record->priority;
	if (step->is_listed)
		cb->aio_lio_opcode = opcode_of(record->verb);
	notification_ask(&cb->aio_sigevent, record->notice, record, NULL);
	record->initial = *cb;
}

/* The record of a step that submits, or NULL where it cannot: then it does nothing. */
static struct record *prepare(const struct step *step)
{
	struct descriptor *descriptor = descriptor_of(step->descriptor);
	struct record *record = step->request >= 0 ? &history.records[step->request] : NULL;
	bool is_read = step->verb == VERB_READ;

	if (!record || !descriptor || atomic_load(&record->state) != STATE_NONE)
		return NULL;
	record->step = step;
	record->process = history.process;
	record->verb = step->verb;
	record->descriptor = descriptor;
	record->fd = descriptor_fd(descriptor);
	record->object = is_read ? descriptor->in : descriptor->out;
	if (step->verb == VERB_FSYNC || step->verb == VERB_DSYNC)
		record->object = descriptor->in ? descriptor->in : descriptor->out;
	else if (record->object && record->object->is_stream && !descriptor->closed &&
		 (is_read ? record->object->reader : record->object->writer) == USAGE_PLAIN)
		return NULL;
	record->offset = step->offset;
	record->length = step->length;
	record->priority = step->priority;
	record->notice = step->notice;
	record->buffer_kind = step->buffer;
	if (step->block >= 0 && !take_block(record, step->block))
		return NULL;
	if (!memory_give(record, record->object && record->object->is_direct))
		return NULL;
	fill_block(record, step);
	atomic_store(&record->state, STATE_BEGUN);
	return record;
}

void request_submit(const struct step *step)
{
	struct record *record = prepare(step);

	if (!record)
		return;
	record->begin = history_stamp();
	if (step->verb == VERB_READ)
		record->ret = aio_read(record->cb);
	else if (step->verb == VERB_WRITE)
		record->ret = aio_write(record->cb);
	else
		record->ret = aio_fsync(step->verb == VERB_FSYNC ? O_SYNC : O_DSYNC, record->cb);
	record->err = record->ret < 0 ? errno : 0;
	record->end = history_stamp();
	atomic_store(&record->state, STATE_SUBMITTED);
}

/* ---- lists ---- */

static bool may_be_interrupted(void)
{
	return history.has_handlers && history.is_restless;
}

/* Will it end whatever else happens? Of streams that is only known while nobody else submits. */
static bool is_certain(struct record *record, bool is_alone)
{
	const struct object *object = record->object;
	int64_t nr_there = 0, nr_wanted = 0, nr_given = 0;
	int nr_writes = 0;

	if (atomic_load(&record->done) || !descriptor_is_of_stream(record->descriptor))
		return atomic_load(&record->done) || !record->descriptor->closed;
	if (!is_alone || !object || record->descriptor->closed ||
	    record->descriptor->access == ACCESS_BOTH ||
	    (record->verb != VERB_READ && record->verb != VERB_WRITE))
		return false;
	for (int i = 0; i < RECORDS_MAX; i++) {
		struct record *other = &history.records[i];

		if (atomic_load(&other->state) == STATE_NONE || other->object != object)
			continue;
		if (other->verb == VERB_WRITE && atomic_load(&other->done) && other->error == 0)
			nr_there += other->result;
		if (other->verb == VERB_READ) {
			nr_wanted += other->length;
		} else {
			nr_given += other->length;
			nr_writes++;
		}
	}
	if (record->verb == VERB_READ)
		return nr_there >= nr_wanted;
	return nr_writes <= CERTAIN_WRITES && nr_given <= CERTAIN_BYTES;
}

static struct group *open_group(const struct step *step)
{
	int index = atomic_fetch_add(&history.nr_groups, 1);
	struct group *group = &history.groups[index];

	if (index >= GROUPS_MAX)
		return NULL;
	group->mode = step->mode;
	group->notice = step->notice;
	return group;
}

/* Null pointers are entries as well. */
static int gather(const struct step *step, int nr, struct group *group, struct aiocb **list)
{
	bool is_certain_to_end = true;
	struct record *record;

	for (int i = 0; i < nr; i++) {
		record = step[i].verb == VERB_NULL ? NULL : prepare(&step[i]);
		if (record) {
			record->group = group;
			record->entry = group->nr_entries;
			if (descriptor_is_of_stream(record->descriptor))
				is_certain_to_end = false;
		}
		list[group->nr_entries] = record ? record->cb : NULL;
		group->entries[group->nr_entries++] = record;
	}
	/* A thread that waits for a request that may never end hangs, and is right to. */
	if (!is_certain_to_end)
		group->mode = MODE_NOWAIT;
	return group->nr_entries;
}

static void check_all_complete(const struct group *group)
{
	for (int i = 0; i < group->nr_entries; i++)
		if (group->entries[i] && group->entries[i]->verb != VERB_NOP &&
		    aio_error(group->entries[i]->cb) == EINPROGRESS)
			violation("list", "list %d: LIO_WAIT is over, r%d in it is not complete",
				  (int)(group - history.groups), record_id(group->entries[i]));
}

void request_submit_list(const struct step *step, int nr)
{
	struct group *group = open_group(step);
	struct aiocb *list[STEPS_MAX];
	struct sigevent event;
	int nr_entries;

	if (!group)
		return;
	nr_entries = gather(step + 1, nr, group, list);
	notification_ask(&event, group->notice, NULL, group);
	group->begin = history_stamp();
	group->exists = true;
	for (int i = 0; i < nr_entries; i++)
		if (group->entries[i])
			group->entries[i]->begin = group->begin;
	group->ret = lio_listio(group->mode == MODE_WAIT ? LIO_WAIT : LIO_NOWAIT, list, nr_entries,
				&event);
	group->err = group->ret < 0 ? errno : 0;
	group->end = history_stamp();
	if (group->mode == MODE_WAIT && group->err != EINTR)
		check_all_complete(group);
	for (int i = 0; i < nr_entries; i++) {
		if (!group->entries[i])
			continue;
		group->entries[i]->end = group->end;
		atomic_store(&group->entries[i]->state, STATE_SUBMITTED);
	}
}

/* ---- aio_suspend ---- */

struct wait {
	const struct aiocb *list[ENTRIES_MAX];
	struct record *records[ENTRIES_MAX];
	int nr_real;
	bool is_over; /* something in it was seen to be complete before */
	bool is_certain;
};

static void gather_wait(const struct step *step, bool is_alone, struct wait *wait)
{
	*wait = (struct wait){ 0 };
	for (int i = 0; i < step->nr_entries; i++) {
		struct record *record = record_of(step->entries[i]);

		if (!record || !record_is_accepted(record) || record->is_reused ||
		    record->is_scrubbed)
			continue;
		wait->list[i] = record->cb;
		wait->records[i] = record;
		wait->nr_real++;
		wait->is_over |= atomic_load(&record->done) != 0;
		wait->is_certain |= is_certain(record, is_alone);
	}
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void check_wait(struct wait *wait, int nr_entries, int err, int64_t timeout_us,
		       uint64_t elapsed_us)
{
	bool is_complete = wait->nr_real == 0;

	for (int i = 0; i < nr_entries; i++)
		if (wait->records[i] && record_observe(wait->records[i]))
			is_complete = true;
	if (err == 0 && !is_complete)
		violation("suspend", "it is over, and nothing is complete");
	if (err == EAGAIN && (timeout_us < 0 || elapsed_us + 1 < (uint64_t)timeout_us))
		violation("suspend", "EAGAIN after %llu us", (unsigned long long)elapsed_us);
	if (err == EAGAIN && (wait->is_over || wait->nr_real == 0))
		violation("suspend", "EAGAIN, although something was complete");
	if (err == EINTR && !may_be_interrupted() && !(history.has_handlers && timeout_us >= 0))
		violation("suspend", "EINTR without an interruption");
	if (err != 0 && err != EAGAIN && err != EINTR)
		violation("suspend", "%s", strerror(err));
}

void request_suspend(const struct step *step, bool is_alone)
{
	int64_t timeout_us = step->timeout_us;
	struct timespec timeout;
	struct wait wait;
	uint64_t begin;
	int err;

	gather_wait(step, is_alone, &wait);
	if (timeout_us < 0 && wait.nr_real > 0 && !wait.is_certain)
		timeout_us = UNCERTAIN_TIMEOUT_US;
	timeout = (struct timespec){ .tv_sec = timeout_us / 1000000,
				     .tv_nsec = timeout_us % 1000000 * 1000 };
	begin = now_us();
	err = aio_suspend(wait.list, step->nr_entries, timeout_us < 0 ? NULL : &timeout) < 0 ? errno
											     : 0;
	check_wait(&wait, step->nr_entries, err, timeout_us, now_us() - begin);
}

/* ---- aio_cancel ---- */

static void check_cancel_one(struct record *record, int fd, int answer, bool was_over)
{
	int id = record_id(record), error = aio_error(record->cb);

	if (record->cb->aio_fildes != fd) {
		if (answer != -EINVAL)
			violation("cancel", "r%d, another descriptor: %d", id, answer);
		return;
	}
	if (answer == AIO_CANCELED && error != ECANCELED)
		violation("cancel", "r%d: AIO_CANCELED, and its status is %d", id, error);
	if (answer == AIO_ALLDONE && error == EINPROGRESS)
		violation("cancel", "r%d: AIO_ALLDONE, and it is in progress", id);
	if (was_over && answer != AIO_ALLDONE)
		violation("cancel", "r%d: %d, and it was complete before", id, answer);
	if (answer < 0)
		violation("cancel", "r%d: %s", id, strerror(-answer));
}

static void check_cancel_all(int fd, uint64_t begin, int answer)
{
	int nr_open = 0, nr_cancelled = 0;

	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct record *record = &history.records[i];

		if (atomic_load(&record->state) == STATE_NONE || !record_is_mine(record) ||
		    record->fd != fd || record->is_reused || record->is_scrubbed)
			continue;
		if (!atomic_load(&record->done) || record->done > begin)
			nr_open++;
		/* One that another thread is about to submit may be among them. */
		nr_cancelled += atomic_load(&record->state) == STATE_BEGUN;
		if (!record_is_accepted(record))
			continue;
		nr_cancelled += aio_error(record->cb) == ECANCELED;
		if (answer != AIO_NOTCANCELED && record->end < begin &&
		    aio_error(record->cb) == EINPROGRESS)
			violation("cancel", "all: %d, and r%d is in progress", answer, i);
	}
	if (answer == AIO_NOTCANCELED && nr_open == 0)
		violation("cancel", "all: AIO_NOTCANCELED, and everything was complete before");
	if (answer == AIO_CANCELED && nr_cancelled == 0)
		violation("cancel", "all: AIO_CANCELED, and nothing has that status");
	if (answer < 0)
		violation("cancel", "all: %s", strerror(-answer));
}

void request_cancel(const struct step *step)
{
	struct descriptor *descriptor = descriptor_of(step->descriptor);
	struct record *record = record_of(step->request);
	int index = atomic_fetch_add(&history.nr_cancels, 1);
	struct cancel *cancel = &history.cancels[index];
	bool was_over;

	if (index >= CANCELS_MAX || !descriptor ||
	    (step->request >= 0 &&
	     (!record || !record_is_accepted(record) || record->is_reused || record->is_scrubbed)))
		return;
	was_over = record && atomic_load(&record->done);
	cancel->fd = descriptor_fd(descriptor);
	cancel->record = record;
	cancel->begin = history_stamp();
	cancel->answer = aio_cancel(cancel->fd, record ? record->cb : NULL);
	if (cancel->answer < 0)
		cancel->answer = -errno;
	atomic_thread_fence(memory_order_seq_cst);
	if (descriptor->closed || descriptor->is_bad) {
		if (cancel->answer != -EBADF)
			violation("cancel", "an fd that is not open: %d", cancel->answer);
	} else if (record) {
		check_cancel_one(record, cancel->fd, cancel->answer, was_over);
	} else {
		check_cancel_all(cancel->fd, cancel->begin, cancel->answer);
	}
	cancel->end = history_stamp();
}

void request_scrub(const struct step *step)
{
	struct record *record = record_of(step->request);

	if (!record || !is_over(record))
		return;
	record_check_untouched(record);
	if (record->nr_good > 0 && record->buffer_kind != BUFFER_CROSSING) {
		record->data = memory_copy(record->buffer, record->nr_good);
		if (!record->data) {
			record->data = record->buffer;
			return;
		}
		memset(record->buffer, 0x5A, (size_t)record->nr_good);
	}
	record->is_scrubbed = true;
	memset(record->cb, 0x5A, sizeof(*record->cb));
}
