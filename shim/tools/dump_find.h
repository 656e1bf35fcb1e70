/* SPDX-License-Identifier: MIT */
/*
 * dump_find.h - the library in a process or core file
 */
#ifndef RTAIO_DUMP_FIND_H
#define RTAIO_DUMP_FIND_H

#include "base/dump_root.h"
#include "tools/image.h"

struct library {
	const char *path;
	struct dump_root root;
	struct dump_records records;
	struct dump_engine engine;
	bool is_used; /* this process has used AIO */
	int asked;    /* enum backend_choice */
};

/* Does not return if there is none that can be read and was used. */
struct library *dump_find(struct image *image);

#endif
