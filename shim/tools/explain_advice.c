// SPDX-License-Identifier: MIT
/*
 * explain_advice.c - what follows from the figures, in a few sentences.
 *
 * A rule says only what its figures prove.  Rules with one theme exclude each other: the first that
 * holds speaks.
 */
#include "tools/explain_advice.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/probes.h"
#include "base/refusal.h"
#include "request/request.h"
#include "tools/explain_format.h"
#include "tools/explain_report.h"
#include "tools/explain_tables.h"

/* Fewer requests show no habit. */
#define REQUESTS_MIN 100u

/* ---- requests ---- */

static bool is_read(const struct explain_request *request)
{
	return request->op == OP_READ;
}

static bool is_write(const struct explain_request *request)
{
	return request->op == OP_WRITE;
}

static bool is_transfer(const struct explain_request *request)
{
	return is_read(request) || is_write(request);
}

static bool has_offsets(const struct explain_request *request)
{
	return request->kind == EXPLAIN_FILE || request->kind == EXPLAIN_BLOCK_DEVICE;
}

static bool is_buffered(const struct explain_request *request)
{
	return is_transfer(request) && has_offsets(request) && !(request->flags & O_DIRECT);
}

static bool is_direct(const struct explain_request *request)
{
	return is_transfer(request) && has_offsets(request) && request->flags & O_DIRECT;
}

static bool is_alone(const struct explain_request *request)
{
	return request->depth <= 1;
}

static bool is_cold_read(const struct explain_request *request)
{
	return is_read(request) && is_buffered(request) && request->refusal == REFUSED_miss &&
	       request->lane != PROBE_INLINE;
}

static bool is_lone_cold_read(const struct explain_request *request)
{
	return is_cold_read(request) && is_alone(request);
}

static bool is_deep_cold_read(const struct explain_request *request)
{
	return is_cold_read(request) && !is_alone(request);
}

static bool is_inline(const struct explain_request *request)
{
	return request->lane == PROBE_INLINE;
}

static bool is_submitted_directly(const struct explain_request *request)
{
	return request->lane == PROBE_DIRECT && !is_alone(request);
}

static bool went_to_worker(const struct explain_request *request)
{
	return request->lane == PROBE_WORKER || request->lane == PROBE_OFFLOAD;
}

static bool lacks_nowait(const struct explain_request *request)
{
	return is_transfer(request) && went_to_worker(request) &&
	       request->refusal == REFUSED_file_system;
}

static bool notifies(const struct explain_request *request)
{
	return is_direct(request) && request->refusal == REFUSED_notification &&
	       request->lane != PROBE_DIRECT;
}

static bool has_callback(const struct explain_request *request)
{
	return request->notify == SIGEV_THREAD;
}

static bool is_in_list(const struct explain_request *request)
{
	return request->in_list;
}

static bool is_short(const struct explain_request *request)
{
	return is_transfer(request) && request->nbytes <= 1024;
}

static bool is_limited(const struct explain_request *request)
{
	return request->refusal == REFUSED_limit;
}

static bool is_switched_off(const struct explain_request *request)
{
	return request->refusal == REFUSED_switched_off;
}

static bool is_refused_backend(const struct explain_request *request)
{
	return request->refusal == REFUSED_backend;
}

static bool may_overlap(const struct explain_request *request)
{
	return request->refusal == REFUSED_overlap;
}

static bool waits_for_peer(const struct explain_request *request)
{
	return request->refusal == REFUSED_not_ready || request->refusal == REFUSED_busy;
}

static bool failed(const struct explain_request *request)
{
	return request->result < 0 && request->result != -ECANCELED;
}

static bool is_invalid(const struct explain_request *request)
{
	return request->result == -EINVAL;
}

/* The buffer's address is not known. */
static bool is_misaligned(const struct explain_request *request)
{
	return is_invalid(request) && is_direct(request) &&
	       (request->nbytes % 512 != 0 || request->offset % 512 != 0);
}

static bool is_deep_write_of_first_file(const struct explain_request *request)
{
	return is_write(request) && is_buffered(request) && request->kind == EXPLAIN_FILE &&
	       request->file == 0 && request->depth >= 4;
}

