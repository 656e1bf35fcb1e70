// SPDX-License-Identifier: MIT
/*
 * test_waitcomplete.c - aio_waitcomplete() collects each request once, whatever has served it
 */
#include "waitcomplete.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define LONG_SIZE (1 << 20)

/* ---- a thread that waits ---- */

struct waiter {
	pthread_t thread;
	_Atomic pid_t tid;
	struct aiocb *cb;
	ssize_t res;
};

static void *wait_once(void *arg)
{
	struct waiter *waiter = arg;

	waiter->tid = (pid_t)syscall(SYS_gettid);
	waiter->cb = collect(&waiter->res, NULL);
	return NULL;
}

static void begin_wait(struct waiter *waiter)
{
	waiter->tid = 0;
	waiter->thread = start_thread(wait_once, waiter);
	eventually(waiter->tid != 0 && thread_sleeps(waiter->tid));
}

/* A read of one byte that has ended, whatever it went through. */
static void read_byte(struct aiocb *cb)
{
	static char byte;
	static int fd;

	if (fd == 0)
		fd = temp_file_filled(1);
	submit_read(cb, fd, &byte, 1, 0);
}

/* Rounds that meet by chance: as many as asked for, or fewer on a busy machine. */
static bool goes_on(int round, int nr, uint64_t began)
{
	return round == 1 || (round <= nr && now_ns() - began < 2000000000);
}

/* ---- timeouts and signals ---- */

static int zero_timeout(void)
{
	static struct aiocb cb;

	check_nothing_left();
	read_byte(&cb);
	eventually(aio_error(&cb) == 0);
	check_equal(collect_this(&cb), 1);
	check_nothing_left();
	return 0;
}

static int bad_timeouts(void)
{
	static const struct timespec bad[] = {
		{ -1, 0 }, { 0, -1 }, { 0, 1000000000 }, { 1, LONG_MAX }, { LONG_MIN, 0 },
	};
	static struct aiocb cb;
	ssize_t res;

	check_nothing_left();
	read_byte(&cb);
	eventually(aio_error(&cb) == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		check(collect(&res, &bad[i]) == NULL);
		check_equal(res, -EINVAL);
	}
	check_equal(collect_this(&cb), 1);
	return 0;
}

static int finite_timeout(void)
{
	static const struct timespec some = { .tv_nsec = 50000000 },
				     longest = { LONG_MAX, 999999999 };
	static struct aiocb cb;
	uint64_t begin = now_ns();
	ssize_t res;

	check(collect(&res, &some) == NULL);
	check_equal(res, -EAGAIN);
	check(now_ns() - begin >= 50000000);
	read_byte(&cb);
	check(collect(&res, &longest) == &cb);
	check_equal(res, 1);
	return 0;
}

static int handler_ends_it(void)
{
	struct waiter waiter;

	catch_signal(SIGUSR1, 0);
	begin_wait(&waiter);
	pthread_kill(waiter.thread, SIGUSR1);
	join_thread(waiter.thread);
	check(waiter.cb == NULL);
	check_equal(waiter.res, -EINTR);
	return 0;
}

static int restarted(void)
{
	static struct aiocb cb;
	struct waiter waiter;

	catch_signal(SIGUSR1, SA_RESTART);
	begin_wait(&waiter);
	pthread_kill(waiter.thread, SIGUSR1);
	eventually(nr_caught() == 1);
	eventually(thread_sleeps(waiter.tid));
	read_byte(&cb);
	join_thread(waiter.thread);
	check(waiter.cb == &cb);
	check_equal(waiter.res, 1);
	return 0;
}

TEST_WAITCOMPLETE(test_zero_timeout_only_looks, zero_timeout, 20000)
TEST_WAITCOMPLETE(test_bad_timeout_is_refused, bad_timeouts, 20000)
TEST_WAITCOMPLETE(test_timeout_ends_the_wait, finite_timeout, 20000)
TEST_WAITCOMPLETE(test_handler_ends_the_wait, handler_ends_it, 20000)
TEST_WAITCOMPLETE(test_restarting_handler_does_not_end_the_wait, restarted, 20000)

/* ---- lanes ---- */

struct lanes {
	struct aiocb cb;
	char *buf; /* LONG_SIZE bytes, for O_DIRECT as well */
	int fds[2];
};

typedef void lane_fn(struct lanes *lanes);

static void read_cached(struct lanes *lanes)
{
	read_byte(&lanes->cb);
}

static void read_direct(struct lanes *lanes)
{
	int fd = direct_file(4096, 0);

	if (fd < 0)
		fd = temp_file_filled(4096);
	submit_read(&lanes->cb, fd, lanes->buf, 4096, 0);
}

