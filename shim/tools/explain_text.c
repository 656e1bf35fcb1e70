// SPDX-License-Identifier: MIT
/*
 * explain_text.c - the report for a terminal, at most 100 columns wide.
 */
#include "tools/explain_report.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "tools/explain_advice.h"
#include "tools/explain_format.h"
#include "tools/explain_tables.h"
#include "tools/names.h"

#define WIDTH     98
#define LINES_MAX 16u /* of a table */

/* As much as there is room for. */
static void print_command(FILE *out, char *const *command)
{
	size_t width = strlen("rtaio explain:");

	for (; *command; command++) {
		width += 1 + strlen(*command);
		if (width > WIDTH - strlen(" ..."))
			break;
		putc(' ', out);
		print_plain(out, *command);
	}
	if (*command)
		fputs(" ...", out);
}

/* The beginning, as much as there is room for behind a row of the processes. */
static void print_beginning(FILE *out, const char *command)
{
	char text[WIDTH - 58];
	size_t length = strlen(command);

	while (length > 0 &&
	       command[length - 1] == ' ') /* a program may write over its arguments */
		length--;
	if (length < sizeof(text))
		snprintf(text, sizeof(text), "%.*s", (int)length, command);
	else
		snprintf(text, sizeof(text), "%.*s ...", (int)sizeof(text) - 5, command);
	print_plain(out, text);
}

