/* SPDX-License-Identifier: MIT */
/*
 * obvious.c - POSIX AIO on io_uring as one would write it first
 *
 * Test material, never to be installed: a preload library with every mistake
 * that the tests exist to find.  One ring behind one mutex, submitted to by
 * whichever thread calls aio_read() or aio_write(), reaped by a helper thread
 * that lives for ever.  It knows nothing of order, of fork, of O_NONBLOCK, of
 * short writes, of signals raised by a write, or of lengths above 32 bits, and
 * it shows its descriptor to the program.  scripts/check-traps runs the tests
 * with it and demands that they fail.
 *
 * OBVIOUS_EAGER=1 sets the ring up before main() rather than at the first
 * request.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The group event of one lio_listio(LIO_NOWAIT) call. */
struct group {
	int nr_left;
	struct sigevent event;
};

/* What a completion needs besides the control block itself. */
struct note {
	struct aiocb *cb;
	struct group *group;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t completed = PTHREAD_COND_INITIALIZER;
static struct io_uring ring;
static int is_running;

static void notify(const struct sigevent *event)
{
	if (event->sigev_notify == SIGEV_SIGNAL && event->sigev_signo)
		sigqueue(getpid(), event->sigev_signo, event->sigev_value);
}

static void complete(struct note *note, int res)
{
	note->cb->__return_value = res < 0 ? -1 : res;
	note->cb->__error_code = res < 0 ? -res : 0;
	notify(&note->cb->aio_sigevent);
	if (note->group && --note->group->nr_left == 0) {
		notify(&note->group->event);
		free(note->group);
	}
	free(note);
	pthread_cond_broadcast(&completed);
}

static void *reap(void *arg)
{
	struct io_uring_cqe *cqe;

	for (;;) {
		if (io_uring_wait_cqe(&ring, &cqe))
			continue;
		pthread_mutex_lock(&lock);
		if (cqe->user_data)
			complete(io_uring_cqe_get_data(cqe), cqe->res);
		io_uring_cqe_seen(&ring, cqe);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

/* Called with the lock held. */
static int start(void)
{
	pthread_t thread;
	int ret;

	if (is_running)
		return 0;
	ret = io_uring_queue_init(256, &ring, 0);
	if (ret < 0) {
		errno = EAGAIN;
		return -1;
	}
	ret = pthread_create(&thread, NULL, reap, NULL);
	if (ret) {
		io_uring_queue_exit(&ring);
		errno = ret;
		return -1;
	}
	is_running = 1;
	return 0;
}

static void __attribute__((constructor)) start_early(void)
{
	if (getenv("OBVIOUS_EAGER"))
		start();
}

static struct io_uring_sqe *get_sqe(void)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&ring)))
		io_uring_submit(&ring);
	return sqe;
}

static void prep(struct io_uring_sqe *sqe, const struct aiocb *cb, int opcode)
{
	switch (opcode) {
	case LIO_READ:
		io_uring_prep_read(sqe, cb->aio_fildes, (void *)cb->aio_buf, cb->aio_nbytes,
				   cb->aio_offset);
		break;
	case LIO_WRITE:
		io_uring_prep_write(sqe, cb->aio_fildes, (void *)cb->aio_buf, cb->aio_nbytes,
				    cb->aio_offset);
		break;
	default:
		io_uring_prep_fsync(sqe, cb->aio_fildes, 0);
	}
}

static int submit(struct aiocb *cb, int opcode, struct group *group)
{
	struct io_uring_sqe *sqe;
	struct note *note;

	if (cb->aio_reqprio < 0) {
		errno = EINVAL;
		return -1;
	}
	pthread_mutex_lock(&lock);
	if (start()) {
		pthread_mutex_unlock(&lock);
		return -1;
	}
	note = malloc(sizeof(*note));
	note->cb = cb;
	note->group = group;
	cb->__error_code = EINPROGRESS;
	cb->__return_value = 0;
	sqe = get_sqe();
	prep(sqe, cb, opcode);
	io_uring_sqe_set_data(sqe, note);
	io_uring_submit(&ring);
	pthread_mutex_unlock(&lock);
	return 0;
}

