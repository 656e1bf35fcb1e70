/* SPDX-License-Identifier: MIT */
/*
 * history.h - what happened while a program ran
 *
 * The executor writes it, the model judges it. Everything has a stamp, taken
 * from one counter: of two events the one with the lower stamp was first. A
 * request has three: before and after the call that submitted it, and the
 * moment somebody saw for the first time that it is complete.
 *
 * One history exists at a time; the child of a fork begins its own. The second
 * process of a program takes part in that of the first: stamps, records, buffers
 * and the descriptors of both are in shared memory. All else is of one process.
 */
#ifndef RTAIO_FUZZ_HISTORY_H
#define RTAIO_FUZZ_HISTORY_H

#include <aio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "program.h"

#define PLAIN_MAX   156 /* plain reads and writes of streams */
#define RECORDS_MAX (REQUESTS_MAX + PLAIN_MAX)
#define OBJECTS_MAX 32
#define GROUPS_MAX  24
#define CANCELS_MAX 64
#define GUARD_SIZE  64
#define UNUSED_FD   999 /* no descriptor has it */

/* A file, or one direction of a pipe or socket. */
struct object {
	bool is_stream, is_socket, is_nonblocking;
	bool is_direct, is_xfs;
	bool is_appended;                      /* all writes go through descriptors with O_APPEND */
	int reader, writer;                    /* enum usage */
	int64_t size;                          /* of a file, to begin with */
	int keeper;                            /* a descriptor of the executor's own */
	uint64_t reader_closed, writer_closed; /* stamps; 0: not closed */
};

struct descriptor {
	bool exists, is_bad;
	int fd;
	int access;
	struct object *in, *out; /* what a read reads, what a write writes */
	uint64_t closed;
};

enum state { STATE_NONE, STATE_BEGUN, STATE_SUBMITTED };

struct record {
	const struct step *step;
	int verb;
	int process; /* that submitted it */
	bool is_plain;
	struct descriptor *descriptor;
	int fd; /* of the descriptor, at submit */
	struct object *object;
	int64_t offset, length, nr_good; /* so many bytes of the buffer exist */
	int priority, notice, buffer_kind;
	struct group *group;
	int entry; /* in that group */

	_Atomic int state;
	uint64_t begin, end;
	int ret, err; /* of the call; 0 for those in a list */

	struct aiocb *cb, initial;
	unsigned char *buffer, *data; /* data: buffer, or a copy made before it was scrubbed */
	bool is_reused, is_scrubbed;  /* its control block is no longer its own */

	_Atomic int is_observed;
	_Atomic uint64_t done;
	int error;
	ssize_t result;
	struct aiocb final;
	uint64_t digest;
	_Atomic int nr_notices;

	uint64_t ended; /* model: at the latest */
	bool is_placed; /* model: where the append went is known */
	int64_t place;
};

struct group {
	bool exists;
	int mode, notice;
	uint64_t begin, end;
	int ret, err;
	int nr_entries;
	struct record *entries[STEPS_MAX];
	_Atomic int nr_notices;
};

struct cancel {
	int fd;
	struct record *record; /* NULL: all */
	uint64_t begin, end;
	int answer;
};

struct history {
	uint64_t serial; /* tells the notifications of one program from another's */
	_Atomic uint64_t *stamp;
	int process; /* 0, and 1 in the second */
	bool is_restless, has_handlers;
	bool has_callbacks; /* or had, in the program before: one may be about to end */
	struct object objects[OBJECTS_MAX];
	int nr_objects;
	struct descriptor *descriptors; /* of this process, DESCRIPTORS_MAX */
	struct record *records;         /* RECORDS_MAX */
	_Atomic int nr_plain;
	struct group groups[GROUPS_MAX];
	_Atomic int nr_groups;
	struct cancel cancels[CANCELS_MAX];
	_Atomic int nr_cancels;
};

extern struct history history;

/* What the parent of the process that runs programs gets to see: shared memory. */
struct report {
	_Atomic uint64_t nr_done;
	_Atomic int step;
	_Atomic int has_violation;
	char class[64];
	char text[512];
};

extern struct report *report;

void history_begin(bool is_shared);

/* In the second process: from here on it has lists, cancellations and descriptors of its own. */
void history_join(void);

uint64_t history_stamp(void);

/* The first one counts. The class says what kind it is; a shrunk program must give the same. */
void violation(const char *class, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool history_is_good(void);

static inline int record_id(const struct record *record)
{
	return (int)(record - history.records);
}

/* Only the process that submitted a request may ask for it. To be asked once its state is set. */
static inline bool record_is_mine(const struct record *record)
{
	return record->process == history.process;
}

/* One of this process that has been accepted, so that it ends one day? */
bool record_is_accepted(struct record *record);

/* Then requests may have to wait behind others, be it only to fail. */
bool descriptor_is_of_stream(const struct descriptor *descriptor);

/* aio_fsync ignores it, also in a list. */
bool record_has_good_priority(const struct record *record);

/* Is it complete? The first to find out keeps what can be seen of it. */
bool record_observe(struct record *record);

/* Were block and buffer left alone since it was seen to be complete? */
void record_check_untouched(struct record *record);

/* The byte that record @id puts at a position; -1 is what a file holds to begin with. */
unsigned char pattern(int id, int64_t position);
void pattern_put(unsigned char *buffer, int id, int64_t position, int64_t length);

/* ---- memory of requests ---- */

/* Zeroed; if it is shared, with children as well. */
void *memory_map(size_t size, bool is_shared);

void memory_begin(bool is_shared);

/* A control block, filled with garbage, and a buffer for what @record says. False: no room. */
bool memory_give(struct record *record, bool is_aligned);
bool memory_guards_are_intact(const struct record *record);
void *memory_copy(const void *data, int64_t length);

#endif
