// SPDX-License-Identifier: MIT
/*
 * test_sync_together.c - syncs of a descriptor that wait for each other are one
 *
 * Each call of fsync or fdatasync that reaches the kernel waits until the test answers it
 * (seccomp), so the test knows which there are, and what else is under way.
 */
#include "gate.h"
#include "held_calls.h"
#include "transparency.h"

#include <sys/syscall.h>

#define NR_SYNCS  3
#define NR_READS  4 /* as many as keep a sync of their descriptor from the workers */
#define PAGE      4096
#define LONG_SIZE (128 * 1024) /* no lane copies so much in the call */

static int fd;
static struct seccomp_notif held; /* the call that was taken last */
static unsigned int nr_calls;
static struct aiocb first, syncs[NR_SYNCS];

static void take_call(void)
{
	held_calls_take(&held);
	nr_calls++;
}

static void answer(int err)
{
	held_calls_answer(&held, err);
}

static bool has_ended(struct aiocb *cb)
{
	while (held_calls_has_one()) {
		take_call();
		answer(0);
	}
	return aio_error(cb) != EINPROGRESS;
}

/* Its outcome, while all calls are answered. */
static ssize_t outcome_answering(struct aiocb *cb)
{
	eventually(has_ended(cb));
	return outcome(cb);
}

static void submit_sync(struct aiocb *cb, int op)
{
	aiocb_init(cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(op, cb), 0);
}

/* Its call is in the kernel when this returns. */
static void begin_sync(int op)
{
	submit_sync(&first, op);
	take_call();
}

static void end_first(void)
{
	answer(0);
	check_equal(outcome(&first), 0);
}

static void write_page(off_t offset)
{
	static char buf[PAGE];
	struct aiocb cb;

	submit_write(&cb, fd, buf, PAGE, offset);
	check_equal(outcome(&cb), PAGE);
}

/* Each has a write before it, which ends while the first sync is in the kernel. */
static void submit_behind_first(void)
{
	for (int i = 0; i < NR_SYNCS; i++) {
		write_page(i * PAGE);
		submit_sync(&syncs[i], O_DSYNC);
	}
}

static bool prepare(void)
{
	fd = temp_file_filled(LONG_SIZE);
	return held_calls_begin(SYS_fsync, SYS_fdatasync);
}

/* The call that serves all behind the first one is in the kernel when this returns. */
static bool begin_together(void)
{
	if (!prepare())
		return false;
	begin_sync(O_DSYNC);
	submit_behind_first();
	end_first();
	take_call();
	return true;
}

static int sync_behind_one(void)
{
	if (!begin_together())
		return CHILD_SKIPPED;
	for (int i = 0; i < NR_SYNCS; i++)
		check_equal(aio_error(&syncs[i]), EINPROGRESS);
	answer(0);
	for (int i = 0; i < NR_SYNCS; i++)
		check_equal(outcome(&syncs[i]), 0);
	check_equal(nr_calls, 2);
	check(!held_calls_has_one());
	return 0;
}

static int fail_together(void)
{
	if (!begin_together())
		return CHILD_SKIPPED;
	answer(EIO);
	for (int i = 0; i < NR_SYNCS; i++)
		check_equal(outcome_answering(&syncs[i]), -EIO);
	begin_sync(O_DSYNC);
	end_first();
	return 0;
}

