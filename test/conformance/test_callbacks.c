// SPDX-License-Identifier: MIT
/*
 * test_callbacks.c - SIGEV_THREAD: what runs, where, and what it may do
 *
 * A callback runs once, on a thread that is not the program's, sees the final
 * status and may do whatever a thread may.
 */
#include "../support/support.h"

#include <pthread.h>
#include <stdatomic.h>

static struct aiocb current;
static atomic_int nr_wrong;

static sem_t called;
static atomic_int nr_called;
static pthread_t submitter;
static void *expected_value;

static void check_callback_context(union sigval value)
{
	pthread_attr_t attr;
	sigset_t mask;
	int detached;

	nr_wrong += value.sival_ptr != expected_value;
	nr_wrong += pthread_equal(pthread_self(), submitter) != 0;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	for (int signo = 1; signo < NSIG; signo++)
		nr_wrong += sigismember(&mask, signo) == 1;
	nr_wrong += pthread_getattr_np(pthread_self(), &attr) != 0;
	pthread_attr_getdetachstate(&attr, &detached);
	nr_wrong += detached != PTHREAD_CREATE_DETACHED;
	pthread_attr_destroy(&attr);
	nr_wrong += aio_error(&current) != 0;
	sem_post(&called);
}

static void reset_callbacks(void)
{
	sem_init(&called, 0, 0);
	nr_called = nr_wrong = 0;
	submitter = pthread_self();
}

static void test_callback_runs_on_a_thread_of_its_own(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	expected_value = (void *)0x123456789abcdef0;
	notify_by_thread(&event, check_callback_context, expected_value);
	submit_notified_read(&current, fd, &event);
	await_semaphore(&called);
	check_equal(nr_wrong, 0);
	close(fd);
}

/* Its signal mask is empty, whatever the submitter blocks. */
static void test_callback_does_not_inherit_the_signal_mask(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	change_mask(SIG_BLOCK, SIGUSR1);
	change_mask(SIG_BLOCK, SIGTERM);
	notify_by_thread(&event, check_callback_context, expected_value);
	for (int i = 0; i < 20; i++) {
		submit_notified_read(&current, fd, &event);
		await_semaphore(&called);
		check_equal(nr_wrong, 0);
	}
	change_mask(SIG_UNBLOCK, SIGUSR1);
	change_mask(SIG_UNBLOCK, SIGTERM);
	close(fd);
}

static void count_call(union sigval value)
{
	nr_wrong += aio_error(value.sival_ptr) == EINPROGRESS;
	nr_called++;
}

/* Each of many reads has its callback. */
static void read_with_callbacks(struct aiocb *cbs, int nr, void (*callback)(union sigval))
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	reset_callbacks();
	for (int i = 0; i < nr; i++) {
		notify_by_thread(&event, callback, &cbs[i]);
		submit_notified_read(&cbs[i], fd, &event);
	}
	eventually(nr_called == nr);
	check_equal(nr_wrong, 0);
	close(fd);
}

static void test_every_callback_runs_once(void **state)
{
	enum { NR = 300 };
	static struct aiocb cbs[NR];

	(void)state;
	read_with_callbacks(cbs, NR, count_call);
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), 100);
	check_equal(nr_called, NR);
}

static void note_failure(union sigval value)
{
	nr_wrong += aio_error(&current) != value.sival_int || aio_return(&current) != -1;
	sem_post(&called);
}

static void test_callback_tells_of_failure(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	notify_by_thread(&event, note_failure, NULL);
	event.sigev_value.sival_int = EBADF;
	submit_notified_read(&current, -1, &event);
	await_semaphore(&called);
	aiocb_init(&current, fd, NULL, 100, 0);
	current.aio_sigevent = event;
	current.aio_sigevent.sigev_value.sival_int = EFAULT;
	check_equal(aio_write(&current), 0);
	await_semaphore(&called);
	check_equal(nr_wrong, 0);
	close(fd);
}

static pthread_barrier_t barrier;

static void meet(union sigval value)
{
	(void)value;
	pthread_barrier_wait(&barrier);
	nr_called++;
}

