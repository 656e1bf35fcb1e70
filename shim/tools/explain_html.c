// SPDX-License-Identifier: MIT
/*
 * explain_html.c - the report as one page that needs nothing else: no script, no picture from
 * elsewhere.
 */
#include "tools/explain_report.h"

#include <string.h>

#include "tools/explain_advice.h"
#include "tools/explain_format.h"
#include "tools/explain_tables.h"
#include "tools/names.h"

#define CHART_WIDTH  640
#define CHART_HEIGHT 180
#define CHART_BINS   64u

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'\">\n"
	"<title>rtaio explain</title>\n<style>\n"
	":root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff;\n"
	"  --line: #d0d7de; --one: #0969da; --two: #bc4c00; }\n"
	"@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1;\n"
	"  --paper: #0d1117; --line: #3d444d; --one: #4493f8; --two: #f0883e; } }\n"
	"body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);\n"
	"  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }\n"
	"h1 { font-size: 1.3rem; }\n"
	"h1 span { display: inline-block; max-width: 100%; overflow-wrap: anywhere; }\n"
	"h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }\n"
	"table { border-collapse: collapse; width: 100%; }\n"
	"th, td { text-align: left; padding: .15rem .75rem .15rem 0; vertical-align: top;\n"
	"  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }\n"
	"th { color: var(--soft); font-weight: 600; }\n"
	".n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }\n"
	".sub td:first-child { padding-left: .75rem; color: var(--soft); white-space: nowrap; }\n"
	".bar { width: 160px; }\n"
	".soft { color: var(--soft); }\n"
	"li { margin-bottom: .4rem; }\n"
	"svg { display: block; max-width: 100%; height: auto; }\n"
	"svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }\n"
	".one { fill: var(--one); } .two { fill: var(--two); }\n"
	".axis { stroke: var(--line); }\n"
	"</style>\n</head>\n<body>\n";

/* ---- tables ---- */

static void print_share(FILE *out, double share)
{
	fputs("<td class=\"n\">", out);
	print_html(out, format_percent(share));
	fprintf(out,
		"</td><td class=\"bar\"><svg width=\"160\" height=\"12\" aria-hidden=\"true\">"
		"<rect class=\"one\" y=\"2\" height=\"10\" width=\"%.1f\"/></svg></td></tr>\n",
		160 * share);
}

static void print_line(FILE *out, const char *class, const char *label, const char *text,
		       double share)
{
	fprintf(out, "<tr%s><td>", class);
	print_html(out, label);
	if (text) {
		fputs("</td><td>", out);
		print_html(out, text);
	}
	fputs("</td>", out);
	print_share(out, share);
}

static void begin_section(FILE *out, const char *title)
{
	fputs("<h2>", out);
	print_html(out, title);
	fputs("</h2>\n", out);
}

static void print_view(FILE *out, const struct explain_data *data, enum explain_view view)
{
	struct explain_table table;
	double all;

	explain_tabulate(data, view, &table);
	if (table.nr == 0)
		return;
	all = view == EXPLAIN_BY_SIZE ? table.weight : data->weight; /* a sync has none */
	begin_section(out, explain_view_titles[view]);
	fputs("<table>\n", out);
	for (size_t i = 0; i < table.nr; i++)
		print_line(out, "", explain_label(view, table.lines[i].key), NULL,
			   table.lines[i].weight / all);
	fputs("</table>\n", out);
}

static void print_lanes(FILE *out, const struct explain_data *data)
{
	struct explain_table lanes, reasons;

	explain_tabulate(data, EXPLAIN_BY_LANE, &lanes);
	explain_tabulate(data, EXPLAIN_BY_REASON, &reasons);
	begin_section(out, "Served by, and why no cheaper lane");
	fputs("<table>\n", out);
	for (size_t i = 0; i < lanes.nr; i++) {
		uint64_t lane = lanes.lines[i].key;

		print_line(out, "", explain_label(EXPLAIN_BY_LANE, lane), explain_lane_text(lane),
			   lanes.lines[i].weight / data->weight);
		for (size_t k = 0; k < reasons.nr; k++)
			if (explain_reason_lane(reasons.lines[k].key) == lane)
				print_line(out, " class=\"sub\"", "because",
					   explain_label(EXPLAIN_BY_REASON, reasons.lines[k].key),
					   reasons.lines[k].weight / data->weight);
	}
	fputs("</table>\n", out);
}

