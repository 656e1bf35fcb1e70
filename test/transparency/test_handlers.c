// SPDX-License-Identifier: MIT
/*
 * test_handlers.c - signal handlers that use AIO
 *
 * aio_error, aio_return and aio_suspend are async-signal-safe by POSIX: a
 * handler may call them whatever it interrupted.  Programs also submit from
 * handlers, and jump out of them.
 */
#include "transparency.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <sys/time.h>

#define STORM_NS 1500000000

static volatile sig_atomic_t period_us;

static void set_timer(int usec)
{
	period_us = usec;
	wind_timer(period_us);
}

/* ---- the three safe functions in a handler ---- */

#define NR_BLOCKED 4

static struct aiocb current, blocked[NR_BLOCKED];
static volatile sig_atomic_t nr_handled;
/* Is current submitted, and does it end whatever the program does? */
static volatile sig_atomic_t is_waitable;

static void look_in_handler(int signo)
{
	const struct aiocb *list[NR_BLOCKED + 1];
	struct timespec at_once = { 0 }, soon = { .tv_nsec = 30000 };
	int error = errno;

	(void)signo;
	for (int i = 0; i < NR_BLOCKED; i++) {
		list[i] = &blocked[i];
		check_equal(aio_error(list[i]), EINPROGRESS);
	}
	check_equal(aio_suspend(list, NR_BLOCKED, &at_once), -1);
	check(errno == EAGAIN || errno == EINTR);
	check_equal(aio_suspend(list, NR_BLOCKED, &soon), -1);
	check(errno == EAGAIN || errno == EINTR);
	list[NR_BLOCKED] = &current;
	aio_suspend(list, NR_BLOCKED + 1, &soon);
	/* The interrupted call must not be needed for the end of the request. */
	while (is_waitable && aio_error(&current) == EINPROGRESS)
		aio_suspend(&list[NR_BLOCKED], 1, NULL);
	if (is_waitable)
		check_equal(aio_return(&current), 4096);
	nr_handled = nr_handled + 1;
	wind_timer(period_us);
	errno = error;
}

struct storm {
	int file;
	int direct;
	int fds[2];
	int quiet[2]; /* on which the blocked reads wait */
	char *buf;
};

static void storm_open(struct storm *storm)
{
	storm->file = temp_file_filled(65536);
	storm->direct = direct_file(65536, 0);
	if (storm->direct < 0)
		storm->direct = reopen(storm->file, O_RDWR);
	storm->buf = direct_buffer(65536);
	open_pipe(storm->fds);
	open_pipe(storm->quiet);
	aiocb_init(&current, storm->file, storm->buf, 1, 0);
	check_equal(aio_read(&current), 0);
	check_equal(outcome(&current), 1);
	for (int i = 0; i < NR_BLOCKED; i++)
		submit_read(&blocked[i], storm->quiet[0], &storm->buf[i], 1, 0);
}

/* Each function that a signal may interrupt, once. */
static void storm_call_everything(struct storm *storm, int fd)
{
	struct aiocb *const one[] = { &current };
	struct timespec long_time = { .tv_sec = default_deadline_ms() / 1000 };
	char *buf = storm->buf + 4096;

	submit_read(&current, fd, buf, 4096, 4096);
	is_waitable = 1;
	while (aio_error(&current) == EINPROGRESS)
		;
	check_equal(outcome(&current), 4096);
	is_waitable = 0;
	check_pattern(buf, 4096, 4096);
	submit_write(&current, fd, buf, 4096, 4096);
	is_waitable = 1;
	aio_suspend((const struct aiocb *const *)one, 1, &long_time);
	check_equal(outcome(&current), 4096);
	is_waitable = 0;
	aiocb_init(&current, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &current), 0);
	check_equal(outcome(&current), 0);
	aiocb_init_lio(&current, LIO_READ, fd, buf, 4096, 8192);
	check_equal(lio_listio(LIO_WAIT, one, 1, NULL), 0);
	check_equal(outcome(&current), 4096);
	aiocb_init_lio(&current, LIO_READ, fd, buf, 4096, 4096);
	check_equal(lio_listio(LIO_NOWAIT, one, 1, NULL), 0);
	check_equal(outcome(&current), 4096);
	submit_read(&current, storm->fds[0], buf, 1, 0);
	aio_cancel(storm->fds[0], &current);
	write_fully(storm->fds[1], "x", 1);
	if (outcome(&current) == -ECANCELED)
		read_fully(storm->fds[0], NULL, 1);
}

static int look_in_storm(void)
{
	struct storm storm;
	uint64_t end;

	storm_open(&storm);
	handle_signal(SIGALRM, look_in_handler, SA_RESTART);
	end = now_ns() + STORM_NS;
	set_timer(150);
	for (int i = 0; now_ns() < end || nr_handled < 100; i++)
		storm_call_everything(&storm, i % 2 ? storm.file : storm.direct);
	set_timer(0);
	write_fully(storm.quiet[1], "wxyz", 4);
	for (int i = 0; i < NR_BLOCKED; i++)
		check_equal(outcome(&blocked[i]), 1);
	use_aio();
	return 0;
}

