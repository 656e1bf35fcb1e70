// SPDX-License-Identifier: MIT
/*
 * test_eventfd.c - SIGEV_EVENTFD adds one to the counter of an eventfd when a request, or a list, has ended
 */
#include "waitcomplete.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define FULL UINT64_C(0xfffffffffffffffe)

static int new_eventfd(int flags)
{
	int fd = eventfd(0, flags | EFD_CLOEXEC);

	check(fd >= 0);
	return fd;
}

static void notify_by_eventfd(struct sigevent *event, int fd)
{
	memset(event, 0x5a, sizeof(*event));
	event->sigev_notify = SIGEV_EVENTFD;
	event->sigev_notify_eventfd = fd;
}

static bool can_be_read(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, 0) == 1;
}

/* The counter, which becomes 0; it is 0 already if nothing was added. */
static uint64_t take_counter(int fd)
{
	uint64_t value = 0;

	if (can_be_read(fd))
		check_equal(read(fd, &value, sizeof(value)), sizeof(value));
	return value;
}

static void await_counter(int fd, uint64_t expected)
{
	uint64_t value = 0;

	eventually((value += take_counter(fd)) >= expected);
	check_equal(value, expected);
}

/* Read @nbytes, of a file from its beginning on. */
static int try_read(struct aiocb *cb, int eventfd, int fd, void *buf, size_t nbytes)
{
	aiocb_init(cb, fd, buf, nbytes, 0);
	notify_by_eventfd(&cb->aio_sigevent, eventfd);
	return aio_read(cb);
}

static void read_to(struct aiocb *cb, int eventfd, int fd, void *buf, size_t nbytes)
{
	check_equal(try_read(cb, eventfd, fd, buf, nbytes), 0);
}

/* The one that has just been submitted ends, is announced and is collected. */
static void check_announced(const struct aiocb *cb, int eventfd, ssize_t res)
{
	await_counter(eventfd, 1);
	check_equal(aio_error(cb), res < 0 ? -res : 0);
	check_equal(collect_this(cb), res);
	check_nothing_left();
	check_equal(take_counter(eventfd), 0);
}

/* ---- requests of each kind; aio_waitcomplete was never called before ---- */

static int each_kind(void)
{
	static struct aiocb cb;
	int event = new_eventfd(0), fds[2], cached = temp_file_filled(4096),
	    direct = direct_file(4096, 0);
	char *buf = direct_buffer(1 << 20);

	if (direct < 0)
		direct = temp_file_filled(4096);
	open_pipe(fds);
	for (int round = 0; round < 3; round++) {
		read_to(&cb, event, cached, buf, 100);
		check_announced(&cb, event, 100);
		evict(cached);
		read_to(&cb, event, cached, buf, 4096);
		check_announced(&cb, event, 4096);
		read_to(&cb, event, direct, buf, 4096);
		check_announced(&cb, event, 4096);
		read_to(&cb, event, fds[0], buf, 10);
		check_equal(take_counter(event), 0);
		write_fully(fds[1], "0123456789", 10);
		check_announced(&cb, event, 10);
		aiocb_init(&cb, temp_file(0), buf, 1 << 20, 0);
		notify_by_eventfd(&cb.aio_sigevent, event);
		check_equal(aio_write(&cb), 0);
		check_announced(&cb, event, 1 << 20);
		aiocb_init(&cb, cached, NULL, 0, 0);
		notify_by_eventfd(&cb.aio_sigevent, event);
		check_equal(aio_fsync(O_DSYNC, &cb), 0);
		check_announced(&cb, event, 0);
	}
	return 0;
}

static int failures(void)
{
	static struct aiocb cbs[2];
	static char byte;
	int event = new_eventfd(0), fds[2];

	open_pipe(fds);
	read_to(&cbs[0], event, fds[1], &byte, 1);
	check_announced(&cbs[0], event, -EBADF);
	read_to(&cbs[0], event, temp_file_filled(1), (void *)1, 1);
	check_announced(&cbs[0], event, -EFAULT);
	read_to(&cbs[0], event, fds[0], &byte, 1);
	read_to(&cbs[1], event, fds[0], &byte, 1);
	check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
	check_announced(&cbs[1], event, -ECANCELED);
	write_fully(fds[1], "x", 1);
	check_announced(&cbs[0], event, 1);
	return 0;
}

