// SPDX-License-Identifier: MIT
/*
 * explain_report.c - figures that all forms of the report have.
 */
#include "tools/explain_report.h"

#include "tools/explain_format.h"
#include "tools/explain_tables.h"

static double each(const struct explain_run *run, double of_all)
{
	uint64_t nr = run->data.totals.submitted;

	return nr ? of_all / (double)nr : -1;
}

static double timeval_ns(struct timeval time)
{
	return (double)time.tv_sec * 1e9 + (double)time.tv_usec * 1e3;
}

double explain_processor_ns(const struct explain_run *run)
{
	return each(run, timeval_ns(run->usage.ru_utime) + timeval_ns(run->usage.ru_stime));
}

double explain_switches(const struct explain_run *run)
{
	return each(run, (double)run->usage.ru_nvcsw + (double)run->usage.ru_nivcsw);
}

double explain_calls_each(const struct explain_run *run)
{
	return run->calls.requests > 0 ? run->calls.nr / run->calls.requests : -1;
}

const char *explain_nothing(const struct explain_data *data)
{
	if (data->totals.submitted > 0)
		return NULL;
	if (data->nr_processes > 0)
		return "The command called functions of <aio.h>, but made no request.";
	if (data->nr_skipped > 0)
		return "What the processes of the command noted cannot be used.";
	return "No process of the command used POSIX AIO through rtaio: it uses none, or calls "
	       "io_uring or Linux AIO itself, or rtaio did not reach it (statically linked, setuid, "
	       "another C library, 32 bits).";
}

static const char *format_seconds(double seconds)
{
	return format_time(1e9 * seconds);
}

static const char *format_each(double value)
{
	static char text[32];

	snprintf(text, sizeof(text), "%.2f", value);
	return text;
}

/* The figures of one run go to one column. */
static void fill_column(const struct explain_run *run, int column,
			struct explain_comparison *comparisons)
{
	double nr = (double)run->data.totals.submitted;
	double span = (double)(run->data.last_ns - run->data.first_ns) / 1e9;
	struct explain_latency latency;
	bool is_known;

	explain_latency(&run->data, EXPLAIN_COLLECTION, &latency);
	is_known = latency.weight > 0;
	const double values[EXPLAIN_COMPARISONS] = {
		run->seconds,
		nr,
		span,
		span > 0 ? nr / span : -1,
		is_known ? latency.mean_ns : -1,
		is_known ? (double)latency.p50_ns : -1,
		is_known ? (double)latency.p99_ns : -1,
		is_known ? (double)latency.longest_ns : -1,
		explain_processor_ns(run),
		explain_switches(run),
		explain_calls_each(run),
	};

	for (size_t i = 0; i < EXPLAIN_COMPARISONS; i++)
		comparisons[i].values[column] = values[i];
}

size_t explain_compare(const struct explain_report *report,
		       struct explain_comparison comparisons[EXPLAIN_COMPARISONS])
{
	static const struct {
		const char *title;
		const char *(*format)(double value);
	} rows[EXPLAIN_COMPARISONS] = {
		{ "time of the command", format_seconds },
		{ "requests", format_count },
		{ "from the first to the last", format_seconds },
		{ "requests per second of that", format_short },
		{ "until collected, mean", format_time },
		{ "until collected, p50", format_time },
		{ "until collected, p99", format_time },
		{ "until collected, longest", format_time },
		{ "processor time, each", format_time },
		{ "context switches, each", format_each },
		{ "system calls, each", format_each },
	};

	for (size_t i = 0; i < EXPLAIN_COMPARISONS; i++) {
		comparisons[i].title = rows[i].title;
		comparisons[i].format = rows[i].format;
	}
	fill_column(report->run, 0, comparisons);
	fill_column(report->compared, 1, comparisons);
	return EXPLAIN_COMPARISONS;
}

const char *explain_compare_warning(const struct explain_report *report)
{
	double ours = (double)report->run->data.totals.submitted;
	double theirs = (double)report->compared->data.totals.submitted;

	if (report->run->status != report->compared->status)
		return "The two runs ended differently: do not compare them.";
	if (ours > 1.01 * theirs || theirs > 1.01 * ours)
		return "The two runs made different numbers of requests: compare rates, not times.";
	return NULL;
}
