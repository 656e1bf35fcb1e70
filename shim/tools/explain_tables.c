// SPDX-License-Identifier: MIT
/*
 * explain_tables.c - requests by their properties, and their latencies.
 */
#include "tools/explain_tables.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/probes.h"
#include "base/refusal.h"
#include "request/request.h"
#include "tools/explain_format.h"

const char *const explain_view_names[EXPLAIN_VIEWS] = {
	[EXPLAIN_BY_KIND] = "kinds",     [EXPLAIN_BY_SIZE] = "sizes",
	[EXPLAIN_BY_DEPTH] = "depths",   [EXPLAIN_BY_LANE] = "lanes",
	[EXPLAIN_BY_REASON] = "reasons", [EXPLAIN_BY_NOTIFICATION] = "notifications",
	[EXPLAIN_BY_ERROR] = "errors",
};

const char *const explain_view_titles[EXPLAIN_VIEWS] = {
	[EXPLAIN_BY_KIND] = "Requests",
	[EXPLAIN_BY_SIZE] = "Size",
	[EXPLAIN_BY_DEPTH] = "Depth",
	[EXPLAIN_BY_LANE] = "Served by",
	[EXPLAIN_BY_REASON] = "Why no cheaper lane",
	[EXPLAIN_BY_NOTIFICATION] = "Notification",
	[EXPLAIN_BY_ERROR] = "Errors",
};

/* ---- keys ---- */

enum { KIND_DIRECT = 1 << 8, KIND_APPEND = 1 << 9, KIND_SYNC = 1 << 10 };

#define LEFT_OUT UINT64_MAX

static bool is_transfer(const struct explain_request *request)
{
	return request->op == OP_READ || request->op == OP_WRITE;
}

static uint64_t kind_key(const struct explain_request *request)
{
	uint64_t key = request->op | (uint64_t)request->kind << 4;
	bool is_write = request->op == OP_WRITE;

	if (request->kind > EXPLAIN_BLOCK_DEVICE || !is_transfer(request))
		return key;
	return key | (request->flags & O_DIRECT ? KIND_DIRECT : 0) |
	       (is_write && request->flags & O_APPEND ? KIND_APPEND : 0) |
	       (is_write && request->flags & O_DSYNC ? KIND_SYNC : 0);
}

/* 2n: 2^n itself, 2n + 1: what is between that and the next. */
static uint64_t power_key(uint64_t value)
{
	unsigned power = value ? 63u - (unsigned)__builtin_clzll(value) : 0;

	return 2 * power + (value != UINT64_C(1) << power);
}

static uint64_t size_key(const struct explain_request *request)
{
	if (!is_transfer(request))
		return LEFT_OUT;
	return request->nbytes ? 1 + power_key(request->nbytes) : 0;
}

static uint64_t depth_key(const struct explain_request *request)
{
	return power_key(request->depth) / 2;
}

static uint64_t lane_key(const struct explain_request *request)
{
	return request->lane;
}

static uint64_t reason_key(const struct explain_request *request)
{
	if (request->refusal == REFUSED_none || request->lane == PROBE_INLINE || request->lane == 0)
		return LEFT_OUT;
	return (uint64_t)request->lane << 8 | request->refusal;
}

uint64_t explain_reason_lane(uint64_t key)
{
	return key >> 8;
}

static uint64_t notify_key(const struct explain_request *request)
{
	return request->notify;
}

static uint64_t error_key(const struct explain_request *request)
{
	return request->result < 0 ? (uint64_t)-request->result : LEFT_OUT;
}

static uint64_t (*const keys[EXPLAIN_VIEWS])(const struct explain_request *) = {
	[EXPLAIN_BY_KIND] = kind_key,     [EXPLAIN_BY_SIZE] = size_key,
	[EXPLAIN_BY_DEPTH] = depth_key,   [EXPLAIN_BY_LANE] = lane_key,
	[EXPLAIN_BY_REASON] = reason_key, [EXPLAIN_BY_NOTIFICATION] = notify_key,
	[EXPLAIN_BY_ERROR] = error_key,
};

/* ---- labels ---- */

static char label[128];

