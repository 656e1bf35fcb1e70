// SPDX-License-Identifier: MIT
/*
 * check_submit.c - rules for requests that are submitted.
 */
#include "observers/check_submit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/iovec.h"
#include "observers/check_flight.h"
#include "observers/check_report.h"

/* ---- the file ---- */

static bool is_terminal(int fd)
{
	char settings[256]; /* larger than the kernel's struct termios */

	return RAW_SYSCALL(SYS_ioctl, fd, TCGETS, settings) == 0;
}

/* Without asking a server, which may not answer. */
static struct file find_file(int fd)
{
	struct file file = { .is_stream = false };
	struct statx stat;

	if (RAW_SYSCALL(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			STATX_TYPE | STATX_INO, &stat) < 0)
		return file;
	file.is_stream = S_ISFIFO(stat.stx_mode) || S_ISSOCK(stat.stx_mode) ||
			 (S_ISCHR(stat.stx_mode) && is_terminal(fd));
	file.has_ranges = S_ISREG(stat.stx_mode) || S_ISBLK(stat.stx_mode);
	file.is_append = RAW_SYSCALL(SYS_fcntl, fd, F_GETFL) & O_APPEND;
	file.major = stat.stx_dev_major;
	file.minor = stat.stx_dev_minor;
	file.inode = stat.stx_ino;
	return file;
}

static void check_offset(const struct submitted *submitted, const struct file *file,
			 struct here *here)
{
	if (file->is_stream && submitted->fields.aio_offset != 0)
		report(KIND_offset_on_stream, submitted, here_frames(here), NULL,
		       "a pipe, socket or terminal has no offsets: %s", describe(submitted).text);
}

static bool have_common_bytes(const struct submitted *one, const struct submitted *other)
{
	uint64_t begin = (uint64_t)one->fields.aio_offset;
	uint64_t other_begin = (uint64_t)other->fields.aio_offset;

	return begin - other_begin < other->nbytes || other_begin - begin < one->nbytes;
}

static bool may_write_together(const struct record *record, const struct file *file)
{
	const struct file *other = &record->file;

	return record->submitted.operation != OPERATION_WRITE || !other->has_ranges ||
	       other->is_append || other->inode != file->inode || other->major != file->major ||
	       other->minor != file->minor;
}

/* In flight, or expected by the same list. */
static bool is_before(const struct record *record)
{
	return record->is_being_submitted || flight_is_sure(record);
}

static void check_overlap(const struct submitted *submitted, const struct file *file,
			  struct here *here)
{
	struct submitted other;
	struct record *record;
	uint64_t mask;

	if (submitted->operation != OPERATION_WRITE || !file->has_ranges || file->is_append ||
	    submitted->nbytes == 0)
		return;
	mask = requests_lock();
	TAILQ_FOREACH(record, &requests_in_flight, in_flight)
		if (!may_write_together(record, file) && record->submitted.cb != submitted->cb &&
		    record->submitted.nbytes > 0 &&
		    have_common_bytes(&record->submitted, submitted) && is_before(record)) {
			other = record->submitted;
			break;
		}
	requests_unlock(mask);
	if (record)
		report(KIND_overlapping_writes, &other, here_frames(here), NULL,
		       "a %s was submitted during the %s", describe(submitted).text,
		       describe(&other).text);
}

/* ---- the request that the aiocb had before ---- */

static enum kind judge_last(struct record *record, struct submitted *copy)
{
	enum kind kind = KINDS_NR;

	if (record->nr_in_flight && record->is_being_submitted)
		kind = KIND_submitted_again;
	else if (flight_is_sure(record))
		kind = KIND_submitted_again;
	else if (record->is_excused || record->is_returned)
		return KINDS_NR;
	else if (!record->is_looked_at)
		kind = KIND_result_ignored;
	else if (record->is_successful && record->submitted.operation != OPERATION_SYNC)
		kind = KIND_never_returned;
	return kind != KINDS_NR && requests_note(record, kind, copy) ? kind : KINDS_NR;
}

static void check_last(const struct aiocb *cb, struct here *here)
{
	struct submitted last;
	enum kind kind = KINDS_NR;
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb);
	bool is_in_flight = record && record->nr_in_flight;

	requests_unlock(mask);
	if (!record)
		return;
	if (is_in_flight)
		check.calls->aio_error(
			cb); /* it may have ended in a place where nobody has looked */
	mask = requests_lock();
	record = requests_find(cb);
	if (record)
		kind = judge_last(record, &last);
	requests_unlock(mask);
	if (kind == KIND_submitted_again)
		report(kind, &last, here_frames(here), NULL,
		       "the aiocb was submitted again during the %s", describe(&last).text);
	else if (kind == KIND_result_ignored)
		report(kind, &last, here_frames(here), NULL,
		       "the aiocb was submitted again, but nothing asked for the result of the %s",
		       describe(&last).text);
	else if (kind == KIND_never_returned)
		report(kind, &last, here_frames(here), NULL,
		       "the aiocb was submitted again without aio_return for the %s",
		       describe(&last).text);
}

