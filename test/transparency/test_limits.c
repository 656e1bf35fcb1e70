// SPDX-License-Identifier: MIT
/*
 * test_limits.c - few threads, little memory, small stacks
 *
 * Where a thread or memory is refused, a call may fail with EAGAIN, as POSIX
 * allows, but what it accepts completes, and nothing hangs or crashes.  What
 * glibc needs no locked memory for must work without.
 */
#include "transparency.h"

#include <stdatomic.h>

/* ---- attempts which may be refused ---- */

#define THREADS_MAX 8
#define ROOM_MAX    (1536 << 10)
#define ROOM_STEP   (28 << 10)

struct attempt {
	struct aiocb cbs[16];
	char *buf;
	int pipe[2];
	int file;
	int direct;
};

static void attempt_open(struct attempt *attempt)
{
	attempt->buf = direct_buffer(65536);
	attempt->file = temp_file_filled(65536);
	attempt->direct = direct_file(65536, 0);
	open_pipe(attempt->pipe);
}

/* A backend that is asked for by name, and cannot be had at first, is refused for good. */
static bool may_be_refused, is_refused;

static void check_refusal(void)
{
	is_refused = may_be_refused && errno == ENOSYS;
	check(is_refused || errno == EAGAIN);
}

/* Accepted, it completes with its data; refused, now or later, by EAGAIN. */
static void attempt_read(struct attempt *attempt, int index, int fd)
{
	struct aiocb *cb = &attempt->cbs[index];
	char *buf = attempt->buf + index * 4096;
	ssize_t res;

	aiocb_init(cb, fd, buf, 4096, index * 4096);
	if (aio_read(cb) < 0) {
		check_refusal();
		return;
	}
	if (fd == attempt->pipe[0])
		write_fully(attempt->pipe[1], "x", 1);
	res = outcome(cb);
	if (fd == attempt->pipe[0]) {
		if (res == -EAGAIN)
			read_fully(fd, NULL, 1);
		else
			check_equal(res, 1);
	} else if (res != -EAGAIN) {
		check_equal(res, 4096);
		check_pattern(buf, index * 4096, 4096);
	}
}

/* A pipe cannot be synced, which nobody may take for success. */
static void attempt_sync(struct attempt *attempt)
{
	struct aiocb *cb = &attempt->cbs[1];
	ssize_t res = -EAGAIN;

	aiocb_init(cb, attempt->pipe[0], NULL, 0, 0);
	if (aio_fsync(O_SYNC, cb) == 0)
		res = outcome(cb);
	check(res == -EAGAIN || res == -EINVAL);
}

static void attempt_all(struct attempt *attempt)
{
	evict(attempt->file);
	attempt_read(attempt, 0, attempt->file);
	attempt_read(attempt, 0, attempt->file);
	attempt_read(attempt, 1, attempt->pipe[0]);
	attempt_sync(attempt);
	if (attempt->direct >= 0)
		attempt_read(attempt, 2, attempt->direct);
}

static int run_without_threads(void *is_warm)
{
	struct attempt attempt;

	become_nobody();
	attempt_open(&attempt);
	if (is_warm)
		use_aio();
	set_soft_limit(RLIMIT_NPROC, 1);
	for (int i = 0; i < 10; i++)
		attempt_all(&attempt);
	set_soft_limit(RLIMIT_NPROC, 1000);
	use_aio();
	return 0;
}

static int run_without_address_space(void *is_warm)
{
	struct attempt attempt;
	rlim_t used;

	attempt_open(&attempt);
	if (is_warm)
		use_aio();
	used = memory_in_use().mapped;
	for (rlim_t room = 0; room < 16 << 20; room += 256 << 10) {
		set_soft_limit(RLIMIT_AS, used + room);
		attempt_all(&attempt);
	}
	set_soft_limit(RLIMIT_AS, RLIM_INFINITY);
	use_aio();
	return 0;
}

