// SPDX-License-Identifier: MIT
/*
 * backend_uring.c - the backend on io_uring.
 *
 * Only the engine's thread uses the ring, so completions are processed nowhere else: SINGLE_ISSUER
 * and DEFER_TASKRUN where the kernel has them.  No SQE is linked or drained: dispatch decides the
 * order.
 *
 * user_data of an SQE is the address of the record, which is never unmapped; cancellations have the
 * low bit set too.  Small values are our own operations.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/raw_syscall.h"
#include "base/stats.h"
#include "base/tsan.h"
#include "engine/backend.h"
#include "engine/uring_compat.h"
#include "engine/uring_setup.h"
#include "request/perform.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>

#define DATA_WAKE      UINT64_C(2) /* the futex wait, or the poll of the timer */
#define DATA_CANCEL    UINT64_C(1) /* flag in the address of a record */
#define KERNEL_WORKERS 1024u
#define PRESSING_MIN   32u /* with so many prepared SQEs, enter the ring for them alone */
/*
 * Longest sleep, since the program may have closed our timer.  Doubled after each one without an
 * event.
 */
#define SLEEP_FIRST_NS 50000000u
#define SLEEP_LAST_NS  1600000000u
/* A second in all, before workers take over. */
#define REFUSALS_MAX     1000
#define REFUSALS_AT_ONCE 16
#define REFUSAL_PAUSE_NS 1000000u

static struct uring uring;
static const struct backend_events *events;
static struct inbox *inbox;
static bool is_wake_armed;
static bool has_lost;        /* the kernel refused to be entered */
static unsigned nr_refusals; /* one after the other that may pass */
static unsigned nr_pending;  /* SQEs prepared or in flight, with the wake */
static unsigned nr_of_files; /* of these, transfers of files */

/* Call before entering the ring.  False: the ring is lost. */
static bool may_enter(void)
{
	has_lost = has_lost || !uring_is_intact(&uring);
	return !has_lost;
}

/*
 * @ret is the result of entering the ring.  The kernel may be short of memory, or want completions
 * reaped first: neither lasts.  False: the ring is lost.
 */
static bool check_entry(int ret)
{
	bool is_refused = ret == -EBUSY || ret == -EAGAIN;

	nr_refusals = is_refused ? nr_refusals + 1 : 0;
	if (nr_refusals > REFUSALS_MAX ||
	    (ret < 0 && !is_refused && ret != -EINTR && ret != -ETIME))
		has_lost = true;
	else if (nr_refusals > REFUSALS_AT_ONCE)
		clock_pause(REFUSAL_PAUSE_NS);
	return !has_lost;
}

/* Submit until the kernel has taken everything.  False: it never will. */
static bool submit_prepared(void)
{
	while (io_uring_sq_ready(&uring.ring) > 0) {
		int ret = may_enter() ? io_uring_submit(&uring.ring) : -EBADF;

		if (!check_entry(ret))
			return false;
		/* The kernel wants completions reaped before it takes more. */
		if ((ret == -EBUSY || ret == -EAGAIN) &&
		    !check_entry(io_uring_get_events(&uring.ring)))
			return false;
	}
	return true;
}

static struct io_uring_sqe *get_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring.ring);

	if (!sqe && !has_lost && submit_prepared())
		sqe = io_uring_get_sqe(&uring.ring);
	nr_pending += sqe != NULL;
	return sqe;
}

static void prep_request(struct io_uring_sqe *sqe, const struct request *req)
{
	unsigned len = (unsigned)req->nbytes; /* workers do longer ones */
	/* Some streams refuse an offset, and none uses it. */
	uint64_t offset = descriptor_is_file(&req->descriptor) ? (uint64_t)req->offset : 0;

	if (req->vector && req->op == OP_READ)
		io_uring_prep_readv(sqe, req->fd, req->buf, req->nr_entries, offset);
	else if (req->vector)
		io_uring_prep_writev(sqe, req->fd, req->buf, req->nr_entries, offset);
	else if (req->op == OP_READ)
		io_uring_prep_read(sqe, req->fd, req->buf, len, offset);
	else /* dispatch sends no writes to streams here */
		io_uring_prep_write(sqe, req->fd, req->buf, len, offset);
}