/* ---- rules ---- */

struct rule {
	const char *name;
	int theme;      /* 0: none */
	unsigned least; /* of requests */
	bool (*holds)(const struct explain_run *run, char *text, size_t size);
};

#define SAY(...) (snprintf(text, size, __VA_ARGS__), true)

static double requests(const struct explain_run *run)
{
	return (double)run->data.totals.submitted;
}

static bool errors(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, failed, NULL);
	double invalid = explain_share(&run->data, is_invalid, failed);
	double misaligned = explain_share(&run->data, is_misaligned, is_invalid);
	struct explain_table table;

	if (share < 0.01)
		return false;
	if (invalid > 0.5 && misaligned > 0.5)
		return SAY("%s of the requests failed, %s of these with EINVAL, most of them with "
			   "O_DIRECT and a size or offset that is no multiple of 512 bytes.",
			   format_percent(share), format_percent(invalid));
	if (invalid > 0.5)
		return SAY("%s of the requests failed, %s of these with EINVAL. With O_DIRECT that "
			   "is usually a buffer, size or offset that is not aligned.",
			   format_percent(share), format_percent(invalid));
	explain_tabulate(&run->data, EXPLAIN_BY_ERROR, &table);
	return SAY("%s of the requests failed. The most frequent error is %s.",
		   format_percent(share), explain_label(EXPLAIN_BY_ERROR, table.lines[0].key));
}

/* When no request was under way, no library could have saved time. */
static bool little_aio(const struct explain_run *run, char *text, size_t size)
{
	double busy_ns = (double)run->data.totals.submitting_ns, share;

	if (run->data.nr_skipped || run->data.weight < 0.9 * requests(run))
		return false;
	for (size_t i = 0; i < run->data.nr_requests; i++) {
		const struct explain_request *request = &run->data.requests[i];
		uint64_t ns = request->collection_ns != EXPLAIN_NEVER ? request->collection_ns
								      : request->completion_ns;

		if (ns == EXPLAIN_NEVER)
			ns = (uint64_t)(1e9 * run->seconds); /* not longer, at least */
		busy_ns += request->weight * (double)ns;
	}
	share = run->seconds > 0 ? busy_ns / (1e9 * run->seconds) : 1;
	if (share > 0.1 || run->data.nr_requests == 0)
		return false;
	return SAY("Requests were under way for at most %s of the run: no AIO library can shorten "
		   "it by more.",
		   format_percent(share < 0.001 ? 0.001 : share));
}

static bool cold_and_alone(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, is_lone_cold_read, is_read);

	if (share < 0.5 || explain_share(&run->data, is_read, NULL) < 0.25)
		return false;
	return SAY(
		"%s of the reads were cold (not in memory), buffered and at depth 1: nothing here "
		"can be faster than the disk. The program waits for each read before the next; "
		"several at once would let the disk overlap them.",
		format_percent(share));
}

static bool waits_alone(const struct explain_run *run, char *text, size_t size)
{
	double alone = explain_share(&run->data, is_alone, NULL), waiting;

	if (run->data.thread_ns <= 0)
		return false;
	waiting = (double)run->data.totals.waiting_ns / run->data.thread_ns;
	if (alone < 0.9 || waiting < 0.5)
		return false;
	return SAY(
		"%s of the requests were made at depth 1, and the threads waited for %s of their "
		"time: more requests at once would overlap these waits.",
		format_percent(alone), format_percent(waiting > 1 ? 1 : waiting));
}

static bool cold_and_deep(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, is_deep_cold_read, is_read);

	if (share < 0.5 || explain_share(&run->data, is_read, NULL) < 0.25)
		return false;
	return SAY(
		"%s of the reads were buffered, not in memory, and made at depth 2 or more. If "
		"the program does not read the same data again, O_DIRECT spares the copy through "
		"the page cache.",
		format_percent(share));
}

static bool is_notified(const struct explain_request *request)
{
	return request->notify != SIGEV_NONE;
}

