// SPDX-License-Identifier: MIT
/*
 * dump_requests.c - the requests that are not complete; the contract is in dump_requests.h
 *
 * Records change while they are read, and the parts of one reading are of different moments.  So
 * each block of them is read several times: enum reading.
 */
#include "tools/dump_requests.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "request/request.h"
#include "tools/fail.h"

#define BLOCK            256u
#define NR_MAX           1000000u
#define GENERATION(word) ((word) >> 32)

/* What is taken from each reading of a record. */
enum reading {
	READING_BEGIN, /* its generation */
	READING_MADE, /* the time of submission, which is set last: from here on the record is whole */
	READING_VALUES, /* what is shown */
	READING_END,    /* the same generation and place: the values are those of one request */
	NR_READINGS
};

struct reader {
	struct image *image;
	const struct library *library;
	struct requests *requests;
	unsigned char *readings[NR_READINGS]; /* of a block; all are one of a core file */
	uint64_t last_queue;                  /* whose mark was read last */
	bool is_last_closed;
};

static uint64_t member(const struct library *library, const unsigned char *record,
		       enum dump_member_name name)
{
	struct dump_member member = library->records.members[name];
	uint64_t value = 0;

	memcpy(&value, record + member.offset, member.size);
	return value;
}

static struct dumped values_of(const struct library *library, const unsigned char *record)
{
#define VALUE(name) \
	.name = (__typeof__(((struct dumped *)0)->name))member(library, record, DUMP_##name)
	return (struct dumped){
		VALUE(word),    VALUE(cb),     VALUE(nbytes),       VALUE(offset),
		VALUE(done),    VALUE(queue),  VALUE(submitted_at), VALUE(cancel),
		VALUE(pin),     VALUE(target), VALUE(mode),         VALUE(tid),
		VALUE(members), VALUE(fd),     VALUE(signo),        VALUE(last_fd),
		VALUE(op),      VALUE(place),  VALUE(copy_kind),
	};
#undef VALUE
}

static bool is_live(uint8_t place)
{
	return place > PLACE_FREE && place < PLACE_DONE;
}

/* The program has its result, but was not told. */
static bool is_notification(const struct library *library, const unsigned char *record,
			    const struct dumped *dumped)
{
	int notify = (int)member(library, record, DUMP_notify);

	return dumped->place == PLACE_DONE &&
	       (notify == SIGEV_THREAD || (notify == SIGEV_SIGNAL && dumped->signo != 0));
}

static enum dump_what what_of(const struct dumped *dumped, uint64_t kind)
{
	if (dumped->place == PLACE_DONE)
		return DUMP_NOTIFICATION;
	if (dumped->op != OP_GROUP)
		return DUMP_TRANSFER;
	return kind == MESSAGE_CANCEL  ? DUMP_CANCEL
	       : kind == MESSAGE_CLOSE ? DUMP_CLOSE
				       : DUMP_LIST;
}

/* A close detaches the queue, or marks what a worker has. */
static bool is_closed(struct reader *reader, const struct dumped *dumped, uint64_t detached_at)
{
	struct dump_member in_queue = reader->library->root.queue_detached;
	uint64_t detached = 0;

	if (detached_at || dumped->pin)
		return true;
	if (dumped->queue != reader->last_queue) {
		reader->last_queue = dumped->queue;
		reader->is_last_closed = dumped->queue && in_queue.size <= sizeof(detached) &&
					 image_read(reader->image, dumped->queue + in_queue.offset,
						    &detached, in_queue.size) &&
					 detached;
	}
	return reader->is_last_closed;
}

static void add(struct requests *requests, struct dumped dumped)
{
	size_t nr = requests->nr;

	if (nr == NR_MAX) {
		requests->is_cut = true;
		return;
	}
	if ((nr & (nr - 1)) == 0)
		requests->list = grow(requests->list, (nr ? 2 * nr : 1) * sizeof(*requests->list));
	requests->list[requests->nr++] = dumped;
	requests->nr_of[dumped.what]++;
}

static void take(struct reader *reader, uint32_t first, uint32_t nr_th)
{
	const struct library *library = reader->library;
	const unsigned char *record[NR_READINGS];
	struct requests *requests = reader->requests;
	struct dumped dumped;

	for (int i = 0; i < NR_READINGS; i++)
		record[i] = reader->readings[i] + (size_t)nr_th * library->records.record_size;
	dumped = values_of(library, record[READING_VALUES]);
	/* A core file has no clock: the last submission tells how late it is. */
	if (reader->image->is_core && dumped.submitted_at > requests->now)
		requests->now = dumped.submitted_at;
	if (!member(library, record[READING_MADE], DUMP_submitted_at) ||
	    (!is_live(dumped.place) &&
	     !is_notification(library, record[READING_VALUES], &dumped)) ||
	    GENERATION(member(library, record[READING_BEGIN], DUMP_word)) !=
		    GENERATION(member(library, record[READING_END], DUMP_word)) ||
	    dumped.place != member(library, record[READING_END], DUMP_place))
		return;
	dumped.handle = GENERATION(dumped.word) << 32 | (first + nr_th + 1u);
	dumped.what = what_of(&dumped, member(library, record[READING_VALUES], DUMP_kind));
	dumped.thread = dumped.tid;
	dumped.is_thread = member(library, record[READING_VALUES], DUMP_notify) == SIGEV_THREAD;
	dumped.is_closed = is_closed(reader, &dumped,
				     member(library, record[READING_VALUES], DUMP_detached_at));
	add(requests, dumped);
}

static bool has_any(const struct reader *reader, uint32_t nr)
{
	const struct dump_records *records = &reader->library->records;

	for (uint32_t i = 0; i < nr; i++)
		if (member(reader->library,
			   reader->readings[READING_BEGIN] + (size_t)i * records->record_size,
			   DUMP_place) != PLACE_FREE)
			return true;
	return reader->image->is_core;
}

/* False: there is no memory, so neither is there behind it. */
static bool read_block(struct reader *reader, uint64_t address, uint32_t first, uint32_t nr)
{
	size_t bytes = (size_t)nr * reader->library->records.record_size;

	if (!image_read(reader->image, address, reader->readings[READING_BEGIN], bytes))
		return false;
	if (!has_any(reader, nr))
		return true;
	for (int i = READING_MADE; i < NR_READINGS && !reader->image->is_core; i++)
		if (!image_read(reader->image, address, reader->readings[i], bytes))
			return false;
	for (uint32_t i = 0; i < nr; i++)
		take(reader, first, i);
	return true;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void read_chunks(struct reader *reader, uint32_t high)
{
	const struct dump_records *records = &reader->library->records;
	uint32_t begin = 0;

	for (uint32_t chunk = 0; chunk < records->nr_chunks && begin < high; chunk++) {
		uint32_t nr = 1u << (records->first_bits + chunk), end = least(high, begin + nr);
		uint64_t address;

		if (!image_read(reader->image, (uintptr_t)records->chunks + chunk * sizeof(address),
				&address, sizeof(address)) ||
		    !address)
			return;
		for (uint32_t i = begin; i < end; i += BLOCK)
			if (!read_block(reader,
					address + (uint64_t)(i - begin) * records->record_size, i,
					least(end - i, BLOCK)))
				break;
		begin += nr;
	}
}

static int by_age(const void *a, const void *b)
{
	const struct dumped *one = a, *other = b;

	if (one->submitted_at != other->submitted_at)
		return one->submitted_at < other->submitted_at ? -1 : 1;
	return one->handle < other->handle ? -1 : 1;
}

struct requests *dump_requests(struct image *image, const struct library *library)
{
	struct requests *requests = make(1, sizeof(*requests));
	size_t bytes = (size_t)BLOCK * library->records.record_size;
	struct reader reader = { .image = image, .library = library, .requests = requests };
	struct timespec now;
	uint32_t high = 0;

	for (int i = 0; i < NR_READINGS; i++)
		reader.readings[i] = i && image->is_core ? reader.readings[0] : make(bytes, 1);
	if (!image_read(image, (uintptr_t)library->records.high_water, &high, sizeof(high)))
		fail("%s: the requests are not there", image->title);
	read_chunks(&reader, high);
	if (!image->is_core) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		requests->now = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	}
	if (requests->nr)
		qsort(requests->list, requests->nr, sizeof(*requests->list), by_age);
	return requests;
}
