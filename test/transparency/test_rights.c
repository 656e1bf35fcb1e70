// SPDX-License-Identifier: MIT
/*
 * test_rights.c - rights that change
 *
 * A program may change its user, root directory and name spaces while requests
 * are in flight, and may refuse itself kernel interfaces by a filter: what glibc
 * does not need must not be missed.
 */
#include "transparency.h"

#include <dirent.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- another user, another root, another name space ---- */

/* The uids of each thread of the program; kernel helpers are not asked. */
static void check_uid_of_all_threads(unsigned int uid)
{
	DIR *dir = opendir("/proc/self/task");
	char path[300], line[256];
	struct dirent *entry;
	unsigned int real, effective;
	bool is_helper = false;

	check(dir != NULL);
	while ((entry = readdir(dir))) {
		FILE *status;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		status = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (status && fgets(line, sizeof(line), status)) {
			if (!strncmp(line, "Name:", 5))
				is_helper = strstr(line, "iou-") != NULL;
			if (sscanf(line, "Uid: %u %u", &real, &effective) == 2 && !is_helper)
				check_equal(effective, uid);
		}
		if (status)
			fclose(status);
	}
	closedir(dir);
}

static bool lacks_root(void)
{
	if (geteuid())
		printf("only root may do this");
	return geteuid() != 0;
}

static int change_user(void)
{
	char byte = 0;
	struct aiocb cb;
	int fds[2];

	if (lacks_root())
		return CHILD_SKIPPED;
	check_equal(chmod(temp_dir(), 0777), 0);
	check_equal(chmod(direct_dir(), 0777), 0);
	use_aio();
	open_pipe(fds);
	for (int i = 0; i < 10; i++) {
		submit_read(&cb, fds[0], &byte, 1, 0);
		check_equal(seteuid(1234), 0);
		check_uid_of_all_threads(1234);
		use_aio();
		check_equal(seteuid(0), 0);
		check_uid_of_all_threads(0);
		write_fully(fds[1], "x", 1);
		check_equal(outcome(&cb), 1);
	}
	submit_read(&cb, fds[0], &byte, 1, 0);
	check_equal(setuid(1234), 0);
	check_uid_of_all_threads(1234);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	use_aio();
	return 0;
}

static int change_root(bool is_warm)
{
	char *buf = direct_buffer(8192), byte;
	int file = temp_file_filled(65536), direct = direct_file(65536, 0), fds[2];
	struct aiocb cb;

	if (lacks_root())
		return CHILD_SKIPPED;
	open_pipe(fds);
	if (is_warm) {
		use_aio();
		submit_read(&cb, fds[0], &byte, 1, 0);
	}
	check_equal(chroot(temp_dir()), 0);
	check_equal(chdir("/"), 0);
	if (is_warm) {
		write_fully(fds[1], "x", 1);
		check_equal(outcome(&cb), 1);
	}
	for (int i = 0; i < 3; i++) {
		submit_read(&cb, fds[0], buf, 1, 0);
		write_fully(fds[1], "x", 1);
		check_equal(outcome(&cb), 1);
		evict(file);
		submit_read(&cb, file, buf, 8192, 4096);
		check_equal(outcome(&cb), 8192);
		check_pattern(buf, 4096, 8192);
		if (direct < 0)
			continue;
		submit_read(&cb, direct, buf, 8192, 0);
		check_equal(outcome(&cb), 8192);
		check_pattern(buf, 0, 8192);
	}
	return 0;
}

static int change_root_first(void)
{
	return change_root(false);
}

static int change_root_beside_request(void)
{
	return change_root(true);
}

/* Only a program with a single thread may do this. */
static int enter_user_namespace(void)
{
	uint64_t end;
	pid_t pid = fork();

	if (!pid)
		_exit(unshare(CLONE_NEWUSER | CLONE_FS) != 0);
	if (wait_for_child(pid)) {
		printf("no user name spaces here");
		return CHILD_SKIPPED;
	}
	use_aio();
	end = now_ns() + 5000000000;
	while (unshare(CLONE_NEWUSER | CLONE_FS) < 0) {
		check_equal(errno, EINVAL);
		if (now_ns() > end)
			check_failed("%u threads 5 s after the last request", nr_threads());
		short_pause();
	}
	use_aio_briefly();
	return 0;
}

TEST_OR_SKIP(test_user_changes_beside_requests, change_user, 30000)
TEST_OR_SKIP(test_first_use_in_another_root, change_root_first, 30000)
TEST_OR_SKIP(test_use_goes_on_in_another_root, change_root_beside_request, 30000)
TEST_OR_SKIP(test_idle_program_may_enter_a_user_namespace, enter_user_namespace, 30000)

