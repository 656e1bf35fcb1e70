// SPDX-License-Identifier: MIT
/*
 * test_own_transfers.c - completions do not cut short what the program transfers
 *
 * A thread that is woken for the completion of a request leaves a call that has
 * moved a part of its data with that part.  test_eintr has the calls that have
 * nothing to return yet, and says why threads are woken.
 */
#include "own_call.h"

#include <sys/socket.h>

#define STREAM_SIZE (1024 * 1024)

static char stream[STREAM_SIZE];

static void drain_stream(struct call *call)
{
	read_fully(call->fds[0], NULL, STREAM_SIZE);
}

static bool block_send(struct call *call)
{
	return send(call->fds[1], stream, STREAM_SIZE, 0) == STREAM_SIZE;
}

static void open_big_pipe(struct call *call)
{
	open_pipe(call->fds);
}

static bool block_write(struct call *call)
{
	return write(call->fds[1], stream, STREAM_SIZE) == STREAM_SIZE;
}

/* Half is there at once, the other half comes after the completions. */
static bool block_recv_waitall(struct call *call)
{
	write_fully(call->fds[1], stream, 4096);
	return recv(call->fds[0], stream, 8192, MSG_WAITALL) == 8192;
}

/* Of bytes that nobody receives meanwhile. */
static void send_other_half(struct call *call)
{
	write_fully(call->fds[1], stream + 8192, 4096);
}

static void test_send_of_a_big_stream_is_not_cut_short(void **state)
{
	struct call call = CALL(open_sockets, block_send, drain_stream);

	(void)state;
	check_call(&call);
}

static void test_write_of_a_big_pipe_is_not_cut_short(void **state)
{
	struct call call = CALL(open_big_pipe, block_write, drain_stream);

	(void)state;
	check_call(&call);
}

static void test_recv_waitall_is_not_cut_short(void **state)
{
	struct call call = CALL(open_sockets, block_recv_waitall, send_other_half);

	(void)state;
	check_call(&call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_send_of_a_big_stream_is_not_cut_short),
		cmocka_unit_test(test_write_of_a_big_pipe_is_not_cut_short),
		cmocka_unit_test(test_recv_waitall_is_not_cut_short),
	};

	return cmocka_run_group_tests_name("own_transfers", tests, NULL, NULL);
}
