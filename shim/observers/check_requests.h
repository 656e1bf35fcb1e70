/* SPDX-License-Identifier: MIT */
/*
 * check_requests.h - the program's requests, as far as the program knows about them.
 *
 * A record belongs to the address of an aiocb, and stays when its request has ended.  One lock
 * guards all records.  It is held with signals blocked, since a handler may use AIO, and nothing is
 * called under it that takes another lock.
 */
#ifndef RTAIO_CHECK_REQUESTS_H
#define RTAIO_CHECK_REQUESTS_H

#include <aio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "observers/check_trace.h"

enum operation { OPERATION_READ, OPERATION_WRITE, OPERATION_SYNC };

/* What a report says about a request. */
struct submitted {
	const struct aiocb *cb;
	struct aiocb fields;
	enum operation operation;
	bool is_vectored; /* fields.aio_buf is a vector, which may go when the call returns */
	size_t nbytes;    /* of all its buffers */
	bool is_entry;    /* of a list, which names the operation in the aiocb */
	struct trace trace;
};

/* The buffers of a vector are not watched. */
static inline bool submitted_has_buffer(const struct submitted *submitted)
{
	return submitted->operation != OPERATION_SYNC && !submitted->is_vectored;
}

/* The file of a request, as far as rules depend on it. */
struct file {
	bool is_stream;
	bool has_ranges; /* a regular file or a block device */
	bool is_append;
	uint32_t major, minor;
	uint64_t inode;
};

/* What lies on the stack of the submitting thread. */
struct on_stack {
	pid_t tid;
	uintptr_t root;
	bool is_of_thread; /* the stack ends with the thread */
	struct activation cb, buffer, list;
};

struct record {
	TAILQ_ENTRY(record) in_flight;
	struct record *next; /* of the same bucket */
	struct submitted submitted;
	uint64_t number; /* how many were submitted before */
	struct file file;
	struct on_stack on_stack;
	struct aiocb *const *list; /* whose entry it is, or NULL */
	unsigned nr_in_flight;     /* more than one if it was submitted again */
	bool is_being_submitted;   /* the call has not returned */
	bool has_buffer;           /* it was mapped then */
	bool has_ended;
	bool is_returned;   /* aio_return has taken the result */
	bool is_looked_at;  /* by any call */
	bool is_successful; /* as the program knows */
	bool is_excused;    /* the result need not be taken */
	bool is_given_up;   /* by aio_cancel */
	uint64_t ended_at;  /* requests_nr_calls then; 0: before the submitting call returned */
	uint64_t ended_ms;  /* and when */
	unsigned reported;  /* bits of kinds */
};

TAILQ_HEAD(records, record);

extern struct records requests_in_flight;
/* How many of these have something on a stack. */
extern _Atomic unsigned requests_nr_on_stack;
extern _Atomic unsigned requests_nr_in_flight;
extern _Atomic uint64_t requests_nr_calls; /* of the program */
extern _Atomic uint64_t requests_nr;       /* that it has submitted */

/* First use in this process: drop all records. */
void requests_start(void);

/* Returns what requests_unlock() needs. */
uint64_t requests_lock(void);
void requests_unlock(uint64_t mask);

/* ---- with the lock ---- */

/* NULL: @cb was never submitted, or not accepted. */
struct record *requests_find(const struct aiocb *cb);

/* A new record, or the old one of that address, cleared; NULL: no memory. */
struct record *requests_add(const struct aiocb *cb);

/* Counts as in flight until as many calls of requests_end. */
void requests_begin(struct record *record);
void requests_end(struct record *record);

/* The submission has failed. */
void requests_drop(struct record *record);

/* The record at *index or behind it, and the index of the next; NULL: there is none. */
struct record *requests_next(unsigned *index);

/* @kind was found.  False: for this request it was before.  Else copy what the report needs. */
bool requests_note(struct record *record, unsigned kind, struct submitted *copy);

/* ---- the program's memory, which may be gone ---- */

bool memory_read(void *to, const volatile void *from, size_t size);
bool memory_is_mapped(const volatile void *address, size_t size);

#endif
