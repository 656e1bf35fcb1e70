/* SPDX-License-Identifier: MIT */
/*
 * explain_file.h - what `rtaio explain` learns from a process, as a file that both have mapped.
 *
 * Each process that uses AIO makes a file named by its pid and the number of forks since the first
 * user of AIO.  Counters are exact; what costs more is noted of a sample of the requests.  A sample
 * stands for `weight` requests.  The file is full after SAMPLES_NR samples; then each further one
 * replaces a random one, or none, so that what is left is a fair choice: multiply weights by
 * nr_samples / SAMPLES_NR.
 *
 * All members that threads share are written by relaxed atomic operations.  The reader tolerates a
 * file that was cut short in the middle of anything: the process may be killed.
 */
#ifndef RTAIO_EXPLAIN_FILE_H
#define RTAIO_EXPLAIN_FILE_H

#include <stdatomic.h>
#include <stdint.h>

#define EXPLAIN_MAGIC   UINT64_C(0x316c7078656f6174) /* "taoexpl1" */
#define EXPLAIN_ROWS    64u
#define EXPLAIN_FILES   256u /* known by name; requests of further ones have the last index */
#define EXPLAIN_SAMPLES 32768u

/* One thread's counters; more threads than rows share.  Exact. */
struct explain_row {
	_Alignas(64) _Atomic uint64_t submitted; /* accepted requests */
	_Atomic uint64_t completed;              /* glibc: 0, since nobody tells */
	_Atomic uint64_t collected;              /* calls of aio_return */
	_Atomic uint64_t errors; /* of the completed, with glibc of the collected requests */
	_Atomic uint64_t lists;  /* calls of lio_listio */
	_Atomic uint64_t polls;  /* calls of aio_error that said EINPROGRESS */
	_Atomic uint64_t waits;  /* calls of aio_suspend, and of lio_listio with LIO_WAIT */
	/* Estimates: each timed call counts for as many as it stands for. */
	_Atomic uint64_t waiting_ns;
	_Atomic uint64_t submitting_ns; /* inside calls that submit; without LIO_WAIT */
	_Atomic uint64_t spare[7];
};

enum explain_kind {
	EXPLAIN_UNKNOWN = 0,
	EXPLAIN_FILE,
	EXPLAIN_BLOCK_DEVICE,
	EXPLAIN_PIPE,
	EXPLAIN_SOCKET,
	EXPLAIN_TERMINAL, /* or another character device */
};

struct explain_file_name {
	_Atomic uint64_t device; /* 0 and 0: unused */
	_Atomic uint64_t inode;
	_Atomic uint32_t state; /* 0: unused, 1: being written, 2: valid */
	char path[236];         /* the end of it, if it is longer; terminated */
};

enum explain_state {
	EXPLAIN_FREE = 0,
	EXPLAIN_IN_USE, /* the process writes to it: not complete, or not collected */
	EXPLAIN_DONE,
};

struct explain_sample {
	_Atomic uint32_t state;
	uint32_t weight;
	uint64_t submitted_ns; /* CLOCK_MONOTONIC */
	uint32_t call_ns;      /* time inside the submitting call; of a list: its share */
	_Atomic uint32_t
		depth; /* requests that the program had submitted and not collected, with it */
	_Atomic uint64_t completed_ns; /* 0: unknown, or not yet */
	_Atomic uint64_t collected_ns; /* aio_return; 0: not yet, or never */
	uint64_t nbytes;
	int64_t offset;
	_Atomic int64_t result;  /* bytes or -errno, when it is complete or collected */
	uint8_t op;              /* enum request_op */
	_Atomic uint8_t lane;    /* enum probe_lane; 0: glibc */
	_Atomic uint8_t refusal; /* enum refusal: why no cheaper lane took it */
	uint8_t kind;            /* enum explain_kind */
	uint8_t notify;          /* sigev_notify */
	uint8_t in_list;
	uint16_t file;  /* index in names */
	uint32_t flags; /* F_GETFL */
	uint32_t row;   /* of the submitting thread */
};

struct explain_file {
	_Atomic uint64_t magic; /* written last */
	uint32_t size;          /* of this struct: the same in both */
	uint32_t pid;
	char version[16];
	char backend[16];
	char command[224];
	uint64_t started_ns;         /* CLOCK_MONOTONIC, at the first use */
	_Atomic uint64_t ended_ns;   /* 0: it has not ended, or was killed */
	_Atomic uint64_t nr_samples; /* made so far, also those that were replaced */
	_Atomic uint64_t nr_unnamed; /* files for which there was no room */
	struct explain_row rows[EXPLAIN_ROWS];
	struct explain_file_name names[EXPLAIN_FILES];
	struct explain_sample samples[EXPLAIN_SAMPLES];
};

#endif