static void read_cold(struct lanes *lanes)
{
	int fd = temp_file_filled(8192);

	evict(fd);
	submit_read(&lanes->cb, fd, lanes->buf, 4096, 4096);
}

static void read_long(struct lanes *lanes)
{
	submit_read(&lanes->cb, temp_file_filled(LONG_SIZE), lanes->buf, LONG_SIZE, 0);
}

static void write_long(struct lanes *lanes)
{
	submit_write(&lanes->cb, temp_file(0), lanes->buf, LONG_SIZE, 0);
}

static void append(struct lanes *lanes)
{
	submit_write(&lanes->cb, temp_file(O_APPEND), lanes->buf, 100, 0);
}

static void sync_file(struct lanes *lanes)
{
	int fd = temp_file_filled(4096);

	aiocb_init(&lanes->cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &lanes->cb), 0);
}

static void read_pipe(struct lanes *lanes)
{
	open_pipe(lanes->fds);
	submit_read(&lanes->cb, lanes->fds[0], lanes->buf, 10, 0);
	write_fully(lanes->fds[1], "0123456789", 10);
}

static void write_pipe(struct lanes *lanes)
{
	open_pipe(lanes->fds);
	submit_write(&lanes->cb, lanes->fds[1], lanes->buf, 10, 0);
}

static void write_full_pipe(struct lanes *lanes)
{
	size_t size;

	open_pipe(lanes->fds);
	size = fill_up(lanes->fds[1]);
	submit_write(&lanes->cb, lanes->fds[1], lanes->buf, 10, 0);
	read_fully(lanes->fds[0], NULL, size);
}

static void read_socket(struct lanes *lanes)
{
	open_socketpair(lanes->fds, SOCK_STREAM);
	submit_read(&lanes->cb, lanes->fds[0], lanes->buf, 10, 0);
	write_fully(lanes->fds[1], "0123456789", 10);
}

static void write_socket(struct lanes *lanes)
{
	open_socketpair(lanes->fds, SOCK_STREAM);
	submit_write(&lanes->cb, lanes->fds[0], lanes->buf, 10, 0);
}

static const struct lane {
	lane_fn *submit;
	ssize_t res;
} all_lanes[] = {
	{ read_cached, 1 },       { read_direct, 4096 },     { read_cold, 4096 },
	{ read_long, LONG_SIZE }, { write_long, LONG_SIZE }, { append, 100 },
	{ sync_file, 0 },         { read_pipe, 10 },         { write_pipe, 10 },
	{ write_full_pipe, 10 },  { read_socket, 10 },       { write_socket, 10 },
};

#define NR_LANES (sizeof(all_lanes) / sizeof(*all_lanes))

static struct lanes lanes_of[NR_LANES];

static void submit_to(size_t i)
{
	lanes_of[i].buf = direct_buffer(LONG_SIZE);
	all_lanes[i].submit(&lanes_of[i]);
}

static int each_lane(void)
{
	check_nothing_left();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < NR_LANES; i++) {
			submit_to(i);
			check_equal(collect_this(&lanes_of[i].cb), all_lanes[i].res);
			check_nothing_left();
		}
	}
	return 0;
}

static int each_lane_wakes(void)
{
	struct waiter waiter;

	for (size_t i = 0; i < NR_LANES; i++) {
		begin_wait(&waiter);
		submit_to(i);
		join_thread(waiter.thread);
		check(waiter.cb == &lanes_of[i].cb);
		check_equal(waiter.res, all_lanes[i].res);
		check_nothing_left();
	}
	return 0;
}

