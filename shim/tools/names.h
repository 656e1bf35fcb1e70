/* SPDX-License-Identifier: MIT */
/*
 * names.h - names that may have any bytes, for a terminal, JSON and HTML.
 *
 * Names of files, threads and commands come from elsewhere.  What a terminal would obey, and bytes
 * that are no UTF-8, are replaced.
 */
#ifndef RTAIO_NAMES_H
#define RTAIO_NAMES_H

#include <stdio.h>

void print_plain(FILE *out, const char *text); /* for a terminal */
void make_plain(char *text);                   /* the same, in place */
void print_json(FILE *out, const char *text);  /* with the quotes */
void print_html(FILE *out, const char *text);

#endif