static void print_files(FILE *out, const struct explain_data *data)
{
	begin_section(out, "Files");
	fputs("<table>\n", out);
	for (size_t i = 0; i < data->nr_files && i < 20; i++) {
		const struct explain_named *file = &data->files[i];

		print_line(out, "", file->path[0] ? file->path : "(files without a name here)",
			   file->file_system, file->weight / data->weight);
	}
	fputs("</table>\n", out);
}

/* ---- charts ---- */

static void begin_chart(FILE *out, const char *title)
{
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\"><title>",
		CHART_WIDTH, CHART_HEIGHT + 40, CHART_WIDTH, CHART_HEIGHT + 40);
	print_html(out, title);
	fprintf(out, "</title>\n<line class=\"axis\" x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n",
		CHART_HEIGHT + 16, CHART_WIDTH, CHART_HEIGHT + 16);
}

/* @part: of the height. */
static void print_column(FILE *out, const char *class, double x, double width, double part,
			 const char *what)
{
	double height = CHART_HEIGHT * part;

	fprintf(out,
		"<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>",
		class, x, CHART_HEIGHT + 16 - height, width, height);
	print_html(out, what);
	fputs("</title></rect>\n", out);
}

static double highest_step(const struct explain_latency latencies[2], unsigned *first,
			   unsigned *last)
{
	double highest = 0;

	*first = EXPLAIN_STEPS;
	*last = 0;
	for (unsigned step = 0; step < EXPLAIN_STEPS; step++)
		for (int i = 0; i < 2; i++) {
			double share = latencies[i].weight > 0
					       ? latencies[i].steps[step] / latencies[i].weight
					       : 0;

			if (share <= 0)
				continue;
			*first = step < *first ? step : *first;
			*last = step;
			highest = share > highest ? share : highest;
		}
	return highest;
}

/* Completion and collection side by side. */
static void print_steps(FILE *out, const struct explain_latency latencies[2])
{
	static const char *const classes[2] = { "one", "two" };
	unsigned first, last;
	double highest = highest_step(latencies, &first, &last), width;

	if (highest <= 0)
		return;
	width = (double)CHART_WIDTH / (last - first + 1);
	width = width > 80 ? 80 : width;
	begin_chart(out, "Share of the requests by time");
	for (unsigned step = first; step <= last; step++) {
		double x = (step - first) * width;
		bool is_last = step == EXPLAIN_STEPS - 1;

		for (int i = 0; i < 2; i++) {
			double share = latencies[i].weight > 0
					       ? latencies[i].steps[step] / latencies[i].weight
					       : 0;

			if (share > 0)
				print_column(out, classes[i], x + (0.08 + 0.42 * i) * width,
					     0.4 * width, share / highest, format_percent(share));
		}
		fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s%s</text>\n",
			x + width / 2, CHART_HEIGHT + 32, is_last ? "longer" : "&lt; ",
			is_last ? "" : format_time((double)explain_step_limit(step)));
	}
	fputs("</svg>\n<p class=\"soft\">Left of each pair: to completion; right: to collection by "
	      "aio_return.</p>\n",
	      out);
}

static void print_quantiles(FILE *out, const char *title, const struct explain_latency *latency)
{
	fprintf(out, "<tr><td>%s</td>", title);
	if (latency->weight > 0)
		fprintf(out,
			"<td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td>"
			"<td class=\"n\">%s</td></tr>\n",
			format_time((double)latency->p50_ns), format_time((double)latency->p99_ns),
			format_time((double)latency->longest_ns), format_time(latency->mean_ns));
	else
		fputs("<td class=\"n\" colspan=\"4\">not known</td></tr>\n", out);
}