static int all_lanes_together(void)
{
	static const struct timespec limit = { .tv_sec = 10 };
	bool is_seen[NR_LANES] = { false };
	ssize_t res;

	check_nothing_left();
	for (size_t i = 0; i < NR_LANES; i++)
		submit_to(i);
	for (size_t i = 0; i < NR_LANES; i++) {
		size_t found = 0;
		struct aiocb *cb = collect(&res, &limit);

		while (found < NR_LANES && cb != &lanes_of[found].cb)
			found++;
		check(found < NR_LANES && !is_seen[found]);
		is_seen[found] = true;
		check_equal(res, all_lanes[found].res);
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_request_of_each_lane_is_collected, each_lane, 60000)
TEST_WAITCOMPLETE(test_request_of_each_lane_wakes_who_waits_already, each_lane_wakes, 60000)
TEST_WAITCOMPLETE(test_requests_of_all_lanes_are_collected_once, all_lanes_together, 60000)

/* ---- lists ---- */

#define NR_ENTRIES 40

static void check_list(int mode, int fd)
{
	static struct aiocb cbs[NR_ENTRIES], *list[NR_ENTRIES];
	static char buf[NR_ENTRIES][64];
	bool is_seen[NR_ENTRIES] = { false };
	static const struct timespec limit = { .tv_sec = 10 };
	ssize_t res;

	for (int i = 0; i < NR_ENTRIES; i++) {
		aiocb_init_lio(&cbs[i], i % 8 == 7 ? LIO_NOP : LIO_READ, fd, buf[i], 64, i * 64);
		list[i] = &cbs[i];
	}
	check_equal(lio_listio(mode, list, NR_ENTRIES, NULL), 0);
	for (int i = 0; i < NR_ENTRIES - NR_ENTRIES / 8; i++) {
		const struct aiocb *cb = collect(&res, &limit);

		check(cb >= cbs && cb < cbs + NR_ENTRIES);
		check(!is_seen[cb - cbs] && (cb - cbs) % 8 != 7);
		is_seen[cb - cbs] = true;
		check_equal(res, 64);
		check_pattern(buf[cb - cbs], (size_t)(cb - cbs) * 64, 64);
	}
	check_nothing_left();
}

static int lists(void)
{
	int fd = temp_file_filled(NR_ENTRIES * 64);

	check_nothing_left();
	/* After some thousand reads the library may read lists in another way. */
	for (int round = 0; round < 200; round++) {
		if (round < 20 && round % 5 == 4)
			evict(fd);
		check_list(round % 2 ? LIO_WAIT : LIO_NOWAIT, fd);
	}
	return 0;
}

TEST_WAITCOMPLETE(test_entries_of_lists_are_collected, lists, 30000)

/* ---- requests that fail ---- */

static int failures(void)
{
	static struct aiocb cb;
	static char byte;
	int fds[2], directory = open(temp_dir(), O_RDONLY | O_DIRECTORY);

	check_nothing_left();
	open_pipe(fds);
	submit_read(&cb, fds[1], &byte, 1, 0);
	check_equal(collect_this(&cb), -EBADF);
	submit_read(&cb, 1000000, &byte, 1, 0);
	check_equal(collect_this(&cb), -EBADF);
	submit_read(&cb, temp_file_filled(10), (void *)1, 10, 0);
	check_equal(collect_this(&cb), -EFAULT);
	submit_read(&cb, directory, &byte, 1, 0);
	check_equal(collect_this(&cb), -EISDIR);
	submit_read(&cb, temp_file_filled(10), &byte, 1, -1);
	check_equal(collect_this(&cb), -EINVAL);
	check_nothing_left();
	return 0;
}

static int refusals(void)
{
	static struct aiocb cb, *list[] = { &cb };
	static char byte;
	int fd = temp_file_filled(10);

	check_nothing_left();
	aiocb_init(&cb, fd, &byte, 1, 0);
	cb.aio_reqprio = -1;
	check_equal(aio_read(&cb), -1);
	aiocb_init(&cb, 1000000, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), -1);
	check_equal(aio_fsync(12345, &cb), -1);
	aiocb_init_lio(&cb, LIO_READ, fd, &byte, 1, 0);
	cb.aio_reqprio = -1;
	check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), -1);
	check_nothing_left();
	return 0;
}

static int cancelled(void)
{
	static struct aiocb cbs[3];
	static char buf[3];
	int fds[2];

	check_nothing_left();
	open_pipe(fds);
	for (int i = 0; i < 3; i++)
		submit_read(&cbs[i], fds[0], &buf[i], 1, 0);
	check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
	check_equal(collect_this(&cbs[1]), -ECANCELED);
	check_equal(aio_cancel(fds[0], &cbs[2]), AIO_CANCELED);
	check_equal(collect_this(&cbs[2]), -ECANCELED);
	write_fully(fds[1], "x", 1);
	check_equal(collect_this(&cbs[0]), 1);
	check_nothing_left();
	return 0;
}