#define TEST_COLD_AND_WARM(name, function)                                                      \
	static void test_first_use_##name(void **state)                                         \
	{                                                                                       \
		(void)state;                                                                    \
		support_check_child(in_child_with(function, NULL, 40000), #function, __FILE__,  \
				    __LINE__);                                                  \
	}                                                                                       \
	static void test_use_goes_on_##name(void **state)                                       \
	{                                                                                       \
		support_check_child(in_child_with(function, state, 40000), #function, __FILE__, \
				    __LINE__);                                                  \
	}

TEST_COLD_AND_WARM(without_threads, run_without_threads)
TEST_COLD_AND_WARM(without_address_space, run_without_address_space)

/* ---- what a refusal leaves ---- */

/* A program that looks at its blocks only must not take one that was refused for done. */
static void check_refused(const struct aiocb *cb, int ret)
{
	check_equal(ret, -1);
	check_equal(errno, EAGAIN);
	check_equal(aio_error(cb), EAGAIN);
}

/* With room for what malloc has already, but not for a mapping. */
static void forbid_mappings(void)
{
	free(malloc(64 << 10));
	set_soft_limit(RLIMIT_AS, 4096);
}

static int refuse_first_use(void)
{
	static struct aiocb cbs[5], nop, *list[] = { &cbs[0], NULL, &nop, &cbs[1] };
	const struct aiocb *waited[] = { &cbs[2] };
	struct aioinit init = { .aio_idle_time = 1 };
	static char buf[16];
	int fds[2];

	open_pipe(fds);
	aiocb_init_lio(&nop, LIO_NOP, -1, NULL, 0, 0);
	nop.__error_code = 0;
	for (int i = 0; i < 5; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fds[0], buf, 1, 0);
		cbs[i].__error_code = 0;
	}
	cbs[3].aio_fildes = fds[1];
	forbid_mappings();
	for (int mode = LIO_WAIT; mode <= LIO_NOWAIT; mode++) {
		check_refused(&cbs[0], lio_listio(mode, list, 4, NULL));
		check_equal(aio_error(&cbs[1]), EAGAIN);
		check_equal(aio_error(&nop), 0);
		cbs[0].__error_code = cbs[1].__error_code = 0;
	}
	check_refused(&cbs[2], aio_read(&cbs[2]));
	check_refused(&cbs[3], aio_write(&cbs[3]));
	check_refused(&cbs[4], aio_fsync(O_SYNC, &cbs[4]));
	/* There is nothing to cancel or to wait for. */
	check(aio_cancel(fds[0], NULL) == AIO_ALLDONE || errno == EAGAIN);
	check(aio_suspend(waited, 1, NULL) == 0 || errno == EAGAIN);
	aio_init(&init);
	set_soft_limit(RLIMIT_AS, RLIM_INFINITY);
	use_aio();
	return 0;
}

/* More requests than there is memory for. */
static int refuse_one_of_many(void)
{
	enum { NR = 20000 };
	static struct aiocb cbs[NR], next, *list[] = { NULL, &next };
	int fds[2], nr = 0, nr_accepted;
	static char buf[NR], byte;

	open_pipe(fds);
	submit_read(&cbs[nr], fds[0], &buf[nr], 1, 0);
	forbid_mappings();
	do {
		nr++;
		check(nr < NR);
		aiocb_init_lio(&cbs[nr], LIO_READ, fds[0], &buf[nr], 1, 0);
		cbs[nr].__error_code = 0;
	} while (aio_read(&cbs[nr]) == 0);
	check_refused(&cbs[nr], -1);
	list[0] = &cbs[nr];
	cbs[nr].__error_code = 0;
	check_refused(&cbs[nr], lio_listio(LIO_NOWAIT, list, 1, NULL));
	/* A caller that cannot ask is told that the request goes on, which is no lie. */
	check_equal(aio_cancel(fds[0], &cbs[0]), AIO_NOTCANCELED);
	/* When one has ended there is room for a list, but not for all of its entries. */
	write_fully(fds[1], buf, 1);
	check_equal(outcome(&cbs[0]), 1);
	cbs[nr].__error_code = 0;
	aiocb_init_lio(&next, LIO_READ, fds[0], &byte, 1, 0);
	check_refused(&next, lio_listio(LIO_NOWAIT, list, 2, NULL));
	nr_accepted = aio_error(&cbs[nr]) == EINPROGRESS;
	check(nr_accepted || aio_error(&cbs[nr]) == EAGAIN);
	set_soft_limit(RLIMIT_AS, RLIM_INFINITY);
	write_fully(fds[1], buf, (size_t)(nr - 1 + nr_accepted));
	for (int i = 1; i < nr + nr_accepted; i++)
		check_equal(outcome(&cbs[i]), 1);
	return 0;
}

