// SPDX-License-Identifier: MIT
/*
 * check_flight.c - rules for requests in flight.
 */
#include "observers/check_flight.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stddef.h>
#include <string.h>

#include "observers/check_report.h"

#define AT_THE_END "noticed when the request ended"

bool flight_is_sure(const struct record *record)
{
	int err = 0;

	if (record->nr_in_flight == 0 || record->is_being_submitted)
		return false;
	return check.is_told ||
	       (memory_read(&err, &record->submitted.cb->__error_code, sizeof(err)) &&
		err == EINPROGRESS);
}

/* The aiocb's memory has other owners, who change it. */
static bool is_gone(const struct record *record)
{
	return record->reported & (1u << KIND_freed | 1u << KIND_aiocb_on_stack);
}

/* False: it was noted before, or follows from what was. */
static bool note(const struct aiocb *cb, enum kind kind, struct submitted *copy)
{
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb);
	bool is_new = record && flight_is_sure(record) &&
		      !(kind == KIND_changed && is_gone(record)) &&
		      !(kind == KIND_freed && is_gone(record)) && requests_note(record, kind, copy);

	requests_unlock(mask);
	return is_new;
}

/* ---- the aiocb ---- */

static bool has_other_event(const struct sigevent *then, const struct sigevent *now)
{
	if (then->sigev_notify != now->sigev_notify)
		return true;
	switch (then->sigev_notify) {
	case SIGEV_SIGNAL:
		return then->sigev_signo != now->sigev_signo ||
		       then->sigev_value.sival_ptr != now->sigev_value.sival_ptr;
	case SIGEV_THREAD:
		return then->sigev_notify_function != now->sigev_notify_function ||
		       then->sigev_notify_attributes != now->sigev_notify_attributes ||
		       then->sigev_value.sival_ptr != now->sigev_value.sival_ptr;
	default:
		return false;
	}
}

/*
 * The member that differs, or NULL.  The call itself stores the opcode, and the priority of a sync.
 */
static const char *find_change(const struct submitted *submitted, const struct aiocb *now)
{
	const struct aiocb *then = &submitted->fields;

	if (then->aio_fildes != now->aio_fildes)
		return "aio_fildes";
	if (has_other_event(&then->aio_sigevent, &now->aio_sigevent))
		return "aio_sigevent";
	if (submitted->operation == OPERATION_SYNC)
		return NULL;
	if (then->aio_buf != now->aio_buf)
		return "aio_buf";
	if (then->aio_nbytes != now->aio_nbytes)
		return "aio_nbytes";
	if (then->aio_offset != now->aio_offset)
		return "aio_offset";
	if (then->aio_reqprio != now->aio_reqprio)
		return "aio_reqprio";
	if (submitted->is_entry && then->aio_lio_opcode != now->aio_lio_opcode)
		return "aio_lio_opcode";
	return NULL;
}

static void report_change(const struct submitted *submitted, const char *member,
			  const struct frames *frames)
{
	report(KIND_changed, submitted, frames, AT_THE_END, "%s was changed during the %s", member,
	       describe(submitted).text);
}

static bool has_lost_buffer(const struct record *record)
{
	const struct aiocb *fields = &record->submitted.fields;

	return record->has_buffer && !memory_is_mapped(fields->aio_buf, fields->aio_nbytes);
}

static void report_lost_buffer(const struct submitted *submitted, const struct frames *frames)
{
	report(KIND_buffer_freed, submitted, frames, AT_THE_END,
	       "the buffer was unmapped during the %s", describe(submitted).text);
}

void flight_check_named(const struct aiocb *cb, struct here *here)
{
	struct submitted changed, unmapped;
	struct record *record;
	const char *member = NULL;
	bool has_changed = false, has_lost = false;
	uint64_t mask;

	if (atomic_load(&requests_nr_in_flight) == 0)
		return;
	mask = requests_lock();
	record = requests_find(cb);
	if (record && record->nr_in_flight == 1 && !is_gone(record)) {
		/*
		 * Glibc's request may end at any moment: compare first, then ask whether it is in
		 * flight.
		 */
		member = find_change(&record->submitted, cb);
		has_lost = has_lost_buffer(record);
		if ((member || has_lost) && flight_is_sure(record)) {
			has_changed = member && requests_note(record, KIND_changed, &changed);
			has_lost = has_lost && requests_note(record, KIND_buffer_freed, &unmapped);
		} else {
			has_lost = false;
		}
	}
	requests_unlock(mask);
	if (has_changed)
		report_change(&changed, member, here_frames(here));
	if (has_lost)
		report_lost_buffer(&unmapped, here_frames(here));
}