EXPORT int aio_read(struct aiocb *cb)
{
	return submit(cb, LIO_READ, NULL);
}

EXPORT int aio_write(struct aiocb *cb)
{
	return submit(cb, LIO_WRITE, NULL);
}

EXPORT int aio_fsync(int operation, struct aiocb *cb)
{
	if (operation != O_SYNC && operation != O_DSYNC) {
		errno = EINVAL;
		return -1;
	}
	return submit(cb, LIO_NOP, NULL);
}

EXPORT int aio_error(const struct aiocb *cb)
{
	int err;

	pthread_mutex_lock(&lock);
	err = cb->__error_code;
	pthread_mutex_unlock(&lock);
	return err;
}

EXPORT ssize_t aio_return(struct aiocb *cb)
{
	return cb->__return_value;
}

static int any_done(const struct aiocb *const list[], int nent)
{
	int is_empty = 1;

	for (int i = 0; i < nent; i++) {
		if (!list[i])
			continue;
		is_empty = 0;
		if (list[i]->__error_code != EINPROGRESS)
			return 1;
	}
	return is_empty;
}

EXPORT int aio_suspend(const struct aiocb *const list[], int nent, const struct timespec *timeout)
{
	struct timespec end;
	int ret = 0;

	if (timeout) {
		clock_gettime(CLOCK_REALTIME, &end);
		end.tv_sec += timeout->tv_sec;
		end.tv_nsec += timeout->tv_nsec;
		if (end.tv_nsec >= 1000000000) {
			end.tv_sec++;
			end.tv_nsec -= 1000000000;
		}
	}
	pthread_mutex_lock(&lock);
	while (!any_done(list, nent) && !ret)
		ret = timeout ? pthread_cond_timedwait(&completed, &lock, &end)
			      : pthread_cond_wait(&completed, &lock);
	pthread_mutex_unlock(&lock);
	if (!ret)
		return 0;
	errno = ret == ETIMEDOUT ? EAGAIN : ret;
	return -1;
}

EXPORT int aio_cancel(int fd, struct aiocb *cb)
{
	struct io_uring_sqe *sqe;

	if (fcntl(fd, F_GETFL) < 0)
		return -1;
	if (cb && cb->__error_code != EINPROGRESS)
		return AIO_ALLDONE;
	pthread_mutex_lock(&lock);
	if (is_running) {
		sqe = get_sqe();
		io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
		io_uring_sqe_set_data(sqe, NULL);
		io_uring_submit(&ring);
	}
	pthread_mutex_unlock(&lock);
	return AIO_CANCELED;
}

EXPORT int lio_listio(int mode, struct aiocb *const list[], int nent, struct sigevent *event)
{
	struct group *group = NULL;
	int nr = 0, is_failed = 0;

	for (int i = 0; i < nent; i++)
		nr += list[i] && list[i]->aio_lio_opcode != LIO_NOP;
	if (mode == LIO_NOWAIT && event && nr) {
		group = malloc(sizeof(*group));
		group->nr_left = nr;
		group->event = *event;
	}
	for (int i = 0; i < nent; i++)
		if (list[i] && list[i]->aio_lio_opcode != LIO_NOP)
			is_failed |= submit(list[i], list[i]->aio_lio_opcode, group);
	for (int i = 0; mode == LIO_WAIT && i < nent; i++) {
		const struct aiocb *one[] = { list[i] };

		while (list[i] && aio_error(list[i]) == EINPROGRESS)
			aio_suspend(one, 1, NULL);
		is_failed |= list[i] && aio_error(list[i]);
	}
	if (is_failed)
		errno = EIO;
	return is_failed ? -1 : 0;
}
