// SPDX-License-Identifier: MIT
/*
 * check.c - find misuse of POSIX AIO while the program runs.
 *
 * This file takes the program's calls, and is told what happens inside.  check_submit.c has the
 * rules for a request that is submitted, check_flight.c for one in flight, this file those for
 * results.  A rule may miss a mistake, but must not blame what is right: in doubt it is silent.
 */
#include "observers/check_state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "api/observe.h"
#include "base/clock.h"
#include "observers/check_callback.h"
#include "observers/check_flight.h"
#include "observers/check_report.h"
#include "observers/check_submit.h"
#include "observers/memory.h"
#include "rtaio.h"

/* Of the library that is preloaded to see memory that is given back (memory.c), if it is. */
extern const struct memory_watcher *rtaio_memory_watcher
	__attribute__((weak, visibility("default")));

static _Atomic(pthread_t) first_thread; /* that has used AIO */
static atomic_bool has_threads;         /* more than one has */

static void note_thread(void)
{
	pthread_t nobody = 0, self = pthread_self();

	if (!atomic_compare_exchange_strong(&first_thread, &nobody, self) && nobody != self)
		atomic_store(&has_threads, true);
}

static void begin_call(struct here *here)
{
	here->is_taken = false;
	note_thread();
	atomic_fetch_add(&requests_nr_calls, 1);
	flight_check_stack(here);
	callback_check(false);
}

/* ---- submission ---- */

/* @next makes the program's call. */
static int submit_transfer(struct aiocb *cb, const char *function, enum operation operation,
			   bool is_vectored, int (*next)(struct aiocb *cb))
{
	struct here here;
	int ret;

	begin_call(&here);
	submit_check_handler(function, &here);
	submit_expect(&(struct submit_call){ function, NULL, &here }, cb, operation, is_vectored);
	ret = next(cb);
	(ret == 0 ? submit_accepted : submit_refused)(cb);
	return ret;
}

static int submit_sync(int op, struct aiocb *cb)
{
	struct here here;
	int ret;

	begin_call(&here);
	submit_check_handler("aio_fsync", &here);
	submit_expect(&(struct submit_call){ "aio_fsync", NULL, &here }, cb, OPERATION_SYNC, false);
	ret = check.calls->aio_fsync(op, cb);
	(ret == 0 ? submit_accepted : submit_refused)(cb);
	return ret;
}

static int check_aio_read(struct aiocb *cb)
{
	int (*next)(struct aiocb *) = check.calls->aio_read;

	return check_is_on() ? submit_transfer(cb, "aio_read", OPERATION_READ, false, next)
			     : next(cb);
}

static int check_aio_write(struct aiocb *cb)
{
	int (*next)(struct aiocb *) = check.calls->aio_write;

	return check_is_on() ? submit_transfer(cb, "aio_write", OPERATION_WRITE, false, next)
			     : next(cb);
}

static int check_aio_readv(struct aiocb *cb)
{
	int (*next)(struct aiocb *) = check.calls->aio_readv;

	return check_is_on() ? submit_transfer(cb, "aio_readv", OPERATION_READ, true, next)
			     : next(cb);
}

static int check_aio_writev(struct aiocb *cb)
{
	int (*next)(struct aiocb *) = check.calls->aio_writev;

	return check_is_on() ? submit_transfer(cb, "aio_writev", OPERATION_WRITE, true, next)
			     : next(cb);
}

static int check_aio_fsync(int op, struct aiocb *cb)
{
	return check_is_on() ? submit_sync(op, cb) : check.calls->aio_fsync(op, cb);
}

/* ---- results ---- */

/* A call has looked at @cb, and has seen @err. */
static void note_look(const struct aiocb *cb, int err)
{
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb);

	if (record) {
		record->is_looked_at = true;
		if (err == 0)
			record->is_successful = true;
		else if (err != EINPROGRESS)
			record->is_excused = true;
		if (err != EINPROGRESS && !check.is_told)
			requests_end(record);
	}
	requests_unlock(mask);
}

static int check_aio_error(const struct aiocb *cb)
{
	struct here here;
	int err;

	if (!check_is_on())
		return check.calls->aio_error(cb);
	begin_call(&here);
	flight_check_named(cb, &here);
	err = check.calls->aio_error(cb);
	if (err == EINPROGRESS)
		flight_check_copied(cb, &here);
	note_look(cb, err);
	return err;
}

/* Is the result taken too early, or for the second time? */
static enum kind judge_return(const struct aiocb *cb, int err, struct submitted *copy)
{
	enum kind kind = KINDS_NR;
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb);

	if (record && err == EINPROGRESS && flight_is_sure(record))
		kind = KIND_returned_early;
	else if (record && err != EINPROGRESS && record->is_returned)
		kind = KIND_returned_twice;
	else if (record && err != EINPROGRESS)
		record->is_returned = true;
	if (kind != KINDS_NR && !requests_note(record, kind, copy))
		kind = KINDS_NR;
	requests_unlock(mask);
	return kind;
}

