/* SPDX-License-Identifier: MIT */
/*
 * check_callback.h - callbacks of SIGEV_THREAD that block for ever.
 */
#ifndef RTAIO_CHECK_CALLBACK_H
#define RTAIO_CHECK_CALLBACK_H

#include <signal.h>
#include <stdbool.h>

void callback_start(void);

/* [thread of a callback] */
void callback_begin(void (*function)(union sigval));
void callback_end(void);

/* Report those that have been blocked for too long; at exit less will do. */
void callback_check(bool is_end);

#endif
