// SPDX-License-Identifier: MIT
/*
 * test_cancel_others.c - aio_cancel of one fd leaves the requests of other files alone
 *
 * Records of requests are used again at once, so that one which was of the fd
 * may be another's a moment later.  Two threads have requests under way on two
 * files alternately, while others cancel those of one again and again.
 *
 * The fd may also have meant another file when a request was submitted.
 */
#include "offload.h"

#include <stdatomic.h>
#include <sys/socket.h>

#define NR_SLOTS   8
#define RUN_MS     1000
#define NR_CANCELS 4

static atomic_bool is_over;
static int cancelled_fd, other_fd;

/* A record that one of them leaves is the next one's, on the other file. */
static void *use_both(void *arg)
{
	struct aiocb cbs[NR_SLOTS];
	char *buf = direct_buffer(NR_SLOTS * BLOCK);

	(void)arg;
	for (int i = 0; !atomic_load(&is_over) || i % NR_SLOTS; i++) {
		struct aiocb *cb = &cbs[i % NR_SLOTS];
		bool is_other = i / 3 % 2;

		if (i >= NR_SLOTS) {
			ssize_t res = outcome(cb);

			check(res == BLOCK ||
			      (res == -ECANCELED && cb->aio_fildes == cancelled_fd));
		}
		submit_read(cb, is_other ? other_fd : cancelled_fd, buf + i % NR_SLOTS * BLOCK,
			    BLOCK, i % NR_SLOTS * BLOCK);
	}
	for (int i = 0; i < NR_SLOTS; i++)
		outcome(&cbs[i]);
	return NULL;
}

static void *cancel_again_and_again(void *arg)
{
	(void)arg;
	while (!atomic_load(&is_over))
		check(aio_cancel(cancelled_fd, NULL) >= 0);
	return NULL;
}

static int cancel_amid(void)
{
	pthread_t threads[2 + NR_CANCELS];
	uint64_t end = now_ns() + (uint64_t)RUN_MS * 1000000;

	cancelled_fd = temp_file_filled(NR_SLOTS * BLOCK);
	other_fd = temp_file_filled(NR_SLOTS * BLOCK);
	threads[0] = start_thread(use_both, NULL);
	threads[1] = start_thread(use_both, NULL);
	for (int i = 0; i < NR_CANCELS; i++)
		threads[2 + i] = start_thread(cancel_again_and_again, NULL);
	while (now_ns() < end)
		short_pause();
	atomic_store(&is_over, true);
	for (int i = 0; i < 2 + NR_CANCELS; i++)
		join_thread(threads[i]);
	return 0;
}

TEST_OFFLOAD(test_cancel_of_one_fd_spares_the_others, cancel_amid, 30000)

/* ---- cancelling by a descriptor that means another file by now ---- */

/* A program frees its buffers as soon as aio_cancel does not say AIO_NOTCANCELED. */
static void cancel_by_number(int fd, int peer, int file, bool is_write)
{
	static char bytes[64 * 1024];
	struct aiocb cb;
	int rc;

	aiocb_init(&cb, fd, bytes, is_write ? sizeof(bytes) : 1, 0);
	check_equal(is_write ? aio_write(&cb) : aio_read(&cb), 0);
	check_equal(dup2(file, fd), fd);
	rc = aio_cancel(fd, NULL);
	check(rc == AIO_NOTCANCELED || aio_error(&cb) != EINPROGRESS);
	close(peer);
	eventually(aio_error(&cb) != EINPROGRESS);
	check_equal(aio_cancel(fd, NULL), AIO_ALLDONE);
	close(fd);
}

static int cancel_by_reused_descriptor(void)
{
	int file = temp_file(0), fds[2];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 20; i++) {
		open_pipe(fds);
		cancel_by_number(fds[0], fds[1], file, false);
		open_socketpair(fds, SOCK_STREAM);
		cancel_by_number(fds[0], fds[1], file, false);
		open_pipe(fds);
		fill_up(fds[1]);
		cancel_by_number(fds[1], fds[0], file, true);
	}
	return 0;
}

TEST_IN_CHILD(test_cancel_by_a_reused_descriptor_knows_what_goes_on, cancel_by_reused_descriptor,
	      30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_by_a_reused_descriptor_knows_what_goes_on),
		cmocka_unit_test(test_cancel_of_one_fd_spares_the_others),
	};

	return cmocka_run_group_tests_name("cancel_others", tests, NULL, NULL);
}