static bool polls(const struct explain_run *run, char *text, size_t size)
{
	double each = (double)run->data.totals.polls / requests(run);

	if (each < 5)
		return false;
	if (explain_share(&run->data, is_notified, NULL) >= 0.5)
		return SAY(
			"aio_error said EINPROGRESS %s times for each request, though most have a "
			"notification. It tells which request has ended: the program need not ask "
			"for the others.",
			format_short(each));
	return SAY("aio_error said EINPROGRESS %s times for each request: the program polls. "
		   "aio_suspend, or a notification, tells when one is complete.",
		   format_short(each));
}

static bool no_nowait(const struct explain_run *run, char *text, size_t size)
{
	double writes = explain_share(&run->data, is_write, NULL);
	double reads = explain_share(&run->data, is_read, NULL);
	double of_writes = explain_share(&run->data, lacks_nowait, is_write);
	double of_reads = explain_share(&run->data, lacks_nowait, is_read);
	bool is_of_writes = of_writes * writes >= of_reads * reads;
	double share = is_of_writes ? of_writes : of_reads;

	if (share < 0.5 || (is_of_writes ? writes : reads) < 0.1)
		return false;
	return SAY(
		"%s of the %s went to worker threads because the file, or its file system, takes "
		"no RWF_NOWAIT for them: such requests are served as glibc serves them.",
		format_percent(share), is_of_writes ? "writes" : "reads");
}

static bool notified(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, notifies, is_direct);

	if (share < 0.5 || explain_share(&run->data, is_direct, NULL) < 0.1)
		return false;
	return SAY("%s of the O_DIRECT requests asked for a %s, so that the engine took them. "
		   "Without, the call submits them itself, and aio_suspend waits for them.",
		   format_percent(share),
		   explain_share(&run->data, has_callback, notifies) > 0.5 ? "callback" : "signal");
}

static bool one_file(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, is_deep_write_of_first_file, NULL);

	/* The kernel may know nothing of a file that has no name here. */
	if (share < 0.5 || (run->data.files[0].device == 0 && run->data.files[0].inode == 0))
		return false;
	return SAY("%s of the requests were buffered writes to one file at depth 4 or more. The "
		   "kernel admits one buffered writer of a file at a time, so depth gains little.",
		   format_percent(share));
}

static bool lists_of_one(const struct explain_run *run, char *text, size_t size)
{
	double in_lists = explain_share(&run->data, is_in_list, NULL) * requests(run);
	double lists = (double)run->data.totals.lists;

	if (lists < REQUESTS_MIN || in_lists == 0 || in_lists > 1.1 * lists)
		return false;
	return SAY(
		"The %s calls of lio_listio had %.1f requests each: a list gains by having more.",
		format_count(lists), in_lists / lists);
}

static bool never_collected(const struct explain_run *run, char *text, size_t size)
{
	double share = 1 - (double)run->data.totals.collected / requests(run);

	for (size_t i = 0; i < run->data.nr_processes; i++)
		if (run->data.processes[i].is_killed)
			return false;
	if (share < 0.05)
		return false;
	return SAY(
		"%s of the requests were never collected by aio_return. POSIX lets a system keep "
		"the memory of such requests, and nobody knows how many bytes they transferred.",
		format_percent(share));
}

static bool short_requests(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, is_short, is_transfer);
	double each = explain_processor_ns(run);

	if (share < 0.5 || each < 0)
		return false;
	return SAY("%s of the transfers were of at most 1 KiB, and a request took %s of the "
		   "processor in the mean. Fewer, longer requests cost less for each byte.",
		   format_percent(share), format_time(each));
}

static bool limited(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, is_limited, is_write);

	if (share < 0.05)
		return false;
	return SAY("%s of the writes took a dearer lane because RLIMIT_FSIZE is set: without it "
		   "(ulimit -f unlimited) they are tried in the call.",
		   format_percent(share));
}

