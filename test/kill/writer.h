/* SPDX-License-Identifier: MIT */
/*
 * writer.h - a program that writes without end, and what must be left of its files
 *
 * The writer keeps many requests in flight on four files and tells in shared memory what
 * it has asked for and what it has been told.  It may be killed, or lose its disk, at any
 * moment.  A file consists of slots.  A version of a slot says in each sector which file,
 * slot and version it is of.  Only one write of a slot is in flight at a time.
 */
#ifndef RTAIO_TEST_WRITER_H
#define RTAIO_TEST_WRITER_H

#include "support.h"

#include <stdatomic.h>

#define WRITER_SLOT    4096
#define WRITER_SECTOR  512
#define WRITER_SLOTS   256
#define WRITER_RECORDS 65536 /* that are appended, of a sector each */

enum writer_file { WRITER_BUFFERED, WRITER_DIRECT, WRITER_DSYNC, WRITER_APPEND, WRITER_FILES };

struct writer_ledger {
	/*
	 * Of a slot: the version that was submitted last, the last that is complete, the last that
	 * is on the disk.
	 */
	_Atomic int issued[WRITER_FILES][WRITER_SLOTS];
	_Atomic int complete[WRITER_FILES][WRITER_SLOTS];
	_Atomic int durable[WRITER_FILES][WRITER_SLOTS];
	/*
	 * Records: how many were submitted; of those before these all are complete, or on the disk.
	 */
	_Atomic int nr_issued, nr_complete, nr_durable;
	_Atomic long long nr_writes, nr_syncs;
	_Atomic bool is_wrong;
	char wrong[256];
};

/* Write to new files in @dir until killed, or until a request fails with EIO or EROFS. */
_Noreturn void writer_run(const char *dir, struct writer_ledger *ledger, unsigned int seed);

/*
 * Compare the files with what the ledger promises: all that is complete, or after the
 * loss of a disk all that is durable.  False, and ledger->wrong says why.
 */
bool writer_check(const char *dir, struct writer_ledger *ledger, bool has_lost_disk);

#endif