TEST_IN_CHILD(test_handler_may_look_at_requests_over_any_call, look_in_storm, 40000)

/* ---- submitting in a handler ---- */

#define NR_SLOTS 64

static struct aiocb slots[NR_SLOTS];
static char slot_bytes[NR_SLOTS][64];
static int slot_fd;
static volatile sig_atomic_t nr_submitted;

/* One write into a place of its own, each time. */
static void submit_in_handler(int signo)
{
	int error = errno, slot = nr_submitted % NR_SLOTS;

	(void)signo;
	if (nr_submitted < NR_SLOTS || aio_error(&slots[slot]) == 0) {
		memset(slot_bytes[slot], 'a' + slot % 26, 64);
		submit_write(&slots[slot], slot_fd, slot_bytes[slot], 64, slot * 64);
		nr_submitted = nr_submitted + 1;
	}
	wind_timer(period_us);
	errno = error;
}

static int submit_in_storm(void)
{
	struct storm storm;
	char bytes[64];
	uint64_t end;

	storm_open(&storm);
	slot_fd = temp_file(0);
	handle_signal(SIGALRM, submit_in_handler, SA_RESTART);
	end = now_ns() + STORM_NS;
	set_timer(100);
	for (int i = 0; now_ns() < end || nr_submitted < NR_SLOTS; i++)
		storm_call_everything(&storm, i % 2 ? storm.file : storm.direct);
	set_timer(0);
	for (int i = 0; i < NR_SLOTS; i++) {
		check_equal(outcome(&slots[i]), 64);
		check_equal(pread(slot_fd, bytes, 64, i * 64), 64);
		check_memory(bytes, slot_bytes[i], 64);
	}
	return 0;
}

TEST_IN_CHILD(test_handler_may_submit_over_any_call, submit_in_storm, 40000)

/* ---- a handler in the middle of a submission ---- */

/*
 * The handler's requests touch what the interrupted one touches.  Its call has
 * not returned, so no order is due between the two: the handler must not wait
 * for a request that its own thread has not yet submitted.
 */
static int overlap_fd;
static char *overlap_buf;
static volatile sig_atomic_t nr_overlaps;

static void overlap_in_handler(int signo)
{
	static struct aiocb cb;
	int error = errno;

	(void)signo;
	if (nr_overlaps % 3 == 0) {
		aiocb_init(&cb, overlap_fd, NULL, 0, 0);
		check_equal(aio_fsync(O_DSYNC, &cb), 0);
		check_equal(outcome(&cb), 0);
	} else {
		submit_write(&cb, overlap_fd, overlap_buf, 4096, 0);
		check_equal(outcome(&cb), 4096);
	}
	nr_overlaps = nr_overlaps + 1;
	wind_timer(period_us);
	errno = error;
}

static int overlap_in_storm(void)
{
	struct aiocb cb, *const list[] = { &cb };
	char *buf = direct_buffer(8192);
	uint64_t end;

	overlap_fd = direct_file(8192, 0);
	if (overlap_fd < 0)
		return CHILD_SKIPPED;
	overlap_buf = direct_buffer(4096);
	handle_signal(SIGALRM, overlap_in_handler, SA_RESTART);
	end = now_ns() + STORM_NS;
	set_timer(60);
	for (int i = 0; now_ns() < end || nr_overlaps < 100; i++) {
		if (i % 2) {
			submit_read(&cb, overlap_fd, buf, 8192, 0);
		} else {
			aiocb_init_lio(&cb, LIO_WRITE, overlap_fd, buf, 4096, 0);
			check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), 0);
		}
		check_equal(outcome(&cb), i % 2 ? 8192 : 4096);
	}
	set_timer(0);
	use_aio();
	return 0;
}

TEST_OR_SKIP(test_handler_does_not_wait_for_what_it_interrupts, overlap_in_storm, 6000)

/* ---- jumping out of a handler ---- */

static sigjmp_buf back;
static volatile sig_atomic_t may_jump;

static void jump_in_handler(int signo)
{
	(void)signo;
	wind_timer(period_us);
	if (may_jump) {
		may_jump = 0;
		siglongjmp(back, 1);
	}
}

/* Out of a sleep on a pipe and on a disk: the next calls are as good. */
static int jump_out_of_suspend(void)
{
	int direct = direct_file(65536, 0);
	char *buf = direct_buffer(65536), byte;
	const struct aiocb *list[2];
	static struct aiocb read, disk;
	int fds[2];

	open_pipe(fds);
	handle_signal(SIGALRM, jump_in_handler, 0);
	submit_read(&read, fds[0], &byte, 1, 0);
	list[0] = list[1] = &read;
	set_timer(500);
	for (volatile int i = 0; i < 300; i++) {
		if (direct >= 0)
			submit_read(&disk, direct, buf, 65536, 0);
		if (!sigsetjmp(back, 1)) {
			may_jump = 1;
			list[1] = direct >= 0 && i % 2 ? &disk : &read;
			while (may_jump)
				aio_suspend(list, 2, NULL);
		}
		if (direct >= 0)
			check_equal(outcome(&disk), 65536);
	}
	set_timer(0);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&read), 1);
	use_aio();
	return 0;
}

