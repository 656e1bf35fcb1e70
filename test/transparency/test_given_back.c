// SPDX-License-Identifier: MIT
/*
 * test_given_back.c - lists of which the kernel gives entries back
 *
 * An O_DIRECT request that may not wait comes back where the page cache has newer data, and a
 * sandbox may refuse it altogether.  The list ends all the same, with the data and in the order
 * that it would have had, also where no thread can be made for what came back.
 */
#include "transparency.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define BLOCK     4096
#define NR_BLOCKS 16
#define NR_ROUNDS 10
#define REST_NS   4000000000 /* longer than the idle time */

static int direct, buffered, fds[2];
static struct aiocb cbs[NR_BLOCKS + 2];
static struct aiocb *list[NR_BLOCKS + 2];
static char *buf;

static void read_block(int block)
{
	submit_read(&cbs[0], direct, buf, BLOCK, block * BLOCK);
	check_equal(outcome(&cbs[0]), BLOCK);
	check_pattern(buf, (size_t)block * BLOCK, BLOCK);
}

/* The first requests may be needed to see what kind of file it is. */
static bool open_files(void)
{
	direct = direct_file(NR_BLOCKS * BLOCK, 0);
	if (direct < 0) {
		printf("no O_DIRECT here");
		return false;
	}
	buffered = reopen(direct, O_RDWR);
	check_equal(fcntl(buffered, F_SETFL, 0), 0);
	check_equal(fsync(buffered), 0);
	evict(buffered);
	buf = buf ? buf : direct_buffer((NR_BLOCKS + 2) * BLOCK);
	for (int i = 0; i < NR_BLOCKS; i++) {
		read_block(i);
		short_pause();
	}
	return true;
}

static void close_files(void)
{
	close(direct);
	close(buffered);
}

/* The disk does not have it yet. */
static void write_to_cache(int block)
{
	char data[BLOCK];

	memset(data, 'c', BLOCK);
	check_equal(pwrite(buffered, data, BLOCK, block * BLOCK), BLOCK);
}

static bool is_in_cache(int block)
{
	return block % 5 == 3;
}

static char *place_of(int entry)
{
	return buf + entry * BLOCK;
}

/* All blocks with O_DIRECT, one from a pipe, one through the page cache. */
static void fill_list(void)
{
	memset(buf, 0, (NR_BLOCKS + 2) * BLOCK);
	for (int i = 0; i < NR_BLOCKS + 2; i++)
		list[i] = &cbs[i];
	for (int i = 0; i < NR_BLOCKS; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, direct, place_of(i), BLOCK, i * BLOCK);
		if (is_in_cache(i))
			write_to_cache(i);
	}
	aiocb_init_lio(&cbs[NR_BLOCKS], LIO_READ, fds[0], place_of(NR_BLOCKS), 1, 0);
	aiocb_init_lio(&cbs[NR_BLOCKS + 1], LIO_READ, buffered, place_of(NR_BLOCKS + 1), BLOCK, 0);
}

static void check_block(int block)
{
	check_equal(outcome(&cbs[block]), BLOCK);
	if (is_in_cache(block))
		check(place_of(block)[0] == 'c' && place_of(block)[BLOCK - 1] == 'c');
	else
		check_pattern(place_of(block), (size_t)block * BLOCK, BLOCK);
}

static void check_list(void)
{
	for (int i = 0; i < NR_BLOCKS; i++)
		check_block(i);
	check_equal(outcome(&cbs[NR_BLOCKS]), 1);
	check_equal(outcome(&cbs[NR_BLOCKS + 1]), BLOCK);
	check_pattern(place_of(NR_BLOCKS + 1), 0, BLOCK);
}

static int read_what_the_cache_has(void)
{
	open_pipe(fds);
	for (int i = 0; i < NR_ROUNDS; i++) {
		if (!open_files())
			return CHILD_SKIPPED;
		fill_list();
		write_fully(fds[1], "x", 1);
		check_equal(lio_listio(i % 2 ? LIO_NOWAIT : LIO_WAIT, list, NR_BLOCKS + 2, NULL),
			    0);
		if (i % 2 == 0)
			for (int j = 0; j < NR_BLOCKS + 2; j++)
				check_equal(aio_error(&cbs[j]), 0);
		check_list();
		close_files();
	}
	return 0;
}

