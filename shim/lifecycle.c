// SPDX-License-Identifier: MIT
/*
 * lifecycle.c - beginning, fork and end: a table of contents.
 *
 * Nothing happens when the library is loaded; the first use of AIO begins it
 * all.  A child of a fork begins with nothing in flight.
 */
#include "config.h"
#include "descriptor.h"
#include "dispatch.h"
#include "log.h"
#include "process.h"
#include "request.h"
#include "stats.h"

static void forget_parent(void)
{
	request_forget();
	descriptor_forget();
	dispatch_forget();
	stats_forget();
}

void lifecycle_start(bool is_child)
{
	if (is_child)
		forget_parent();
	else
		config_load();
	dispatch_start();
}

/* At exit: a program that never used AIO says nothing. */
__attribute__((destructor)) static void say_goodbye(void)
{
	if (process_is_ready() && config.stats)
		stats_print();
}
