// SPDX-License-Identifier: MIT
/*
 * model_stream.c - what was read of a stream is what was written
 *
 * A search for an order of the writes and one of the reads, both allowed, in
 * which the reads get exactly the bytes of the writes. Each write has a pattern
 * of its own, so that wrong ways end soon.
 */
#include "model.h"

#include <errno.h>

struct search {
	const struct record *writes[RECORDS_MAX], *reads[RECORDS_MAX];
	bool is_written[RECORDS_MAX], is_read[RECORDS_MAX];
	int nr_writes, nr_reads;
	int nr_left;   /* reads */
	bool may_lose; /* what was written and not read, at the end */
	unsigned int nr_steps;
};

#define STEPS_LIMIT 2000000 /* a search that long proves nothing */

/* Of two requests on one end, the more urgent goes first, then the older. */
static bool precedes(const struct record *a, const struct record *b)
{
	if (model_has_ended_before(a, b))
		return true;
	if (a->is_plain || b->is_plain)
		return model_has_ended_before(a, b);
	return model_is_after(b, a) && a->priority <= b->priority;
}

static bool is_next(const struct record *const *records, const bool *is_done, int nr, int index)
{
	for (int i = 0; i < nr; i++)
		if (i != index && !is_done[i] && precedes(records[i], records[index]))
			return false;
	return !is_done[index];
}

static bool read_on(struct search *search, int write, int64_t written, int read, int64_t taken);

static bool try_writes(struct search *search, int read, int64_t taken)
{
	for (int i = 0; i < search->nr_writes; i++) {
		if (!is_next(search->writes, search->is_written, search->nr_writes, i))
			continue;
		search->is_written[i] = true;
		if (read_on(search, i, 0, read, taken))
			return true;
		search->is_written[i] = false;
	}
	return false;
}

static bool try_reads(struct search *search, int write, int64_t written)
{
	if (search->nr_left == 0) {
		if (search->may_lose)
			return true;
		for (int i = 0; i < search->nr_writes; i++)
			if (!search->is_written[i])
				return false;
		return write < 0 || written == search->writes[write]->result;
	}
	for (int i = 0; i < search->nr_reads; i++) {
		if (!is_next(search->reads, search->is_read, search->nr_reads, i))
			continue;
		search->is_read[i] = true;
		search->nr_left--;
		if (read_on(search, write, written, i, 0))
			return true;
		search->nr_left++;
		search->is_read[i] = false;
	}
	return false;
}

/* @write has given so many bytes, @read has taken so many; -1: choose the next. */
static bool read_on(struct search *search, int write, int64_t written, int read, int64_t taken)
{
	const struct record *from = write < 0 ? NULL : search->writes[write];
	const struct record *to = read < 0 ? NULL : search->reads[read];

	if (search->nr_steps++ > STEPS_LIMIT)
		return true;
	while (from && to && written < from->result && taken < to->result)
		if (to->data[taken++] != pattern(record_id(from), written++))
			return false;
	if (!to || taken == to->result)
		return try_reads(search, write, written);
	return try_writes(search, read, taken);
}

static void gather(struct search *search, const struct object *object)
{
	for (int i = 0; i < RECORDS_MAX; i++) {
		const struct record *record = &history.records[i];

		if (record->object != object || !record->done || record->error ||
		    record->result <= 0)
			continue;
		if (record->verb == VERB_WRITE)
			search->writes[search->nr_writes++] = record;
		else if (record->verb == VERB_READ)
			search->reads[search->nr_reads++] = record;
	}
	search->nr_left = search->nr_reads;
}

static int64_t sum_of(const struct record *const *records, int nr)
{
	int64_t sum = 0;

	for (int i = 0; i < nr; i++)
		sum += records[i]->result;
	return sum;
}

void model_judge_stream(const struct object *object)
{
	static struct search search;

	search = (struct search){ .may_lose = object->reader_closed };
	gather(&search, object);
	if (read_on(&search, -1, 0, -1, 0))
		return;
	violation("stream", "%d reads of %lld bytes are no order of %d writes of %lld bytes",
		  search.nr_reads, (long long)sum_of(search.reads, search.nr_reads),
		  search.nr_writes, (long long)sum_of(search.writes, search.nr_writes));
}
