// SPDX-License-Identifier: MIT
/*
 * test_eintr.c - completions do not disturb what the program waits for
 *
 * io_uring runs the completion of a request as work of the thread that
 * submitted it, and a thread woken for that leaves many system calls with
 * EINTR, although no signal came.  Each test here is one call that has nothing
 * to return yet; test_own_transfers has those that are amid a transfer.
 */
#include "own_call.h"
#include "sockets.h"

#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* True unless the call was interrupted; any other failure ends the test. */
static bool went_well(long ret)
{
	if (ret < 0)
		check_equal(errno, EINTR);
	return ret >= 0;
}

/* ---- waiting for a descriptor ---- */

static void open_epoll(struct call *call)
{
	struct epoll_event event = { .events = EPOLLIN };

	open_sockets(call);
	call->id = epoll_create1(0);
	check(call->id >= 0);
	check_equal(epoll_ctl(call->id, EPOLL_CTL_ADD, call->fds[0], &event), 0);
}

static void send_byte(struct call *call)
{
	check_equal(send(call->fds[1], "x", 1, 0), 1);
}

static bool take_byte(struct call *call)
{
	char byte;

	check_equal(recv(call->fds[0], &byte, 1, 0), 1);
	return true;
}

static bool block_epoll_wait(struct call *call)
{
	struct epoll_event event;

	return went_well(epoll_wait(call->id, &event, 1, (int)default_deadline_ms())) &&
	       take_byte(call);
}

static bool block_epoll_pwait2(struct call *call)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	struct epoll_event event;

	return went_well(syscall(SYS_epoll_pwait2, call->id, &event, 1, &timeout, NULL, 0)) &&
	       take_byte(call);
}

static bool block_poll(struct call *call)
{
	struct pollfd pollfd = { .fd = call->fds[0], .events = POLLIN };

	return went_well(poll(&pollfd, 1, (int)default_deadline_ms())) && take_byte(call);
}

