/* SPDX-License-Identifier: MIT */
/*
 * dump_words.h - what rtaio dump found, and how it is called
 */
#ifndef RTAIO_DUMP_WORDS_H
#define RTAIO_DUMP_WORDS_H

#include <stddef.h>

#include "tools/dump_find.h"
#include "tools/dump_requests.h"
#include "tools/dump_threads.h"
#include "tools/image.h"

struct report {
	struct image *image;
	const struct library *library;
	struct requests *requests;
	struct threads *threads;
	char serving[32]; /* the backend of the engine, or "no engine" */
};

/* As in shim/README.md. */
const char *words_lane(const struct dumped *dumped);

const char *words_what(const struct dumped *dumped);

/* Where it is, and the same with the thread. */
const char *words_place(const struct dumped *dumped);
void words_place_and_thread(const struct dumped *dumped, char *buf, size_t size);

/* The file that the descriptor means now; "": unknown. */
void words_file(const struct report *report, const struct dumped *dumped, char *buf, size_t size);

/* It is a read or write, unlike a sync. */
bool words_has_size(const struct dumped *dumped);

/* False: it has none, as in a pipe. */
bool words_has_offset(const struct dumped *dumped);

/* What is evident, in at most two sentences; "": nothing. */
void words_hint(const struct report *report, char *buf, size_t size);

const char *words_asked(const struct library *library);

#endif
