/* SPDX-License-Identifier: MIT */
/*
 * pin_table.h - the keeper: a thread with a descriptor table of its own.
 *
 * Requests that wait may still need a file that the program is about to close.  A duplicate in
 * the program's table would be visible, and closing it would drop the program's record locks.  So
 * the keeper takes the file over into its own table.  It also reads /proc without using up a
 * descriptor of the program's.
 *
 * Only the engine thread calls these functions, with all signals blocked.  It sleeps until the
 * keeper has answered, which takes some ten microseconds, or for 100 ms at most.
 */
#ifndef RTAIO_PIN_TABLE_H
#define RTAIO_PIN_TABLE_H

#include <sys/types.h>

#include "dispatch/pin.h"

/* The answers of pin_table_look(). */
enum pin_table_sight {
	PIN_TABLE_UNKNOWN = 0, /* no /proc, no permission, a debugger, no such thread */
	PIN_TABLE_INSIDE,      /* asleep in a call that has resolved the descriptor */
	PIN_TABLE_RUNNING,     /* running, or asleep elsewhere */
};

/*
 * Take over the file that @fd means now.  NULL: there is no file, or it cannot be taken (a kernel
 * before 5.9, a sandbox, no thread, no memory, no descriptor within RLIMIT_NOFILE; before 6.9
 * also if the main thread has ended).
 */
struct pin *pin_table_pin(int fd);

/* Is the thread @tid of this process asleep in a system call for I/O on @fd? */
enum pin_table_sight pin_table_look(pid_t tid, int fd);

/* Child of a fork: no keeper, no pins. */
void pin_table_after_fork(void);

#endif