/* The first one may have begun; then it goes on. */
static int closed(void)
{
	static struct aiocb cbs[3];
	static char buf[3];
	bool is_seen[3] = { false };
	int fds[2];

	check_nothing_left();
	signal(SIGPIPE, SIG_IGN);
	open_pipe(fds);
	for (int i = 0; i < 3; i++)
		submit_read(&cbs[i], fds[0], &buf[i], 1, 0);
	close(fds[0]);
	for (int i = 0; i < 3; i++) {
		static const struct timespec limit = { .tv_sec = 10 };
		const struct aiocb *cb;
		ssize_t res;

		if (i == 2)
			(void)!write(fds[1], "x", 1);
		cb = collect(&res, &limit);
		check(cb >= cbs && cb < cbs + 3 && !is_seen[cb - cbs]);
		is_seen[cb - cbs] = true;
		check(res == -ECANCELED || (cb == &cbs[0] && res == 1));
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_failed_request_is_collected_with_its_error, failures, 20000)
TEST_WAITCOMPLETE(test_refused_request_is_not_collected, refusals, 20000)
TEST_WAITCOMPLETE(test_cancelled_request_is_collected, cancelled, 20000)
TEST_WAITCOMPLETE(test_requests_of_a_closed_descriptor_are_collected, closed, 20000)

/* ---- order, and aio_return ---- */

static int order(void)
{
	static const int sequence[] = { 2, 0, 3, 1 };
	static struct aiocb cbs[4];
	static char buf[4];
	int fds[4][2];

	check_nothing_left();
	for (int i = 0; i < 4; i++) {
		open_pipe(fds[i]);
		submit_read(&cbs[i], fds[i][0], &buf[i], 1, 0);
	}
	for (int i = 0; i < 4; i++) {
		write_fully(fds[sequence[i]][1], "x", 1);
		eventually(aio_error(&cbs[sequence[i]]) == 0);
	}
	for (int i = 0; i < 4; i++)
		check_equal(collect_this(&cbs[sequence[i]]), 1);
	check_nothing_left();
	return 0;
}

/* They may have ended in any order. */
static void collect_both(const struct aiocb *one, const struct aiocb *other)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	ssize_t res;
	const struct aiocb *found = collect(&res, &timeout);

	check(found == one || found == other);
	check_equal(res, 1);
	check_equal(collect_this(found == one ? other : one), 1);
}

static int returned_before(void)
{
	static struct aiocb cbs[3];

	check_nothing_left();
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 3; i++)
			read_byte(&cbs[i]);
		for (int i = 0; i < 3; i++)
			eventually(aio_error(&cbs[i]) == 0);
		check_equal(aio_return(&cbs[1]), 1);
		if (round % 2) {
			collect_both(&cbs[0], &cbs[2]);
		} else {
			check_equal(aio_return(&cbs[2]), 1);
			check_equal(aio_return(&cbs[0]), 1);
		}
		check_nothing_left();
	}
	return 0;
}

static int asked_too_early(void)
{
	static struct aiocb cb;
	static char byte;
	int fds[2];

	check_nothing_left();
	open_pipe(fds);
	submit_read(&cb, fds[0], &byte, 1, 0);
	(void)aio_return(&cb);
	check_nothing_left();
	write_fully(fds[1], "x", 1);
	check_equal(collect_this(&cb), 1);
	return 0;
}

static int not_kept(void)
{
	static struct aiocb before, after;
	static char byte;
	int fds[2];

	read_byte(&after);
	open_pipe(fds);
	submit_read(&before, fds[0], &byte, 1, 0);
	check_nothing_left();
	write_fully(fds[1], "x", 1);
	check_equal(await_result(&before), 1);
	check_nothing_left();
	check_equal(await_result(&after), 1);
	read_byte(&after);
	check_equal(collect_this(&after), 1);
	return 0;
}

TEST_WAITCOMPLETE(test_requests_are_collected_in_the_order_of_their_ends, order, 20000)
TEST_WAITCOMPLETE(test_aio_return_collects, returned_before, 20000)
TEST_WAITCOMPLETE(test_aio_return_of_a_running_request_does_not_collect, asked_too_early, 20000)
TEST_WAITCOMPLETE(test_earlier_requests_are_not_kept, not_kept, 20000)

/* ---- aio_return on another thread, as soon as the result is visible ---- */

#define NR_RACES 1000

static struct aiocb raced;
static _Atomic int begun, returned; /* rounds */
static _Atomic bool is_race_over;

static void *return_each(void *unused)
{
	for (int round = 1;; round++) {
		while (begun < round && !is_race_over)
			sched_yield();
		if (is_race_over)
			return unused;
		while (aio_error(&raced) == EINPROGRESS)
			sched_yield();
		check_equal(aio_return(&raced), 1);
		returned = round;
	}
}