/* The private bytes of an aiocb in progress are like no other's. */
static struct record *find_original(const void *copy)
{
	unsigned char other[sizeof(struct aiocb)];
	struct record *record;

	TAILQ_FOREACH(record, &requests_in_flight, in_flight)
		if (record->submitted.cb != copy &&
		    memory_read(other, record->submitted.cb, sizeof(other)) &&
		    memcmp(other, copy, sizeof(other)) == 0)
			return record;
	return NULL;
}

void flight_check_copied(const struct aiocb *cb, struct here *here)
{
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb), *original = NULL;
	struct submitted submitted;

	if (!record || record->nr_in_flight == 0)
		original = find_original(cb);
	if (original && !requests_note(original, KIND_copied, &submitted))
		original = NULL;
	requests_unlock(mask);
	if (original)
		report(KIND_copied, &submitted, here_frames(here), NULL,
		       "%p is a copy of an aiocb, and was never submitted: use the address of the %s",
		       (const void *)cb, describe(&submitted).text);
}

/* ---- the stack ---- */

static bool is_lost(const struct frames *frames, const struct activation *activation)
{
	return activation->end && !frames_have(frames, activation);
}

/* KINDS_NR: nothing is lost, or nothing new. */
static enum kind find_loss(struct record *record, const struct frames *frames,
			   struct submitted *copy)
{
	const struct on_stack *on_stack = &record->on_stack;

	if (is_lost(frames, &on_stack->cb) && requests_note(record, KIND_aiocb_on_stack, copy))
		return KIND_aiocb_on_stack;
	if (is_lost(frames, &on_stack->buffer) && requests_note(record, KIND_buffer_on_stack, copy))
		return KIND_buffer_on_stack;
	if (is_lost(frames, &on_stack->list) && requests_note(record, KIND_list_on_stack, copy))
		return KIND_list_on_stack;
	return KINDS_NR;
}

static enum kind find_any_loss(const struct frames *frames, struct submitted *copy)
{
	pid_t tid = (pid_t)RAW_SYSCALL(SYS_gettid);
	uintptr_t root = frames_root(frames);
	enum kind kind = KINDS_NR;
	uint64_t mask = requests_lock();
	struct record *record;

	TAILQ_FOREACH(record, &requests_in_flight, in_flight) {
		if (record->on_stack.tid != tid || record->on_stack.root != root ||
		    !flight_is_sure(record))
			continue;
		kind = find_loss(record, frames, copy);
		if (kind != KINDS_NR)
			break;
	}
	requests_unlock(mask);
	return kind;
}

static const char *lost_part(enum kind kind)
{
	switch (kind) {
	case KIND_aiocb_on_stack:
		return "aiocb";
	case KIND_buffer_on_stack:
		return "buffer";
	default:
		return "list";
	}
}

void flight_check_stack(struct here *here)
{
	struct submitted submitted;
	enum kind kind;

	if (atomic_load(&requests_nr_on_stack) == 0 || frames_root(here_frames(here)) == 0)
		return;
	while ((kind = find_any_loss(here_frames(here), &submitted)) != KINDS_NR)
		report(kind, &submitted, here_frames(here), NULL,
		       "a function has returned that had on its stack the %s of the %s",
		       lost_part(kind), describe(&submitted).text);
}

static void check_thread(const struct record *record, enum kind kind,
			 const struct activation *activation)
{
	struct submitted submitted;

	if (activation->end && note(record->submitted.cb, kind, &submitted))
		report(kind, &submitted, NULL, AT_THE_END,
		       "a thread has ended that had on its stack the %s of the %s", lost_part(kind),
		       describe(&submitted).text);
}

static void check_threads(const struct record *record)
{
	const struct on_stack *on_stack = &record->on_stack;

	if (!on_stack->is_of_thread ||
	    RAW_SYSCALL(SYS_tgkill, check.process, on_stack->tid, 0) != -ESRCH)
		return;
	check_thread(record, KIND_aiocb_on_stack, &on_stack->cb);
	check_thread(record, KIND_buffer_on_stack, &on_stack->buffer);
	check_thread(record, KIND_list_on_stack, &on_stack->list);
}