static int submit(struct request *req)
{
	struct io_uring_sqe *sqe = get_sqe();

	if (!sqe)
		return -EAGAIN;
	prep_request(sqe, req);
	sqe->user_data = (uint64_t)(uintptr_t)req;
	tsan_submit(req);
	nr_of_files += descriptor_is_file(&req->descriptor);
	return 0;
}

static bool cancel(struct request *req)
{
	struct io_uring_sqe *sqe = get_sqe();

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)req, 0);
	sqe->user_data = (uint64_t)(uintptr_t)req | DATA_CANCEL;
	return true;
}

/*
 * Kernels before 6.7: the ring polls a timer that inbox_wake() arms.  The program may have closed
 * that timer, and opened another file in its place.
 */
static int wake_timer(void)
{
	static const struct itimerspec never;
	int timer = atomic_load(&inbox->wake_timer);

	if (descriptor_is_own(timer)) {
		RAW_SYSCALL(SYS_timerfd_settime, timer, 0, &never, NULL);
		return timer;
	}
	timer = (int)RAW_SYSCALL(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (timer >= 0)
		timer = descriptor_adopt(timer);
	atomic_store(&inbox->wake_timer, timer);
	return timer;
}

/* If the program has closed the timer, its poll never ends: cancel it to arm a new one. */
static void drop_lost_wake(void)
{
	struct io_uring_sqe *sqe;

	if (!is_wake_armed || uring.features & URING_FUTEX ||
	    descriptor_is_own(atomic_load(&inbox->wake_timer)) || !(sqe = get_sqe()))
		return;
	io_uring_prep_cancel64(sqe, DATA_WAKE, 0);
	sqe->user_data = DATA_WAKE | DATA_CANCEL;
	is_wake_armed = false;
}

static bool is_registered(void)
{
	return uring.memory || uring.features & URING_REGISTERED;
}

/*
 * Each request that blocks keeps a thread of the kernel.  By default there are so few that none may
 * be left for other requests.
 */
static void raise_worker_limit(void)
{
	unsigned limits[2] = { KERNEL_WORKERS, 0 }; /* for files; 0: others stay unbounded */
	unsigned op = IORING_REGISTER_IOWQ_MAX_WORKERS;

	if (is_registered())
		op |= URING_REGISTER_USE_REGISTERED;
	RAW_SYSCALL(__NR_io_uring_register, uring.ring.enter_ring_fd, op, limits, 2);
}

static int open_ring(const struct backend_events *events_, struct inbox *inbox_)
{
	int ret = uring_setup(&uring);

	if (ret < 0)
		return ret;
	events = events_;
	inbox = inbox_;
	is_wake_armed = false;
	has_lost = false;
	nr_refusals = 0;
	nr_pending = nr_of_files = 0;
	raise_worker_limit();
	if (!(uring.features & URING_FUTEX))
		wake_timer(); /* now: for a moment it takes a low descriptor */
	return 0;
}

static void arm_wake(uint32_t wake_value)
{
	struct io_uring_sqe *sqe;
	int timer;

	drop_lost_wake();
	if (is_wake_armed || !(sqe = get_sqe()))
		return;
	if (uring.features & URING_FUTEX) {
		uring_prep_futex_wait(sqe, &inbox->wake_word, wake_value);
	} else {
		timer = wake_timer();
		if (timer >= 0)
			io_uring_prep_poll_add(sqe, timer, POLLIN);
		else
			io_uring_prep_nop(sqe); /* no descriptor is free: do not sleep */
	}
	sqe->user_data = DATA_WAKE;
	is_wake_armed = true;
}

/*
 * Submit and sleep.  The sleep counts as iowait only while a file is read or written: iowait shows
 * in the machine's statistics, and may make the kernel speed up the processor.
 */
static int submit_and_sleep(uint64_t timeout_ns)
{
	struct __kernel_timespec timeout = {
		.tv_sec = (int64_t)(timeout_ns / 1000000000u),
		.tv_nsec = (long long)(timeout_ns % 1000000000u),
	};
	bool is_forever = timeout_ns == UINT64_MAX;
	struct io_uring_cqe *cqe;

	if (uring.features & URING_NO_IOWAIT && nr_of_files == 0)
		return uring_sleep(&uring.ring, is_registered(), is_forever ? NULL : &timeout);
	if (is_forever)
		return io_uring_submit_and_wait(&uring.ring, 1);
	return io_uring_submit_and_wait_timeout(&uring.ring, &cqe, 1, &timeout, NULL);
}

static void wait_ring(uint32_t wake_value, uint64_t timeout_ns)
{
	static uint64_t longest_sleep_ns = SLEEP_FIRST_NS;
	int ret;

	if (nr_pending == 0) { /* only messages to wait for */
		stats_inc(engine_enters);
		inbox_sleep(inbox, wake_value, timeout_ns);
		return;
	}
	arm_wake(wake_value);
	stats_inc(engine_enters);
	if (!(uring.features & URING_FUTEX)) {
		/* A wake that came before wake_timer() disarmed the timer has changed the word. */
		if (atomic_load(&inbox->wake_word) != wake_value)
			timeout_ns = 0;
		else if (timeout_ns > longest_sleep_ns)
			timeout_ns = longest_sleep_ns;
	}
	if (!may_enter())
		return;
	ret = submit_and_sleep(timeout_ns);
	check_entry(ret);
	if (ret != -ETIME)
		longest_sleep_ns = SLEEP_FIRST_NS;
	else if (longest_sleep_ns < SLEEP_LAST_NS)
		longest_sleep_ns *= 2;
}

static void flush_ring(void)
{
	stats_inc(engine_enters);
	if (submit_prepared() && may_enter())
		check_entry(io_uring_get_events(&uring.ring));
}

static void report(uint64_t data, int res)
{
	struct request *req = (struct request *)(uintptr_t)(data & ~DATA_CANCEL);

	if (data == LIBURING_UDATA_TIMEOUT)
		return;
	nr_pending--;
	if (data == DATA_WAKE) {
		is_wake_armed = is_wake_armed && res == -ECANCELED; /* of a lost timer */
	} else if (data == (DATA_WAKE | DATA_CANCEL)) {
		return;
	} else if (data & DATA_CANCEL) {
		events->cancelled(req, res);
	} else {
		tsan_reap(req);
		nr_of_files -= descriptor_is_file(&req->descriptor);
		events->complete(req, res);
	}
}

static bool reap_ring(void)
{
	struct io_uring_cqe *cqe;
	bool has_reported = false;

	while (io_uring_peek_cqe(&uring.ring, &cqe) == 0 && cqe) {
		uint64_t data = cqe->user_data;
		int res = cqe->res;

		io_uring_cqe_seen(&uring.ring, cqe);
		report(data, res);
		has_reported = true;
	}
	return has_reported;
}

static bool is_pressing(void)
{
	return io_uring_sq_ready(&uring.ring) >= PRESSING_MIN || io_uring_cq_ready(&uring.ring) > 0;
}

static bool is_lost(void)
{
	return has_lost;
}

static void release(struct uring *ring, int timer)
{
	uring_teardown(ring);
	descriptor_close_own(timer);
}

static void close_ring(void)
{
	release(&uring, atomic_exchange(&inbox->wake_timer, -1));
}

/*
 * The kernel may refuse another ring, so this one stays until no message can come.  Once the inbox
 * is closed, the static variables belong to the next engine.
 */
static bool end_ring(void)
{
	struct uring ended = uring;
	int timer = atomic_exchange(&inbox->wake_timer, -1);

	if (!inbox_close(inbox)) {
		atomic_store(&inbox->wake_timer, timer);
		return false;
	}
	release(&ended, timer);
	return true;
}

const struct backend backend_uring = {
	.name = "io_uring",
	.open = open_ring,
	.submit = submit,
	.cancel = cancel,
	.flush = flush_ring,
	.wait = wait_ring,
	.reap = reap_ring,
	.is_pressing = is_pressing,
	.is_lost = is_lost,
	.end = end_ring,
	.close = close_ring,
};