static int each_flag(void)
{
	static const int flags[] = { 0, EFD_NONBLOCK, EFD_SEMAPHORE, EFD_SEMAPHORE | EFD_NONBLOCK };
	static struct aiocb cbs[3];
	static char bytes[3];
	int file = temp_file_filled(3);

	for (int i = 0; i < 4; i++) {
		int event = new_eventfd(flags[i]);

		for (int k = 0; k < 3; k++)
			read_to(&cbs[k], event, file, &bytes[k], 1);
		await_counter(event, 3);
		for (int k = 0; k < 3; k++)
			check(aio_error(&cbs[k]) == 0 && aio_return(&cbs[k]) == 1);
		check_equal(take_counter(event), 0);
	}
	check_nothing_left();
	return 0;
}

/* A thread that sleeps in read() is woken. */
static void *read_counter(void *arg)
{
	uint64_t value;
	int fd = *(int *)arg;

	check_equal(read(fd, &value, sizeof(value)), sizeof(value));
	check_equal(value, 1);
	return NULL;
}

static int sleeping_reader(void)
{
	static struct aiocb cb;
	static char byte;
	int event = new_eventfd(0), fds[2];
	pthread_t thread = start_thread(read_counter, &event);

	open_pipe(fds);
	read_to(&cb, event, fds[0], &byte, 1);
	eventually(others_are_asleep());
	write_fully(fds[1], "x", 1);
	join_thread(thread);
	check_equal(aio_error(&cb), 0);
	return 0;
}

TEST_WAITCOMPLETE(test_request_of_each_kind_is_announced, each_kind, 30000)
TEST_WAITCOMPLETE(test_failed_and_cancelled_requests_are_announced, failures, 20000)
TEST_WAITCOMPLETE(test_eventfd_of_each_kind_serves, each_flag, 20000)
TEST_WAITCOMPLETE(test_sleeping_reader_is_woken, sleeping_reader, 20000)

/* ---- lists ---- */

#define NR_ENTRIES 20

static struct aiocb entry_cb[NR_ENTRIES], *entries[NR_ENTRIES];
static char entry_buf[NR_ENTRIES];

static void prepare_entries(int fd)
{
	for (int i = 0; i < NR_ENTRIES; i++) {
		aiocb_init_lio(&entry_cb[i], LIO_READ, fd, &entry_buf[i], 1, i);
		entries[i] = &entry_cb[i];
	}
}

static void check_all_have_ended(void)
{
	for (int i = 0; i < NR_ENTRIES; i++) {
		check_equal(aio_error(&entry_cb[i]), 0);
		check_equal(aio_return(&entry_cb[i]), 1);
	}
}

static int lists(void)
{
	int group_event = new_eventfd(0), event = new_eventfd(0),
	    file = temp_file_filled(NR_ENTRIES);
	struct sigevent sigevent;

	notify_by_eventfd(&sigevent, group_event);
	for (int round = 0; round < 20; round++) {
		bool do_entries = round % 2, is_cold = round % 4 / 2;

		prepare_entries(file);
		for (int i = 0; do_entries && i < NR_ENTRIES; i++)
			notify_by_eventfd(&entry_cb[i].aio_sigevent, event);
		if (is_cold)
			evict(file);
		check_equal(lio_listio(LIO_NOWAIT, entries, NR_ENTRIES, &sigevent), 0);
		await_counter(group_event, 1);
		check_all_have_ended();
		await_counter(event, do_entries ? NR_ENTRIES : 0);
		check_equal(take_counter(group_event), 0);
	}
	check_nothing_left();
	return 0;
}

static int pipe_list(void)
{
	int event = new_eventfd(0), fds[2];
	struct sigevent sigevent;

	open_pipe(fds);
	notify_by_eventfd(&sigevent, event);
	prepare_entries(fds[0]);
	check_equal(lio_listio(LIO_NOWAIT, entries, NR_ENTRIES, &sigevent), 0);
	write_fully(fds[1], "0123456789012345678", NR_ENTRIES - 1);
	check_equal(await(&entry_cb[NR_ENTRIES - 2]), 0);
	check_equal(take_counter(event), 0);
	write_fully(fds[1], "x", 1);
	await_counter(event, 1);
	check_all_have_ended();
	return 0;
}