static bool block_select(struct call *call)
{
	struct timeval timeout = { .tv_sec = default_deadline_ms() / 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(call->fds[0], &set);
	return went_well(select(call->fds[0] + 1, &set, NULL, NULL, &timeout)) && take_byte(call);
}

static void test_epoll_wait_is_not_interrupted(void **state)
{
	struct call call = CALL(open_epoll, block_epoll_wait, send_byte);

	(void)state;
	check_call(&call);
}

static void test_epoll_pwait2_is_not_interrupted(void **state)
{
	struct call call = CALL(open_epoll, block_epoll_pwait2, send_byte);

	(void)state;
	if (syscall(SYS_epoll_pwait2, -1, NULL, 0, NULL, NULL, 0) < 0 && errno == ENOSYS)
		skip_because("the kernel has no epoll_pwait2");
	check_call(&call);
}

static void test_poll_is_not_interrupted(void **state)
{
	struct call call = CALL(open_sockets, block_poll, send_byte);

	(void)state;
	check_call(&call);
}

static void test_select_is_not_interrupted(void **state)
{
	struct call call = CALL(open_sockets, block_select, send_byte);

	(void)state;
	check_call(&call);
}

/* ---- sockets with a timeout ---- */

static void open_sockets_with_timeout(struct call *call)
{
	open_sockets(call);
	set_timeout(call->fds[0], SO_RCVTIMEO, default_deadline_ms());
}

static bool block_recv(struct call *call)
{
	char byte;

	return went_well(recv(call->fds[0], &byte, 1, 0));
}

static void open_listener(struct call *call)
{
	/* An address of the family alone: the kernel picks a free name. */
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	call->fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	check(call->fds[0] >= 0);
	check_equal(bind(call->fds[0], (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	check_equal(listen(call->fds[0], 8), 0);
	set_timeout(call->fds[0], SO_RCVTIMEO, default_deadline_ms());
}

static bool block_accept(struct call *call)
{
	int fd = accept(call->fds[0], NULL, NULL);

	if (fd >= 0)
		close(fd);
	return went_well(fd);
}

static void connect_once(struct call *call)
{
	struct sockaddr_un name;
	socklen_t size = sizeof(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	check_equal(getsockname(call->fds[0], (struct sockaddr *)&name, &size), 0);
	check_equal(connect(fd, (struct sockaddr *)&name, size), 0);
	close(fd);
}

static void open_datagrams(struct call *call)
{
	open_socketpair(call->fds, SOCK_DGRAM);
	set_timeout(call->fds[0], SO_RCVTIMEO, default_deadline_ms());
}

static bool block_recvmmsg(struct call *call)
{
	char bytes[2];
	struct iovec parts[] = { { &bytes[0], 1 }, { &bytes[1], 1 } };
	struct mmsghdr messages[] = {
		{ .msg_hdr = { .msg_iov = &parts[0], .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 1 } },
	};
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };

	return went_well(recvmmsg(call->fds[0], messages, 1, 0, &timeout));
}

static void test_recv_with_timeout_is_not_interrupted(void **state)
{
	struct call call = CALL(open_sockets_with_timeout, block_recv, send_byte);

	(void)state;
	check_call(&call);
}

static void test_accept_with_timeout_is_not_interrupted(void **state)
{
	struct call call = CALL(open_listener, block_accept, connect_once);

	(void)state;
	check_call(&call);
}

static void test_recvmmsg_with_timeout_is_not_interrupted(void **state)
{
	struct call call = CALL(open_datagrams, block_recvmmsg, send_byte);

	(void)state;
	check_call(&call);
}

/* ---- signals, semaphores, sleep, kernel AIO of the program's own ---- */

static void open_signal(struct call *call)
{
	(void)call;
	change_mask(SIG_BLOCK, SIGUSR2);
}

static bool block_sigtimedwait(struct call *call)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	sigset_t set;

	(void)call;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return went_well(sigtimedwait(&set, NULL, &timeout));
}

static void send_signal(struct call *call)
{
	check_equal(pthread_kill(call->thread, SIGUSR2), 0);
}

static void remove_semaphore(int status, void *id)
{
	(void)status;
	semctl((int)(intptr_t)id, 0, IPC_RMID);
}

static void open_semaphore(struct call *call)
{
	call->id = semget(IPC_PRIVATE, 1, 0600);
	check(call->id >= 0);
	on_exit(remove_semaphore, (void *)(intptr_t)call->id);
}

static bool block_semop(struct call *call)
{
	struct sembuf down = { .sem_op = -1 };

	return went_well(semop(call->id, &down, 1));
}

static bool block_semtimedop(struct call *call)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	struct sembuf down = { .sem_op = -1 };

	return went_well(semtimedop(call->id, &down, 1, &timeout));
}

static void raise_semaphore(struct call *call)
{
	struct sembuf up = { .sem_op = 1 };

	check_equal(semop(call->id, &up, 1), 0);
}

static bool block_nanosleep(struct call *call)
{
	struct timespec pause = { .tv_nsec = 4000000 };

	(void)call;
	return went_well(nanosleep(&pause, NULL));
}

static void open_nothing(struct call *call)
{
	(void)call;
}

static aio_context_t context;

static void open_io_context(struct call *call)
{
	open_sockets(call);
	check_equal(syscall(SYS_io_setup, 8, &context), 0);
}

static bool block_io_getevents(struct call *call)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	static struct iocb poll_in, *iocb = &poll_in;
	struct io_event event;

	memset(iocb, 0, sizeof(*iocb));
	iocb->aio_lio_opcode = IOCB_CMD_POLL;
	iocb->aio_fildes = (uint32_t)call->fds[0];
	iocb->aio_buf = POLLIN;
	check_equal(syscall(SYS_io_submit, context, 1, &iocb), 1);
	return went_well(syscall(SYS_io_getevents, context, 1, 1, &event, &timeout)) &&
	       take_byte(call);
}

static void test_sigtimedwait_is_not_interrupted(void **state)
{
	struct call call = CALL(open_signal, block_sigtimedwait, send_signal);

	(void)state;
	check_call(&call);
}

/* _exit() skips on_exit(), so the child removes its semaphore by exit(). */
static int run_call_and_exit(void *arg)
{
	run_call(arg);
	exit(0);
}

static void check_semaphore_call(struct call *call)
{
	support_check_child(in_child_with(run_call_and_exit, call, 60000), "the call", __FILE__,
			    __LINE__);
}

static void test_semop_is_not_interrupted(void **state)
{
	struct call call = CALL(open_semaphore, block_semop, raise_semaphore);

	(void)state;
	check_semaphore_call(&call);
}

static void test_semtimedop_is_not_interrupted(void **state)
{
	struct call call = CALL(open_semaphore, block_semtimedop, raise_semaphore);

	(void)state;
	check_semaphore_call(&call);
}

static void test_nanosleep_is_not_interrupted(void **state)
{
	struct call call = CALL(open_nothing, block_nanosleep, open_nothing);

	(void)state;
	check_call(&call);
}

static void test_io_getevents_is_not_interrupted(void **state)
{
	struct call call = CALL(open_io_context, block_io_getevents, send_byte);

	(void)state;
	check_call(&call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epoll_wait_is_not_interrupted),
		cmocka_unit_test(test_epoll_pwait2_is_not_interrupted),
		cmocka_unit_test(test_poll_is_not_interrupted),
		cmocka_unit_test(test_select_is_not_interrupted),
		cmocka_unit_test(test_recv_with_timeout_is_not_interrupted),
		cmocka_unit_test(test_accept_with_timeout_is_not_interrupted),
		cmocka_unit_test(test_recvmmsg_with_timeout_is_not_interrupted),
		cmocka_unit_test(test_sigtimedwait_is_not_interrupted),
		cmocka_unit_test(test_semop_is_not_interrupted),
		cmocka_unit_test(test_semtimedop_is_not_interrupted),
		cmocka_unit_test(test_nanosleep_is_not_interrupted),
		cmocka_unit_test(test_io_getevents_is_not_interrupted),
	};

	return cmocka_run_group_tests_name("eintr", tests, NULL, NULL);
}