TEST_IN_CHILD(test_first_requests_that_are_refused_say_so, refuse_first_use, 30000)
TEST_IN_CHILD(test_request_too_many_that_is_refused_says_so, refuse_one_of_many, 30000)

/* The same, each time as the first use of AIO: what it makes then may be made in part. */
static void attempt_first(int resource, rlim_t limit)
{
	struct attempt attempt;
	struct rlimit before;

	may_be_refused = true;
	attempt_open(&attempt);
	check_equal(getrlimit(resource, &before), 0);
	set_soft_limit(resource, limit);
	attempt_all(&attempt);
	set_soft_limit(resource, before.rlim_cur);
	if (!is_refused)
		use_aio();
}

static void check_first_attempt(int resource, rlim_t limit)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		attempt_first(resource, limit);
		_exit(0);
	}
	check_child(pid);
}

static int first_uses_without_address_space(void)
{
	for (rlim_t room = 0; room < ROOM_MAX; room += ROOM_STEP)
		check_first_attempt(RLIMIT_AS, memory_in_use().mapped + room);
	return 0;
}

static int first_uses_with_few_threads(void)
{
	become_nobody();
	/* Its parent's thread and its own count. */
	for (rlim_t nr = 0; nr < THREADS_MAX; nr++)
		check_first_attempt(RLIMIT_NPROC, nr + 2);
	return 0;
}

TEST_WITH_RINGS(test_each_first_use_without_address_space, first_uses_without_address_space, 40000)
TEST_WITH_RINGS(test_each_first_use_with_few_threads, first_uses_with_few_threads, 40000)

static int run_without_locked_memory(void)
{
	become_nobody();
	set_soft_limit(RLIMIT_MEMLOCK, 0);
	for (int i = 0; i < 3; i++)
		use_aio();
	return 0;
}

TEST_IN_CHILD(test_aio_works_without_locked_memory, run_without_locked_memory, 30000)

/*
 * Each request comes while the threads that served the one before end.  It is accepted, so it
 * completes, though no descriptor can be had from then on.
 */
static int run_without_descriptors(void)
{
	struct aioinit init = { .aio_threads = 20, .aio_num = 64, .aio_idle_time = -1 };
	uint64_t began = now_ns();
	struct rlimit before;
	struct aiocb cb;
	int fds[2];

	aio_init(&init);
	open_pipe(fds);
	check_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 1; goes_on(i, 2000, began); i++) {
		char got = 0;

		submit_read(&cb, fds[0], &got, 1, 0);
		set_soft_limit(RLIMIT_NOFILE, 0);
		write_fully(fds[1], "x", 1);
		check_equal(outcome(&cb), 1);
		check_equal(got, 'x');
		set_soft_limit(RLIMIT_NOFILE, before.rlim_cur);
	}
	return 0;
}

TEST_WITH_RINGS(test_accepted_requests_need_no_new_descriptor, run_without_descriptors, 30000)

/* ---- no thread for a callback ---- */

static atomic_int nr_called;

static void count_callback(union sigval value)
{
	nr_called += value.sival_int;
}