static int other_lists(void)
{
	static struct aiocb nop, *nops[] = { &nop };
	int event = new_eventfd(0);
	struct sigevent sigevent;

	notify_by_eventfd(&sigevent, event);
	check_equal(lio_listio(LIO_NOWAIT, nops, 0, &sigevent), 0);
	await_counter(event, 1);
	aiocb_init_lio(&nop, LIO_NOP, 0, NULL, 0, 0);
	check_equal(lio_listio(LIO_NOWAIT, nops, 1, &sigevent), 0);
	await_counter(event, 1);
	prepare_entries(temp_file_filled(NR_ENTRIES));
	check_equal(lio_listio(LIO_WAIT, entries, NR_ENTRIES, &sigevent), 0);
	check_all_have_ended();
	check_equal(take_counter(event), 0);
	notify_by_eventfd(&sigevent, 1000000);
	prepare_entries(temp_file_filled(NR_ENTRIES));
	errno = 0;
	check_equal(lio_listio(LIO_NOWAIT, entries, NR_ENTRIES, &sigevent), -1);
	check_equal(errno, EBADF);
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_list_is_announced_once, lists, 20000)
TEST_WAITCOMPLETE(test_list_is_announced_after_its_last_entry, pipe_list, 20000)
TEST_WAITCOMPLETE(test_empty_lists_are_announced_and_waits_are_not, other_lists, 20000)

/* ---- an event loop ---- */

#define NR_LOOP 3000

static struct aiocb loop_cb[NR_LOOP];

static void submit_for_loop(int event)
{
	static char bytes[NR_LOOP];
	static int fds[2], file, direct;
	static char *buf;

	file = temp_file_filled(NR_LOOP);
	direct = direct_file(4096, 0);
	buf = direct_buffer(4096);
	open_pipe(fds);
	for (int i = 0; i < NR_LOOP; i++) {
		if (i % 10 == 1) {
			read_to(&loop_cb[i], event, fds[0], &bytes[i], 1);
			write_fully(fds[1], "x", 1);
		} else if (i % 10 == 2 && direct >= 0) {
			read_to(&loop_cb[i], event, direct, buf, 4096);
		} else {
			read_to(&loop_cb[i], event, file, &bytes[i], 1);
		}
	}
}

static void *submit_all(void *event)
{
	submit_for_loop(*(int *)event);
	return NULL;
}

static int collect_until_empty(void)
{
	int nr = 0;
	ssize_t res;

	while (collect(&res, &at_once)) {
		check(res == 1 || res == 4096);
		nr++;
	}
	check_equal(res, -EAGAIN);
	return nr;
}

/* What the counter has counted can be collected. */
static int event_loop(void)
{
	int event = new_eventfd(EFD_NONBLOCK), epoll = epoll_create1(EPOLL_CLOEXEC), nr = 0;
	struct epoll_event wanted = { .events = EPOLLIN }, got;
	uint64_t counted = 0;
	pthread_t thread;

	check_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted), 0);
	thread = start_thread(submit_all, &event);
	while (nr < NR_LOOP) {
		check_equal(epoll_wait(epoll, &got, 1, (int)default_deadline_ms()), 1);
		counted += take_counter(event);
		nr += collect_until_empty();
		check((uint64_t)nr >= counted);
	}
	join_thread(thread);
	check_equal(nr, NR_LOOP);
	await_counter(event, NR_LOOP - counted);
	return 0;
}

TEST_WAITCOMPLETE(test_event_loop_collects_all, event_loop, 60000)

/* ---- a counter that is full ---- */

static void fill_counter(int fd)
{
	uint64_t value = FULL;

	check_equal(write(fd, &value, sizeof(value)), sizeof(value));
}

static int full_counter(void)
{
	static struct aiocb cbs[3];
	static char bytes[3];
	int event = new_eventfd(0), fds[2], file = temp_file_filled(1);
	const struct aiocb *cb;
	ssize_t res;

	open_pipe(fds);
	for (int round = 0; round < 3; round++) {
		if (round == 0)
			fill_counter(event);
		read_to(&cbs[0], event, fds[0], &bytes[0], 1);
		if (round == 1)
			fill_counter(event);
		read_to(&cbs[1], event, file, &bytes[1], 1);
		write_fully(fds[1], "x", 1);
		for (int i = 0; i < 2; i++)
			eventually(aio_error(&cbs[i]) == 0);
		if (round < 2)
			check(take_counter(event) == FULL);
		else
			await_counter(event, 2);
		for (int i = 0; i < 2; i++) {
			cb = collect(&res, &at_once);
			check(cb == &cbs[0] || cb == &cbs[1]);
			check_equal(res, 1);
		}
		check_nothing_left();
	}
	return 0;
}