/* A barrier has no deadline: in a child. */
static int meet_in_main(void)
{
	static char buf[10];
	int fd = temp_file_filled(1000);
	struct aiocb cb, *list[1] = { &cb };
	struct sigevent event;

	reset_callbacks();
	check(pthread_barrier_init(&barrier, NULL, 2) == 0);
	notify_by_thread(&event, meet, NULL);
	submit_notified_read(&cb, fd, &event);
	pthread_barrier_wait(&barrier);
	aiocb_init_lio(&cb, LIO_READ, fd, buf, sizeof(buf), 0);
	cb.aio_sigevent = event;
	check_equal(lio_listio(LIO_WAIT, list, 1, NULL), 0);
	pthread_barrier_wait(&barrier);
	aiocb_init_lio(&cb, LIO_READ, fd, buf, sizeof(buf), 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 1, &event), 0);
	pthread_barrier_wait(&barrier);
	eventually(nr_called == 3);
	return 0;
}

static void test_callback_may_wait_for_the_main_thread(void **state)
{
	(void)state;
	check_in_child(meet_in_main, 10000);
}

static int meet_in_callbacks(void)
{
	enum { NR = 10 };
	static struct aiocb cbs[NR];
	int fd = temp_file_filled(1000);
	struct sigevent event;

	reset_callbacks();
	check(pthread_barrier_init(&barrier, NULL, NR + 1) == 0);
	notify_by_thread(&event, meet, NULL);
	for (int i = 0; i < NR; i++)
		submit_notified_read(&cbs[i], fd, &event);
	pthread_barrier_wait(&barrier);
	eventually(nr_called == NR);
	return 0;
}

static void test_ten_callbacks_run_in_parallel(void **state)
{
	(void)state;
	check_in_child(meet_in_callbacks, 10000);
}

static sem_t never;

static void block_for_ever(union sigval value)
{
	(void)value;
	nr_called++;
	for (;;)
		sem_wait(&never);
}

static void leave_thread(union sigval value)
{
	(void)value;
	nr_called++;
	pthread_exit(NULL);
}

static int misbehave_in_callbacks(void)
{
	enum { NR = 20 };
	static struct aiocb cbs[2 * NR], last;
	int fd = temp_file_filled(1000);
	struct sigevent event;

	reset_callbacks();
	sem_init(&never, 0, 0);
	for (int i = 0; i < 2 * NR; i++) {
		notify_by_thread(&event, i % 2 ? leave_thread : block_for_ever, NULL);
		submit_notified_read(&cbs[i], fd, &event);
	}
	eventually(nr_called == 2 * NR);
	notify_by_thread(&event, count_call, &last);
	submit_notified_read(&last, fd, &event);
	eventually(nr_called == 2 * NR + 1);
	check_equal(await_result(&last), 100);
	return 0;
}

static void test_callback_may_block_or_leave_its_thread(void **state)
{
	(void)state;
	check_in_child(misbehave_in_callbacks, 20000);
}

static void use_aio(union sigval value)
{
	int fd = ((struct aiocb *)value.sival_ptr)->aio_fildes;
	struct aiocb cb, *list[1] = { &cb };
	const struct aiocb *waited[1] = { &cb };
	char bytes[8];

	aiocb_init(&cb, fd, bytes, 8, 0);
	nr_wrong += aio_read(&cb) != 0;
	nr_wrong += aio_suspend(waited, 1, NULL) != 0;
	nr_wrong += aio_return(&cb) != 8;
	aiocb_init_lio(&cb, LIO_READ, fd, bytes, 8, 0);
	nr_wrong += lio_listio(LIO_WAIT, list, 1, NULL) != 0;
	nr_wrong += aio_fsync(O_DSYNC, &cb) != 0;
	nr_wrong += aio_suspend(waited, 1, NULL) != 0;
	nr_wrong += aio_cancel(fd, &cb) != AIO_ALLDONE;
	nr_called++;
}

static void test_callback_may_use_every_function(void **state)
{
	static struct aiocb cbs[10];

	(void)state;
	read_with_callbacks(cbs, 10, use_aio);
}

static void submit_again_from_callback(union sigval value)
{
	struct aiocb *cb = value.sival_ptr;

	nr_wrong += aio_error(cb) != 0 || aio_return(cb) != 100;
	if (++nr_called < 500)
		nr_wrong += aio_read(cb) != 0;
	else
		sem_post(&called);
}

static void test_callback_may_submit_the_block_again(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	notify_by_thread(&event, submit_again_from_callback, &current);
	submit_notified_read(&current, fd, &event);
	await_semaphore(&called);
	check_equal(nr_wrong, 0);
	check_equal(nr_called, 500);
	close(fd);
}

static void free_block(union sigval value)
{
	memset(value.sival_ptr, 0x5A, sizeof(struct aiocb));
	free(value.sival_ptr);
	nr_called++;
}

