/* SPDX-License-Identifier: MIT */
/*
 * explain_report.h - what the commands are told, in three forms.
 */
#ifndef RTAIO_EXPLAIN_REPORT_H
#define RTAIO_EXPLAIN_REPORT_H

#include <stdio.h>

#include "tools/explain_run.h"

struct explain_report {
	char *const *command;
	const struct explain_run *run;
	const struct explain_run *compared; /* on glibc, or NULL */
};

typedef void explain_form(FILE *out, const struct explain_report *report);

explain_form explain_text;
explain_form explain_json;
explain_form explain_html;

/* Two runs side by side: a figure of each, and the first as a multiple of the second. */
struct explain_comparison {
	const char *title;
	double values[2]; /* negative: not known */
	const char *(*format)(double value);
};

#define EXPLAIN_COMPARISONS 11u

size_t explain_compare(const struct explain_report *report,
		       struct explain_comparison comparisons[EXPLAIN_COMPARISONS]);
/* Says so if the runs did not do the same; else NULL. */
const char *explain_compare_warning(const struct explain_report *report);

/* Of all requests of a run; negative: there are none, or it is not known. */
double explain_processor_ns(const struct explain_run *run);
double explain_switches(const struct explain_run *run);
double explain_calls_each(const struct explain_run *run);

/* Why there is nothing to report, or NULL. */
const char *explain_nothing(const struct explain_data *data);

#endif