TEST_WAITCOMPLETE(test_full_counter_blocks_nobody_and_loses_nothing, full_counter, 20000)

/* ---- descriptors of other files ---- */

static void check_refused(int fd, int err)
{
	static struct aiocb cb, *list[] = { &cb };
	static char byte;
	static int file;

	if (file == 0)
		file = temp_file_filled(1);
	errno = 0;
	check_equal(try_read(&cb, fd, file, &byte, 1), -1);
	check_equal(errno, err);
	check_equal(aio_error(&cb), err);
	aiocb_init_lio(&cb, LIO_READ, file, &byte, 1, 0);
	notify_by_eventfd(&cb.aio_sigevent, fd);
	errno = 0;
	check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), -1);
	check_equal(errno, err);
	check_nothing_left();
}

static void check_stream_refused(int fds[2])
{
	check_refused(fds[0], EINVAL);
	check_refused(fds[1], EINVAL);
	check(!can_be_read(fds[0]));
	close_pair(fds);
}

static int other_files(void)
{
	static const struct itimerspec soon = { .it_value = { .tv_nsec = 1 } };
	struct stat info;
	int fds[2], file = temp_file(0), timer = timerfd_create(CLOCK_MONOTONIC, 0), epoll;

	check_refused(-1, EBADF);
	check_refused(1000000, EBADF);
	check_refused(file, EINVAL);
	check_equal(fstat(file, &info), 0);
	check_equal(info.st_size, 0);
	open_pipe(fds);
	check_stream_refused(fds);
	open_socketpair(fds, SOCK_STREAM);
	check_stream_refused(fds);
	open_socketpair(fds, SOCK_DGRAM);
	check_stream_refused(fds);
	epoll = epoll_create1(0);
	check_refused(epoll, EINVAL);
	check_refused(timer, EINVAL);
	check_equal(timerfd_settime(timer, 0, &soon, NULL), 0);
	eventually(can_be_read(timer));
	check_refused(timer, EINVAL);
	check(can_be_read(timer));
	check_refused(inotify_init(), EINVAL);
	check_refused(open("/dev/null", O_RDWR), EINVAL);
	return 0;
}

TEST_WAITCOMPLETE(test_other_files_are_refused_and_stay_as_they_are, other_files, 20000)

/* ---- an eventfd that is closed amid requests ---- */

struct plan {
	void (*replace)(int event, int file);
};

static void by_close(int event, int file)
{
	close(event);
	check_equal(dup(file), event); /* the lowest one */
}

static void by_dup2(int event, int file)
{
	check_equal(dup2(file, event), event);
}

static void by_dup3(int event, int file)
{
	check_equal(dup3(file, event, O_CLOEXEC), event);
}

static void by_close_range(int event, int file)
{
	check_equal(close_range((unsigned int)event, (unsigned int)event, 0), 0);
	check_equal(dup(file), event);
}

static void by_all_above(int event, int file)
{
	check_equal(close_range((unsigned int)event, ~0u, 0), 0);
	check_equal(dup(file), event);
}

static void by_closefrom(int event, int file)
{
	closefrom(event);
	check_equal(dup(file), event);
}

static void by_fclose(int event, int file)
{
	fclose(fdopen(event, "w"));
	check_equal(dup(file), event);
}

static void check_untouched(int fd)
{
	struct stat info;

	check_equal(fstat(fd, &info), 0);
	check_equal(info.st_size, 0);
	check_equal(lseek(fd, 0, SEEK_CUR), 0);
}

/* The file that takes the place of the eventfd gets nothing. */
static int replaced(void *arg)
{
	static struct aiocb cbs[2], list_cb, *list[] = { &list_cb };
	static char bytes[3];
	const struct plan *plan = arg;
	struct sigevent sigevent;
	int file = temp_file(0), fds[2], event;

	open_pipe(fds);
	check(can_be_read(fds[0]) == false);
	event = new_eventfd(0); /* the highest one */
	for (int i = 0; i < 2; i++)
		read_to(&cbs[i], event, fds[0], &bytes[i], 1);
	aiocb_init_lio(&list_cb, LIO_READ, fds[0], &bytes[2], 1, 0);
	notify_by_eventfd(&sigevent, event);
	check_equal(lio_listio(LIO_NOWAIT, list, 1, &sigevent), 0);
	plan->replace(event, file);
	write_fully(fds[1], "xxx", 3);
	check_equal(collect_this(&cbs[0]), 1);
	check_equal(collect_this(&cbs[1]), 1);
	check_equal(await_result(&list_cb), 1);
	check_untouched(event);
	/* A request afterwards, by another eventfd of the same number. */
	close(event);
	check_equal(new_eventfd(0), event);
	read_to(&cbs[0], event, fds[0], &bytes[0], 1);
	write_fully(fds[1], "x", 1);
	check_announced(&cbs[0], event, 1);
	return 0;
}