static void print_latency(FILE *out, const struct explain_data *data)
{
	struct explain_latency latencies[2];

	explain_latency(data, EXPLAIN_COMPLETION, &latencies[0]);
	explain_latency(data, EXPLAIN_COLLECTION, &latencies[1]);
	begin_section(out, "Time since the submission");
	fputs("<table>\n<tr><th></th><th class=\"n\">p50</th><th class=\"n\">p99</th>"
	      "<th class=\"n\">longest</th><th class=\"n\">mean</th></tr>\n",
	      out);
	print_quantiles(out, "to completion", &latencies[0]);
	print_quantiles(out, "to collection", &latencies[1]);
	fputs("</table>\n", out);
	print_steps(out, latencies);
}

/* Requests per second, from the first to the last. */
static void print_rate(FILE *out, const struct explain_run *run)
{
	const struct explain_data *data = &run->data;
	double bins[CHART_BINS] = { 0 }, highest = 0, width = (double)CHART_WIDTH / CHART_BINS;
	double span = (double)(data->last_ns - data->first_ns) / 1e9;
	/* What a sample stands for is an estimate, the number of all requests is exact. */
	double times = (double)data->totals.submitted / data->weight;

	if (span <= 0 || data->nr_requests < CHART_BINS)
		return;
	for (size_t i = 0; i < data->nr_requests; i++) {
		double since = (double)(data->requests[i].submitted_ns - data->first_ns) / 1e9;
		unsigned bin = (unsigned)(since / span * CHART_BINS);

		bins[bin < CHART_BINS ? bin : CHART_BINS - 1] +=
			times * data->requests[i].weight * CHART_BINS / span;
	}
	for (unsigned i = 0; i < CHART_BINS; i++)
		highest = bins[i] > highest ? bins[i] : highest;
	begin_section(out, "Requests per second over time");
	begin_chart(out, "Requests per second over time");
	for (unsigned i = 0; i < CHART_BINS; i++)
		print_column(out, "one", i * width + 0.5, width - 1, bins[i] / highest,
			     format_short(bins[i]));
	fprintf(out,
		"<text x=\"0\" y=\"10\">%s/s</text>\n<text x=\"0\" y=\"%d\">0 s</text>\n"
		"<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n</svg>\n",
		format_short(highest), CHART_HEIGHT + 32, CHART_WIDTH, CHART_HEIGHT + 32,
		format_time(1e9 * span));
}

/* ---- the rest ---- */

static void print_figure(FILE *out, const char *title, const char *value)
{
	fprintf(out, "<tr><td>%s</td><td class=\"n\">", title);
	print_html(out, value);
	fputs("</td></tr>\n", out);
}

static void print_costs(FILE *out, const struct explain_run *run)
{
	const struct explain_totals *totals = &run->data.totals;
	char text[64];

	begin_section(out, "Costs");
	fputs("<table>\n", out);
	print_figure(out, "threads that used AIO", format_count(totals->threads));
	print_figure(out, "their time", format_time(run->data.thread_ns));
	print_figure(out, "of it in calls that submit", format_time((double)totals->submitting_ns));
	print_figure(out, "of it waiting", format_time((double)totals->waiting_ns));
	print_figure(out, "processor time of the command for each request",
		     format_time(explain_processor_ns(run)));
	snprintf(text, sizeof(text), "%.2f", explain_switches(run));
	print_figure(out, "context switches for each request", text);
	snprintf(text, sizeof(text), "%.2f", explain_calls_each(run));
	if (explain_calls_each(run) >= 0)
		print_figure(out, "system calls for each request", text);
	else
		print_figure(out, "system calls are not counted", run->calls.why);
	snprintf(text, sizeof(text), "%.2f", (double)totals->polls / (double)totals->submitted);
	print_figure(out, "polls for each request", text);
	fputs("</table>\n", out);
}