TEST_IN_CHILD(test_handler_may_jump_out_of_aio_suspend, jump_out_of_suspend, 40000)

/*
 * POSIX leaves undefined what unsafe functions do after a jump out of one of
 * them; programs jump all the same.  The request that was interrupted is given
 * up, with its block and buffer; later ones are good, on the same file too.
 */
static void jump_out_of_submit_to(int fd, size_t size)
{
	struct aiocb *volatile cb = NULL;
	struct aiocb last;
	char *buf;

	for (volatile int i = 0; i < 1500; i++) {
		off_t offset = (off_t)(i % 16 * (int)size);

		cb = calloc(1, sizeof(*cb));
		buf = direct_buffer(size);
		aiocb_init(cb, fd, buf, size, offset);
		if (sigsetjmp(back, 1))
			continue;
		may_jump = 1;
		while (may_jump) {
			check_equal(i % 2 ? aio_read(cb) : aio_write(cb), 0);
			may_jump = may_jump && 1;
			check_equal(outcome(cb), size);
			pattern_fill(buf, (size_t)offset, size);
		}
	}
	may_jump = 0;
	aiocb_init(&last, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &last), 0);
	check_equal(outcome(&last), 0);
}

static int jump_out_of_submit(void)
{
	int direct = direct_file(65536, 0);

	handle_signal(SIGALRM, jump_in_handler, 0);
	set_timer(100);
	jump_out_of_submit_to(temp_file_filled(65536), 64);
	if (direct >= 0)
		jump_out_of_submit_to(direct, 4096);
	set_timer(0);
	use_aio();
	return 0;
}

TEST_IN_CHILD(test_handler_may_jump_out_of_a_submitting_call, jump_out_of_submit, 40000)

/* ---- over the end of a thread that ran a callback ---- */

#define NR_CALLBACKS 24

static struct aiocb told[NR_CALLBACKS];
static atomic_int nr_told;
static int handler_fds[2];

static void count_callback(union sigval value)
{
	(void)value;
	nr_told++;
}

/* Such a request waits for what follows it. */
static void read_in_handler(int signo)
{
	struct aiocb cb;
	const struct aiocb *list[] = { &cb };
	int error = errno;
	char byte;

	(void)signo;
	submit_read(&cb, handler_fds[0], &byte, 1, 0);
	write_fully(handler_fds[1], "x", 1);
	while (aio_error(&cb) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	check_equal(aio_return(&cb), 1);
	nr_handled = nr_handled + 1;
	wind_timer(period_us);
	errno = error;
}

/* Their threads end together, and more are made meanwhile. */
static void be_called_back(void)
{
	static char bytes[NR_CALLBACKS];
	int fds[2];

	nr_told = 0;
	open_pipe(fds);
	for (int i = 0; i < NR_CALLBACKS; i++) {
		aiocb_init(&told[i], fds[0], &bytes[i], 1, 0);
		notify_by_thread(&told[i].aio_sigevent, count_callback, NULL);
		check_equal(aio_read(&told[i]), 0);
	}
	write_fully(fds[1], bytes, NR_CALLBACKS);
	for (int i = 0; i < NR_CALLBACKS; i++)
		check_equal(outcome(&told[i]), 1);
	eventually(nr_told == NR_CALLBACKS);
	close_pair(fds);
}

static int end_callbacks_in_storm(void)
{
	uint64_t end = now_ns() + STORM_NS;

	open_pipe(handler_fds);
	change_mask(SIG_BLOCK, SIGALRM); /* only threads of callbacks take it */
	handle_signal(SIGALRM, read_in_handler, SA_RESTART);
	set_timer(100);
	while (now_ns() < end || nr_handled < 100)
		be_called_back();
	set_timer(0);
	return 0;
}

TEST_IN_CHILD(test_handler_may_wait_over_the_end_of_a_callback, end_callbacks_in_storm, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handler_may_look_at_requests_over_any_call),
		cmocka_unit_test(test_handler_may_submit_over_any_call),
		cmocka_unit_test(test_handler_does_not_wait_for_what_it_interrupts),
		cmocka_unit_test(test_handler_may_jump_out_of_aio_suspend),
		cmocka_unit_test(test_handler_may_jump_out_of_a_submitting_call),
		cmocka_unit_test(test_handler_may_wait_over_the_end_of_a_callback),
	};

	return cmocka_run_group_tests_name("handlers", tests, NULL, NULL);
}
