// SPDX-License-Identifier: MIT
/*
 * model_status.c - results, errors, notifications, blocks and guards
 */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "notification.h"
#include "requests.h"

#define SECTOR 512

static bool is_barrier(const struct record *record)
{
	return record->verb == VERB_FSYNC || record->verb == VERB_DSYNC;
}

/* Refused by the call, and by it alone: such a request never was. */
static bool is_refused(const struct record *record)
{
	return record->group ? !record_has_good_priority(record) : record->ret < 0;
}

static bool is_buffer_bad(const struct record *record)
{
	return record->length > record->nr_good;
}

static bool is_misaligned(const struct record *record)
{
	return record->object && record->object->is_direct &&
	       (record->offset % SECTOR || record->length % SECTOR ||
		(uintptr_t)record->buffer % SECTOR);
}

/* Did somebody ask for it, with an answer that allows it? */
static bool may_be_cancelled(const struct record *record)
{
	uint64_t closed = record->descriptor->closed;

	/*
	 * Requests on streams are cancelled by a close. Those on files are not; but one that
	 * is wrong anyway may be asked about twice, and then it is too late.
	 */
	if (closed > record->begin && closed < record->done &&
	    (descriptor_is_of_stream(record->descriptor) || is_misaligned(record) ||
	     record->offset >= OFFSET_TOO_LARGE))
		return true;
	for (int i = 0; i < CANCELS_MAX; i++) {
		const struct cancel *cancel = &history.cancels[i];

		if (!cancel->end || cancel->fd != record->fd || cancel->end < record->begin ||
		    cancel->begin > record->done)
			continue;
		if (cancel->record == record && cancel->answer == AIO_CANCELED)
			return true;
		if (!cancel->record &&
		    (cancel->answer == AIO_CANCELED || cancel->answer == AIO_NOTCANCELED))
			return true;
	}
	return false;
}

static bool was_closed_before(uint64_t closed, const struct record *record)
{
	return closed && closed < record->done;
}

/* The other direction of a socket goes with this one. */
static bool is_peer_gone(const struct record *record)
{
	return was_closed_before(record->object->reader_closed, record) ||
	       was_closed_before(record->object->writer_closed, record);
}

static bool is_stream_error_allowed(const struct record *record)
{
	const struct object *object = record->object;

	if (is_barrier(record))
		return record->error == EINVAL;
	if (record->error == EPIPE)
		return record->verb == VERB_WRITE && is_peer_gone(record);
	if (record->error == ECONNRESET)
		return object->is_socket && is_peer_gone(record);
	if (record->error == EAGAIN)
		return object->is_nonblocking;
	return record->error == EFAULT && is_buffer_bad(record);
}

static bool is_file_error_allowed(const struct record *record)
{
	bool overflows = record->offset >= OFFSET_TOO_LARGE;

	if (is_barrier(record))
		return record->error == EIO && model_may_be_unsynced(record);
	if (record->error == EFAULT)
		return is_buffer_bad(record);
	if (record->error == EINVAL)
		return is_misaligned(record) || overflows;
	if (record->error == EIO)
		return record->verb == VERB_READ && model_may_be_unreadable(record);
	return record->error == EFBIG && record->verb == VERB_WRITE && overflows;
}

static bool is_error_allowed(const struct record *record)
{
	bool is_open = !record->descriptor->is_bad && record->fd != UNUSED_FD;
	bool is_negative = !is_barrier(record) && record->offset < 0;

	if (record->error == ECANCELED)
		return may_be_cancelled(record);
	if (record->verb == VERB_STRANGE)
		return record->error == EINVAL;
	if (record->error == EINVAL && is_negative)
		return true;
	if (!is_open || !record->object)
		return record->error == EBADF;
	if (is_negative)
		return false;
	return record->object->is_stream ? is_stream_error_allowed(record)
					 : is_file_error_allowed(record);
}

