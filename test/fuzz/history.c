// SPDX-License-Identifier: MIT
/*
 * history.c - what happened while a program ran
 */
#include "history.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct history history;
struct report *report;

void history_begin(void)
{
	static uint64_t serial;

	memset(&history, 0, sizeof(history));
	history.serial = ++serial;
	memory_begin();
}

uint64_t history_stamp(void)
{
	return atomic_fetch_add(&history.stamp, 1) + 1;
}

void violation(const char *class, const char *format, ...)
{
	va_list ap;

	if (atomic_exchange(&report->has_violation, 1))
		return;
	snprintf(report->class, sizeof(report->class), "%s", class);
	va_start(ap, format);
	vsnprintf(report->text, sizeof(report->text), format, ap);
	va_end(ap);
}

bool history_is_good(void)
{
	return !atomic_load(&report->has_violation);
}

bool record_is_accepted(struct record *record)
{
	return !record->is_plain && atomic_load(&record->state) == STATE_SUBMITTED &&
	       record->ret == 0 && record->verb != VERB_NOP;
}

bool record_is_on_stream(const struct record *record)
{
	const struct descriptor *descriptor = record->descriptor;

	return (descriptor->in && descriptor->in->is_stream) ||
	       (descriptor->out && descriptor->out->is_stream);
}

bool record_has_good_priority(const struct record *record)
{
	return record->verb == VERB_FSYNC || record->verb == VERB_DSYNC ||
	       (record->priority >= 0 && record->priority <= 20);
}

static uint64_t digest_of(const struct record *record)
{
	uint64_t digest = 14695981039346656037u;

	for (int64_t i = 0; i < record->nr_good; i++)
		digest = (digest ^ record->buffer[i]) * 1099511628211u;
	return digest;
}

/* "It completes not before earlier requests of its descriptor." */
static void check_barrier(const struct record *barrier)
{
	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct record *other = &history.records[i];

		if (record_is_accepted(other) && other->descriptor == barrier->descriptor &&
		    other->fd == barrier->fd && other->end < barrier->begin &&
		    !atomic_load(&other->done) && !other->is_reused &&
		    aio_error(other->cb) == EINPROGRESS)
			violation("fsync", "r%d is complete, r%d before it is not",
				  record_id(barrier), i);
	}
}

bool record_observe(struct record *record)
{
	int error;

	if (atomic_load(&record->done))
		return true;
	error = aio_error(record->cb);
	if (error == EINPROGRESS)
		return false;
	if (atomic_exchange(&record->is_observed, 1))
		return true; /* somebody else is at it */
	record->error = error;
	record->result = aio_return(record->cb);
	record->final = *record->cb;
	record->digest = digest_of(record);
	atomic_store(&record->done, history_stamp());
	if ((record->verb == VERB_FSYNC || record->verb == VERB_DSYNC) && error != ECANCELED)
		check_barrier(record);
	return true;
}

void record_check_untouched(struct record *record)
{
	int id = record_id(record);

	if (record->is_reused || record->is_scrubbed)
		return;
	if (memcmp(record->cb, &record->final, sizeof(record->final)) != 0)
		violation("block", "r%d: control block changed after the request was complete", id);
	if (digest_of(record) != record->digest)
		violation("buffer", "r%d: buffer changed after the request was complete", id);
	if (aio_error(record->cb) != record->error || aio_return(record->cb) != record->result)
		violation("status", "r%d: another status than before", id);
}

unsigned char pattern(int id, int64_t position)
{
	return (unsigned char)(id + 1 + position * 7 + (position >> 8) * 5);
}

void pattern_put(unsigned char *buffer, int id, int64_t position, int64_t length)
{
	for (int64_t i = 0; i < length; i++)
		buffer[i] = pattern(id, position + i);
}