#define TEST_REPLACED(test, function)                                                     \
	static void test(void **state)                                                    \
	{                                                                                 \
		struct plan plan = { function };                                          \
                                                                                          \
		(void)state;                                                              \
		if (!find_waitcomplete())                                                 \
			skip_because("no aio_waitcomplete here");                         \
		support_check_or_skip_child(in_child_with(replaced, &plan, 20000), #test, \
					    __FILE__, __LINE__);                          \
	}

TEST_REPLACED(test_nothing_is_written_after_close, by_close)
TEST_REPLACED(test_nothing_is_written_after_dup2, by_dup2)
TEST_REPLACED(test_nothing_is_written_after_dup3, by_dup3)
TEST_REPLACED(test_nothing_is_written_after_close_range, by_close_range)
TEST_REPLACED(test_nothing_is_written_after_a_range_without_end, by_all_above)
TEST_REPLACED(test_nothing_is_written_after_closefrom, by_closefrom)
TEST_REPLACED(test_nothing_is_written_after_fclose, by_fclose)

/* What was submitted before is not announced there. */
static int next_eventfd(void)
{
	static struct aiocb cbs[2];
	static char bytes[2];
	int event, fds[2];

	open_pipe(fds);
	event = new_eventfd(0);
	read_to(&cbs[0], event, fds[0], &bytes[0], 1);
	close(event);
	check_equal(new_eventfd(0), event);
	read_to(&cbs[1], event, fds[0], &bytes[1], 1);
	write_fully(fds[1], "x", 1);
	check_equal(collect_this(&cbs[0]), 1);
	check_equal(take_counter(event), 0);
	write_fully(fds[1], "x", 1);
	check_announced(&cbs[1], event, 1);
	return 0;
}

/* A call that fails closes nothing. */
static int failed_closes(void)
{
	static struct aiocb cb;
	static char byte;
	int event = new_eventfd(0), fds[2];

	open_pipe(fds);
	read_to(&cb, event, fds[0], &byte, 1);
	check_equal(dup2(1000000, event), -1);
	check_equal(dup2(event, event), event);
	check_equal(dup3(fds[0], event, 1), -1);
	check_equal(close_range((unsigned int)event, (unsigned int)event, CLOSE_RANGE_CLOEXEC), 0);
	write_fully(fds[1], "x", 1);
	check_announced(&cb, event, 1);
	return 0;
}

#define NR_CLOSES 1000

static struct aiocb closing_cb;

/* Another thread closes while the request ends. */
static void *close_it(void *event)
{
	int file = temp_file(0);

	check_equal(dup2(file, *(int *)event), *(int *)event);
	check_untouched(*(int *)event);
	while (aio_error(&closing_cb) == EINPROGRESS)
		sched_yield();
	check_equal(aio_return(&closing_cb), 1);
	check_untouched(*(int *)event);
	close(file);
	return NULL;
}

static int closes_amid_ends(void)
{
	static char byte;
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < NR_CLOSES; i++) {
		int event = new_eventfd(0);
		pthread_t thread;

		read_to(&closing_cb, event, fds[0], &byte, 1);
		thread = start_thread(close_it, &event);
		write_fully(fds[1], "x", 1);
		join_thread(thread);
		check_untouched(event);
		close(event);
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_next_eventfd_of_the_number_serves, next_eventfd, 20000)
TEST_WAITCOMPLETE(test_call_that_fails_closes_no_eventfd, failed_closes, 20000)
TEST_WAITCOMPLETE(test_nothing_is_written_if_it_is_closed_meanwhile, closes_amid_ends, 60000)

/* ---- fork ---- */

