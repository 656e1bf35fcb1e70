/* SPDX-License-Identifier: MIT */
/*
 * dump_root.h - where rtaio dump finds the requests of another process, or of a core file
 *
 * An ELF note with the owner DUMP_OWNER leads to the root (api/dump_root.c), which is constant.  It
 * has the addresses of the library's data, and where the members of a request lie.  So the
 * program reads a process that runs an older build of the library.
 *
 * Structs grow at their end only.  DUMP_LAYOUT is raised if anything here, or a value of the enums
 * in request.h, gets another meaning: a program refuses a layout that it does not know.
 */
#ifndef RTAIO_DUMP_ROOT_H
#define RTAIO_DUMP_ROOT_H

#include <stdint.h>

#define DUMP_OWNER     "rtaio"
#define DUMP_NOTE_TYPE 1         /* its 4 bytes: how far behind them the root lies */
#define DUMP_MAGIC     "rtaio-d" /* 8 bytes */
#define DUMP_LAYOUT    2

/* Name, member of struct request.  New ones come last. */
#define DUMP_MEMBERS(X)                \
	X(word, word)                  \
	X(kind, message.kind)          \
	X(cb, cb)                      \
	X(nbytes, nbytes)              \
	X(offset, offset)              \
	X(mode, descriptor.mode)       \
	X(done, done)                  \
	X(fd, fd)                      \
	X(op, op)                      \
	X(place, place)                \
	X(copy_kind, copy_kind)        \
	X(submitted_at, submitted_at)  \
	X(notify, notification.notify) \
	X(signo, notification.signo)   \
	X(detached_at, detached_at)    \
	X(tid, tid)                    \
	X(members, members)            \
	X(queue, queue)                \
	X(cancel, cancel)              \
	X(pin, pin)                    \
	X(target, target)              \
	X(last_fd, last_fd)

enum dump_member_name {
#define NAME(name, member) DUMP_##name,
	DUMP_MEMBERS(NAME)
#undef NAME
		DUMP_NR_MEMBERS
};

struct dump_member {
	uint16_t offset, size;
};

/* The records: request.c. */
struct dump_records {
	const void *chunks;     /* chunk k: the address of 2^(first_bits + k) records, or NULL */
	const void *high_water; /* uint32_t: records below this index were in use */
	uint32_t nr_chunks, first_bits, record_size, nr_members;
	struct dump_member members[DUMP_NR_MEMBERS];
};

/* The engine: engine.c. */
struct dump_engine {
	const void *serving; /* char *: the backend's name, or NULL */
	const void *tid;     /* pid_t, or 0 */
};

struct dump_root {
	char magic[8];
	uint32_t layout;
	uint32_t size; /* of this struct */
	char version[24];
	const void *self; /* its own address */
	const struct dump_records *records;
	const struct dump_engine *engine;
	const void *process_word;          /* uint32_t *: enum process_state of this process */
	const void *process_pid;           /* int: which process has set it */
	const void *backend;               /* enum backend_choice: what RTAIO_BACKEND asks for */
	struct dump_member queue_detached; /* of struct fdqueue: not 0, the descriptor was closed */
};

#endif