/* ---- memory ---- */

static void check_memory(const struct record *record)
{
	struct submitted submitted;
	struct aiocb now = { 0 };
	const char *member;

	if (!memory_read(&now, record->submitted.cb, sizeof(now))) {
		if (note(record->submitted.cb, KIND_freed, &submitted))
			report(KIND_freed, &submitted, NULL, AT_THE_END,
			       "the aiocb was unmapped during the %s", describe(&submitted).text);
	} else if ((member = find_change(&record->submitted, &now)) &&
		   note(record->submitted.cb, KIND_changed, &submitted)) {
		report_change(&submitted, member, NULL);
	}
	if (has_lost_buffer(record) && note(record->submitted.cb, KIND_buffer_freed, &submitted))
		report_lost_buffer(&submitted, NULL);
}

void flight_end(const struct aiocb *cb)
{
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb), copy;
	bool is_to_be_checked = record && record->nr_in_flight == 1 && !record->is_being_submitted;

	if (is_to_be_checked)
		copy = *record;
	else if (record)
		requests_end(record);
	requests_unlock(mask);
	if (!is_to_be_checked)
		return;
	check_threads(&copy);
	check_memory(&copy);
	mask = requests_lock();
	record = requests_find(cb);
	if (record)
		requests_end(record);
	requests_unlock(mask);
}

static bool overlaps(const void *address, size_t size, const volatile void *other,
		     size_t other_size)
{
	uintptr_t begin = (uintptr_t)address, other_begin = (uintptr_t)other;

	return begin - other_begin < other_size || other_begin - begin < size;
}

static enum kind find_freed(const void *address, size_t size, uint64_t nr_requests,
			    struct submitted *copy)
{
	enum kind kind = KINDS_NR;
	uint64_t mask = requests_lock();
	struct record *record;

	TAILQ_FOREACH(record, &requests_in_flight, in_flight) {
		const struct submitted *submitted = &record->submitted;
		const struct aiocb *fields = &submitted->fields;

		if (record->number >= nr_requests)
			continue;
		if (overlaps(address, size, submitted->cb, sizeof(*fields)))
			kind = KIND_freed;
		else if (submitted_has_buffer(submitted) &&
			 overlaps(address, size, fields->aio_buf, fields->aio_nbytes))
			kind = KIND_buffer_freed;
		if (kind != KINDS_NR && flight_is_sure(record) && requests_note(record, kind, copy))
			break;
		kind = KINDS_NR;
	}
	requests_unlock(mask);
	return kind;
}

void flight_check_freed(const void *address, size_t size, uint64_t nr_requests)
{
	struct here here = { .is_taken = false };
	struct submitted submitted;
	enum kind kind;

	if (atomic_load(&requests_nr_in_flight) == 0 || size == 0 || !check_is_on())
		return;
	while ((kind = find_freed(address, size, nr_requests, &submitted)) != KINDS_NR)
		report(kind, &submitted, here_frames(&here), NULL, "the %s was freed during the %s",
		       kind == KIND_freed ? "aiocb" : "buffer", describe(&submitted).text);
}

/* ---- descriptors ---- */

/* A thread may have a descriptor table of its own. */
static bool has_our_table(void)
{
	return RAW_SYSCALL(SYS_kcmp, RAW_SYSCALL(SYS_gettid), check.process, KCMP_FILES, 0L, 0L) <=
	       0;
}

static bool find_closed(int first, int last, struct submitted *copy)
{
	uint64_t mask = requests_lock();
	struct record *record;

	TAILQ_FOREACH(record, &requests_in_flight, in_flight) {
		int fd = record->submitted.fields.aio_fildes;

		if (fd >= first && fd <= last && !record->is_given_up && flight_is_sure(record) &&
		    has_our_table() && requests_note(record, KIND_closed, copy))
			break;
	}
	requests_unlock(mask);
	return record;
}

void flight_check_closed(int first, int last)
{
	struct here here = { .is_taken = false };
	struct submitted submitted;

	if (atomic_load(&requests_nr_in_flight) == 0 || !check_is_on())
		return;
	while (find_closed(first, last, &submitted))
		report(KIND_closed, &submitted, here_frames(&here), NULL,
		       "descriptor %d was closed during the %s", submitted.fields.aio_fildes,
		       describe(&submitted).text);
}
