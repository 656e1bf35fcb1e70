/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - the keeper: a thread with a descriptor table of its own.
 *
 * Requests that wait may still need a file that the program is about to close.  A duplicate in
 * the program's table would be visible, and closing it would drop the program's record locks.  So
 * the keeper takes the file over into its own table.  It also reads /proc without using up a
 * descriptor of the program's.
 *
 * Only the engine thread calls these functions, with all signals blocked.  It sleeps until the
 * keeper has answered, which takes some ten microseconds, or for 100 ms at most.
 */
#ifndef RTAIO_KEEPER_H
#define RTAIO_KEEPER_H

#include <sys/types.h>

#include "dispatch/pin.h"

/* The answers of keeper_call_state(). */
enum call_state {
	CALL_UNKNOWN = 0, /* no /proc, no permission, a debugger, no such thread */
	CALL_INSIDE,      /* asleep in a call that has resolved the descriptor */
	CALL_OUTSIDE,     /* running, or asleep elsewhere */
};

/*
 * Take over the file that @fd means now.  NULL: there is no file, or it cannot be taken (a kernel
 * before 5.9, a sandbox, no thread, no memory, no descriptor within RLIMIT_NOFILE; before 6.9
 * also if the main thread has ended).
 */
struct pin *keeper_pin(int fd);

/* Is the thread @tid of this process asleep in a system call for I/O on @fd? */
enum call_state keeper_call_state(pid_t tid, int fd);

/* Child of a fork: no keeper, no pins. */
void keeper_after_fork(void);

#endif
