// SPDX-License-Identifier: MIT
/*
 * explain_json.c - the report for programs; rtaio(1) describes the members.
 */
#include "tools/explain_report.h"

#include <inttypes.h>

#include "tools/explain_advice.h"
#include "tools/explain_format.h"
#include "tools/explain_tables.h"
#include "tools/names.h"

/* A comma before each member but the first. */
static void begin_item(FILE *out, bool is_first)
{
	fputs(is_first ? "\n" : ",\n", out);
}

static void print_text(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\"%s\": ", name);
	print_json(out, text);
}

static void print_view(FILE *out, const struct explain_data *data, enum explain_view view)
{
	struct explain_table table;

	explain_tabulate(data, view, &table);
	fprintf(out, ",\n\"%s\": [", explain_view_names[view]);
	for (size_t i = 0; i < table.nr; i++) {
		uint64_t key = table.lines[i].key;

		begin_item(out, i == 0);
		fputs("  {", out);
		if (view == EXPLAIN_BY_REASON) {
			print_text(out, "lane",
				   explain_label(EXPLAIN_BY_LANE, explain_reason_lane(key)));
			fputs(", ", out);
		}
		print_text(out, "label", explain_label(view, key));
		fprintf(out, ", \"share\": %.6f}", table.lines[i].weight / data->weight);
	}
	putc(']', out);
}

static void print_latency(FILE *out, const struct explain_data *data, const char *name,
			  enum explain_end end)
{
	struct explain_latency latency;
	bool is_first = true;

	explain_latency(data, end, &latency);
	fprintf(out, ",\n\"%s\": ", name);
	if (latency.weight <= 0) {
		fputs("null", out);
		return;
	}
	fprintf(out,
		"{\"p50_ns\": %" PRIu64 ", \"p99_ns\": %" PRIu64 ", \"longest_ns\": %" PRIu64
		", \"mean_ns\": %.0f, \"known\": %.6f, \"histogram\": [",
		latency.p50_ns, latency.p99_ns, latency.longest_ns, latency.mean_ns,
		latency.weight / data->weight);
	for (unsigned step = 0; step < EXPLAIN_STEPS; step++) {
		if (latency.steps[step] <= 0)
			continue;
		begin_item(out, is_first);
		is_first = false;
		if (step == EXPLAIN_STEPS - 1)
			fputs("  {\"below_ns\": null", out);
		else
			fprintf(out, "  {\"below_ns\": %" PRIu64, explain_step_limit(step));
		fprintf(out, ", \"share\": %.6f}", latency.steps[step] / latency.weight);
	}
	fputs("]}", out);
}

static void print_totals(FILE *out, const struct explain_run *run)
{
	const struct explain_totals *totals = &run->data.totals;

	fprintf(out,
		"\"requests\": {\"submitted\": %" PRIu64 ", \"completed\": %" PRIu64
		", \"collected\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"bytes\": %.0f"
		", \"samples\": %zu},\n",
		totals->submitted, totals->completed, totals->collected, totals->errors,
		run->data.bytes, run->data.nr_requests);
	fprintf(out,
		"\"calls\": {\"lists\": %" PRIu64 ", \"polls\": %" PRIu64 ", \"waits\": %" PRIu64
		"},\n",
		totals->lists, totals->polls, totals->waits);
	fprintf(out,
		"\"threads\": {\"number\": %u, \"seconds\": %.6f, \"submitting_seconds\": %.6f, "
		"\"waiting_seconds\": %.6f}",
		totals->threads, run->data.thread_ns / 1e9, (double)totals->submitting_ns / 1e9,
		(double)totals->waiting_ns / 1e9);
}

