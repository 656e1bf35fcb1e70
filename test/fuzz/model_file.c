// SPDX-License-Identifier: MIT
/*
 * model_file.c - the contents of a file, and what was read of it
 *
 * The file is cut at the ends of all requests. In such a piece every byte has
 * the same candidates, the writes that may have been the last, so that it is
 * enough to find them once. Writes with O_APPEND are placed first: then they are
 * writes like others.
 */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK   ((int64_t)4096)
#define LARGEST ((int64_t)64 << 20) /* of a file that is looked at */
#define INITIAL (-1)                /* as a candidate: what the file held to begin with */

static int64_t start_of(const struct record *record)
{
	return record->is_placed ? record->place : record->offset;
}

/* How far did it get, or may it have got? */
static int64_t length_of(const struct record *record)
{
	if (record->error)
		return record->verb == VERB_WRITE ? record->nr_good : 0;
	return record->result;
}

/*
 * With O_DIRECT, one whose buffer or length is found wrong half way may have left
 * something; also if a close was faster than the question what was wrong.
 */
static bool is_doubtful(const struct record *record)
{
	return (record->error == EFAULT || record->error == EINVAL ||
		(record->error == ECANCELED && record->descriptor->closed)) &&
	       record->object->is_direct && record->nr_good > 0 && record->offset >= 0;
}

/*
 * Nor is it sure, then, where the file ends: tmpfs sets the size to the begin of a
 * write beyond the end of which nothing could be copied. A cancelled one may have
 * been tried in the submitting call.
 */
static bool may_have_moved_the_end(const struct record *record, const struct object *object)
{
	return record->done && record->object == object && record->verb == VERB_WRITE &&
	       (record->error == EFAULT || (record->error == ECANCELED && record->nr_good == 0) ||
		is_doubtful(record));
}

static bool is_of(const struct record *record, const struct object *object, int verb)
{
	return record->done && record->object == object && record->verb == verb &&
	       (record->error == 0 || (verb == VERB_WRITE && is_doubtful(record)));
}

static int64_t asked_end_of(const struct record *record)
{
	int64_t end;

	return __builtin_add_overflow(start_of(record), record->length, &end) ? INT64_MAX : end;
}

/* Ranges as asked for: that is what the order between two requests goes by. */
static bool overlap(const struct record *a, const struct record *b)
{
	return start_of(a) < asked_end_of(b) && start_of(b) < asked_end_of(a);
}

/* @a took effect before @b, for sure. */
static bool precedes(const struct record *a, const struct record *b)
{
	if (model_has_ended_before(a, b))
		return true;
	return a->descriptor == b->descriptor && model_is_after(b, a) && overlap(a, b);
}

static bool covers(const struct record *record, int64_t position)
{
	return start_of(record) <= position && position < start_of(record) + length_of(record);
}

static bool is_older_than(const struct record *write, const struct record *other,
			  const struct record *read)
{
	return other != write && !is_doubtful(other) && precedes(write, other) &&
	       (!read || precedes(other, read));
}

/*
 * The writes that @read may find at a position, or that the file may hold at
 * the end, if @read is NULL.
 */
static int find_candidates(const struct object *object, const struct record *read, int64_t position,
			   int *candidates)
{
	const struct record *writes[REQUESTS_MAX];
	int nr_writes = 0, nr = 0;
	bool is_hidden = false;

	for (int i = 0; i < REQUESTS_MAX; i++) {
		const struct record *write = &history.records[i];

		if (is_of(write, object, VERB_WRITE) && covers(write, position) &&
		    (!read || !precedes(read, write)))
			writes[nr_writes++] = write;
	}
	for (int i = 0; i < nr_writes; i++) {
		bool is_older = false;

		for (int j = 0; j < nr_writes; j++)
			is_older |= is_older_than(writes[i], writes[j], read);
		if (!is_older)
			candidates[nr++] = record_id(writes[i]);
		if (!is_doubtful(writes[i]) && (!read || precedes(writes[i], read)))
			is_hidden = true;
	}
	if (!is_hidden)
		candidates[nr++] = INITIAL;
	return nr;
}

static unsigned char byte_of(const struct object *object, int id, int64_t position)
{
	if (id == INITIAL)
		return position < object->size ? pattern(INITIAL, position) : 0;
	return pattern(id, object->is_appended ? position - history.records[id].place : position);
}

static bool touches_block(const struct record *write, int64_t block)
{
	return write->offset < block + BLOCK && asked_end_of(write) > block;
}

/*
 * ext4 fills the rest of a new block with zeros when O_DIRECT writes a part of it,
 * and may hit what comes through another descriptor at the same time. glibc has
 * it, too.
 */