/* Must it fail? */
static bool is_hopeless(const struct record *record)
{
	return record->verb == VERB_STRANGE || record->descriptor->is_bad ||
	       record->fd == UNUSED_FD || !record->object ||
	       (is_barrier(record) ? record->object->is_stream : record->offset < 0);
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void stream_bounds(const struct record *record, int64_t *least, int64_t *most)
{
	bool may_be_short = record->object->is_nonblocking || is_buffer_bad(record) ||
			    was_closed_before(record->object->reader_closed, record);

	*most = record->nr_good;
	*least = min(1, record->length);
	if (record->verb == VERB_WRITE && !may_be_short)
		*least = record->length;
	if (record->verb == VERB_READ && was_closed_before(record->object->writer_closed, record))
		*least = 0;
}

static void file_bounds(const struct record *record, int64_t *least, int64_t *most)
{
	int64_t least_end, greatest_end;

	*least = *most = record->nr_good;
	if (record->verb == VERB_READ) {
		least_end = model_least_end(record);
		greatest_end = model_greatest_end(record);
		*least = least_end <= record->offset ? 0 : min(*least, least_end - record->offset);
		*most = greatest_end <= record->offset ? 0
						       : min(*most, greatest_end - record->offset);
	}
	/* How much of a buffer that ends too soon is used, is the kernel's affair. */
	if (is_buffer_bad(record))
		*least = record->object->is_xfs ? 0 : min(1, *least);
}

static void judge_result(const struct record *record)
{
	int64_t least = 0, most = 0;

	if (record->error != 0) {
		if (!is_error_allowed(record))
			violation("error", "r%d: %s", record_id(record), strerror(record->error));
		if (record->result != -1)
			violation("result", "r%d: %zd, with an error", record_id(record),
				  record->result);
		return;
	}
	if (is_hopeless(record)) {
		violation("error", "r%d: %zd, where it must fail", record_id(record),
			  record->result);
		return;
	}
	if (!is_barrier(record) && record->object->is_stream)
		stream_bounds(record, &least, &most);
	else if (!is_barrier(record))
		file_bounds(record, &least, &most);
	if (record->result < least || record->result > most)
		violation("result", "r%d: %zd, allowed are %lld to %lld", record_id(record),
			  record->result, (long long)least, (long long)most);
}

static void judge_call(const struct record *record)
{
	int expected = 0;

	if (is_barrier(record) && !record->group) {
		if (record->descriptor->is_bad || record->fd == UNUSED_FD)
			expected = EBADF;
	} else if (!record_has_good_priority(record) && !record->group) {
		expected = EINVAL;
	}
	if (record->err != expected)
		violation("call", "r%d: %s", record_id(record), strerror(record->err));
	if (record->err == EINVAL &&
	    (aio_error(record->cb) != EINVAL || aio_return(record->cb) != -1))
		violation("call", "r%d: refused, with status %d", record_id(record),
			  aio_error(record->cb));
}

static void judge_refused_entry(const struct record *record)
{
	if (record->error != EINVAL || record->result != -1)
		violation("call", "r%d: bad priority in a list: %d, %zd", record_id(record),
			  record->error, record->result);
}

/* Public fields are the program's; the opcode and an aio_fsync's priority are set as glibc does. */
static void judge_fields(const struct record *record)
{
	const struct aiocb *now = &record->final, *then = &record->initial;
	bool knows_opcode = record->verb != VERB_STRANGE && !is_refused(record);

	if (now->aio_fildes != then->aio_fildes || now->aio_buf != then->aio_buf ||
	    now->aio_nbytes != then->aio_nbytes || now->aio_offset != then->aio_offset ||
	    memcmp(&now->aio_sigevent, &then->aio_sigevent, sizeof(then->aio_sigevent)) != 0)
		violation("block", "r%d: fields of the program have changed", record_id(record));
	if (knows_opcode && now->aio_lio_opcode != opcode_of(record->verb))
		violation("block", "r%d: the opcode is %d", record_id(record), now->aio_lio_opcode);
	if (now->aio_reqprio != (is_barrier(record) ? 0 : then->aio_reqprio))
		violation("block", "r%d: the priority is %d", record_id(record), now->aio_reqprio);
}

static void judge_notices(const struct record *record)
{
	int expected =
		notice_comes(record->notice) && record->verb != VERB_NOP && !is_refused(record) ? 1
												: 0;

	if (record->nr_notices != expected)
		violation("notification", "r%d: %d instead of %d", record_id(record),
			  record->nr_notices, expected);
}

/* Unless the kernel began with a piece that it could not bring to an end. */
static void judge_rest_of_buffer(const struct record *record)
{
	if (record->verb != VERB_READ || record->error || !record->object ||
	    record->object->is_direct || is_buffer_bad(record))
		return;
	for (int64_t i = record->result; i < record->nr_good; i++)
		if (record->data[i] != 0x5C) {
			violation("buffer", "r%d: byte %lld, beyond the result, is %#x",
				  record_id(record), (long long)i, record->data[i]);
			return;
		}
}

static void judge_record(struct record *record)
{
	judge_notices(record);
	judge_call(record);
	if (!memory_guards_are_intact(record))
		violation("guard", "r%d: memory next to block or buffer has changed",
			  record_id(record));
	if (record->verb == VERB_NOP || record->err == EBADF) {
		if (!record->is_reused &&
		    memcmp(record->cb, &record->initial, sizeof(*record->cb)) != 0)
			violation("block", "r%d: it was not submitted, and has changed",
				  record_id(record));
		return;
	}
	if (record->ret < 0)
		return;
	judge_fields(record);
	record_check_untouched(record);
	if (is_refused(record))
		judge_refused_entry(record);
	else {
		judge_result(record);
		judge_rest_of_buffer(record);
	}
}

/* ---- lists ---- */

static int expected_of_list(const struct group *group)
{
	int nr_refused = 0, nr_accepted = 0, nr_failed = 0;

	for (int i = 0; i < group->nr_entries; i++) {
		const struct record *record = group->entries[i];

		if (!record || record->verb == VERB_NOP)
			continue;
		nr_refused += is_refused(record);
		nr_accepted += !is_refused(record);
		nr_failed += record->error != 0;
	}
	if (nr_refused > 0 && (group->mode == MODE_NOWAIT || nr_accepted == 0))
		return EINVAL;
	return group->mode == MODE_WAIT && nr_failed > 0 ? EIO : 0;
}

static void judge_group(const struct group *group)
{
	int index = (int)(group - history.groups);
	int nr_notices = group->mode == MODE_NOWAIT && notice_comes(group->notice) ? 1 : 0;
	bool was_interrupted = group->mode == MODE_WAIT && group->err == EINTR &&
			       history.has_handlers && history.is_restless;

	if (group->err != expected_of_list(group) && !was_interrupted)
		violation("list", "list %d: %s; expected: %s", index, strerror(group->err),
			  strerror(expected_of_list(group)));
	if (group->nr_notices != nr_notices)
		violation("notification", "list %d: %d instead of %d", index, group->nr_notices,
			  nr_notices);
}

void model_judge_status(void)
{
	for (int i = 0; i < REQUESTS_MAX && history_is_good(); i++)
		if (history.records[i].state == STATE_SUBMITTED &&
		    record_is_mine(&history.records[i]))
			judge_record(&history.records[i]);
	for (int i = 0; i < GROUPS_MAX && history_is_good(); i++)
		if (history.groups[i].exists)
			judge_group(&history.groups[i]);
}
