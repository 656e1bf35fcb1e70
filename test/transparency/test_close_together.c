// SPDX-License-Identifier: MIT
/*
 * test_close_together.c - two threads close one descriptor
 *
 * A close may have to wait, and then looks again.  Meanwhile another thread may have put another
 * file in the place of what it closes: requests for that are not those that it waits for.
 */
#include "blocked.h"
#include "held_calls.h"
#include "transparency.h"

#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* Nobody can get at the file of @fd but by that descriptor. */
static void forbid_duplicates_of(int fd)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_DUPFD_CLOEXEC, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_STMT(BPF_JMP | BPF_JA, 1),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)fd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	filter_calls(filter, sizeof(filter) / sizeof(filter[0]));
}

static atomic_int has_listener; /* 1, or -1: this machine has none */
static atomic_bool is_closed;
static struct seccomp_notif nap;

static void *close_two(void *arg)
{
	unsigned int first = (unsigned int)*(int *)arg;

	atomic_store(&has_listener, held_calls_begin(SYS_nanosleep, SYS_nanosleep) ? 1 : -1);
	check_equal(close_range(first, first + 1, 0), 0);
	atomic_store(&is_closed, true);
	return NULL;
}

/*
 * A close that waits looks, and sleeps before it looks again.  It stays asleep until it is let go
 * on.
 */
static void await_nap(void)
{
	eventually(held_calls_has_one() || atomic_load(&is_closed));
	if (!atomic_load(&is_closed))
		held_calls_take(&nap);
}

static void end_nap(void)
{
	if (!atomic_load(&is_closed))
		held_calls_let_go_on(&nap);
}

/* False: this machine cannot hold calls. */
static bool begin_to_close_two(pthread_t *closer, int *first)
{
	*closer = start_thread(close_two, first);
	eventually(atomic_load(&has_listener) != 0);
	if (atomic_load(&has_listener) > 0)
		await_nap();
	return atomic_load(&has_listener) > 0;
}

static void end_close_of_two(pthread_t closer)
{
	while (!atomic_load(&is_closed)) {
		end_nap();
		await_nap();
	}
	join_thread(closer);
}

/* A write that blocks, and one that overlaps it. */
static bool block_two_at(struct blocked *blocked, struct aiocb *behind, int fd, off_t offset)
{
	if (!block_at(blocked, fd, offset))
		return false;
	submit_write(behind, fd, filled_buffer('b'), SIZE, offset + SIZE / 2);
	return true;
}

/*
 * The first thread closes two descriptors, and has to wait for the second one.  Meanwhile another
 * thread puts a file in the place of the first one, and writes to it.  Then the first thread looks
 * again.
 */
static int close_beside_a_close(void)
{
	int first = fcntl(temp_file(0), F_DUPFD, 301), next = temp_file(0);
	static struct blocked blocked[3];
	static struct aiocb behind[3];
	pthread_t closer;

	check_equal(fcntl(temp_file(0), F_DUPFD, first + 1), first + 1);
	forbid_duplicates_of(first + 1);
	for (int i = 0; i < 2; i++)
		if (!block_two_at(&blocked[i], &behind[i], first + i, i * 8 * SIZE))
			return CHILD_SKIPPED;
	if (!begin_to_close_two(&closer, &first))
		return CHILD_SKIPPED;
	check_equal(dup2(next, first), first);
	check(block_two_at(&blocked[2], &behind[2], first, 2 * 8 * SIZE));
	end_nap();
	await_nap();
	for (int i = 0; i < 3; i++)
		unblock(&blocked[i], 'w');
	end_close_of_two(closer);
	for (int i = 0; i < 3; i++) {
		check_equal(outcome(&behind[i]), SIZE);
		check_file_is(blocked[i].kept, 'w', i * 8 * SIZE, SIZE / 2);
		check_file_is(blocked[i].kept, 'b', i * 8 * SIZE + SIZE / 2, SIZE);
	}
	check_equal(lseek(blocked[0].kept, 0, SEEK_END), SIZE + SIZE / 2);
	return 0;
}

TEST_BLOCKED(test_writes_reach_their_files_when_two_threads_close, close_beside_a_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes_reach_their_files_when_two_threads_close),
	};

	return cmocka_run_group_tests_name("close_together", tests, NULL, NULL);
}