static void test_callback_may_free_the_block(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	for (int i = 0; i < 300; i++) {
		struct aiocb *cb = malloc(sizeof(*cb));

		notify_by_thread(&event, free_block, cb);
		submit_notified_read(cb, fd, &event);
	}
	eventually(nr_called == 300);
	close(fd);
}

/* ---- attributes of the callback's thread ---- */

static size_t seen_stack, seen_guard;
static int seen_detached;
static pthread_t callback_thread;

static void look_at_attributes(union sigval value)
{
	pthread_attr_t attr;

	(void)value;
	check(pthread_getattr_np(pthread_self(), &attr) == 0);
	pthread_attr_getstacksize(&attr, &seen_stack);
	pthread_attr_getguardsize(&attr, &seen_guard);
	pthread_attr_getdetachstate(&attr, &seen_detached);
	pthread_attr_destroy(&attr);
	callback_thread = pthread_self();
	sem_post(&called);
}

/* What malloc gives for attributes next is not zero, as it happens to be in a young process. */
static void soil_the_heap(void)
{
	void *used = malloc(sizeof(pthread_attr_t));

	check(used != NULL);
	memset(used, 0xee, sizeof(pthread_attr_t));
	__asm__ volatile("" : : "r"(used) : "memory");
	free(used);
}

static void run_with_attributes(pthread_attr_t *attr)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	reset_callbacks();
	notify_by_thread(&event, look_at_attributes, NULL);
	event.sigev_notify_attributes = attr;
	soil_the_heap();
	submit_notified_read(&current, fd, &event);
	await_semaphore(&called);
	await(&current);
	close(fd);
}

static void test_stack_and_guard_size_are_honoured(void **state)
{
	/* A page more, since glibc before 2.35 adds one to a multiple of 64 KiB. */
	size_t page = (size_t)sysconf(_SC_PAGESIZE),
	       sizes[] = { (1 << 20) + page, (16 << 20) + page };
	pthread_attr_t attr;

	(void)state;
	for (int i = 0; i < 2; i++) {
		check(pthread_attr_init(&attr) == 0);
		check(pthread_attr_setstacksize(&attr, sizes[i]) == 0);
		check(pthread_attr_setguardsize(&attr, 65536) == 0);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		run_with_attributes(&attr);
		check_equal(seen_stack, sizes[i]);
		check_equal(seen_guard, 65536);
		check_equal(seen_detached, PTHREAD_CREATE_DETACHED);
		pthread_attr_destroy(&attr);
	}
}

static void test_default_attributes_give_a_joinable_thread(void **state)
{
	pthread_attr_t attr;

	(void)state;
	check(pthread_attr_init(&attr) == 0);
	run_with_attributes(&attr);
	check_equal(seen_detached, PTHREAD_CREATE_JOINABLE);
	check(pthread_join(callback_thread, NULL) == 0);
	pthread_attr_destroy(&attr);
}

static void test_without_attributes_the_stack_has_the_default_size(void **state)
{
	pthread_attr_t attr;
	size_t size;

	(void)state;
	check(pthread_getattr_default_np(&attr) == 0);
	pthread_attr_getstacksize(&attr, &size);
	pthread_attr_destroy(&attr);
	run_with_attributes(NULL);
	check_equal(seen_stack, size);
	check_equal(seen_detached, PTHREAD_CREATE_DETACHED);
}

int main(void)
{
	const struct CMUnitTest callback_tests[] = {
		/*
		 * Forked children first: with glibc, AIO is dead in a child
		 * whose parent has made a request within the last second.
		 */
		cmocka_unit_test(test_callback_may_wait_for_the_main_thread),
		cmocka_unit_test(test_ten_callbacks_run_in_parallel),
		cmocka_unit_test(test_callback_may_block_or_leave_its_thread),
		cmocka_unit_test(test_callback_runs_on_a_thread_of_its_own),
		cmocka_unit_test(test_callback_does_not_inherit_the_signal_mask),
		cmocka_unit_test(test_every_callback_runs_once),
		cmocka_unit_test(test_callback_tells_of_failure),
		cmocka_unit_test(test_callback_may_use_every_function),
		cmocka_unit_test(test_callback_may_submit_the_block_again),
		cmocka_unit_test(test_callback_may_free_the_block),
		cmocka_unit_test(test_stack_and_guard_size_are_honoured),
		cmocka_unit_test(test_default_attributes_give_a_joinable_thread),
		cmocka_unit_test(test_without_attributes_the_stack_has_the_default_size),
	};

	return cmocka_run_group_tests(callback_tests, NULL, NULL);
}