/* ---- kernel interfaces refused by a filter ---- */

#define REFUSE(nr, error)                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

/* In all threads, as a sandbox does: neither io_uring nor Linux AIO. */
static void refuse_kernel_interfaces(unsigned int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE(SYS_io_uring_setup, error),
		REFUSE(SYS_io_uring_enter, error),
		REFUSE(SYS_io_uring_register, error),
		REFUSE(SYS_io_setup, error),
		REFUSE(SYS_io_submit, error),
		REFUSE(SYS_io_getevents, error),
		REFUSE(SYS_io_pgetevents, error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	check_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	check_equal(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			    &program),
		    0);
}

static int use_inside_sandbox(void *error)
{
	refuse_kernel_interfaces((unsigned int)(uintptr_t)error);
	for (int i = 0; i < 3; i++)
		use_aio();
	return 0;
}

static int use_across_sandbox(void *error)
{
	use_aio();
	refuse_kernel_interfaces((unsigned int)(uintptr_t)error);
	for (int i = 0; i < 3; i++)
		use_aio();
	return 0;
}

/* Requests that were in the kernel when it began to refuse. */
static int sandbox_beside_requests(void *error)
{
	size_t size = 16 * 65536;
	int direct = direct_file(size, 0);
	char *buf = direct_buffer(size);
	struct aiocb reads[4], disk[16];
	char bytes[4] = { 0 };
	int fds[4][2];

	for (int i = 0; i < 4; i++) {
		open_pipe(fds[i]);
		submit_read(&reads[i], fds[i][0], &bytes[i], 1, 0);
	}
	for (int i = 0; direct >= 0 && i < 16; i++)
		submit_read(&disk[i], direct, buf + i * 65536, 65536, i * 65536);
	refuse_kernel_interfaces((unsigned int)(uintptr_t)error);
	for (int i = 0; i < 4; i++)
		write_fully(fds[i][1], &"abcd"[i], 1);
	for (int i = 0; i < 4; i++)
		check_equal(outcome(&reads[i]), 1);
	check_memory(bytes, "abcd", 4);
	for (int i = 0; direct >= 0 && i < 16; i++)
		check_equal(outcome(&disk[i]), 65536);
	if (direct >= 0)
		check_pattern(buf, 0, size);
	use_aio();
	return 0;
}

/* More at once than a ring has entries, in a ring that was made before. */
static int list_across_sandbox(void *error)
{
	enum { NR = 300 };
	static struct aiocb reads[NR], *list[NR];
	static char bytes[NR];
	static int fds[NR][2];

	for (int i = 0; i < NR; i++) {
		open_pipe(fds[i]);
		aiocb_init_lio(&reads[i], LIO_READ, fds[i][0], &bytes[i], 1, 0);
		list[i] = &reads[i];
	}
	use_aio();
	refuse_kernel_interfaces((unsigned int)(uintptr_t)error);
	check_equal(lio_listio(LIO_NOWAIT, list, NR, NULL), 0);
	for (int i = 0; i < NR; i++)
		write_fully(fds[i][1], &"0123456789"[i % 10], 1);
	for (int i = 0; i < NR; i++) {
		check_equal(outcome(&reads[i]), 1);
		check_equal(bytes[i], '0' + i % 10);
	}
	use_aio();
	return 0;
}

static void check_sandbox(int (*function)(void *))
{
	const int errors[] = { EPERM, ENOSYS };

	for (int i = 0; i < 2; i++)
		support_check_child(in_child_with(function, (void *)(uintptr_t)errors[i], 30000),
				    strerror(errors[i]), __FILE__, __LINE__);
}

static void test_aio_works_inside_a_sandbox(void **state)
{
	(void)state;
	check_sandbox(use_inside_sandbox);
}

static void test_aio_goes_on_when_a_sandbox_closes(void **state)
{
	(void)state;
	check_sandbox(use_across_sandbox);
}

static void test_requests_in_flight_survive_a_sandbox(void **state)
{
	(void)state;
	check_sandbox(sandbox_beside_requests);
}

static void test_long_list_goes_on_when_a_sandbox_closes(void **state)
{
	(void)state;
	check_sandbox(list_across_sandbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_changes_beside_requests),
		cmocka_unit_test(test_first_use_in_another_root),
		cmocka_unit_test(test_use_goes_on_in_another_root),
		cmocka_unit_test(test_idle_program_may_enter_a_user_namespace),
		cmocka_unit_test(test_aio_works_inside_a_sandbox),
		cmocka_unit_test(test_aio_goes_on_when_a_sandbox_closes),
		cmocka_unit_test(test_requests_in_flight_survive_a_sandbox),
		cmocka_unit_test(test_long_list_goes_on_when_a_sandbox_closes),
	};

	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
