// SPDX-License-Identifier: MIT
/*
 * lifecycle.c - first use, fork and exit.
 *
 * Loading the library only reads the environment and finds the functions that it replaces.  The
 * first use of AIO starts everything else.  A child of a fork starts with nothing in flight.
 */
#include "api/lifecycle.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "api/next_aio.h"
#include "api/observe.h"
#include "base/config.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/stats.h"
#include "base/symver.h"
#include "dispatch/cancel.h"
#include "dispatch/dispatch.h"
#include "dispatch/keeper.h"
#include "dispatch/pin.h"
#include "dispatch/quiesce.h"
#include "engine/aio_context.h"
#include "engine/engine.h"
#include "lane/batch.h"
#include "lane/copier.h"
#include "lane/event_ring.h"
#include "lane/offload.h"
#include "lane/reaper.h"
#include "order/bypass.h"
#include "order/fdqueue.h"
#include "order/filter.h"
#include "order/in_flight.h"
#include "request/completions.h"
#include "request/eventfd.h"
#include "request/notify.h"
#include "request/request.h"

/* All state that a child of a fork inherits and must not use. */
static void reset_in_child(void)
{
	request_after_fork();
	completions_after_fork();
	eventfd_after_fork();
	descriptor_after_fork();
	filter_after_fork();
	event_ring_after_fork();
	aio_context_after_fork();
	bypass_after_fork();
	in_flight_after_fork();
	reaper_after_fork();
	offload_after_fork();
	batch_after_fork();
	copier_after_fork();
	fdqueue_after_fork();
	cancel_after_fork();
	quiesce_after_fork();
	keeper_after_fork();
	pin_after_fork();
	notify_after_fork();
	engine_after_fork();
	stats_after_fork();
}

static void switch_off(void)
{
	if (!next_aio_start()) {
		log_line("RTAIO_BACKEND=glibc: no other library provides POSIX AIO here");
		config.backend = BACKEND_INVALID;
	} else if (config.verbose) {
		log_line("version " RTAIO_VERSION ", process %d: switched off, glibc serves",
			 atomic_load(&process_pid));
	}
}

static void announce(void)
{
	log_line("version " RTAIO_VERSION ", process %d: serving POSIX AIO, RTAIO_BACKEND=%s%s%s",
		 atomic_load(&process_pid), backend_names[config.backend],
		 config.inline_lane ? "" : ", lanes inline and copier off",
		 config.offload_lane ? "" : ", lane offload off");
}

/* Without this check the inline lane could hide that the backend the user named cannot serve. */
static void check_named_backend(void)
{
	if (config.backend != BACKEND_IO_URING && config.backend != BACKEND_LIBAIO)
		return;
	if (engine_start() == -ENOSYS)
		config.backend = BACKEND_INVALID; /* the engine has logged why */
}

static bool is_configured; /* begin() may run before at_load(), and again in a child of a fork */

__attribute__((constructor)) static void at_load(void)
{
	if (is_configured)
		return;
	config_load(false);
	if (next_aio_is_on() &&
	    next_aio_start()) /* only then: ten look-ups that few programs need */
		atomic_store(&calls_detour, &next_calls);
	observe_load();
}

static void begin(bool is_child)
{
	if (is_child)
		reset_in_child();
	if (!is_configured)
		config_load(true);
	is_configured = true;
	if (next_aio_is_on())
		switch_off();
	else if (config.verbose)
		announce();
	observe_start(next_aio_is_on() ? &next_calls : NULL, is_child);
	dispatch_start();
	check_named_backend();
}

int lifecycle_begin(void)
{
	return process_start(begin);
}

/*
 * A program that never used AIO prints nothing.  Nor does a child of vfork, which shares the
 * parent's memory and ends by _exit.
 */
static void end_process(void)
{
	if (!process_is_ready() || (!config.stats && !observer) ||
	    RAW_SYSCALL(SYS_getpid) != atomic_load(&process_pid))
		return;
	OBSERVE(ending);
	if (config.stats)
		stats_print();
}

__attribute__((destructor)) static void at_exit(void)
{
	end_process();
}

/* See the struct in close.c. */
static struct {
	void (*_exit)(int status);
	void (*_Exit)(int status);
} next __attribute__((section(".data")));

__attribute__((constructor)) static void find_next(void)
{
	next._exit = NEXT_PROVIDER(next._exit, "_exit");
	next._Exit = NEXT_PROVIDER(next._Exit, "_Exit");
}

/* Without these hooks, processes that end by _exit, such as fio's workers, print no statistics. */
EXPORT _Noreturn void rtaio_exit(int status);
EXPORT _Noreturn void rtaio_exit_of_c(int status);

static _Noreturn void exit_by(void (**next_exit)(int), int status)
{
	end_process();
	if (!*next_exit)
		find_next();
	for (;;)
		(*next_exit)(status);
}

_Noreturn void rtaio_exit(int status)
{
	exit_by(&next._exit, status);
}

_Noreturn void rtaio_exit_of_c(int status)
{
	exit_by(&next._Exit, status);
}

SYMVER(rtaio_exit, _exit, "@@", GLIBC_BASE);
SYMVER(rtaio_exit_of_c, _Exit, "@@", GLIBC_BASE);