static ssize_t check_aio_return(struct aiocb *cb)
{
	struct submitted submitted;
	struct here here;
	enum kind kind;
	int err;

	if (!check_is_on())
		return check.calls->aio_return(cb);
	begin_call(&here);
	flight_check_named(cb, &here);
	err = check.calls->aio_error(cb);
	if (err == EINPROGRESS)
		flight_check_copied(cb, &here);
	kind = judge_return(cb, err, &submitted);
	note_look(cb, err);
	if (kind != KINDS_NR)
		report(kind, &submitted, here_frames(&here), NULL,
		       kind == KIND_returned_early ? "aio_return was called during the %s"
						   : "aio_return was called again for the %s",
		       describe(&submitted).text);
	return check.calls->aio_return(cb);
}

static int check_aio_suspend(const struct aiocb *const list[], int nent,
			     const struct timespec *timeout)
{
	struct here here;
	int ret;

	if (!check_is_on())
		return check.calls->aio_suspend(list, nent, timeout);
	begin_call(&here);
	for (int i = 0; i < nent; i++) {
		if (!list[i])
			continue;
		flight_check_named(list[i], &here);
		if (check.calls->aio_error(list[i]) == EINPROGRESS)
			flight_check_copied(list[i], &here);
		note_look(list[i], EINPROGRESS);
	}
	ret = check.calls->aio_suspend(list, nent, timeout);
	if (ret == 0 && nent == 1 && list[0])
		note_look(list[0], check.calls->aio_error(list[0]));
	return ret;
}

static void give_up_one(struct record *record)
{
	record->is_excused = true;
	record->is_given_up = true;
}

/* The program gives up @cb, or all requests of @fd. */
static void give_up(int fd, const struct aiocb *cb)
{
	uint64_t mask = requests_lock();
	struct record *record;
	unsigned index = 0;

	if (cb && (record = requests_find(cb)))
		give_up_one(record);
	while (!cb && (record = requests_next(&index)))
		if (record->submitted.fields.aio_fildes == fd)
			give_up_one(record);
	requests_unlock(mask);
}

static int check_aio_cancel(int fd, struct aiocb *cb)
{
	struct here here;

	if (!check_is_on())
		return check.calls->aio_cancel(fd, cb);
	begin_call(&here);
	submit_check_handler("aio_cancel", &here);
	if (cb) {
		flight_check_named(cb, &here);
		if (check.calls->aio_error(cb) == EINPROGRESS)
			flight_check_copied(cb, &here);
	}
	give_up(fd, cb);
	return check.calls->aio_cancel(fd, cb);
}

/* ---- lists ---- */

static bool is_request(const struct aiocb *cb)
{
	int opcode = cb ? cb->aio_lio_opcode & ~LIO_VECTORED : LIO_NOP;

	return opcode == LIO_READ || opcode == LIO_WRITE;
}

static void expect_entry(const struct submit_call *call, const struct aiocb *cb)
{
	if (is_request(cb))
		submit_expect(call, cb,
			      cb->aio_lio_opcode & LIO_WRITE ? OPERATION_WRITE : OPERATION_READ,
			      cb->aio_lio_opcode & LIO_VECTORED);
	else if (cb && cb->aio_lio_opcode != LIO_NOP)
		submit_refused(cb); /* as will be this one, whose result replaces the last */
}

static void excuse(const struct aiocb *cb)
{
	uint64_t mask = requests_lock();
	struct record *record = requests_find(cb);

	if (record)
		record->is_excused = true;
	requests_unlock(mask);
}

/* LIO_WAIT says whether all were successful, so the program need not ask for each result. */
static void note_list(struct aiocb *const entries[], int nent)
{
	for (int i = 0; i < nent; i++) {
		if (!is_request(entries[i]))
			continue;
		if (!check.is_told)
			note_look(entries[i], check.calls->aio_error(entries[i]));
		excuse(entries[i]);
	}
}

static int list(int (*call)(int, struct aiocb *const[], int, struct sigevent *), int mode,
		struct aiocb *const entries[], int nent, struct sigevent *sig)
{
	struct here here;
	int ret;

	begin_call(&here);
	submit_check_handler("lio_listio", &here);
	for (int i = 0; i < nent; i++)
		expect_entry(&(struct submit_call){ "lio_listio", entries, &here }, entries[i]);
	ret = call(mode, entries, nent, sig);
	submit_list_accepted(entries, ret == 0);
	if (mode == LIO_WAIT && (ret == 0 || errno == EIO))
		note_list(entries, nent);
	return ret;
}

static int check_lio_listio(int mode, struct aiocb *const entries[], int nent, struct sigevent *sig)
{
	return check_is_on() ? list(check.calls->lio_listio, mode, entries, nent, sig)
			     : check.calls->lio_listio(mode, entries, nent, sig);
}

static int check_lio_listio_old(int mode, struct aiocb *const entries[], int nent,
				struct sigevent *sig)
{
	return check_is_on() ? list(check.calls->lio_listio_old, mode, entries, nent, sig)
			     : check.calls->lio_listio_old(mode, entries, nent, sig);
}