static void await_signal(int signo)
{
	struct timespec limit = { .tv_sec = default_deadline_ms() / 1000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	check_equal(sigtimedwait(&set, NULL, &limit), signo);
}

/* One notification for each request, and one for the list. */
static int notify_together(void)
{
	struct aiocb *list[NR_SYNCS];
	struct sigevent event;

	if (!prepare())
		return CHILD_SKIPPED;
	change_mask(SIG_BLOCK, SIGRTMIN);
	change_mask(SIG_BLOCK, SIGRTMIN + 1);
	notify_by_signal(&event, SIGRTMIN + 1, 0);
	begin_sync(O_SYNC);
	for (int i = 0; i < NR_SYNCS; i++) {
		list[i] = &syncs[i];
		aiocb_init_lio(list[i], LIO_NOP + 2, fd, NULL, 0, 0); /* glibc's opcode */
		notify_by_signal(&list[i]->aio_sigevent, SIGRTMIN, i);
	}
	check_equal(lio_listio(LIO_NOWAIT, list, NR_SYNCS, &event), 0);
	end_first();
	for (int i = 0; i < NR_SYNCS; i++)
		check_equal(outcome_answering(&syncs[i]), 0);
	for (int i = 0; i < NR_SYNCS; i++)
		await_signal(SIGRTMIN);
	await_signal(SIGRTMIN + 1);
	check(!is_pending(SIGRTMIN) && !is_pending(SIGRTMIN + 1));
	return 0;
}

static int sync_other_kind(void)
{
	static const int kinds[] = { SYS_fdatasync, SYS_fsync, SYS_fdatasync };

	if (!prepare())
		return CHILD_SKIPPED;
	begin_sync(O_SYNC);
	for (int i = 0; i < NR_SYNCS; i++)
		submit_sync(&syncs[i], kinds[i] == SYS_fsync ? O_SYNC : O_DSYNC);
	end_first();
	for (int i = 0; i < NR_SYNCS; i++) {
		take_call();
		check_equal(held.data.nr, kinds[i]);
		check_equal(aio_error(&syncs[i]), EINPROGRESS);
		answer(0);
		check_equal(outcome(&syncs[i]), 0);
	}
	return 0;
}

/* The last sync has a write before it that is under way: its buffer is not there. */
static int sync_beside_write(bool is_notified)
{
	struct aiocb write;
	struct gate gate;

	if (!prepare() || !gate_make(&gate, LONG_SIZE))
		return CHILD_SKIPPED;
	begin_sync(O_DSYNC);
	submit_sync(&syncs[0], O_DSYNC);
	aiocb_init(&write, fd, gate.memory, LONG_SIZE, 0);
	if (is_notified)
		notify_by_signal(&write.aio_sigevent, SIGURG, 1); /* ignored by default */
	check_equal(aio_write(&write), 0);
	submit_sync(&syncs[1], O_DSYNC);
	end_first();
	take_call();
	answer(0);
	check_equal(outcome(&syncs[0]), 0);
	gate_await(&gate);
	check_equal(aio_error(&write), EINPROGRESS);
	check_equal(aio_error(&syncs[1]), EINPROGRESS);
	gate_open(&gate, 'g');
	check_equal(outcome(&write), LONG_SIZE);
	take_call();
	answer(0);
	check_equal(outcome(&syncs[1]), 0);
	return 0;
}

static int sync_beside_silent_write(void)
{
	return sync_beside_write(false);
}

static int sync_beside_notifying_write(void)
{
	return sync_beside_write(true);
}

/* @write is done, but the program cannot see it yet: its control block cannot be written to. */
static void sync_before(struct gate *result, struct aiocb *write, ssize_t expected)
{
	submit_sync(&first, O_DSYNC);
	for (int i = 0; i < 20; i++) {
		short_pause();
		check(!held_calls_has_one());
	}
	check_equal(aio_error(&first), EINPROGRESS);
	gate_allow_writes(result);
	check_equal(outcome(write), expected);
	take_call();
	answer(0);
	check_equal(outcome(&first), 0);
}

/* Alone in its page. */
static struct aiocb *lone_block(void)
{
	void *block = NULL;

	check_equal(posix_memalign(&block, page_size(), page_size()), 0);
	return block;
}

/*
 * A write that is done, and whose result waits for @result.  NULL: this machine does not allow it.
 */
static struct aiocb *finish_write(struct gate *result)
{
	struct aiocb *write = lone_block();
	struct gate data;

	if (!gate_make(&data, LONG_SIZE))
		return NULL;
	aiocb_init(write, fd, data.memory, LONG_SIZE, 0);
	notify_by_signal(&write->aio_sigevent, SIGURG, 1); /* ignored by default */
	check_equal(aio_write(write), 0);
	gate_await(&data);
	if (!gate_forbid_writes(result, write, page_size()))
		return NULL;
	gate_open(&data, 'g');
	gate_await(result);
	return write;
}

static int sync_beside_result(void)
{
	struct aiocb *write;
	struct gate result;

	if (!prepare() || !(write = finish_write(&result)))
		return CHILD_SKIPPED;
	sync_before(&result, write, LONG_SIZE);
	return 0;
}

/* The thread that would tell the result of the second write still tells that of the first. */
static int sync_beside_direct_result(void)
{
	struct aiocb *before, *write = lone_block();
	struct gate result_before, result;

	if (!prepare() || !(before = finish_write(&result_before)))
		return CHILD_SKIPPED;
	fd = direct_file(PAGE, 0);
	if (fd < 0)
		return CHILD_SKIPPED;
	aiocb_init(write, fd, direct_buffer(PAGE), PAGE, 0);
	notify_by_signal(&write->aio_sigevent, SIGURG, 1);
	check_equal(aio_write(write), 0);
	if (!gate_forbid_writes(&result, write, page_size()))
		return CHILD_SKIPPED;
	gate_allow_writes(&result_before);
	check_equal(outcome(before), LONG_SIZE);
	gate_await(&result);
	sync_before(&result, write, PAGE);
	return 0;
}

static int sync_two_descriptors(void)
{
	struct aiocb other;

	if (!prepare())
		return CHILD_SKIPPED;
	begin_sync(O_DSYNC);
	aiocb_init(&other, reopen(fd, O_RDWR), NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &other), 0);
	end_first();
	take_call();
	check_equal(held.data.args[0], other.aio_fildes);
	check_equal(aio_error(&other), EINPROGRESS);
	answer(0);
	check_equal(outcome(&other), 0);
	return 0;
}

