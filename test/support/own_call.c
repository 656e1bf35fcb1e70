// SPDX-License-Identifier: MIT
/*
 * own_call.c - a call of the program's own that sleeps while requests complete
 *
 * The contracts are in own_call.h.
 */
#include "own_call.h"

#include <sys/socket.h>

#define ROUNDS       30
#define NR_REQUESTS  8
#define REQUEST_SIZE (64 * 1024)

/* The requests in flight while the thread sleeps. */
enum source { PIPE_READ, DIRECT_READ, COLD_READ, BUFFERED_WRITE, NR_SOURCES };

/* The files and pipes behind the requests. */
struct traffic {
	enum source source;
	struct aiocb cbs[NR_REQUESTS];
	char *buf;
	int pipe[2];
	int file;
	int direct;
};

/* ---- requests in flight ---- */

static void traffic_open(struct traffic *traffic)
{
	size_t size = NR_REQUESTS * REQUEST_SIZE;

	traffic->buf = direct_buffer(size);
	open_pipe(traffic->pipe);
	traffic->file = temp_file_filled(size);
	traffic->direct = direct_file(size, 0);
}

static void traffic_submit(struct traffic *traffic)
{
	int fd = traffic->source == DIRECT_READ ? traffic->direct : traffic->file;

	if (traffic->source == PIPE_READ) {
		submit_read(&traffic->cbs[0], traffic->pipe[0], traffic->buf, 1, 0);
		return;
	}
	if (traffic->source == COLD_READ)
		evict(fd);
	else if (traffic->source == BUFFERED_WRITE)
		pattern_fill(traffic->buf, 0, NR_REQUESTS * REQUEST_SIZE);
	for (int i = 0; i < NR_REQUESTS; i++) {
		size_t at = (size_t)i * REQUEST_SIZE;

		if (traffic->source == BUFFERED_WRITE)
			submit_write(&traffic->cbs[i], fd, traffic->buf + at, REQUEST_SIZE,
				     (off_t)at);
		else
			submit_read(&traffic->cbs[i], fd, traffic->buf + at, REQUEST_SIZE,
				    (off_t)at);
	}
}

static int traffic_nr(const struct traffic *traffic)
{
	return traffic->source == PIPE_READ ? 1 : NR_REQUESTS;
}

static bool traffic_is_done(const struct traffic *traffic)
{
	for (int i = 0; i < traffic_nr(traffic); i++)
		if (aio_error(&traffic->cbs[i]) == EINPROGRESS)
			return false;
	return true;
}

static void traffic_check(struct traffic *traffic)
{
	size_t size = traffic->source == PIPE_READ ? 1 : REQUEST_SIZE;

	for (int i = 0; i < traffic_nr(traffic); i++)
		check_equal(outcome(&traffic->cbs[i]), size);
	if (traffic->source != PIPE_READ)
		check_pattern(traffic->buf, 0, NR_REQUESTS * REQUEST_SIZE);
}

/* ---- the scene ---- */

/* See the thread asleep, complete its requests, then release its call. */
static void *help(void *arg)
{
	struct call *call = arg;

	eventually(call->is_back || (call->is_blocking && thread_sleeps(call->waiter)));
	if (call->traffic->source == PIPE_READ)
		write_fully(call->traffic->pipe[1], "x", 1);
	eventually(call->is_back || traffic_is_done(call->traffic));
	call->release(call);
	return NULL;
}

static void run_round(struct call *call)
{
	pthread_t helper;
	bool is_whole;

	call->is_blocking = false;
	call->is_back = false;
	helper = start_thread(help, call);
	traffic_submit(call->traffic);
	call->is_blocking = true;
	is_whole = call->block(call);
	call->is_back = true;
	if (!is_whole)
		check_failed("interrupted or short while requests of kind %d completed",
			     call->traffic->source);
	join_thread(helper);
	traffic_check(call->traffic);
}

int run_call(void *arg)
{
	struct traffic traffic;
	struct call *call = arg;

	traffic_open(&traffic);
	call->traffic = &traffic;
	call->waiter = gettid();
	call->thread = pthread_self();
	call->open(call);
	for (traffic.source = 0; traffic.source < NR_SOURCES; traffic.source++) {
		if (traffic.source == DIRECT_READ && traffic.direct < 0)
			continue;
		for (int i = 0; i < ROUNDS; i++)
			run_round(call);
	}
	return 0;
}

void check_call(struct call *call)
{
	support_check_child(in_child_with(run_call, call, 60000), "the call", __FILE__, __LINE__);
}

void open_sockets(struct call *call)
{
	open_socketpair(call->fds, SOCK_STREAM);
}
