// SPDX-License-Identifier: MIT
/*
 * test_eventfd.c - SIGEV_EVENTFD adds one to the counter of an eventfd when a request, or a list,
 * has ended
 *
 * test_eventfd_life.c is about eventfds that are closed meanwhile, and about fork.
 */
#include "eventfd.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define FULL UINT64_C(0xfffffffffffffffe)

/* ---- requests of each kind ---- */

/* The process has not called aio_waitcomplete() before its first request. */
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

/* Every request that the counter has counted can be collected. */
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

/* ---- descriptors that are no eventfd ---- */

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
	int fds[2], file = temp_file(0), timer = timerfd_create(CLOCK_MONOTONIC, 0), epoll;

	check_refused(-1, EBADF);
	check_refused(1000000, EBADF);
	check_refused(file, EINVAL);
	check_equal(file_size(file), 0);
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

/* ---- many eventfds ---- */

#define NR_EVENTFDS 1000

static int many(void)
{
	static struct aiocb cbs[NR_EVENTFDS];
	static char bytes[NR_EVENTFDS], data[NR_EVENTFDS];
	int events[NR_EVENTFDS], fds[2];

	if (!allow_descriptors(NR_EVENTFDS + 100))
		return CHILD_SKIPPED;
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
		cmocka_unit_test(test_thousand_eventfds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