static void check_aio_init(const struct aioinit *init)
{
	check.calls->aio_init(init);
}

/* ---- what happens inside ---- */

static void completed(const struct aiocb *cb, ssize_t res)
{
	(void)res;
	if (check_is_on())
		flight_end(cb);
}

static void callback(void (*function)(union sigval))
{
	if (!check_is_on())
		return;
	if (function)
		callback_begin(function);
	else
		callback_end();
}

static bool is_notified(const struct aiocb *fields)
{
	const struct sigevent *event = &fields->aio_sigevent;

	return event->sigev_notify == SIGEV_THREAD ||
	       (event->sigev_notify == SIGEV_SIGNAL && event->sigev_signo != 0);
}

/* Reads ahead may be left behind, unless the program was told that they have ended. */
static bool may_be_ignored(const struct submitted *submitted)
{
	return submitted->operation == OPERATION_READ && !is_notified(&submitted->fields);
}

/*
 * A failure may end a program that takes no more results then; a thread may be about to take one.
 */
#define PATIENCE_MS            100u
#define PATIENCE_OF_THREADS_MS 1000u

static bool has_ended_lately(const struct record *record)
{
	uint64_t ms = clock_now_ns() / 1000000u - record->ended_ms;

	return ms < (atomic_load(&has_threads) ? PATIENCE_OF_THREADS_MS : PATIENCE_MS);
}

/* A program may end while requests are in flight; these have ended while it still used AIO. */
static enum kind judge_end(const struct record *record)
{
	if (record->nr_in_flight || record->is_excused || record->is_returned ||
	    record->ended_at >= atomic_load(&requests_nr_calls) || has_ended_lately(record))
		return KINDS_NR;
	if (!record->is_looked_at)
		return may_be_ignored(&record->submitted) ? KINDS_NR : KIND_result_ignored;
	if (record->is_successful && record->submitted.operation != OPERATION_SYNC)
		return KIND_never_returned;
	return KINDS_NR;
}

static enum kind find_ignored(unsigned *index, struct submitted *copy)
{
	enum kind kind = KINDS_NR;
	uint64_t mask = requests_lock();
	struct record *record;

	while (kind == KINDS_NR && (record = requests_next(index))) {
		kind = judge_end(record);
		if (kind != KINDS_NR && !requests_note(record, kind, copy))
			kind = KINDS_NR;
	}
	requests_unlock(mask);
	return kind;
}

static void ending(void)
{
	struct submitted submitted;
	unsigned index = 0;
	enum kind kind;

	if (!check_is_on())
		return;
	callback_check(true);
	while ((kind = find_ignored(&index, &submitted)) != KINDS_NR)
		report(kind, &submitted, NULL, "noticed when the process ended",
		       kind == KIND_result_ignored ? "nothing asked for the result of the %s"
						   : "aio_return was never called for the %s",
		       describe(&submitted).text);
	report_summary();
	/* What others do while the process goes down is nobody's misuse. */
	check.process = 0;
}

static const struct aio_calls calls = {
	.aio_read = check_aio_read,
	.aio_write = check_aio_write,
	.aio_readv = check_aio_readv,
	.aio_writev = check_aio_writev,
	.aio_fsync = check_aio_fsync,
	.aio_error = check_aio_error,
	.aio_return = check_aio_return,
	.aio_suspend = check_aio_suspend,
	.aio_cancel = check_aio_cancel,
	.lio_listio = check_lio_listio,
	.lio_listio_old = check_lio_listio_old,
	.aio_init = check_aio_init,
};

static uint64_t nr_requests(void)
{
	return atomic_load(&requests_nr);
}

static const struct memory_watcher memory_watcher = {
	.nr_requests = nr_requests,
	.freed = flight_check_freed,
};

static bool start(const struct observed *observed, bool is_child);

extern const struct observer rtaio_observer __attribute__((visibility("default")));

const struct observer rtaio_observer = {
	.start = start,
	.calls = &calls,
	.completed = completed,
	.closing = flight_check_closed,
	.callback = callback,
	.ending = ending,
};

static bool start(const struct observed *observed, bool is_child)
{
	(void)is_child; /* a child begins anew */
	atomic_store(&first_thread, 0);
	atomic_store(&has_threads, false);
	if (strcmp(observed->version, RTAIO_VERSION) != 0) {
		observed->log_line("the observer \"check\" is of version %s, not %s", RTAIO_VERSION,
				   observed->version);
		return false;
	}
	check.calls = observed->calls;
	check.is_told = atomic_load(&observed->config->backend) != BACKEND_GLIBC;
	check.callback_ms = observed->config->callback_ms;
	trace_leave_out(&rtaio_observer);
	trace_leave_out((const void *)(uintptr_t)observed->log_line);
	trace_start();
	requests_start();
	callback_start();
	report_start(observed);
	report_begin();
	check.process = (pid_t)RAW_SYSCALL(SYS_getpid);
	if (&rtaio_memory_watcher) {
		trace_leave_out(&rtaio_memory_watcher);
		rtaio_memory_watcher = &memory_watcher;
	}
	return true;
}