static bool may_be_zeroed(const struct object *object, int64_t position)
{
	const struct descriptor *descriptor = NULL;
	int64_t block = position & -BLOCK;
	bool has_part = false, has_several = false;

	for (int i = 0; object->is_direct && i < REQUESTS_MAX; i++) {
		const struct record *write = &history.records[i];

		if (!write->done || write->object != object || write->verb != VERB_WRITE ||
		    !touches_block(write, block))
			continue;
		has_part |= write->offset > block || asked_end_of(write) < block + BLOCK;
		has_several |= descriptor && descriptor != write->descriptor;
		descriptor = write->descriptor;
	}
	return has_part && has_several;
}

static bool has_bad_buffer(const struct record *write, const struct object *object)
{
	return write->done && write->object == object && write->verb == VERB_WRITE &&
	       (is_doubtful(write) || write->nr_good < write->length);
}

/*
 * Nor does ext4 clear the blocks that it took for a write by O_DIRECT whose buffer turned out to be
 * bad: a later write makes what the disk had there a part of the file. XFS does not even clear a
 * page of its cache. So it is on glibc.
 */
static bool may_be_stale(const struct object *object, int64_t position)
{
	for (int i = 0; (object->is_direct || object->is_xfs) && i < REQUESTS_MAX; i++) {
		const struct record *write = &history.records[i];

		if (has_bad_buffer(write, object) && touches_block(write, position & -BLOCK))
			return true;
	}
	return false;
}

/*
 * ext4 writes the rest of such a write through its cache. If another write by O_DIRECT meets the
 * page there, the kernel cannot drop it, complains in its log, and lets the next sync fail.
 */
bool model_may_be_unsynced(const struct record *sync)
{
	for (int i = 0; sync->object->is_direct && i < REQUESTS_MAX; i++)
		if (has_bad_buffer(&history.records[i], sync->object))
			return true;
	return false;
}

/*
 * Nor can ext4 read the block with the end of the file by O_DIRECT, while a write that begins in it
 * fails for its buffer. So it is on glibc.
 */
bool model_may_be_unreadable(const struct record *read)
{
	for (int i = 0; read->object->is_direct && i < REQUESTS_MAX; i++) {
		const struct record *write = &history.records[i];

		if (may_have_moved_the_end(write, read->object) &&
		    !model_has_ended_before(write, read) && !model_has_ended_before(read, write))
			return true;
	}
	return false;
}

static int compare_cuts(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* Where anything begins or ends in [start, end), with both ends. */
static int find_cuts(const struct object *object, int64_t start, int64_t end, int64_t *cuts)
{
	int nr = 0;

	cuts[nr++] = start;
	cuts[nr++] = end;
	if (object->size > start && object->size < end)
		cuts[nr++] = object->size;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		const struct record *write = &history.records[i];
		int64_t first, last;

		if (!is_of(write, object, VERB_WRITE))
			continue;
		first = start_of(write);
		last = first + length_of(write);
		if (first > start && first < end)
			cuts[nr++] = first;
		if (last > start && last < end)
			cuts[nr++] = last;
	}
	qsort(cuts, (size_t)nr, sizeof(*cuts), compare_cuts);
	return nr;
}

static void explain(const struct record *read, int64_t position, unsigned char byte,
		    const int *candidates, int nr)
{
	char text[128] = "";

	for (int i = 0; i < nr && strlen(text) < sizeof(text) - 16; i++)
		snprintf(text + strlen(text), 16, candidates[i] == INITIAL ? " initial" : " r%d",
			 candidates[i]);
	if (read)
		violation("read", "r%d: byte %lld is %#x; allowed:%s", record_id(read),
			  (long long)position, byte, text);
	else
		violation("file", "byte %lld is %#x at the end; allowed:%s", (long long)position,
			  byte, text);
}

static void judge_bytes(const struct object *object, const struct record *read,
			const unsigned char *data, int64_t start, int64_t end)
{
	int64_t cuts[2 * REQUESTS_MAX + 3];
	int candidates[REQUESTS_MAX + 1];
	int nr_cuts = find_cuts(object, start, end, cuts);

	for (int i = 0; i + 1 < nr_cuts; i++) {
		int nr = cuts[i] < cuts[i + 1] ? find_candidates(object, read, cuts[i], candidates)
					       : 0;

		for (int64_t position = cuts[i]; position < cuts[i + 1]; position++) {
			unsigned char byte = data[position - start];
			bool is_allowed = false;

			for (int j = 0; j < nr && !is_allowed; j++)
				is_allowed = byte == byte_of(object, candidates[j], position);
			if (!is_allowed && !(byte == 0 && may_be_zeroed(object, position)) &&
			    !may_be_stale(object, position)) {
				explain(read, position, byte, candidates, nr);
				return;
			}
		}
	}
}

/* ---- the end of the file ---- */

/*
 * Then nobody knows where any of them went. XFS writes two of different descriptors, by O_DIRECT,
 * to one place; on glibc as well.
 */