static int race(void)
{
	static char byte;
	pthread_t thread = start_thread(return_each, NULL);
	uint64_t began = now_ns();
	int fds[2];

	check_nothing_left();
	open_pipe(fds);
	for (int round = 1; goes_on(round, NR_RACES, began); round++) {
		bool was_returned;
		ssize_t res;

		submit_read(&raced, fds[0], &byte, 1, 0);
		begun = round;
		write_fully(fds[1], "x", 1);
		do {
			was_returned = returned == round;
			if (collect(&res, &at_once)) {
				check(!was_returned);
				check_equal(res, 1);
			}
		} while (!was_returned);
	}
	is_race_over = true;
	join_thread(thread);
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_what_was_returned_is_not_collected, race, 60000)

/* ---- many ---- */

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Nanoseconds for each of @nr requests that wait on one pipe: half by aio_return, the last ones first. */
static uint64_t time_to_collect(int nr)
{
	struct aiocb *cbs = calloc((size_t)nr, sizeof(*cbs));
	char *buf = calloc((size_t)nr, 1), *data = calloc((size_t)nr, 1);
	uint64_t began;
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < nr; i++)
		submit_read(&cbs[i], fds[0], &buf[i], 1, 0);
	write_fully(fds[1], data, (size_t)nr);
	eventually(aio_error(&cbs[nr - 1]) == 0);
	began = cpu_ns();
	for (int i = nr - 1; i >= nr / 2; i--)
		check_equal(aio_return(&cbs[i]), 1);
	for (int i = 0; i < nr / 2; i++)
		check_equal(collect_this(&cbs[i]), 1);
	check_nothing_left();
	began = cpu_ns() - began;
	close_pair(fds);
	free(cbs);
	free(buf);
	free(data);
	return began / (uint64_t)nr;
}

static int many(void)
{
	uint64_t few_ns, many_ns;

	choose_default_deadline(60000);
	check_nothing_left();
	few_ns = time_to_collect(1000);
	many_ns = time_to_collect(100000);
	if (many_ns > 20 * few_ns + 2000)
		check_failed("%llu ns with 1,000, %llu with 100,000", (unsigned long long)few_ns,
			     (unsigned long long)many_ns);
	return 0;
}

TEST_WAITCOMPLETE(test_hundred_thousand_requests_cost_no_more_each, many, 120000)

/* ---- many threads ---- */

#define NR_THREADS 16
#define NR_BLOCKS  256

static struct aiocb crowd_cb[NR_BLOCKS + NR_THREADS]; /* the last ones tell a thread to end */
static _Atomic bool is_under_way[NR_BLOCKS + NR_THREADS];
static _Atomic long nr_submitted, nr_collected;
static long nr_wanted;
static int crowd_fd;

static long nr_completions(void)
{
	const char *text = getenv("RTAIO_TEST_COMPLETIONS");

	return text ? atol(text) : 20000;
}

static void crowd_submit(long i)
{
	static char bytes[NR_BLOCKS + NR_THREADS];

	check(!atomic_exchange(&is_under_way[i], true));
	submit_read(&crowd_cb[i], crowd_fd, &bytes[i], 1, i);
}

static void *collect_and_submit(void *unused)
{
	for (;;) {
		ssize_t res;
		const struct aiocb *cb = collect(&res, NULL);
		long i = cb - crowd_cb;

		check(cb != NULL);
		check_equal(res, 1);
		check(atomic_exchange(&is_under_way[i], false));
		if (i >= NR_BLOCKS)
			return unused;
		if (atomic_fetch_add(&nr_submitted, 1) < nr_wanted)
			crowd_submit(i);
		if (atomic_fetch_add(&nr_collected, 1) == nr_wanted - 1)
			for (i = NR_BLOCKS; i < NR_BLOCKS + NR_THREADS; i++)
				crowd_submit(i);
	}
}

static int crowd(void)
{
	pthread_t threads[NR_THREADS];

	nr_wanted = nr_completions();
	nr_submitted = NR_BLOCKS;
	crowd_fd = temp_file_filled(NR_BLOCKS + NR_THREADS);
	check_nothing_left();
	for (int i = 0; i < NR_THREADS; i++)
		threads[i] = start_thread(collect_and_submit, NULL);
	for (long i = 0; i < NR_BLOCKS; i++)
		crowd_submit(i);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_join(threads[i], NULL), 0);
	check_equal(nr_collected, nr_wanted);
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_sixteen_threads_collect_each_request_once, crowd, 600000)

/* ---- nobody sleeps while there is something to collect ---- */

#define NR_SLEEPERS 4
#define NR_WAKES    2000

static struct aiocb wake_cb[2];
static _Atomic int nr_woken;
static _Atomic bool is_last;