/* The data comes at once, and the callback when there can be a thread again. */
static int call_back_without_threads(void)
{
	struct aiocb cbs[3];
	char bytes[3];
	int fds[2];

	become_nobody();
	open_pipe(fds);
	for (int i = 0; i < 3; i++) {
		aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
		notify_by_thread(&cbs[i].aio_sigevent, count_callback, NULL);
		cbs[i].aio_sigevent.sigev_value.sival_int = 1;
		check_equal(aio_read(&cbs[i]), 0);
	}
	set_soft_limit(RLIMIT_NPROC, 1);
	write_fully(fds[1], "abc", 3);
	for (int i = 0; i < 3; i++)
		check_equal(outcome(&cbs[i]), 1);
	check_memory(bytes, "abc", 3);
	set_soft_limit(RLIMIT_NPROC, 1000);
	eventually(nr_called == 3);
	return 0;
}

TEST_IN_CHILD(test_missing_threads_delay_callbacks_only, call_back_without_threads, 30000)

/* ---- small stacks ---- */

static char small_buf[8192];
static int small_fd;
static int small_pipe[2];

/* Every call once, with next to nothing on the stack. */
static void *use_small_stack(void *arg)
{
	static struct aiocb cb, other;
	static struct aiocb *list[] = { &cb, &other };
	static const struct aiocb *waited[64];

	(void)arg;
	submit_read(&cb, small_fd, small_buf, 4096, 0);
	check_equal(outcome(&cb), 4096);
	submit_write(&cb, small_fd, small_buf, 4096, 0);
	check_equal(outcome(&cb), 4096);
	aiocb_init(&cb, small_fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &cb), 0);
	check_equal(outcome(&cb), 0);
	aiocb_init_lio(&cb, LIO_READ, small_fd, small_buf, 4096, 0);
	aiocb_init_lio(&other, LIO_READ, small_fd, small_buf + 4096, 4096, 4096);
	check_equal(lio_listio(LIO_WAIT, list, 2, NULL), 0);
	submit_read(&cb, small_pipe[0], small_buf, 1, 0);
	check_equal(aio_error(&cb), EINPROGRESS);
	submit_write(&other, small_pipe[1], "x", 1, 0);
	for (int i = 0; i < 64; i++)
		waited[i] = &cb;
	check_equal(aio_suspend(waited, 64, NULL), 0);
	check_equal(outcome(&cb), 1);
	check_equal(outcome(&other), 1);
	check_equal(aio_cancel(small_pipe[0], NULL), AIO_ALLDONE);
	return NULL;
}

static int run_on_small_stack(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	small_fd = temp_file_filled(8192);
	open_pipe(small_pipe);
	check_equal(pthread_attr_init(&attr), 0);
	check_equal(pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN), 0);
	for (int i = 0; i < 5; i++) {
		check_equal(pthread_create(&thread, &attr, use_small_stack, NULL), 0);
		join_thread(thread);
		evict(small_fd);
	}
	return 0;
}

TEST_IN_CHILD(test_aio_works_on_the_smallest_stack, run_on_small_stack, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_use_without_threads),
		cmocka_unit_test(test_use_goes_on_without_threads),
		cmocka_unit_test(test_first_use_without_address_space),
		cmocka_unit_test(test_use_goes_on_without_address_space),
		cmocka_unit_test(test_first_requests_that_are_refused_say_so),
		cmocka_unit_test(test_request_too_many_that_is_refused_says_so),

		cmocka_unit_test(test_each_first_use_without_address_space),
		cmocka_unit_test(test_each_first_use_with_few_threads),
		cmocka_unit_test(test_aio_works_without_locked_memory),
		cmocka_unit_test(test_accepted_requests_need_no_new_descriptor),
		cmocka_unit_test(test_missing_threads_delay_callbacks_only),
		cmocka_unit_test(test_aio_works_on_the_smallest_stack),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
