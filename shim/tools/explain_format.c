// SPDX-License-Identifier: MIT
/*
 * explain_format.c - figures and names as a person reads them.
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
	int nr = snprintf(digits, sizeof(digits), "%.0f", value);

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

/* ---- names ---- */

/* The length of the character of UTF-8 at @text; 0 if it is none. */
static unsigned utf8_length(const unsigned char *text)
{
	unsigned length = text[0] < 0x80                      ? 1
			  : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
			  : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
			  : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
							      : 0;

	for (unsigned i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than it need be, half of a pair, beyond the last. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] >= 0xa0) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] >= 0x90))
		return 0;
	return length;
}

/* True for what moves a terminal's cursor: C0, DEL, and C1 in UTF-8. */
static bool is_control(const unsigned char *c)
{
	return c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0);
}

/* Each character by @put, bytes that are none by "?". */
static void print_characters(FILE *out, const char *text,
			     void (*put)(FILE *out, const char *text, unsigned length))
{
	while (*text) {
		unsigned length = utf8_length((const unsigned char *)text);

		if (length)
			put(out, text, length);
		else
			fputs("\xef\xbf\xbd", out);
		text += length ? length : 1;
	}
}

void print_plain(FILE *out, const char *name)
{
	/* The terminal may not know UTF-8, but then it shows other bytes of a name as badly. */
	while (*name) {
		unsigned length = utf8_length((const unsigned char *)name);

		if (length == 0 || is_control((const unsigned char *)name))
			putc('?', out);
		else
			fwrite(name, 1, length, out);
		name += length ? length : 1;
	}
}

static void put_json(FILE *out, const char *text, unsigned length)
{
	if (*text == '"' || *text == '\\')
		fprintf(out, "\\%c", *text);
	else if ((unsigned char)*text < 0x20)
		fprintf(out, "\\u%04x", (unsigned)*text);
	else
		fwrite(text, 1, length, out);
}

void print_json(FILE *out, const char *text)
{
	putc('"', out);
	print_characters(out, text, put_json);
	putc('"', out);
}

static void put_html(FILE *out, const char *text, unsigned length)
{
	if (is_control((const unsigned char *)text))
		fputs("\xef\xbf\xbd", out);
	else if (strchr("&<>\"'", *text))
		fprintf(out, "&#%d;", *text);
	else
		fwrite(text, 1, length, out);
}

void print_html(FILE *out, const char *text)
{
	print_characters(out, text, put_html);
}