static void print_costs(FILE *out, const struct explain_run *run)
{
	const struct rusage *usage = &run->usage;

	fprintf(out,
		",\n\"processor\": {\"user_seconds\": %.6f, \"system_seconds\": %.6f, "
		"\"voluntary_switches\": %ld, \"involuntary_switches\": %ld}",
		(double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6,
		(double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6,
		usage->ru_nvcsw, usage->ru_nivcsw);
	fputs(",\n\"system_calls\": {", out);
	if (explain_calls_each(run) >= 0) {
		fprintf(out, "\"each\": %.4f, \"requests\": %.0f, \"windows\": %u}",
			explain_calls_each(run), run->calls.requests, run->calls.windows);
		return;
	}
	print_text(out, "not_counted", run->calls.why);
	putc('}', out);
}

static void print_processes(FILE *out, const struct explain_data *data)
{
	fputs(",\n\"processes\": [", out);
	for (size_t i = 0; i < data->nr_processes; i++) {
		const struct explain_process *process = &data->processes[i];

		begin_item(out, i == 0);
		fprintf(out, "  {\"pid\": %u, ", process->pid);
		print_text(out, "command", process->command);
		fputs(", ", out);
		print_text(out, "backend", process->backend);
		fprintf(out,
			", \"submitted\": %" PRIu64 ", \"collected\": %" PRIu64
			", \"threads\": %u, \"ended\": %s}",
			process->totals.submitted, process->totals.collected,
			process->totals.threads, process->is_killed ? "false" : "true");
	}
	fputs("],\n\"left_out\": [", out);
	for (size_t i = 0; i < data->nr_skipped; i++) {
		begin_item(out, i == 0);
		fputs("  {", out);
		print_text(out, "file", data->skipped[i].name);
		fputs(", ", out);
		print_text(out, "reason", data->skipped[i].why);
		putc('}', out);
	}
	putc(']', out);
}

static void print_files(FILE *out, const struct explain_data *data)
{
	fputs(",\n\"files\": [", out);
	for (size_t i = 0; i < data->nr_files; i++) {
		const struct explain_named *file = &data->files[i];

		begin_item(out, i == 0);
		fputs("  {", out);
		print_text(out, "path", file->path);
		fputs(", ", out);
		print_text(out, "file_system", file->file_system);
		fprintf(out, ", \"share\": %.6f, \"bytes\": %.0f}", file->weight / data->weight,
			file->bytes);
	}
	putc(']', out);
}

static void print_advice(FILE *out, const struct explain_run *run)
{
	struct explain_advice advice[EXPLAIN_ADVICE];
	size_t nr = explain_advise(run, advice);

	fputs(",\n\"advice\": [", out);
	for (size_t i = 0; i < nr; i++) {
		begin_item(out, i == 0);
		fputs("  {", out);
		print_text(out, "rule", advice[i].rule);
		fputs(", ", out);
		print_text(out, "text", advice[i].text);
		putc('}', out);
	}
	putc(']', out);
}

static void print_run(FILE *out, const struct explain_run *run)
{
	const struct explain_data *data = &run->data;

	fprintf(out, "{\n\"status\": %d,\n\"seconds\": %.6f,\n\"active_seconds\": %.6f,\n",
		run->status, run->seconds, (double)(data->last_ns - data->first_ns) / 1e9);
	print_totals(out, run);
	for (unsigned view = 0; view < EXPLAIN_VIEWS; view++)
		print_view(out, data, (enum explain_view)view);
	print_latency(out, data, "completion", EXPLAIN_COMPLETION);
	print_latency(out, data, "collection", EXPLAIN_COLLECTION);
	print_costs(out, run);
	print_processes(out, data);
	print_files(out, data);
	print_advice(out, run);
	fputs("\n}", out);
}

void explain_json(FILE *out, const struct explain_report *report)
{
	fputs("{\n\"format\": 1,\n", out);
	print_text(out, "rtaio", RTAIO_VERSION);
	fputs(",\n\"command\": [", out);
	for (size_t i = 0; report->command[i]; i++) {
		fputs(i ? ", " : "", out);
		print_json(out, report->command[i]);
	}
	fputs("],\n\"run\": ", out);
	print_run(out, report->run);
	fputs(",\n\"glibc\": ", out);
	if (report->compared)
		print_run(out, report->compared);
	else
		fputs("null", out);
	fputs("\n}\n", out);
}
