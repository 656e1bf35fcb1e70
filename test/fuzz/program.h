/* SPDX-License-Identifier: MIT */
/*
 * program.h - a program of AIO operations, and its text
 *
 * A program is a list of steps. Its text, one step on a line, is what the
 * fuzzer prints when a program fails, and what it reads from a file:
 *
 *	[>] [t0|t1|handler|p1] [-] verb [dN] [rN] [key=value]...
 *
 * ">" belongs to the child that the fork before it makes, "-" to the list
 * before it; t0 and t1 are other threads than the main one, handler a signal handler
 * that interrupts it, p1 the second process. Any line may be left out of a valid program: a step
 * whose descriptor or request does not exist does nothing.
 */
#ifndef RTAIO_FUZZ_PROGRAM_H
#define RTAIO_FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define STEPS_MAX       128
#define ENTRIES_MAX     6
#define DESCRIPTORS_MAX 32
#define REQUESTS_MAX    96

enum verb {
	VERB_FILE,     /* dN: a new file; kind, access, size */
	VERB_OPEN,     /* dN: the file of another descriptor, opened again; access */
	VERB_DUP,      /* dN: a duplicate of another descriptor */
	VERB_PIPE,     /* dN the end to read, peer the end to write */
	VERB_SOCKET,   /* dN and peer */
	VERB_BAD,      /* dN: an fd that is not open */
	VERB_RESTLESS, /* handlers interrupt system calls, from here on */
	VERB_READ,     /* rN dN */
	VERB_WRITE,    /* rN dN */
	VERB_FSYNC,    /* rN dN */
	VERB_DSYNC,    /* rN dN */
	VERB_NOP,      /* rN: LIO_NOP, in a list only */
	VERB_NULL,     /* a null pointer, in a list only */
	VERB_STRANGE,  /* rN dN: an unknown opcode, in a list only */
	VERB_LIST,     /* lio_listio of the "-" steps that follow */
	VERB_SUSPEND,  /* aio_suspend */
	VERB_CANCEL,   /* dN, all of it or rN */
	VERB_FEED,     /* write to a stream, plainly */
	VERB_DRAIN,    /* read from a stream, plainly */
	VERB_CLOSE,    /* dN */
	VERB_DUP2,     /* dN takes the fd of peer, for the file of another descriptor */
	VERB_JOIN,     /* wait for threads and handler */
	VERB_COLLECT,  /* take the signals that are pending */
	VERB_SCRUB,    /* rN is complete: overwrite its memory */
	VERB_FORK,     /* the child runs the ">" steps that follow */
	VERB_PROCESS,  /* a second process, with the files that are open, runs the p1 steps */
	VERB_NR
};

enum actor { BY_MAIN, BY_THREAD_0, BY_THREAD_1, BY_HANDLER, BY_PROCESS, BY_NR };
enum file_kind { KIND_DISK, KIND_DIRECT, KIND_SHM, KIND_NR };
enum access_mode { ACCESS_BOTH, ACCESS_READ, ACCESS_WRITE, ACCESS_APPEND, ACCESS_NR };
/* Who uses an end of a stream: AIO and the plain calls are not mixed there. */
enum usage { USAGE_AIO, USAGE_PLAIN, USAGE_NR };
enum notice {
	NOTICE_NONE,
	NOTICE_SIGNAL,
	NOTICE_HANDLER,
	NOTICE_THREAD,
	NOTICE_ZERO,
	NOTICE_INVALID,
	NOTICE_NR
};
/* What is behind aio_buf; half of a crossing buffer is there. */
enum buffer { BUFFER_GOOD, BUFFER_ODD, BUFFER_NULL, BUFFER_BAD, BUFFER_CROSSING, BUFFER_NR };
enum list_mode { MODE_WAIT, MODE_NOWAIT, MODE_NR };

#define NO_ENTRY (-1) /* a null pointer in the list of aio_suspend */
/* Beyond what file systems on disks can hold; tmpfs holds it. */
#define OFFSET_TOO_LARGE ((int64_t)1 << 50)
#define NO_TIMEOUT       (-1)

struct step {
	int verb;
	int actor;
	int is_listed, is_in_child;
	int descriptor, request; /* -1: none */
	int of, peer;            /* other descriptors */
	int block;               /* use the control block of this request again; -1: a new one */
	int kind, access, reader, writer, is_nonblocking;
	int64_t size;
	int64_t offset, length;
	int priority;
	int notice, buffer;
	int mode;
	int64_t timeout_us;
	int nr_entries;
	int entries[ENTRIES_MAX];
};

struct program {
	uint64_t seed; /* 0: from a text */
	int nr;
	struct step steps[STEPS_MAX];
};

/* A step with every field at its default, which is not printed. */
struct step step_init(enum verb verb);

bool step_is_submission(const struct step *step);

bool program_has(const struct program *program, enum verb verb);

void step_print(const struct step *step, char *text, size_t size);
void program_print(const struct program *program, FILE *out);

/* False, with a message on standard error, if a line is no step. "#" begins a comment. */
bool program_parse(struct program *program, FILE *in, const char *name);

#endif
