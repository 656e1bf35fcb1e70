/* SPDX-License-Identifier: MIT */
/*
 * fsize_limit.h - is there a file size limit?
 *
 * A write past RLIMIT_FSIZE sends SIGXFSZ to the thread that makes it.  glibc's threads block that
 * signal, the program's do not.  So while there is a limit, lanes that write in the program's
 * threads leave writes to the engine.
 */
#ifndef RTAIO_FSIZE_LIMIT_H
#define RTAIO_FSIZE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * [any thread] Asking the kernel costs as much as a small write, so "no limit" is remembered for
 * some microseconds.  Only a limit that another process has just set can be missed.  @now_ns is the
 * time.
 */
bool fsize_limit_is_set(uint64_t now_ns);

/* [any thread] The limit may have changed: ask anew. */
void fsize_limit_changed(void);

#endif