/* ---- the record ---- */

/* Of a vector that is refused: 0. */
static size_t find_length(const struct submitted *submitted)
{
	const struct aiocb *fields = &submitted->fields;
	ssize_t nbytes;

	if (!submitted->is_vectored)
		return fields->aio_nbytes;
	nbytes =
		iovec_measure((const struct iovec *)(uintptr_t)fields->aio_buf, fields->aio_nbytes);
	return nbytes < 0 ? 0 : (size_t)nbytes;
}

static void find_on_stack(struct on_stack *on_stack, const struct submitted *submitted,
			  const struct submit_call *call)
{
	const struct frames *frames = here_frames(call->here);

	on_stack->tid = (pid_t)RAW_SYSCALL(SYS_gettid);
	on_stack->root = frames_root(frames);
	on_stack->is_of_thread = frames_are_of_thread(frames);
	on_stack->cb = frames_find(frames, submitted->cb);
	if (submitted_has_buffer(submitted) && submitted->nbytes > 0)
		on_stack->buffer = frames_find(frames, submitted->fields.aio_buf);
	if (call->list)
		on_stack->list = frames_find(frames, call->list);
}

static void expect(const struct record *expected)
{
	uint64_t mask = requests_lock();
	struct record *record = requests_find(expected->submitted.cb), *next;

	if (record && flight_is_sure(record)) {
		requests_begin(
			record); /* twice in flight: what the aiocb says belongs to neither */
	} else {
		/* Told by nobody, the last one still counts as in flight. */
		while (record && record->nr_in_flight)
			requests_end(record);
		record = requests_add(expected->submitted.cb);
		if (record) {
			next = record->next;
			*record = *expected;
			record->next = next;
			requests_begin(record);
		}
	}
	requests_unlock(mask);
}

void submit_expect(const struct submit_call *call, const struct aiocb *cb, enum operation operation,
		   bool is_vectored)
{
	struct record record = { .submitted = { .cb = cb,
						.fields = *cb,
						.operation = operation,
						.is_vectored = is_vectored,
						.is_entry = call->list },
				 .is_being_submitted = true,
				 .list = call->list };
	const struct aiocb *fields = &record.submitted.fields;

	frames_to_trace(here_frames(call->here), &record.submitted.trace);
	record.submitted.nbytes = find_length(&record.submitted);
	record.file = find_file(fields->aio_fildes);
	check_last(cb, call->here);
	if (operation != OPERATION_SYNC) {
		check_offset(&record.submitted, &record.file, call->here);
		check_overlap(&record.submitted, &record.file, call->here);
	}
	if (submitted_has_buffer(&record.submitted))
		record.has_buffer = memory_is_mapped(fields->aio_buf, fields->aio_nbytes);
	find_on_stack(&record.on_stack, &record.submitted, call);
	record.number = atomic_fetch_add(&requests_nr, 1);
	expect(&record);
}

void submit_accepted(const struct aiocb *cb)
{
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb);

	if (record)
		record->is_being_submitted = false;
	requests_unlock(mask);
}

void submit_refused(const struct aiocb *cb)
{
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb);

	if (record) {
		record->is_being_submitted = false;
		requests_drop(record);
	}
	requests_unlock(mask);
}

/* What was refused has its error, though nothing has ended. */
static bool was_refused(const struct record *record)
{
	int err = 0;

	return memory_read(&err, &record->submitted.cb->__error_code, sizeof(err)) &&
	       err != EINPROGRESS;
}

void submit_list_accepted(struct aiocb *const list[], bool all)
{
	pid_t tid = (pid_t)RAW_SYSCALL(SYS_gettid);
	uint64_t mask = requests_lock();
	struct record *record, *next;

	for (record = TAILQ_FIRST(&requests_in_flight); record; record = next) {
		next = TAILQ_NEXT(record, in_flight);
		if (record->list != list || record->on_stack.tid != tid ||
		    !record->is_being_submitted)
			continue;
		record->is_being_submitted = false;
		if (!all && was_refused(record))
			requests_drop(record);
	}
	requests_unlock(mask);
}

void submit_check_handler(const char *function, struct here *here)
{
	struct submitted call = { .cb = NULL };

	if (!frames_interrupt_unsafe(here_frames(here)))
		return;
	frames_to_trace(here_frames(here), &call.trace);
	report(KIND_unsafe_in_handler, &call, NULL,
	       "called in a signal handler, which has interrupted such a function",
	       "%s is async-signal-safe here, but not by POSIX", function);
}
