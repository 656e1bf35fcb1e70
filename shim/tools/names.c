// SPDX-License-Identifier: MIT
/*
 * names.c - names that may have any bytes, for a terminal, JSON and HTML.
 */
#include "tools/names.h"

#include <stdbool.h>
#include <string.h>

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

/*
 * May a terminal get the character at @text?  *length is that of the character, or of what is none.
 */
static bool is_plain(const char *text, unsigned *length)
{
	*length = utf8_length((const unsigned char *)text);
	if (*length == 0) {
		*length = 1;
		return false;
	}
	return !is_control((const unsigned char *)text);
}

void make_plain(char *text)
{
	char *to = text;
	unsigned length;

	for (; *text; text += length) {
		if (is_plain(text, &length)) {
			memmove(to, text, length);
			to += length;
		} else {
			*to++ = '?';
		}
	}
	*to = '\0';
}

void print_plain(FILE *out, const char *text)
{
	unsigned length;

	for (; *text; text += length) {
		if (is_plain(text, &length))
			fwrite(text, 1, length, out);
		else
			putc('?', out);
	}
}

/* Each character by @put; U+FFFD for bytes that are none. */
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

static void put_json(FILE *out, const char *text, unsigned length)
{
	if (*text == '"' || *text == '\\')
		fprintf(out, "\\%c", *text);
	else if (is_control((const unsigned char *)text) && length == 1)
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
