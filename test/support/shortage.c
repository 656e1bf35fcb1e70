// SPDX-License-Identifier: MIT
/*
 * shortage.c - a process that can make no thread
 *
 * The contracts are in shortage.h.
 */
#include "shortage.h"

static void read_what_is_there(void)
{
	char byte = 0;
	int fds[2];

	open_pipe(fds);
	write_fully(fds[1], "x", 1);
	check_equal(read_now(fds[0], &byte, 1, 0), 1);
	check_equal(byte, 'x');
	close_pair(fds);
}

void begin_shortage(enum use use)
{
	become_nobody();
	if (use == ONE_READ)
		read_what_is_there();
	else if (use == ALL_USES)
		use_aio();
	set_soft_limit(RLIMIT_NPROC, 1);
}

void end_shortage(void)
{
	set_soft_limit(RLIMIT_NPROC, 1000);
}