static void *collect_all(void *unused)
{
	for (;;) {
		ssize_t res;
		const struct aiocb *cb = collect(&res, NULL);

		check(cb != NULL);
		if (is_last)
			return unused;
		if (cb == &wake_cb[0])
			nr_woken++;
	}
}

/* The aio_return of one finds another, which somebody who waits must get. */
static int wakes(void)
{
	pthread_t threads[NR_SLEEPERS];
	static struct aiocb last[NR_SLEEPERS];
	uint64_t began = now_ns();

	check_nothing_left();
	for (int i = 0; i < NR_SLEEPERS; i++)
		threads[i] = start_thread(collect_all, NULL);
	for (int round = 1; goes_on(round, NR_WAKES, began); round++) {
		read_byte(&wake_cb[0]);
		read_byte(&wake_cb[1]);
		eventually(aio_error(&wake_cb[1]) == 0);
		check_equal(aio_return(&wake_cb[1]), 1);
		eventually(nr_woken == round);
	}
	is_last = true;
	for (int i = 0; i < NR_SLEEPERS; i++)
		read_byte(&last[i]);
	for (int i = 0; i < NR_SLEEPERS; i++)
		join_thread(threads[i]);
	return 0;
}

TEST_WAITCOMPLETE(test_nobody_sleeps_beside_a_complete_request, wakes, 60000)

/* ---- a call finds what another one is about to sort ---- */

#define NR_SORTED   5000
#define NR_SORTINGS 20

static struct aiocb sorted_cb[NR_SORTED];
static _Atomic int nr_sortings, nr_checked; /* rounds */
static _Atomic bool is_sorting_over;

static void *collect_without_waiting(void *unused)
{
	for (int round = 1;; round++) {
		while (nr_sortings < round && !is_sorting_over)
			continue;
		if (is_sorting_over)
			return unused;
		for (int i = 0; i < NR_SORTED - 1; i++) {
			ssize_t res;

			if (!collect(&res, &at_once))
				check_failed("round %d: %d of %d were not found: %s", round,
					     NR_SORTED - 1 - i, NR_SORTED, strerror((int)-res));
		}
		nr_checked = round;
	}
}

static int sorting(void)
{
	uint64_t began = now_ns();
	pthread_t thread;

	check_nothing_left();
	thread = start_thread(collect_without_waiting, NULL);
	for (int round = 1; goes_on(round, NR_SORTINGS, began); round++) {
		for (int i = 0; i < NR_SORTED; i++)
			read_byte(&sorted_cb[i]);
		for (int i = 0; i < NR_SORTED; i++)
			eventually(aio_error(&sorted_cb[i]) == 0);
		nr_sortings = round;
		check_equal(aio_return(&sorted_cb[NR_SORTED - 1]), 1);
		eventually(nr_checked == round);
		check_nothing_left();
	}
	is_sorting_over = true;
	join_thread(thread);
	return 0;
}

TEST_WAITCOMPLETE(test_complete_request_is_found_at_any_moment, sorting, 60000)

/* ---- handlers ---- */

#define NR_INTERRUPTED 5000

static struct aiocb interrupted_cb[NR_INTERRUPTED], handler_cb;
static _Atomic int nr_of_cb[NR_INTERRUPTED];
static _Atomic bool handler_is_over;

static void note_collected(const struct aiocb *cb, ssize_t res)
{
	check_equal(res, 1);
	if (cb != &handler_cb)
		nr_of_cb[cb - interrupted_cb]++;
}

static void submit_and_collect(int signo)
{
	const struct aiocb *cb;
	ssize_t res;

	(void)signo;
	read_byte(&handler_cb);
	do {
		cb = collect(&res, NULL);
		if (cb)
			note_collected(cb, res);
	} while (cb != &handler_cb);
	if (!handler_is_over)
		wind_timer(100);
}

static int in_handlers(void)
{
	static char bytes[NR_INTERRUPTED];
	int fd = temp_file_filled(NR_INTERRUPTED);
	const struct aiocb *cb;
	ssize_t res;

	check_nothing_left();
	read_byte(&handler_cb); /* opens its file */
	check_equal(collect_this(&handler_cb), 1);
	handle_signal(SIGALRM, submit_and_collect, SA_RESTART);
	wind_timer(100);
	for (int i = 0; i < NR_INTERRUPTED; i++) {
		submit_read(&interrupted_cb[i], fd, &bytes[i], 1, i);
		while ((cb = collect(&res, &at_once)))
			note_collected(cb, res);
		check(res == -EAGAIN || res == -EINTR);
	}
	handler_is_over = true;
	change_mask(SIG_BLOCK, SIGALRM);
	for (int i = 0; i < NR_INTERRUPTED; i++) {
		eventually(aio_error(&interrupted_cb[i]) == 0);
		while ((cb = collect(&res, &at_once)))
			note_collected(cb, res);
		check_equal(nr_of_cb[i], 1);
	}
	return 0;
}