static int cancel_one_of_them(void)
{
	if (!prepare())
		return CHILD_SKIPPED;
	begin_sync(O_DSYNC);
	for (int i = 0; i < NR_SYNCS; i++)
		submit_sync(&syncs[i], O_DSYNC);
	end_first();
	take_call();
	check_equal(aio_cancel(fd, &syncs[0]), AIO_NOTCANCELED);
	check_equal(aio_cancel(fd, &syncs[1]), AIO_CANCELED);
	answer(0);
	check_equal(outcome_answering(&syncs[0]), 0);
	check_equal(outcome(&syncs[1]), -ECANCELED);
	check_equal(outcome_answering(&syncs[2]), 0);
	return 0;
}

/*
 * Where it was not begun yet, the others go on without it: reads that block, and which only a
 * thread can do (test_blocked_files.c), are before it.
 */
static int cancel_oldest(void)
{
	char *source = direct_buffer(PAGE);
	struct aiocb reads[NR_READS];
	struct gate gate;
	bool is_cancelled;

	if (!prepare() || !gate_make(&gate, NR_READS * PAGE))
		return CHILD_SKIPPED;
	fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	check(fd >= 0);
	change_mask(SIG_BLOCK, SIGRTMIN);
	aiocb_init(&first, fd, NULL, 0, 0);
	notify_by_signal(&first.aio_sigevent, SIGRTMIN, 0);
	check_equal(aio_fsync(O_DSYNC, &first), 0);
	take_call();
	submit_sync(&syncs[0], O_DSYNC);
	submit_sync(&syncs[1], O_DSYNC);
	for (int i = 0; i < NR_READS; i++)
		submit_read(&reads[i], fd, gate.memory + i * PAGE, PAGE, (off_t)source);
	answer(0);
	await_signal(SIGRTMIN);
	is_cancelled = aio_cancel(fd, &syncs[0]) == AIO_CANCELED;
	gate_open(&gate, 'g');
	check_equal(outcome_answering(&syncs[0]), is_cancelled ? -ECANCELED : 0);
	check_equal(outcome_answering(&syncs[1]), 0);
	for (int i = 0; i < NR_READS; i++)
		check_equal(outcome_answering(&reads[i]), PAGE);
	return 0;
}

/* Another file has the descriptor before the call of the second sync ends. */
static int close_amid(void)
{
	if (!prepare())
		return CHILD_SKIPPED;
	begin_sync(O_DSYNC);
	submit_sync(&syncs[0], O_DSYNC);
	submit_sync(&syncs[1], O_DSYNC);
	end_first();
	take_call();
	check_equal(close(fd), 0);
	check_equal(temp_file(0), fd);
	submit_sync(&syncs[2], O_DSYNC);
	answer(0);
	for (int i = 0; i < NR_SYNCS; i++)
		check_equal(outcome_answering(&syncs[i]), 0);
	return 0;
}

TEST_OR_SKIP(test_syncs_behind_one_are_one_call, sync_behind_one, 20000)
TEST_OR_SKIP(test_error_of_a_sync_goes_to_all_that_it_answers, fail_together, 20000)
TEST_OR_SKIP(test_each_sync_has_its_notification, notify_together, 20000)
TEST_OR_SKIP(test_sync_of_the_data_and_fsync_are_two_calls, sync_other_kind, 20000)
TEST_OR_SKIP(test_sync_waits_for_a_silent_write_under_way, sync_beside_silent_write, 20000)
TEST_OR_SKIP(test_sync_waits_for_a_notifying_write_under_way, sync_beside_notifying_write, 20000)
TEST_OR_SKIP(test_sync_waits_for_the_result_of_a_write, sync_beside_result, 20000)
TEST_OR_SKIP(test_sync_waits_for_the_result_of_a_direct_write, sync_beside_direct_result, 20000)
TEST_OR_SKIP(test_each_descriptor_has_its_own_call, sync_two_descriptors, 20000)
TEST_OR_SKIP(test_sync_that_waits_for_another_can_be_cancelled, cancel_one_of_them, 20000)
TEST_OR_SKIP(test_syncs_outlive_the_oldest_of_them, cancel_oldest, 20000)
TEST_OR_SKIP(test_syncs_end_after_a_close, close_amid, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syncs_behind_one_are_one_call),
		cmocka_unit_test(test_error_of_a_sync_goes_to_all_that_it_answers),
		cmocka_unit_test(test_each_sync_has_its_notification),
		cmocka_unit_test(test_sync_of_the_data_and_fsync_are_two_calls),
		cmocka_unit_test(test_sync_waits_for_a_silent_write_under_way),
		cmocka_unit_test(test_sync_waits_for_a_notifying_write_under_way),
		cmocka_unit_test(test_sync_waits_for_the_result_of_a_write),
		cmocka_unit_test(test_sync_waits_for_the_result_of_a_direct_write),
		cmocka_unit_test(test_each_descriptor_has_its_own_call),
		cmocka_unit_test(test_sync_that_waits_for_another_can_be_cancelled),
		cmocka_unit_test(test_syncs_outlive_the_oldest_of_them),
		cmocka_unit_test(test_syncs_end_after_a_close),
	};

	return cmocka_run_group_tests_name("sync_together", tests, NULL, NULL);
}
