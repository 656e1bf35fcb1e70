// SPDX-License-Identifier: MIT
/*
 * test_pin.c - files that are held in a descriptor table of the library's own
 *
 * White box: linked to the objects of the library, of which it calls keeper.h
 * and pin.h, in the place of the engine thread.
 */
#include "pins.h"

#include <sys/stat.h>
#include <sys/wait.h>

static unsigned int nr_descriptors_of(pid_t tid)
{
	struct dirent *entry;
	unsigned int nr = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/self/task/%d/fd", (int)tid);
	dir = opendir(path);
	check(dir != NULL);
	while ((entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	closedir(dir);
	return nr;
}

static off_t size_of(int fd)
{
	struct stat st;

	check_equal(fstat(fd, &st), 0);
	return st.st_size;
}

static bool is_locked_for_others(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (fcntl(fd, F_GETLK, &lock) < 0)
			_exit(2);
		_exit(lock.l_type != F_UNLCK);
	}
	check(child > 0);
	check_equal(waitpid(child, &status, 0), child);
	check(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status);
}

static void test_record_locks_survive(void **state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = temp_file(0), other = dup(fd);
	struct pin *pin;

	(void)state;
	check_equal(fcntl(fd, F_SETLK, &lock), 0);
	pin = pin_or_skip(other);
	check_equal(perform_on(pin, OP_WRITE, "data", 4), 4);
	check(is_locked_for_others(fd));
	pin_put(pin);
	eventually(nr_threads_named("rtaio-", NULL) == 0);
	check(is_locked_for_others(fd));
	/* A close in the program's table is another matter. */
	close(other);
	check(!is_locked_for_others(fd));
	close(fd);
}

static void test_file_is_written_after_its_descriptor_was_reused(void **state)
{
	int fd = temp_file(0), witness = dup(fd), reused;
	char buf[4];
	struct pin *pin = pin_or_skip(fd);

	(void)state;
	close(fd);
	reused = temp_file(0);
	check_equal(reused, fd);
	check_equal(perform_on(pin, OP_WRITE, "data", 4), 4);
	check_equal(pread(witness, buf, 4, 0), 4);
	check_memory(buf, "data", 4);
	check_equal(size_of(reused), 0);
	memset(buf, 0, sizeof(buf));
	check_equal(perform_on(pin, OP_READ, buf, 4), 4);
	check_memory(buf, "data", 4);
	check_equal(perform_on(pin, OP_FSYNC, NULL, 0), 0);
	check_equal(perform_on(pin, OP_FDATASYNC, NULL, 0), 0);
	pin_put(pin);
	close(reused);
	close(witness);
}

static void test_result_is_the_error_of_the_call(void **state)
{
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	pin = pin_or_skip(fds[1]);
	check_equal(perform_on(pin, OP_READ, NULL, 0), -EBADF);
	check_equal(perform_on(pin, OP_FSYNC, NULL, 0), -EINVAL);
	close(fds[0]);
	check_equal(perform_on(pin, OP_WRITE, "x", 1), -EPIPE);
	pin_put(pin);
	close(fds[1]);
}

static void test_requests_keep_their_order(void **state)
{
	static struct request requests[8];
	static char bytes[8];
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	pin = pin_or_skip(fds[0]);
	close(fds[0]);
	for (int i = 0; i < 8; i++) {
		make_request(&requests[i], OP_READ, &bytes[i], 1);
		pin_submit(pin, &requests[i]);
	}
	/* All of them go before the close. */
	pin_put(pin);
	write_fully(fds[1], "abcdefgh", 8);
	for (int i = 0; i < 8; i++)
		await_semaphore(&executed);
	check_memory(bytes, "abcdefgh", 8);
	close(fds[1]);
}

static void test_other_end_sees_end_of_file_after_the_last_put(void **state)
{
	struct pin *pin;
	int fds[2];

	(void)state;
	pin = pin_new_pipe(fds);
	pass_byte(pin, fds[0]);
	pin_get(pin);
	pin_put(pin);
	pass_byte(pin, fds[0]);
	check(!is_at_end(fds[0]));
	pin_put(pin);
	eventually(is_at_end(fds[0]));
	close(fds[0]);
}

static void test_blocked_pin_holds_up_no_other(void **state)
{
	static struct request req;
	static char byte;
	struct pin *blocked, *other;
	int fds[2], others[2];

	(void)state;
	open_pipe(fds);
	open_pipe(others);
	blocked = pin_or_skip(fds[0]);
	make_request(&req, OP_READ, &byte, 1);
	pin_submit(blocked, &req);
	other = pin_or_skip(others[1]);
	check_equal(perform_on(other, OP_WRITE, "x", 1), 1);
	write_fully(fds[1], "y", 1);
	await_semaphore(&executed);
	check_equal(byte, 'y');
	pin_put(blocked);
	pin_put(other);
	close_pair(fds);
	close_pair(others);
}

static void test_program_does_not_see_pinned_files(void **state)
{
	unsigned int nr_before;
	struct pin *pin;
	int fds[2];

	(void)state;
	open_pipe(fds);
	nr_before = nr_descriptors_of(own_tid());
	pin = pin_or_skip(fds[1]);
	check_equal(nr_descriptors_of(own_tid()), nr_before);
	close(fds[1]);
	check_equal(nr_descriptors_of(own_tid()), nr_before - 1);
	pin_put(pin);
	close(fds[0]);
}

static void test_closed_descriptor_cannot_be_pinned(void **state)
{
	int fd = dup(STDIN_FILENO);

	(void)state;
	close(fd);
	check(!keeper_pin(fd));
	check(!keeper_pin(-1));
}

static void test_pins_in_a_row_leave_nothing_behind(void **state)
{
	unsigned int nr_before = nr_descriptors_of(own_tid());
	int fd = temp_file(0);
	pid_t keeper;

	(void)state;
	atomic_store(&config.idle_ns, LONG_NS);
	for (int i = 0; i < 200; i++)
		pin_put(pin_or_skip(fd));
	eventually(nr_threads_named("rtaio-", NULL) == 1);
	close(fd);
	eventually(nr_threads_named("rtaio-keeper", &keeper) == 1);
	eventually(nr_descriptors_of(keeper) == 1);
	check_equal(nr_descriptors_of(own_tid()), nr_before);
}

static void test_many_pins_at_once(void **state)
{
	static struct pin *pins[200];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < 200; i++)
		pins[i] = pin_or_skip(fds[1]);
	close(fds[1]);
	for (int i = 0; i < 200; i++)
		check_equal(perform_on(pins[i], OP_WRITE, "x", 1), 1);
	for (int i = 0; i < 200; i++)
		pin_put(pins[i]);
	read_fully(fds[0], NULL, 200);
	eventually(is_at_end(fds[0]));
	close(fds[0]);
}

static void test_idle_keeper_leaves_and_comes_back(void **state)
{
	struct pin *pin;
	int fds[2];

	(void)state;
	pin = pin_new_pipe(fds);
	/* The pin keeps its file without the keeper. */
	eventually(nr_threads_named("rtaio-keeper", NULL) == 0);
	pass_byte(pin, fds[0]);
	/* Another one, with another table. */
	pin_put(pin_or_skip(fds[0]));
	pin_put(pin);
	eventually(is_at_end(fds[0]));
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_record_locks_survive),
		TEST(test_file_is_written_after_its_descriptor_was_reused),
		TEST(test_result_is_the_error_of_the_call),
		TEST(test_requests_keep_their_order),
		TEST(test_other_end_sees_end_of_file_after_the_last_put),
		TEST(test_blocked_pin_holds_up_no_other),
		TEST(test_program_does_not_see_pinned_files),
		TEST(test_closed_descriptor_cannot_be_pinned),
		TEST(test_pins_in_a_row_leave_nothing_behind),
		TEST(test_many_pins_at_once),
		TEST(test_idle_keeper_leaves_and_comes_back),
	};

	become_engine(SHORT_NS);
	return cmocka_run_group_tests_name("pin", tests, NULL, NULL);
}