static sigjmp_buf before_wait;

static void jump(int signo)
{
	(void)signo;
	siglongjmp(before_wait, 1);
}

static int jumps(void)
{
	static struct aiocb cb;
	volatile int round = 0;
	uint64_t began = now_ns();
	char *buf = direct_buffer(4096);
	int fd = direct_file(4096, 0);
	ssize_t res;

	if (fd < 0)
		fd = temp_file_filled(4096);
	check_nothing_left();
	handle_signal(SIGALRM, jump, 0);
	while (goes_on(++round, 100, began)) {
		if (sigsetjmp(before_wait, 1) == 0) {
			wind_timer(1000);
			collect(&res, NULL);
			check_failed("the wait has ended: %s", strerror((int)-res));
		}
		submit_read(&cb, fd, buf, 4096, 0);
		check_equal(collect_this(&cb), 4096);
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_handlers_collect, in_handlers, 60000)
TEST_WAITCOMPLETE(test_handler_may_jump_out_of_the_wait, jumps, 60000)

/* ---- threads that end ---- */

static int cancelled_threads(void)
{
	static struct aiocb cb;
	struct waiter waiters[4];
	void *end;

	for (int i = 0; i < 4; i++)
		begin_wait(&waiters[i]);
	for (int i = 0; i < 3; i++) {
		pthread_cancel(waiters[i].thread);
		check_equal(pthread_join(waiters[i].thread, &end), 0);
		check(end == PTHREAD_CANCELED);
	}
	read_byte(&cb);
	join_thread(waiters[3].thread);
	check(waiters[3].cb == &cb);
	read_byte(&cb);
	check_equal(collect_this(&cb), 1);
	check_nothing_left();
	return 0;
}

static struct aiocb left_behind;

static void *submit_and_end(void *pipe_end)
{
	static char byte;

	submit_read(&left_behind, *(int *)pipe_end, &byte, 1, 0);
	return NULL;
}

static int ended_threads(void)
{
	int fds[2];

	check_nothing_left();
	open_pipe(fds);
	for (int i = 0; i < 20; i++) {
		join_thread(start_thread(submit_and_end, &fds[0]));
		write_fully(fds[1], "x", 1);
		check_equal(collect_this(&left_behind), 1);
	}
	return 0;
}

TEST_WAITCOMPLETE(test_waits_of_others_survive_cancelled_threads, cancelled_threads, 20000)
TEST_WAITCOMPLETE(test_requests_of_a_thread_that_has_ended_are_collected, ended_threads, 20000)

/* ---- fork ---- */

static int child_beside_waiters(void)
{
	static struct aiocb done, cb;
	struct waiter waiter;
	pid_t child;

	check_nothing_left();
	read_byte(&done);
	eventually(aio_error(&done) == 0);
	child = fork();
	if (child == 0) {
		check_nothing_left();
		check_equal(aio_return(&done), 1);
		read_byte(&cb);
		check_equal(collect_this(&cb), 1);
		check_nothing_left();
		_exit(0);
	}
	check_child(child);
	check_equal(collect_this(&done), 1);
	begin_wait(&waiter);
	child = fork();
	if (child == 0) {
		read_byte(&cb);
		check_equal(collect_this(&cb), 1);
		check_nothing_left();
		_exit(0);
	}
	check_child(child);
	read_byte(&cb);
	join_thread(waiter.thread);
	check(waiter.cb == &cb);
	return 0;
}

static _Atomic bool storm_is_over;

static void *storm(void *unused)
{
	struct aiocb cbs[2];
	ssize_t res;

	while (!storm_is_over) {
		for (int i = 0; i < 2; i++)
			read_byte(&cbs[i]);
		for (int i = 0; i < 2; i++)
			check_equal(await_result(&cbs[i]), 1);
		collect(&res, &at_once);
	}
	return unused;
}

/* Whatever another thread was doing: the child can collect what its parent has submitted. */
static int fork_storm(void)
{
	static struct aiocb done;
	uint64_t began = now_ns();
	pthread_t threads[2];

	read_byte(&done);
	check_equal(await_result(&done), 1);
	check_nothing_left();
	for (int i = 0; i < 2; i++)
		threads[i] = start_thread(storm, NULL);
	for (int i = 1; goes_on(i, 300, began); i++) {
		pid_t child = fork();

		if (child == 0) {
			check_equal(aio_return(&done), 1);
			check_nothing_left();
			_exit(0);
		}
		check_child(child);
	}
	storm_is_over = true;
	for (int i = 0; i < 2; i++)
		join_thread(threads[i]);
	return 0;
}

static _Atomic pid_t forked; /* in the child 0 */
static _Atomic int nr_forked;

static void fork_in_handler(int signo)
{
	(void)signo;
	forked = fork();
	nr_forked++;
}

/* The child goes on in the wait, which ends. */
static int fork_in_waits(void)
{
	struct timespec short_wait = { .tv_nsec = 2000000 };
	uint64_t began = now_ns();
	pthread_t threads[2];
	ssize_t res;

	check_nothing_left();
	handle_signal(SIGALRM, fork_in_handler, 0);
	change_mask(SIG_BLOCK, SIGALRM); /* in the other threads */
	for (int i = 0; i < 2; i++)
		threads[i] = start_thread(storm, NULL);
	change_mask(SIG_UNBLOCK, SIGALRM);
	for (int i = 1; goes_on(i, 300, began); i++) {
		forked = -1;
		nr_forked = 0;
		wind_timer(200);
		while (nr_forked == 0)
			(void)collect(&res, &short_wait);
		if (forked == 0)
			_exit(collect(&res, &at_once) ? 1 : 0);
		check_child(forked);
	}
	storm_is_over = true;
	for (int i = 0; i < 2; i++)
		join_thread(threads[i]);
	return 0;
}

TEST_WAITCOMPLETE(test_child_has_completions_of_its_own, child_beside_waiters, 20000)
TEST_WAITCOMPLETE(test_children_collect_amid_a_storm, fork_storm, 60000)
TEST_WAITCOMPLETE(test_wait_ends_in_a_child_that_its_handler_forks, fork_in_waits, 60000)

/* ---- memory ---- */

static void return_many(int nr)
{
	static struct aiocb cb;

	for (int i = 0; i < nr; i++) {
		read_byte(&cb);
		check_equal(await_result(&cb), 1);
	}
}

static int memory(void)
{
	size_t before;

	check_nothing_left();
	return_many(2000);
	before = memory_in_use().resident;
	return_many(20000);
	check(memory_in_use().resident < before + (1 << 20));
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_nothing_grows_if_aio_return_collects, memory, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_timeout_only_looks),
		cmocka_unit_test(test_bad_timeout_is_refused),
		cmocka_unit_test(test_timeout_ends_the_wait),
		cmocka_unit_test(test_handler_ends_the_wait),
		cmocka_unit_test(test_restarting_handler_does_not_end_the_wait),
		cmocka_unit_test(test_request_of_each_lane_is_collected),
		cmocka_unit_test(test_request_of_each_lane_wakes_who_waits_already),
		cmocka_unit_test(test_requests_of_all_lanes_are_collected_once),
		cmocka_unit_test(test_entries_of_lists_are_collected),
		cmocka_unit_test(test_failed_request_is_collected_with_its_error),
		cmocka_unit_test(test_refused_request_is_not_collected),
		cmocka_unit_test(test_cancelled_request_is_collected),
		cmocka_unit_test(test_requests_of_a_closed_descriptor_are_collected),
		cmocka_unit_test(test_requests_are_collected_in_the_order_of_their_ends),
		cmocka_unit_test(test_aio_return_collects),
		cmocka_unit_test(test_aio_return_of_a_running_request_does_not_collect),
		cmocka_unit_test(test_earlier_requests_are_not_kept),
		cmocka_unit_test(test_what_was_returned_is_not_collected),
		cmocka_unit_test(test_hundred_thousand_requests_cost_no_more_each),
		cmocka_unit_test(test_sixteen_threads_collect_each_request_once),
		cmocka_unit_test(test_nobody_sleeps_beside_a_complete_request),
		cmocka_unit_test(test_complete_request_is_found_at_any_moment),
		cmocka_unit_test(test_handlers_collect),
		cmocka_unit_test(test_handler_may_jump_out_of_the_wait),
		cmocka_unit_test(test_waits_of_others_survive_cancelled_threads),
		cmocka_unit_test(test_requests_of_a_thread_that_has_ended_are_collected),
		cmocka_unit_test(test_child_has_completions_of_its_own),
		cmocka_unit_test(test_children_collect_amid_a_storm),
		cmocka_unit_test(test_wait_ends_in_a_child_that_its_handler_forks),
		cmocka_unit_test(test_nothing_grows_if_aio_return_collects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