TEST_OR_SKIP(test_list_ends_when_entries_come_back, read_what_the_cache_has, 30000)

/* ---- a descriptor that is closed meanwhile ---- */

#define NR_CLOSES 60

static atomic_bool is_over;

/* It sleeps where completions come in, and so it learns first which requests came back. */
static void *read_all_the_time(void *fd)
{
	char *own = direct_buffer(BLOCK);
	struct aiocb cb;

	while (!is_over) {
		submit_read(&cb, *(int *)fd, own, BLOCK, 0);
		check_equal(outcome(&cb), BLOCK);
	}
	return NULL;
}

static int close_before_it_comes_back(void)
{
	int busy = direct_file(BLOCK, 0), next = temp_file(0);
	pthread_t thread;

	if (busy < 0)
		return CHILD_SKIPPED;
	thread = start_thread(read_all_the_time, &busy);
	check_equal(ftruncate(next, NR_BLOCKS * BLOCK), 0);
	for (int i = 0; i < NR_CLOSES; i++) {
		check(open_files());
		write_to_cache(3);
		submit_read(&cbs[0], direct, buf, BLOCK, 3 * BLOCK);
		check_equal(dup2(next, direct), direct);
		check_equal(outcome(&cbs[0]), BLOCK);
		check(buf[0] == 'c' && buf[BLOCK - 1] == 'c');
		close_files();
	}
	is_over = true;
	join_thread(thread);
	return 0;
}

TEST_OR_SKIP(test_read_that_comes_back_reaches_its_file, close_before_it_comes_back, 60000)

/* ---- no threads ---- */

/* A request now and then needs one helper, and the others leave. */
static void rest(void)
{
	uint64_t end = now_ns() + REST_NS;

	while (!becomes_true(nr_threads() <= 2, 200) && now_ns() < end)
		read_block(0);
}

static void check_given_back(int ret)
{
	int nr_failed = 0;

	for (int i = 0; i < NR_BLOCKS; i++) {
		if (aio_error(&cbs[i]) != EAGAIN) {
			check_block(i);
			continue;
		}
		check(aio_return(&cbs[i]) <= 0); /* 0: it was not even begun */
		nr_failed++;
	}
	check(ret == (nr_failed ? -1 : 0));
}

static int read_without_threads(void)
{
	int ret;

	become_nobody();
	if (!open_files())
		return CHILD_SKIPPED;
	rest();
	open_pipe(fds);
	fill_list();
	set_soft_limit(RLIMIT_NPROC, 1);
	ret = lio_listio(LIO_WAIT, list, NR_BLOCKS, NULL);
	check(ret == 0 || errno == EIO || errno == EAGAIN);
	for (int i = 0; i < NR_BLOCKS; i++)
		check(aio_error(&cbs[i]) != EINPROGRESS);
	check_given_back(ret);
	set_soft_limit(RLIMIT_NPROC, 1000);
	use_aio();
	return 0;
}

TEST_OR_SKIP(test_list_ends_when_entries_come_back_without_threads, read_without_threads, 30000)

/* ---- a sandbox ---- */

static void refuse_io_submit(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_submit, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)) {
		printf("no seccomp filters here");
		_exit(CHILD_SKIPPED);
	}
}