static int child(void)
{
	static struct aiocb cb, own;
	static char byte;
	int event = new_eventfd(0), fds[2], file = temp_file_filled(1);
	pid_t pid;

	open_pipe(fds);
	read_to(&cb, event, fds[0], &byte, 1);
	pid = fork();
	if (pid == 0) {
		int again = new_eventfd(0);

		close(event); /* the parent's stays */
		read_to(&own, again, file, &byte, 1);
		check_announced(&own, again, 1);
		close(again);
		_exit(0);
	}
	check_child(pid);
	write_fully(fds[1], "x", 1);
	check_announced(&cb, event, 1);
	return 0;
}

static _Atomic bool storm_is_over;

static void *storm(void *unused)
{
	struct aiocb cb;
	char byte;
	int event = new_eventfd(EFD_NONBLOCK), file = temp_file_filled(1);

	while (!storm_is_over) {
		read_to(&cb, event, file, &byte, 1);
		check_equal(await_result(&cb), 1);
	}
	return unused;
}

/* Whatever another thread was doing: a child closes its descriptors at once. */
static int fork_storm(void)
{
	pthread_t threads[2];
	struct aiocb cb;
	char byte;
	int event = new_eventfd(0), fds[2];

	open_pipe(fds);
	read_to(&cb, event, fds[0], &byte, 1); /* an eventfd is in use all the time */
	for (int i = 0; i < 2; i++)
		threads[i] = start_thread(storm, NULL);
	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			close(fds[0]);
			check_equal(dup2(fds[1], event), event);
			_exit(0);
		}
		check_child(pid);
	}
	storm_is_over = true;
	for (int i = 0; i < 2; i++)
		join_thread(threads[i]);
	write_fully(fds[1], "x", 1);
	check_announced(&cb, event, 1);
	return 0;
}

TEST_WAITCOMPLETE(test_child_has_eventfds_of_its_own, child, 20000)
TEST_WAITCOMPLETE(test_children_close_amid_a_storm, fork_storm, 60000)

/* ---- many ---- */

#define NR_EVENTFDS 1000

static int many(void)
{
	static struct aiocb cbs[NR_EVENTFDS];
	static char bytes[NR_EVENTFDS], data[NR_EVENTFDS];
	struct rlimit limit;
	int events[NR_EVENTFDS], fds[2];

	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < NR_EVENTFDS + 100) {
		printf("at most %llu descriptors here", (unsigned long long)limit.rlim_max);
		return CHILD_SKIPPED;
	}
	set_soft_limit(RLIMIT_NOFILE, NR_EVENTFDS + 100);
	open_pipe(fds);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < NR_EVENTFDS; i++) {
			events[i] = new_eventfd(0);
			read_to(&cbs[i], events[i], fds[0], &bytes[i], 1);
		}
		write_fully(fds[1], data, NR_EVENTFDS);
		for (int i = 0; i < NR_EVENTFDS; i++) {
			await_counter(events[i], 1);
			check_equal(collect_this(&cbs[i]), 1);
			close(events[i]);
		}
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_thousand_eventfds, many, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_of_each_kind_is_announced),
		cmocka_unit_test(test_failed_and_cancelled_requests_are_announced),
		cmocka_unit_test(test_eventfd_of_each_kind_serves),
		cmocka_unit_test(test_sleeping_reader_is_woken),
		cmocka_unit_test(test_list_is_announced_once),
		cmocka_unit_test(test_list_is_announced_after_its_last_entry),
		cmocka_unit_test(test_empty_lists_are_announced_and_waits_are_not),
		cmocka_unit_test(test_event_loop_collects_all),
		cmocka_unit_test(test_full_counter_blocks_nobody_and_loses_nothing),
		cmocka_unit_test(test_other_files_are_refused_and_stay_as_they_are),
		cmocka_unit_test(test_nothing_is_written_after_close),
		cmocka_unit_test(test_nothing_is_written_after_dup2),
		cmocka_unit_test(test_nothing_is_written_after_dup3),
		cmocka_unit_test(test_nothing_is_written_after_close_range),
		cmocka_unit_test(test_nothing_is_written_after_a_range_without_end),
		cmocka_unit_test(test_nothing_is_written_after_closefrom),
		cmocka_unit_test(test_nothing_is_written_after_fclose),
		cmocka_unit_test(test_next_eventfd_of_the_number_serves),
		cmocka_unit_test(test_call_that_fails_closes_no_eventfd),
		cmocka_unit_test(test_nothing_is_written_if_it_is_closed_meanwhile),
		cmocka_unit_test(test_child_has_eventfds_of_its_own),
		cmocka_unit_test(test_children_close_amid_a_storm),
		cmocka_unit_test(test_thousand_eventfds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