static bool switched_off(const struct explain_run *run, char *text, size_t size)
{
	double off = explain_share(&run->data, is_switched_off, NULL);
	double backend = explain_share(&run->data, is_refused_backend, NULL);

	if (off < 0.5 && backend < 0.5)
		return false;
	if (off >= backend)
		return SAY("%s of the requests were not tried in the call because that lane is "
			   "switched off (RTAIO_INLINE=0, --inline=0).",
			   format_percent(off));
	return SAY("%s of the requests could not go to Linux AIO because the backend was chosen: "
		   "RTAIO_BACKEND=auto uses it.",
		   format_percent(backend));
}

static bool overlaps(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, may_overlap, NULL);

	if (share < 0.25)
		return false;
	return SAY("%s of the requests took a dearer lane because an earlier one in flight may "
		   "overlap them: requests that share bytes keep their order.",
		   format_percent(share));
}

static bool slow_peer(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, waits_for_peer, NULL);

	if (share < 0.5)
		return false;
	return SAY(
		"%s of the requests waited for the other end of a pipe or socket: what that takes, "
		"no AIO library can change.",
		format_percent(share));
}

static bool in_memory(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, is_inline, NULL);
	struct explain_latency latency;

	explain_latency(&run->data, EXPLAIN_COMPLETION, &latency);
	if (share < 0.9 || latency.weight <= 0)
		return false;
	return SAY("%s of the requests were completed by the call that submits them, half of all "
		   "within %s: a thread pool would only add its own time.",
		   format_percent(share), format_time((double)latency.p50_ns));
}

static bool disk_decides(const struct explain_run *run, char *text, size_t size)
{
	double share = explain_share(&run->data, is_submitted_directly, NULL);
	struct explain_latency latency;

	explain_latency(&run->data, EXPLAIN_COMPLETION, &latency);
	if (share < 0.9 || latency.weight <= 0)
		return false;
	return SAY(
		"%s of the requests were O_DIRECT, at depth 2 or more, and submitted to the kernel "
		"by the call itself. This is the shortest way; half of them took %s or less.",
		format_percent(share), format_time((double)latency.p50_ns));
}

enum { NO_THEME, THEME_DEPTH, THEME_LANE };

/* The most important first. */
static const struct rule rules[] = {
	{ "errors", NO_THEME, 1, errors },
	{ "little-aio", NO_THEME, 1, little_aio },
	{ "switched-off", THEME_LANE, REQUESTS_MIN, switched_off },
	{ "cold-alone", THEME_DEPTH, REQUESTS_MIN, cold_and_alone },
	{ "slow-peer", THEME_DEPTH, REQUESTS_MIN, slow_peer },
	{ "polls", NO_THEME, REQUESTS_MIN, polls },
	{ "waits-alone", THEME_DEPTH, REQUESTS_MIN, waits_alone },
	{ "no-nowait", THEME_LANE, REQUESTS_MIN, no_nowait },
	{ "notification", THEME_LANE, REQUESTS_MIN, notified },
	{ "file-size-limit", THEME_LANE, REQUESTS_MIN, limited },
	{ "overlap", THEME_LANE, REQUESTS_MIN, overlaps },
	{ "in-memory", THEME_LANE, REQUESTS_MIN, in_memory },
	{ "one-file", THEME_LANE, REQUESTS_MIN, one_file },
	{ "cold-deep", THEME_DEPTH, REQUESTS_MIN, cold_and_deep },
	{ "short", NO_THEME, REQUESTS_MIN, short_requests },
	{ "lists-of-one", NO_THEME, REQUESTS_MIN, lists_of_one },
	{ "never-collected", NO_THEME, REQUESTS_MIN, never_collected },
	{ "direct", THEME_LANE, REQUESTS_MIN, disk_decides },
};

size_t explain_advise(const struct explain_run *run, struct explain_advice advice[EXPLAIN_ADVICE])
{
	uint64_t submitted = run->data.totals.submitted;
	unsigned themes = 0;
	size_t nr = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && nr < EXPLAIN_ADVICE; i++) {
		const struct rule *rule = &rules[i];

		if (submitted < rule->least || (rule->theme && themes & 1u << rule->theme) ||
		    !rule->holds(run, advice[nr].text, sizeof(advice[nr].text)))
			continue;
		advice[nr].rule = rule->name;
		themes |= 1u << rule->theme;
		nr++;
	}
	return nr;
}
