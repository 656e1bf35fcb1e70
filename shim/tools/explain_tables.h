/* SPDX-License-Identifier: MIT */
/*
 * explain_tables.h - requests by their properties, and their latencies.
 */
#ifndef RTAIO_EXPLAIN_TABLES_H
#define RTAIO_EXPLAIN_TABLES_H

#include <stdbool.h>

#include "tools/explain_data.h"

struct explain_line {
	uint64_t key;
	double weight;
};

#define EXPLAIN_LINES 128u

struct explain_table {
	struct explain_line lines[EXPLAIN_LINES];
	size_t nr;
	double weight; /* of all lines */
};

enum explain_view {
	EXPLAIN_BY_KIND,  /* operation, O_DIRECT or not, file or stream */
	EXPLAIN_BY_SIZE,  /* by powers of two */
	EXPLAIN_BY_DEPTH, /* the same */
	EXPLAIN_BY_LANE,
	EXPLAIN_BY_REASON, /* lane, and why no cheaper one */
	EXPLAIN_BY_NOTIFICATION,
	EXPLAIN_BY_ERROR, /* without those that succeeded */
	EXPLAIN_VIEWS,
};

/* Names for JSON, titles for people. */
extern const char *const explain_view_names[EXPLAIN_VIEWS];
extern const char *const explain_view_titles[EXPLAIN_VIEWS];

void explain_tabulate(const struct explain_data *data, enum explain_view view,
		      struct explain_table *table);

/* In a static buffer, until the next call. */
const char *explain_label(enum explain_view view, uint64_t key);
const char *explain_lane_text(uint64_t lane);
/* Of a key of EXPLAIN_BY_REASON. */
uint64_t explain_reason_lane(uint64_t key);

/* Which part of all requests is such; @among: of which, or NULL. */
typedef bool explain_test(const struct explain_request *request);
double explain_share(const struct explain_data *data, explain_test *is, explain_test *among);

/* ---- latency ---- */

enum explain_end { EXPLAIN_COMPLETION, EXPLAIN_COLLECTION };

#define EXPLAIN_STEPS 20u /* 100 ns, 300 ns, 1 us ... 100 s, longer */

struct explain_latency {
	double weight; /* of the requests whose end is known; 0: the rest is nothing */
	double mean_ns;
	uint64_t p50_ns;
	uint64_t p99_ns;
	uint64_t longest_ns;
	double steps[EXPLAIN_STEPS]; /* weights of what took less than the step's limit */
};

/* The first limit that a step does not reach; of the last: UINT64_MAX. */
uint64_t explain_step_limit(unsigned step);
void explain_latency(const struct explain_data *data, enum explain_end end,
		     struct explain_latency *latency);

#endif
