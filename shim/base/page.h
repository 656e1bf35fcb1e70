/* SPDX-License-Identifier: MIT */
/*
 * page.h - the size of a page: 4 KiB on x86-64, up to 64 KiB elsewhere, by kernel.
 */
#ifndef RTAIO_PAGE_H
#define RTAIO_PAGE_H

#include <stddef.h>
#include <sys/auxv.h>

static inline size_t page_bytes(void)
{
	return (size_t)getauxval(AT_PAGESZ); /* sysconf() may be the program's */
}

static inline size_t page_round_down(size_t bytes)
{
	return bytes & ~(page_bytes() - 1);
}

static inline size_t page_round_up(size_t bytes)
{
	return page_round_down(bytes + page_bytes() - 1);
}

#endif
