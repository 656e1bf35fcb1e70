/* SPDX-License-Identifier: MIT */
/*
 * explain_format.h - figures as a person reads them.
 *
 * The functions return one of a few static buffers: use the text before the next dozen calls.
 */
#ifndef RTAIO_EXPLAIN_FORMAT_H
#define RTAIO_EXPLAIN_FORMAT_H

#include <stdint.h>
#include <stdio.h>

const char *format_count(double value);   /* 1,234,567 */
const char *format_short(double value);   /* 1.2 M */
const char *format_bytes(double bytes);   /* 4 KiB */
const char *format_time(double ns);       /* 1.2 ms */
const char *format_percent(double share); /* of 1: 12 % */

#endif
