// SPDX-License-Identifier: MIT
/*
 * settle.c - bring a program to its end: nothing in progress, everything told
 *
 * Requests that block on a stream are helped: writes by reading plainly, and reads that
 * nobody will write for by closing the other end.
 */
#include "settle.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "descriptors.h"
#include "notification.h"

#define DRAIN_LENGTH 65536

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t deadline_ms(void)
{
	const char *text = getenv("RTAIO_TEST_DEADLINE_MS");

	return now_ms() + (text ? atol(text) : 10000);
}

/* The requests in progress; on @object alone, in one direction, if that is given. */
static int nr_pending(const struct object *object, int verb)
{
	int nr = 0;

	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct record *record = &history.records[i];

		if (record_is_accepted(record) && !record_observe(record) &&
		    (!object || (record->object == object && record->verb == verb)))
			nr++;
	}
	return nr;
}

static struct descriptor *end_of(const struct object *object, bool is_reader)
{
	for (int i = 0; i < DESCRIPTORS_MAX; i++) {
		struct descriptor *descriptor = &history.descriptors[i];

		if (descriptor->exists && !descriptor->closed &&
		    (is_reader ? descriptor->in : descriptor->out) == object)
			return descriptor;
	}
	return NULL;
}

static bool has_data(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLIN);
}

static bool drain(const struct object *object)
{
	const struct descriptor *reader = end_of(object, true);

	return reader && has_data(reader->fd) && stream_drain(reader->in, reader->fd, DRAIN_LENGTH);
}

static void end_writing(struct object *object)
{
	struct descriptor *writer = end_of(object, false);

	if (!writer || object->writer_closed)
		return;
	if (object->is_socket) {
		object->writer_closed = history_stamp();
		shutdown(writer->fd, SHUT_WR);
	} else {
		descriptor_close(writer);
	}
}

static void help(struct object *object)
{
	int nr_reads = nr_pending(object, VERB_READ), nr_writes = nr_pending(object, VERB_WRITE);

	if (nr_writes > 0 && nr_reads == 0)
		drain(object);
	else if (nr_reads > 0 && nr_writes == 0)
		end_writing(object);
}

/* Sleep until one of them ends, or a moment, as others may need help. */
static void wait_for_any(void)
{
	struct timespec moment = { .tv_nsec = 2000000 };
	const struct aiocb *list[REQUESTS_MAX];
	int nr = 0;

	for (int i = 0; i < REQUESTS_MAX; i++)
		if (record_is_accepted(&history.records[i]) && !history.records[i].done)
			list[nr++] = history.records[i].cb;
	if (nr > 0 && aio_suspend(list, nr, &moment) < 0 && errno != EAGAIN && errno != EINTR)
		violation("suspend", "error %d while waiting for the end", errno);
}

static void finish_requests(void)
{
	int64_t deadline = deadline_ms();

	while (nr_pending(NULL, 0) > 0) {
		for (int i = 0; i < history.nr_objects; i++)
			if (history.objects[i].is_stream)
				help(&history.objects[i]);
		wait_for_any();
		if (now_ms() <= deadline)
			continue;
		for (int i = 0; i < REQUESTS_MAX; i++)
			if (record_is_accepted(&history.records[i]) && !history.records[i].done)
				violation("hang", "r%d does not end", i);
		return;
	}
}

/* Whether a notification is due at all; one that was refused asks for none. */
static bool is_awaited(struct record *record)
{
	return record_is_accepted(record) && notice_comes(record->notice) &&
	       record_has_good_priority(record);
}

static int missing_notice(void)
{
	for (int i = 0; i < REQUESTS_MAX; i++)
		if (is_awaited(&history.records[i]) && history.records[i].nr_notices == 0)
			return i;
	for (int i = 0; i < GROUPS_MAX; i++)
		if (history.groups[i].exists && history.groups[i].mode == MODE_NOWAIT &&
		    notice_comes(history.groups[i].notice) && history.groups[i].nr_notices == 0)
			return REQUESTS_MAX + i;
	return -1;
}

static void finish_notifications(void)
{
	int64_t deadline = deadline_ms();
	int missing;

	notification_collect(0);
	while ((missing = missing_notice()) >= 0) {
		notification_collect(1);
		if (now_ms() <= deadline)
			continue;
		if (missing < REQUESTS_MAX)
			violation("lost", "r%d is not announced", missing);
		else
			violation("lost", "list %d is not announced", missing - REQUESTS_MAX);
		return;
	}
}

void settle(void)
{
	finish_requests();
	finish_notifications();
	for (int i = 0; i < history.nr_objects; i++)
		while (history.objects[i].is_stream && drain(&history.objects[i]))
			;
	notification_collect(0);
}
