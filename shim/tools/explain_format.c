// SPDX-License-Identifier: MIT
/*
 * explain_format.c - figures as a person reads them.
 */
#include "tools/explain_format.h"

#include <stdbool.h>
#include <string.h>

#define BUFFERS 16
#define LENGTH  48

static char *next_buffer(void)
{
	static char buffers[BUFFERS][LENGTH];
	static unsigned last;

	return buffers[++last % BUFFERS];
}

const char *format_count(double value)
{
	char digits[LENGTH / 2];
	char *text = next_buffer(), *to = text;
	int nr;

	snprintf(digits, sizeof(digits), "%.0f", value);
	nr = (int)strlen(digits);
	for (int i = 0; i < nr; i++) {
		if (i && (nr - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return text;
}

/* Two figures at least: 1.2 and 12. */
static const char *scaled(double value, const char *space, const char *unit)
{
	char *text = next_buffer();
	bool is_whole = (uint64_t)(10 * value + 0.5) % 10 == 0;

	snprintf(text, LENGTH, "%.*f%s%s", value < 9.95 && !is_whole ? 1 : 0, value, space, unit);
	return text;
}

static const char *by_units(double value, double step, const char *const *units, size_t nr)
{
	size_t unit = 0;

	/* What would be rounded to a whole step is shown as one. */
	while (unit + 1 < nr && value >= step - 0.5) {
		value /= step;
		unit++;
	}
	return scaled(value, *units[unit] ? " " : "", units[unit]);
}

const char *format_short(double value)
{
	static const char *const units[] = { "", "k", "M", "G" };

	return by_units(value, 1000, units, 4);
}

const char *format_bytes(double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };

	return by_units(bytes, 1024, units, 6);
}

const char *format_time(double ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };

	return by_units(ns, 1000, units, 4);
}

const char *format_percent(double share)
{
	double percent = 100 * share;
	bool is_near_an_end = percent < 9.95 || percent > 99;
	bool is_whole = (uint64_t)(10 * percent + 0.5) % 10 == 0;
	char *text = next_buffer();

	if (percent > 0 && percent < 0.05)
		return "<0.1 %";
	snprintf(text, LENGTH, "%.*f %%", is_near_an_end && !is_whole ? 1 : 0, percent);
	return text;
}
