/* SPDX-License-Identifier: MIT */
/*
 * disturb.h - what troubles the workload of check-faults without strace
 *
 *   RLIMIT_AS, RLIMIT_DATA          WHEN KiB more than the workload has
 *   RLIMIT_NOFILE, NPROC, MEMLOCK   WHEN, as setrlimit(2) takes it
 *   malloc                          fails the WHEN-th time, with + from then on
 *   signals                         one each WHEN microseconds, for each thread, without SA_RESTART
 *
 * A limit holds from the first request on, or with @1 after WHEN from the second round on.
 */
#ifndef RTAIO_TEST_DISTURB_H
#define RTAIO_TEST_DISTURB_H

#include <stdbool.h>

/* Is it one of these that the command line names? */
bool disturb_is_chosen(void);

/* In the workload, which becomes a user of its own: limits do not bind root, and count per user. */
void disturb_prepare(void);

/* In the workload, by each of its threads, before each round. */
void disturb_thread(int number, int round);

#endif