/* The second write of a block comes after the first, the read of it after both. */
static int submit_in_sandbox(void)
{
	enum { FIRST, SECOND, READ, APART, PIPE, NR };
	char *data = direct_buffer(2 * BLOCK);

	if (!open_files())
		return CHILD_SKIPPED;
	open_pipe(fds);
	write_fully(fds[1], "x", 1);
	memset(data, '1', BLOCK);
	memset(data + BLOCK, '2', BLOCK);
	fill_list();
	aiocb_init_lio(&cbs[FIRST], LIO_WRITE, direct, data, BLOCK, 0);
	aiocb_init_lio(&cbs[SECOND], LIO_WRITE, direct, data + BLOCK, BLOCK, 0);
	aiocb_init_lio(&cbs[READ], LIO_READ, direct, place_of(READ), BLOCK, 0);
	aiocb_init_lio(&cbs[APART], LIO_READ, direct, place_of(APART), BLOCK, BLOCK);
	aiocb_init_lio(&cbs[PIPE], LIO_READ, fds[0], place_of(PIPE), 1, 0);
	refuse_io_submit();
	check_equal(lio_listio(LIO_WAIT, list, NR, NULL), 0);
	for (int i = 0; i < PIPE; i++)
		check_equal(outcome(&cbs[i]), BLOCK);
	check_equal(outcome(&cbs[PIPE]), 1);
	check_memory(place_of(READ), data + BLOCK, BLOCK);
	check_pattern(place_of(APART), BLOCK, BLOCK);
	check_equal(pread(direct, buf, BLOCK, 0), BLOCK);
	check_memory(buf, data + BLOCK, BLOCK);
	use_aio();
	return 0;
}

TEST_OR_SKIP(test_refused_entries_keep_their_order, submit_in_sandbox, 30000)

/* ---- the program switches O_DIRECT off between the choice of a lane and the call ---- */

static void switch_direct_mode(void)
{
	check_equal(fcntl(direct, F_SETFL, 0), 0);
	check_equal(fcntl(direct, F_SETFL, O_DIRECT), 0);
}

/* The first block is in memory, and the others are not. */
static int read_amid_switches(void)
{
	enum { SIZE = NR_BLOCKS * BLOCK };

	if (!open_files())
		return CHILD_SKIPPED;
	check_equal(posix_fadvise(buffered, 0, 0, POSIX_FADV_RANDOM), 0);
	begin_storm(switch_direct_mode);
	for (int round = 0; round < 1000; round++) {
		evict(buffered);
		check_equal(pread(buffered, buf, BLOCK, 0), BLOCK);
		submit_read(&cbs[0], direct, buf, SIZE, 0);
		check_equal(outcome(&cbs[0]), SIZE);
		check_pattern(buf, 0, SIZE);
	}
	end_storm();
	return 0;
}

TEST_OR_SKIP(test_reads_are_whole_while_direct_mode_is_switched, read_amid_switches, 60000)

/* The descriptor means a longer file by then. */
static int read_short_before_close(void)
{
	enum { SHORT = BLOCK + 1000 };
	int longer = direct_file(NR_BLOCKS * BLOCK, 0);

	if (longer < 0 || !open_files())
		return CHILD_SKIPPED;
	check_equal(ftruncate(buffered, SHORT), 0);
	for (int round = 0; round < 200; round++) {
		int fd = reopen(direct, O_RDONLY | O_DIRECT);

		/* It may be needed to see what kind of file it is. */
		submit_read(&cbs[0], fd, buf, BLOCK, 0);
		check_equal(outcome(&cbs[0]), BLOCK);
		submit_read(&cbs[0], fd, buf, 2 * BLOCK, 0);
		check_equal(dup2(longer, fd), fd);
		check_equal(outcome(&cbs[0]), SHORT);
		check_pattern(buf, 0, SHORT);
		close(fd);
	}
	return 0;
}

TEST_OR_SKIP(test_short_read_stays_short_where_its_descriptor_is_reused, read_short_before_close,
	     60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_ends_when_entries_come_back),
		cmocka_unit_test(test_read_that_comes_back_reaches_its_file),
		cmocka_unit_test(test_list_ends_when_entries_come_back_without_threads),
		cmocka_unit_test(test_refused_entries_keep_their_order),
		cmocka_unit_test(test_reads_are_whole_while_direct_mode_is_switched),
		cmocka_unit_test(test_short_read_stays_short_where_its_descriptor_is_reused),
	};

	return cmocka_run_group_tests_name("given_back", tests, NULL, NULL);
}