static const char *kind_label(uint64_t key)
{
	static const char *const ops[] = { "invalid", "read", "write", "fsync", "fdatasync" };
	static const char *const kinds[] = { "unknown file", "file",   "block device",
					     "pipe",         "socket", "terminal" };
	unsigned op = key & 7, kind = key >> 4 & 7;
	bool is_transfer = op == OP_READ || op == OP_WRITE;

	snprintf(label, sizeof(label), "%s, %s%s%s%s", op < 5 ? ops[op] : "?",
		 kind < 6 ? kinds[kind] : "?",
		 !is_transfer || kind > EXPLAIN_BLOCK_DEVICE ? ""
		 : key & KIND_DIRECT                         ? ", O_DIRECT"
							     : ", buffered",
		 key & KIND_APPEND ? ", O_APPEND" : "", key & KIND_SYNC ? ", O_SYNC" : "");
	return label;
}

static const char *size_label(uint64_t key)
{
	uint64_t power = (key - 1) / 2;

	if (key == 0)
		return "0 B";
	if ((key - 1) % 2 == 0)
		snprintf(label, sizeof(label), "%s", format_bytes((double)(UINT64_C(1) << power)));
	else
		snprintf(label, sizeof(label), "%s to %s",
			 format_bytes((double)(UINT64_C(1) << power)),
			 format_bytes(2 * (double)(UINT64_C(1) << power)));
	return label;
}

static const char *depth_label(uint64_t key)
{
	uint64_t first = UINT64_C(1) << key;

	if (key == 0)
		return "1";
	snprintf(label, sizeof(label), "%llu to %llu", (unsigned long long)first,
		 (unsigned long long)(2 * first - 1));
	return label;
}

static const char *lane_label(uint64_t key)
{
	static const char *const names[] = { "",        "inline", "direct", "copier",
					     "offload", "ring",   "worker", "engine" };

	return key == 0 || key > PROBE_ENGINE ? "none" : names[key];
}

const char *explain_lane_text(uint64_t lane)
{
	static const char *const texts[] = {
		[0] = "cancelled, done by another sync, or served by glibc",
		[PROBE_INLINE] = "in the call that submits",
		[PROBE_DIRECT] = "Linux AIO, submitted by the call",
		[PROBE_COPIER] = "a thread that copies from memory",
		[PROBE_OFFLOAD] = "a worker thread, handed over by the call",
		[PROBE_RING] = "the engine, by io_uring",
		[PROBE_WORKER] = "the engine, by a worker thread",
		[PROBE_ENGINE] = "the engine's thread itself",
	};

	return texts[lane <= PROBE_ENGINE ? lane : 0];
}

static const char *reason_label(uint64_t key)
{
	static const char *const texts[] = {
#define X(name, text) [REFUSED_##name] = (text),
		REFUSALS(X)
#undef X
	};

	return texts[(key & 0xff) < REFUSED_NR ? key & 0xff : REFUSED_none];
}

static const char *notify_label(uint64_t key)
{
	return key == SIGEV_NONE     ? "none"
	       : key == SIGEV_SIGNAL ? "signal"
	       : key == SIGEV_THREAD ? "callback in a thread"
				     : "other";
}

static const char *error_label(uint64_t key)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
#define NAME(error) { (error), #error }
		NAME(EINVAL),    NAME(EIO),    NAME(ENOSPC), NAME(EFBIG),      NAME(EBADF),
		NAME(ECANCELED), NAME(EAGAIN), NAME(EPIPE),  NAME(ECONNRESET), NAME(EFAULT),
		NAME(EINTR),     NAME(ENOMEM), NAME(EDQUOT), NAME(EROFS),      NAME(EISDIR),
		NAME(ESPIPE),    NAME(ESTALE), NAME(ENODEV), NAME(EOPNOTSUPP), NAME(ENOSYS),
		NAME(EPERM),     NAME(EACCES), NAME(ENXIO),  NAME(ETIMEDOUT),  NAME(EOVERFLOW),
#undef NAME
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((uint64_t)names[i].error == key)
			return names[i].name;
	snprintf(label, sizeof(label), "%s", key < 4096 ? strerror((int)key) : "unknown error");
	return label;
}

const char *explain_label(enum explain_view view, uint64_t key)
{
	static const char *(*const labels[EXPLAIN_VIEWS])(uint64_t) = {
		[EXPLAIN_BY_KIND] = kind_label,     [EXPLAIN_BY_SIZE] = size_label,
		[EXPLAIN_BY_DEPTH] = depth_label,   [EXPLAIN_BY_LANE] = lane_label,
		[EXPLAIN_BY_REASON] = reason_label, [EXPLAIN_BY_NOTIFICATION] = notify_label,
		[EXPLAIN_BY_ERROR] = error_label,
	};

	return labels[view](key);
}

