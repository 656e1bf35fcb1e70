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

/* What two processes see of a program. */
struct common {
	_Atomic uint64_t stamp;
	struct record records[RECORDS_MAX];
	struct descriptor descriptors[2][DESCRIPTORS_MAX];
};

void history_begin(bool is_shared)
{
	static struct common *commons[2]; /* not shared, shared */
	static uint64_t serial;
	struct common *common;

	if (!commons[is_shared])
		commons[is_shared] = memory_map(sizeof(*common), is_shared);
	common = commons[is_shared];
	memset(common, 0, sizeof(*common));
	memset(&history, 0, sizeof(history));
	history.serial = ++serial;
	history.stamp = &common->stamp;
	history.records = common->records;
	history.descriptors = common->descriptors[0];
	memory_begin(is_shared);
}

void history_join(void)
{
	memcpy(history.descriptors + DESCRIPTORS_MAX, history.descriptors,
	       sizeof(*history.descriptors) * DESCRIPTORS_MAX);
	history.descriptors += DESCRIPTORS_MAX;
	history.process = 1;
	memset(history.groups, 0, sizeof(history.groups));
	memset(history.cancels, 0, sizeof(history.cancels));
	history.nr_groups = history.nr_cancels = 0;
}

uint64_t history_stamp(void)
{
	return atomic_fetch_add(history.stamp, 1) + 1;
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
	       record_is_mine(record) && record->ret == 0 && record->verb != VERB_NOP;
}

bool descriptor_is_of_stream(const struct descriptor *descriptor)
{
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
	uint64_t digest = 14695981039346656037u, word;
	int64_t i = 0;

	for (; i + (int64_t)sizeof(word) <= record->nr_good; i += (int64_t)sizeof(word)) {
		memcpy(&word, record->buffer + i, sizeof(word));
		digest = (digest ^ word) * 1099511628211u;
	}
	for (; i < record->nr_good; i++)
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