static void print_processes(FILE *out, const struct explain_data *data)
{
	if (data->nr_processes > 1) {
		begin_section(out, "Processes with the most requests");
		fputs("<table>\n<tr><th>process</th><th>command</th><th>backend</th>"
		      "<th class=\"n\">requests</th></tr>\n",
		      out);
		for (size_t i = 0; i < data->nr_processes && i < 10; i++) {
			fprintf(out, "<tr><td>%u</td><td>", data->processes[i].pid);
			print_html(out, data->processes[i].command);
			fputs("</td><td>", out);
			print_html(out, data->processes[i].backend);
			fprintf(out, "</td><td class=\"n\">%s</td></tr>\n",
				format_count((double)data->processes[i].totals.submitted));
		}
		fputs("</table>\n", out);
	}
	for (size_t i = 0; i < data->nr_skipped; i++) {
		fputs("<p>Left out: ", out);
		print_html(out, data->skipped[i].name);
		fprintf(out, ", since %s</p>\n", data->skipped[i].why);
	}
}

static void print_comparison(FILE *out, const struct explain_report *report)
{
	struct explain_comparison rows[EXPLAIN_COMPARISONS];
	size_t nr = explain_compare(report, rows);
	const char *warning = explain_compare_warning(report);

	begin_section(out, "Compared with glibc");
	fputs("<table>\n<tr><th></th><th class=\"n\">rtaio</th><th class=\"n\">glibc</th>"
	      "<th class=\"n\">rtaio / glibc</th></tr>\n",
	      out);
	for (size_t i = 0; i < nr; i++) {
		fprintf(out, "<tr><td>%s</td>", rows[i].title);
		for (int k = 0; k < 2; k++)
			fprintf(out, "<td class=\"n\">%s</td>",
				rows[i].values[k] < 0 ? "-" : rows[i].format(rows[i].values[k]));
		if (rows[i].values[0] >= 0 && rows[i].values[1] > 0)
			fprintf(out, "<td class=\"n\">%.2f</td></tr>\n",
				rows[i].values[0] / rows[i].values[1]);
		else
			fputs("<td></td></tr>\n", out);
	}
	fputs("</table>\n", out);
	if (warning)
		fprintf(out, "<p>%s</p>\n", warning);
}

static void print_advice(FILE *out, const struct explain_run *run)
{
	struct explain_advice advice[EXPLAIN_ADVICE];
	size_t nr = explain_advise(run, advice);

	if (nr == 0)
		return;
	begin_section(out, "What follows");
	fputs("<ul>\n", out);
	for (size_t i = 0; i < nr; i++) {
		fputs("<li>", out);
		print_html(out, advice[i].text);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void print_head(FILE *out, const struct explain_report *report)
{
	const struct explain_run *run = report->run;
	double nr = (double)run->data.totals.submitted;
	double span = (double)(run->data.last_ns - run->data.first_ns) / 1e9;

	fputs(head, out);
	fputs("<h1>rtaio explain:", out);
	for (char *const *word = report->command; *word; word++) {
		fputs(" <span>", out);
		print_html(out, *word);
		fputs("</span>", out);
	}
	fprintf(out, "</h1>\n<p>Status %d after %s. %s requests, %s", run->status,
		format_time(1e9 * run->seconds), format_count(nr), format_bytes(run->data.bytes));
	if (span > 0)
		fprintf(out, ", in %s from the first to the last: %s/s, %s/s",
			format_time(1e9 * span), format_short(nr / span),
			format_bytes(run->data.bytes / span));
	fputs(".</p>\n", out);
}

static void print_figures(FILE *out, const struct explain_run *run)
{
	print_advice(out, run);
	if (run->data.weight > 0) {
		print_latency(out, &run->data);
		print_rate(out, run);
		print_lanes(out, &run->data);
		for (unsigned view = 0; view < EXPLAIN_VIEWS; view++)
			if (view != EXPLAIN_BY_LANE && view != EXPLAIN_BY_REASON)
				print_view(out, &run->data, (enum explain_view)view);
	}
	print_costs(out, run);
	if (run->data.weight > 0)
		print_files(out, &run->data);
	print_processes(out, &run->data);
}

void explain_html(FILE *out, const struct explain_report *report)
{
	const char *nothing = explain_nothing(&report->run->data);

	print_head(out, report);
	if (nothing) {
		fputs("<p>", out);
		print_html(out, nothing);
		fputs("</p>\n", out);
		print_processes(out, &report->run->data);
	} else {
		print_figures(out, report->run);
	}
	if (report->compared)
		print_comparison(out, report);
	fputs("</body>\n</html>\n", out);
}