/* ---- tables ---- */

static void add_line(struct explain_table *table, uint64_t key, double weight)
{
	for (size_t i = 0; i < table->nr; i++)
		if (table->lines[i].key == key) {
			table->lines[i].weight += weight;
			return;
		}
	if (table->nr == EXPLAIN_LINES)
		return;
	table->lines[table->nr++] = (struct explain_line){ .key = key, .weight = weight };
}

static int by_weight(const void *a, const void *b)
{
	const struct explain_line *left = a, *right = b;

	if (left->weight != right->weight)
		return left->weight < right->weight ? 1 : -1;
	return (left->key > right->key) - (left->key < right->key);
}

static int by_key(const void *a, const void *b)
{
	const struct explain_line *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

void explain_tabulate(const struct explain_data *data, enum explain_view view,
		      struct explain_table *table)
{
	bool is_scale = view == EXPLAIN_BY_SIZE || view == EXPLAIN_BY_DEPTH;

	memset(table, 0, sizeof(*table));
	for (size_t i = 0; i < data->nr_requests; i++) {
		const struct explain_request *request = &data->requests[i];
		uint64_t key = keys[view](request);

		if (key == LEFT_OUT)
			continue;
		table->weight += request->weight;
		add_line(table, key, request->weight);
	}
	qsort(table->lines, table->nr, sizeof(table->lines[0]), is_scale ? by_key : by_weight);
}

double explain_share(const struct explain_data *data, explain_test *is, explain_test *among)
{
	double all = 0, such = 0;

	for (size_t i = 0; i < data->nr_requests; i++) {
		const struct explain_request *request = &data->requests[i];

		if (among && !among(request))
			continue;
		all += request->weight;
		if (is(request))
			such += request->weight;
	}
	return all > 0 ? such / all : 0;
}

/* ---- latency ---- */

struct ended {
	uint64_t ns;
	double weight;
};

static int by_latency(const void *a, const void *b)
{
	const struct ended *left = a, *right = b;

	return (left->ns > right->ns) - (left->ns < right->ns);
}

uint64_t explain_step_limit(unsigned step)
{
	uint64_t limit = 100;

	if (step >= EXPLAIN_STEPS - 1)
		return UINT64_MAX;
	for (unsigned i = 0; i < step / 2; i++)
		limit *= 10;
	return step % 2 ? 3 * limit : limit;
}

static size_t gather(const struct explain_data *data, enum explain_end end, struct ended *ended)
{
	size_t nr = 0;

	for (size_t i = 0; i < data->nr_requests; i++) {
		const struct explain_request *request = &data->requests[i];
		uint64_t ns =
			end == EXPLAIN_COMPLETION ? request->completion_ns : request->collection_ns;

		if (ns != EXPLAIN_NEVER)
			ended[nr++] = (struct ended){ .ns = ns, .weight = request->weight };
	}
	return nr;
}

/* The shortest time within which that part of the requests has ended. */
static uint64_t quantile(const struct ended *ended, size_t nr, double limit)
{
	double weight = 0;

	for (size_t i = 0; i < nr; i++) {
		weight += ended[i].weight;
		if (weight >= limit)
			return ended[i].ns;
	}
	return ended[nr - 1].ns;
}

static void sum_up(struct explain_latency *latency, const struct ended *ended, size_t nr)
{
	unsigned step = 0;

	for (size_t i = 0; i < nr; i++) {
		while (step < EXPLAIN_STEPS - 1 && ended[i].ns >= explain_step_limit(step))
			step++;
		latency->steps[step] += ended[i].weight;
		latency->weight += ended[i].weight;
		latency->mean_ns += ended[i].weight * (double)ended[i].ns;
	}
	latency->mean_ns /= latency->weight;
	latency->p50_ns = quantile(ended, nr, 0.5 * latency->weight);
	latency->p99_ns = quantile(ended, nr, 0.99 * latency->weight);
	latency->longest_ns = ended[nr - 1].ns;
}

void explain_latency(const struct explain_data *data, enum explain_end end,
		     struct explain_latency *latency)
{
	struct ended *ended = calloc(data->nr_requests + 1, sizeof(*ended));
	size_t nr;

	memset(latency, 0, sizeof(*latency));
	if (!ended)
		return;
	nr = gather(data, end, ended);
	if (nr > 0) {
		qsort(ended, nr, sizeof(*ended), by_latency);
		sum_up(latency, ended, nr);
	}
	free(ended);
}
