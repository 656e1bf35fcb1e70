/* SPDX-License-Identifier: MIT */
/*
 * dump_show.h - the report of rtaio dump, on standard output
 */
#ifndef RTAIO_DUMP_SHOW_H
#define RTAIO_DUMP_SHOW_H

#include <stdbool.h>

#include "tools/dump_words.h"

/* For people; without @shows_all at most 50 requests, and sums of the others. */
void dump_show_text(const struct report *report, bool shows_all);

/* For machines: one JSON object. */
void dump_show_json(const struct report *report);

#endif
