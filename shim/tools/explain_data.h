/* SPDX-License-Identifier: MIT */
/*
 * explain_data.h - what the processes of a command noted, added up.
 */
#ifndef RTAIO_EXPLAIN_DATA_H
#define RTAIO_EXPLAIN_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observers/explain_file.h"

#define EXPLAIN_NEVER UINT64_MAX

/* The exact counters of all threads: see struct explain_row. */
struct explain_totals {
	uint64_t submitted;
	uint64_t completed;
	uint64_t collected;
	uint64_t errors;
	uint64_t lists;
	uint64_t polls;
	uint64_t waits;
	uint64_t waiting_ns;
	uint64_t submitting_ns;
	unsigned threads;
};

struct explain_process {
	uint32_t pid;
	bool is_killed; /* it did not end by exit or _exit, or still runs */
	char version[16];
	char backend[16];
	char command[224];
	uint64_t started_ns; /* the first use of AIO */
	uint64_t ended_ns;
	struct explain_totals totals;
};

struct explain_named {
	uint64_t device; /* 0 and 0: all that have no name */
	uint64_t inode;
	uint32_t index;       /* before it was sorted */
	char file_system[32]; /* empty: not known */
	char path[236];
	double weight;
	double bytes;
};

/* One request, which stands for @weight of them. */
struct explain_request {
	double weight;
	uint64_t submitted_ns;
	uint64_t completion_ns; /* since it was submitted, or EXPLAIN_NEVER */
	uint64_t collection_ns; /* the same */
	uint64_t nbytes;
	int64_t offset;
	int64_t result; /* 0 before it is known */
	uint32_t call_ns;
	uint32_t depth;
	uint32_t flags;
	uint32_t file; /* index in files */
	uint8_t op;
	uint8_t lane;
	uint8_t refusal;
	uint8_t kind;
	uint8_t notify;
	bool in_list;
};

struct explain_skipped {
	char name[256];
	const char *why;
};

struct explain_data {
	struct explain_totals totals;
	struct explain_process *processes; /* the one with the most requests first */
	size_t nr_processes;
	struct explain_request *requests;
	size_t nr_requests;
	double weight;               /* of all requests here */
	double bytes;                /* estimate */
	struct explain_named *files; /* the one with the most requests first */
	size_t nr_files;
	struct explain_skipped *skipped;
	size_t nr_skipped;
	uint64_t first_ns; /* the first submission, and when the last request ended */
	uint64_t last_ns;
	double thread_ns; /* how long threads that use AIO were there since the first use */
};

/*
 * Files of processes that have not ended are taken to end at @now_ns.  False: the directory cannot
 * be read.
 */
bool explain_data_read(struct explain_data *data, const char *directory, uint64_t now_ns);
void explain_data_free(struct explain_data *data);

/* While the processes run. */
struct explain_progress {
	struct explain_totals totals;
	uint32_t pids[64];
	unsigned nr_processes; /* may be more than there are pids */
};

void explain_data_progress(struct explain_progress *progress, const char *directory);
/* Requests that are done; where glibc serves, nobody says when one is complete. */
uint64_t explain_done(const struct explain_totals *totals);

#endif