static bool has_doubtful_append(const struct object *object)
{
	if (!object->is_appended)
		return false;
	for (int i = 0; i < REQUESTS_MAX; i++)
		if (is_of(&history.records[i], object, VERB_WRITE) &&
		    is_doubtful(&history.records[i]))
			return true;
	return object->is_direct && object->is_xfs;
}

int64_t model_least_end(const struct record *read)
{
	int64_t least = read->object->size;

	if (has_doubtful_append(read->object))
		return least;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		const struct record *write = &history.records[i];

		if (is_of(write, read->object, VERB_WRITE) && !is_doubtful(write) &&
		    write->result > 0 && precedes(write, read) &&
		    start_of(write) + write->result > least)
			least = start_of(write) + write->result;
	}
	return least;
}

int64_t model_greatest_end(const struct record *read)
{
	int64_t greatest = read->object->size;

	if (has_doubtful_append(read->object))
		return INT64_MAX;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		const struct record *write = &history.records[i];

		if ((may_have_moved_the_end(write, read->object) ||
		     (is_of(write, read->object, VERB_WRITE) && length_of(write) > 0)) &&
		    !precedes(read, write) && start_of(write) + length_of(write) > greatest)
			greatest = start_of(write) + length_of(write);
	}
	return greatest;
}

/* -1: it is not known. */
static int64_t end_of(const struct object *object)
{
	int64_t end = object->size;

	for (int i = 0; i < REQUESTS_MAX; i++) {
		const struct record *write = &history.records[i];

		if (may_have_moved_the_end(write, object))
			return -1;
		if (is_of(write, object, VERB_WRITE) && write->result > 0 &&
		    start_of(write) + length_of(write) > end)
			end = start_of(write) + length_of(write);
	}
	return end;
}

/* ---- appends ---- */

static bool is_append_to(const struct record *record, const struct object *object)
{
	return is_of(record, object, VERB_WRITE) && record->error == 0;
}

static struct record *find_append(const struct object *object, const unsigned char *data,
				  int64_t left)
{
	for (int i = 0; i < REQUESTS_MAX; i++) {
		struct record *write = &history.records[i];
		bool matches = is_append_to(write, object) && !write->is_placed &&
			       write->result > 0 && write->result <= left;

		for (int64_t k = 0; matches && k < write->result; k++)
			matches = data[k] == pattern(i, k);
		if (matches)
			return write;
	}
	return NULL;
}

/* Find each in the file; they follow each other without a gap. */
static void place_appends(const struct object *object, const unsigned char *data, int64_t size)
{
	int64_t place = object->size;
	struct record *write;

	for (int i = 0; i < REQUESTS_MAX; i++)
		if (is_append_to(&history.records[i], object) && history.records[i].result == 0) {
			history.records[i].is_placed = true;
			history.records[i].place = size;
		}
	while (place < size) {
		write = find_append(object, data + place, size - place);
		if (!write) {
			violation("append", "nothing that was appended is at byte %lld of %lld",
				  (long long)place, (long long)size);
			return;
		}
		for (int i = 0; i < REQUESTS_MAX; i++) {
			const struct record *other = &history.records[i];

			if (is_append_to(other, object) && !other->is_placed && other != write &&
			    (model_has_ended_before(other, write) ||
			     (other->descriptor == write->descriptor &&
			      model_is_after(write, other))))
				violation("append", "r%d is ahead of r%d", record_id(write), i);
		}
		write->is_placed = true;
		write->place = place;
		place += write->result;
	}
	for (int i = 0; i < REQUESTS_MAX; i++)
		if (is_append_to(&history.records[i], object) && !history.records[i].is_placed)
			violation("append", "r%d is not in the file", i);
}

static void judge_reads(const struct object *object)
{
	for (int i = 0; i < REQUESTS_MAX && history_is_good(); i++) {
		const struct record *read = &history.records[i];

		if (is_of(read, object, VERB_READ) && read->result > 0 &&
		    read->result <= read->nr_good)
			judge_bytes(object, read, read->data, read->offset,
				    read->offset + read->result);
	}
}

void model_judge_file(const struct object *object)
{
	int64_t size, end;
	unsigned char *data;

	if (has_doubtful_append(object))
		return;
	size = lseek(object->keeper, 0, SEEK_END);
	/* Some file systems take a write at 1 PiB. */
	if (size > LARGEST)
		return;
	data = malloc((size_t)size + 1);
	if (pread(object->keeper, data, (size_t)size, 0) != size)
		violation("machine", "cannot read the file: error %d", errno);
	if (object->is_appended)
		place_appends(object, data, size);
	end = end_of(object);
	if (history_is_good() && end >= 0 && size != end)
		violation("file", "%lld bytes long at the end; expected %lld", (long long)size,
			  (long long)end);
	if (history_is_good())
		judge_bytes(object, NULL, data, 0, size);
	judge_reads(object);
	free(data);
}
