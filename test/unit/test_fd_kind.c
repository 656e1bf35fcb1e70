// SPDX-License-Identifier: MIT
/*
 * test_fd_kind.c - what is asked about a file, and what is remembered
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "request/fd_hints.h"
#include "request/fd_kind.h"

static mode_t type_of(int fd)
{
	struct descriptor found = { 0 };

	fd_kind_get_type(fd, &found);
	check(found.has_type);
	return found.mode & S_IFMT;
}

static void test_kernel_is_asked_what_is_not_noted(void **state)
{
	int fds[2], file = temp_file(0);

	(void)state;
	check_equal(pipe(fds), 0);
	check_equal(type_of(fds[0]), S_IFIFO);
	check_equal(type_of(file), S_IFREG);
	fd_hints_note(fds[0], fcntl(fds[0], F_GETFL), FILE_STREAM);
	check_equal(type_of(fds[0]), S_IFIFO);
	close(file);
}

/* Only a wrong note shows that the kernel was not asked. */
static void test_note_of_a_file_spares_the_question(void **state)
{
	int fds[2], flags;

	(void)state;
	check_equal(pipe(fds), 0);
	flags = fcntl(fds[0], F_GETFL);
	fd_hints_note(fds[0], flags, FILE_NOWAIT);
	check_equal(type_of(fds[0]), S_IFREG);
	fd_hints_note(fds[0], flags | O_APPEND, FILE_NOWAIT);
	check_equal(type_of(fds[0]), S_IFIFO);
	fd_hints_note(fds[0], flags, FILE_NOWAIT);
	fd_hints_drop((unsigned)fds[0], (unsigned)fds[0]);
	check_equal(type_of(fds[0]), S_IFIFO);
}

/* A program that watches the file would take the question for an access of its own. */
static void test_question_is_no_access(void **state)
{
	int file = temp_file_filled(4096), events = inotify_init1(IN_NONBLOCK);
	char path[64], event[256];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	check(inotify_add_watch(events, path, IN_ACCESS) >= 0);
	check_equal(type_of(file), S_IFREG);
	check_equal(read(events, event, sizeof(event)), -1);
	check_equal(errno, EAGAIN);
	check_equal(read(file, event, 1), 1);
	check(read(events, event, sizeof(event)) > 0);
	close(events);
	close(file);
}

static void test_closed_descriptor_has_no_type(void **state)
{
	struct descriptor found = { 0 };

	(void)state;
	fd_kind_get_type(-1, &found);
	check_equal(found.err, EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_is_asked_what_is_not_noted),
		cmocka_unit_test(test_note_of_a_file_spares_the_question),
		cmocka_unit_test(test_question_is_no_access),
		cmocka_unit_test(test_closed_descriptor_has_no_type),
	};

	return cmocka_run_group_tests_name("fd_kind", tests, NULL, NULL);
}