/* Breaks lines at spaces. */
static void print_paragraph(FILE *out, const char *bullet, const char *text)
{
	size_t column = strlen(bullet), indent = column;

	fputs(bullet, out);
	while (*text) {
		size_t length = strcspn(text, " ");

		if (column > indent && column + 1 + length > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			putc(' ', out);
			column++;
		}
		fwrite(text, 1, length, out);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	putc('\n', out);
}

/* ---- the head ---- */

static void print_counts(FILE *out, const struct explain_run *run)
{
	const struct explain_totals *totals = &run->data.totals;
	double nr = (double)totals->submitted;
	double span = (double)(run->data.last_ns - run->data.first_ns) / 1e9;

	fprintf(out, "%s %s, %s", format_count(nr), totals->submitted == 1 ? "request" : "requests",
		format_bytes(run->data.bytes));
	if (span > 0 && totals->submitted > 1)
		fprintf(out, ", in %s from the first to the last: %s/s, %s/s",
			format_time(1e9 * span), format_short(nr / span),
			format_bytes(run->data.bytes / span));
	if (totals->errors)
		fprintf(out, "; %s failed", format_count((double)totals->errors));
	putc('\n', out);
	if ((double)run->data.nr_requests < nr)
		fprintf(out, "Shares and latencies are estimates, from a sample of %s.\n",
			format_count((double)run->data.nr_requests));
}

static void print_processes(FILE *out, const struct explain_data *data)
{
	const struct explain_process *first = &data->processes[0];

	if (data->nr_processes == 1) {
		fprintf(out, "Process %u, backend %s, %u %s that used AIO%s\n", first->pid,
			first->backend, first->totals.threads,
			first->totals.threads == 1 ? "thread" : "threads",
			first->is_killed ? ", did not end by exit" : "");
		return;
	}
	fprintf(out, "\n%zu processes%s\n", data->nr_processes,
		data->nr_processes > 10 ? ", of which these made the most requests" : "");
	for (size_t i = 0; i < data->nr_processes && i < 10; i++) {
		const struct explain_process *process = &data->processes[i];

		fprintf(out, "  %8u  %14s requests  %3u %-7s  %-8s ", process->pid,
			format_count((double)process->totals.submitted), process->totals.threads,
			process->totals.threads == 1 ? "thread" : "threads", process->backend);
		print_beginning(out, process->command);
		fputs(process->is_killed ? " (did not end by exit)\n" : "\n", out);
	}
}

static void print_skipped(FILE *out, const struct explain_data *data)
{
	for (size_t i = 0; i < data->nr_skipped; i++) {
		fputs("Left out: ", out);
		print_plain(out, data->skipped[i].name);
		fprintf(out, ", since %s\n", data->skipped[i].why);
	}
}

/* ---- tables ---- */

#define COLUMNS 3u

struct column {
	enum explain_view view;
	int width;
};

/* Its last line is for all that there is no room for. */
static void print_cell(FILE *out, const struct column *column, const struct explain_table *table,
		       size_t line)
{
	bool is_rest = line == LINES_MAX - 1 && table->nr > LINES_MAX;
	double weight = 0;

	if (line >= table->nr) {
		fprintf(out, "%*s", column->width, "");
		return;
	}
	for (size_t i = line; i < (is_rest ? table->nr : line + 1); i++)
		weight += table->lines[i].weight;
	fprintf(out, "%-*s%8s", column->width - 8,
		is_rest ? "others" : explain_label(column->view, table->lines[line].key),
		format_percent(weight / table->weight));
}

static void print_cells(FILE *out, const struct column *columns, const struct explain_table *tables,
			size_t line)
{
	size_t last = 0;

	for (size_t i = 0; i < COLUMNS; i++)
		if (line < tables[i].nr)
			last = i;
	for (size_t i = 0; i <= last; i++) {
		fputs("  ", out);
		print_cell(out, &columns[i], &tables[i], line);
	}
	putc('\n', out);
}

/* Kinds, sizes and depths are three columns. */
static void print_requests(FILE *out, const struct explain_data *data)
{
	static const struct column columns[COLUMNS] = {
		{ EXPLAIN_BY_KIND, 42 },
		{ EXPLAIN_BY_SIZE, 28 },
		{ EXPLAIN_BY_DEPTH, 22 },
	};
	struct explain_table tables[COLUMNS];
	size_t lines = 0;

	putc('\n', out);
	for (size_t i = 0; i < COLUMNS; i++) {
		explain_tabulate(data, columns[i].view, &tables[i]);
		lines = tables[i].nr > lines ? tables[i].nr : lines;
		fprintf(out, "%-*s", i + 1 < COLUMNS ? columns[i].width + 2 : 0,
			explain_view_titles[columns[i].view]);
	}
	putc('\n', out);
	for (size_t line = 0; line < lines && line < LINES_MAX; line++)
		print_cells(out, columns, tables, line);
}

static void print_reasons(FILE *out, const struct explain_data *data,
			  const struct explain_table *reasons, uint64_t lane)
{
	unsigned nr = 0;

	for (size_t i = 0; i < reasons->nr && nr < 3; i++) {
		if (explain_reason_lane(reasons->lines[i].key) != lane)
			continue;
		fprintf(out, "    %-74s%8s\n",
			explain_label(EXPLAIN_BY_REASON, reasons->lines[i].key),
			format_percent(reasons->lines[i].weight / data->weight));
		nr++;
	}
}

static void print_lanes(FILE *out, const struct explain_data *data)
{
	struct explain_table lanes, reasons;

	explain_tabulate(data, EXPLAIN_BY_LANE, &lanes);
	explain_tabulate(data, EXPLAIN_BY_REASON, &reasons);
	fputs("\nServed by, and why no cheaper lane\n", out);
	for (size_t i = 0; i < lanes.nr; i++) {
		uint64_t lane = lanes.lines[i].key;

		fprintf(out, "  %-10s%-66s%8s\n", explain_label(EXPLAIN_BY_LANE, lane),
			explain_lane_text(lane),
			format_percent(lanes.lines[i].weight / data->weight));
		print_reasons(out, data, &reasons, lane);
	}
}

/* A table that matters only if it has more than what is usual. */
static void print_short(FILE *out, const struct explain_data *data, enum explain_view view,
			uint64_t usual)
{
	struct explain_table table;

	explain_tabulate(data, view, &table);
	if (table.nr == 0 || (table.nr == 1 && table.lines[0].key == usual))
		return;
	fprintf(out, "\n%s\n", explain_view_titles[view]);
	for (size_t i = 0; i < table.nr && i < LINES_MAX; i++)
		fprintf(out, "  %-76s%8s\n", explain_label(view, table.lines[i].key),
			format_percent(table.lines[i].weight / data->weight));
}

/* ---- latency ---- */

static void print_bar(FILE *out, double share)
{
	int length = (int)(24 * share + 0.5);

	if (share > 0 && length == 0)
		length = 1;
	for (int i = 0; i < 24; i++)
		putc(i < length ? '#' : ' ', out);
	fprintf(out, "%8s", format_percent(share));
}

/* Of a request whose aiocb soon served another one, the end may have been missed. */
static void print_quantiles(FILE *out, const char *title, const struct explain_latency *latency,
			    double weight)
{
	char text[48];

	if (latency->weight <= 0) {
		fprintf(out, "  %-40s%10s\n", title, "not known");
		return;
	}
	snprintf(text, sizeof(text), "%s", title);
	if (latency->weight < 0.995 * weight)
		snprintf(text, sizeof(text), "%s, of %s", title,
			 format_percent(latency->weight / weight));
	fprintf(out, "  %-40s%10s  %10s  %10s  %10s\n", text, format_time((double)latency->p50_ns),
		format_time((double)latency->p99_ns), format_time((double)latency->longest_ns),
		format_time(latency->mean_ns));
}

static bool is_step_used(const struct explain_latency latencies[2], unsigned step)
{
	return latencies[0].steps[step] > 0 || latencies[1].steps[step] > 0;
}

static double share_of_step(const struct explain_latency *latency, unsigned step)
{
	return latency->weight > 0 ? latency->steps[step] / latency->weight : 0;
}

static void print_shares(FILE *out, double left, double right)
{
	if (left > 0)
		print_bar(out, left);
	if (right > 0) {
		fprintf(out, "%*s", left > 0 ? 4 : 36, "");
		print_bar(out, right);
	}
}

static void print_histogram(FILE *out, const struct explain_latency latencies[2])
{
	unsigned first = 0, last = EXPLAIN_STEPS - 1;

	while (first < last && !is_step_used(latencies, first))
		first++;
	while (last > first && !is_step_used(latencies, last))
		last--;
	fprintf(out, "\n  %-16s%-36s%s\n", "", "to completion", "to collection");
	for (unsigned step = first; step <= last; step++) {
		bool is_last = step == EXPLAIN_STEPS - 1;
		double left = share_of_step(&latencies[0], step);
		double right = share_of_step(&latencies[1], step);

		fprintf(out, "  %s %*s", is_last ? "longer" : " below",
			left > 0 || right > 0 ? -10 : 0,
			is_last ? "" : format_time((double)explain_step_limit(step)));
		print_shares(out, left, right);
		putc('\n', out);
	}
}

static void print_latency(FILE *out, const struct explain_data *data)
{
	struct explain_latency latencies[2];

	explain_latency(data, EXPLAIN_COMPLETION, &latencies[0]);
	explain_latency(data, EXPLAIN_COLLECTION, &latencies[1]);
	fprintf(out, "\n%-42s%10s  %10s  %10s  %10s\n", "Time since the submission", "p50", "p99",
		"longest", "mean");
	print_quantiles(out, "to completion", &latencies[0], data->weight);
	print_quantiles(out, "to collection (aio_return)", &latencies[1], data->weight);
	if (latencies[0].weight > 0 || latencies[1].weight > 0)
		print_histogram(out, latencies);
}

/* ---- costs ---- */

static void print_thread_time(FILE *out, const char *title, uint64_t ns, double all_ns)
{
	fprintf(out, "  %-40s%10s", title, format_time((double)ns));
	if (all_ns > 0)
		fprintf(out, "  %10s", format_percent((double)ns / all_ns));
	putc('\n', out);
}

static void print_costs(FILE *out, const struct explain_run *run)
{
	const struct explain_totals *totals = &run->data.totals;
	double all_ns = run->data.thread_ns, nr = (double)totals->submitted;

	fprintf(out, "\nTime of the %u %s that used AIO (%s in all)\n", totals->threads,
		totals->threads == 1 ? "thread" : "threads", format_time(all_ns));
	print_thread_time(out, "in calls that submit", totals->submitting_ns, all_ns);
	print_thread_time(out, "waiting in aio_suspend or lio_listio", totals->waiting_ns, all_ns);
	fputs("\nFor each request\n", out);
	fprintf(out, "  %-40s%10s  of the whole command\n", "processor time",
		format_time(explain_processor_ns(run)));
	fprintf(out, "  %-40s%10.2f  the same\n", "context switches", explain_switches(run));
	if (explain_calls_each(run) >= 0)
		fprintf(out, "  %-40s%10.2f  counted while %s requests were done\n", "system calls",
			explain_calls_each(run), format_count(run->calls.requests));
	else
		fprintf(out, "  %-40s not counted: %s\n", "system calls", run->calls.why);
	fprintf(out, "  %-40s%10.2f\n", "polls (aio_error said EINPROGRESS)",
		(double)totals->polls / nr);
	fprintf(out, "  %-40s%10.2f\n", "calls that wait", (double)totals->waits / nr);
}

static void print_files(FILE *out, const struct explain_data *data)
{
	const size_t shown = 5;
	double rest = data->weight;

	fputs("\nFiles\n", out);
	for (size_t i = 0; i < data->nr_files && i < shown; i++) {
		const struct explain_named *file = &data->files[i];

		rest -= file->weight;
		fprintf(out, "  %7s  %9s  %-9s  ", format_percent(file->weight / data->weight),
			format_bytes(file->bytes), file->file_system);
		print_plain(out, file->path[0] ? file->path : "(files without a name here)");
		putc('\n', out);
	}
	if (data->nr_files > shown)
		fprintf(out, "  %7s  in %zu others\n", format_percent(rest / data->weight),
			data->nr_files - shown);
}

/* ---- the end ---- */

static void print_comparison(FILE *out, const struct explain_report *report)
{
	struct explain_comparison rows[EXPLAIN_COMPARISONS];
	size_t nr = explain_compare(report, rows);
	const char *warning = explain_compare_warning(report);

	fprintf(out, "\n%-32s%14s%14s%16s\n", "Compared with glibc", "rtaio", "glibc",
		"rtaio / glibc");
	for (size_t i = 0; i < nr; i++) {
		fprintf(out, "  %-30s", rows[i].title);
		for (int k = 0; k < 2; k++)
			fprintf(out, "%14s",
				rows[i].values[k] < 0 ? "-" : rows[i].format(rows[i].values[k]));
		if (rows[i].values[0] >= 0 && rows[i].values[1] > 0)
			fprintf(out, "%16.2f", rows[i].values[0] / rows[i].values[1]);
		putc('\n', out);
	}
	if (warning)
		print_paragraph(out, "  ", warning);
}

static void print_advice(FILE *out, const struct explain_run *run)
{
	struct explain_advice advice[EXPLAIN_ADVICE];
	size_t nr = explain_advise(run, advice);

	fputs("\nWhat follows\n", out);
	for (size_t i = 0; i < nr; i++)
		print_paragraph(out, "  * ", advice[i].text);
	if (nr == 0)
		fputs("  Nothing stands out in these figures.\n", out);
}

static void print_figures(FILE *out, const struct explain_run *run)
{
	const struct explain_data *data = &run->data;

	print_counts(out, run);
	print_processes(out, data);
	print_skipped(out, data);
	if (data->weight > 0) {
		print_requests(out, data);
		print_lanes(out, data);
		print_short(out, data, EXPLAIN_BY_NOTIFICATION, SIGEV_NONE);
		print_short(out, data, EXPLAIN_BY_ERROR, UINT64_MAX);
		print_latency(out, data);
	}
	print_costs(out, run);
	if (data->weight > 0)
		print_files(out, data);
}

void explain_text(FILE *out, const struct explain_report *report)
{
	const struct explain_run *run = report->run;
	const char *nothing = explain_nothing(&run->data);

	fputs("\nrtaio explain:", out);
	print_command(out, report->command);
	fprintf(out, "\nIt ended with status %d after %s.\n", run->status,
		format_time(1e9 * run->seconds));
	if (nothing) {
		print_paragraph(out, "", nothing);
		print_skipped(out, &run->data);
	} else {
		print_figures(out, run);
	}
	if (report->compared)
		print_comparison(out, report);
	if (!nothing)
		print_advice(out, run);
}
