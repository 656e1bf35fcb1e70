// SPDX-License-Identifier: MIT
/*
 * test_watchers.c - programs that watch a file (inotify) see each transfer, and nothing else
 */
#include "transparency.h"

#include <dlfcn.h>
#include <sys/inotify.h>

#include "../../include/rtaio.h"

#define BLOCK     4096
#define NR_BLOCKS 64
#define NR_FIRST  16 /* requests after which the library knows the file */

static int watcher;
static struct aiocb cb;

static void watch(int fd)
{
	char path[64];

	watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	check(watcher >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(inotify_add_watch(watcher, path, IN_ACCESS | IN_MODIFY) >= 0);
}

/* Is there this event, and no other?  Equal ones in a row are one, so ask after each transfer. */
static bool has_seen(uint32_t mask)
{
	char events[4096] __attribute__((aligned(8)));
	ssize_t size = read(watcher, events, sizeof(events));
	const struct inotify_event *event = (const void *)events;

	return size == sizeof(*event) && event->mask == mask;
}

static bool is_write_seen(int fd, char *buf, int block)
{
	submit_write(&cb, fd, buf, BLOCK, (off_t)block * BLOCK);
	check_equal(outcome(&cb), BLOCK);
	return has_seen(IN_MODIFY);
}

static bool is_read_seen(int fd, char *buf, int block)
{
	submit_read(&cb, fd, buf, BLOCK, (off_t)block * BLOCK);
	check_equal(outcome(&cb), BLOCK);
	return has_seen(IN_ACCESS);
}

static void write_first(int fd, char *buf)
{
	for (int i = 0; i < NR_FIRST; i++) {
		submit_write(&cb, fd, buf, BLOCK, (off_t)i * BLOCK);
		check_equal(outcome(&cb), BLOCK);
		short_pause();
	}
}

static int watch_cached(void)
{
	static char buf[BLOCK];
	int fd = temp_file_filled(NR_BLOCKS * BLOCK);

	watch(fd);
	for (int i = 0; i < NR_BLOCKS; i++) {
		check(is_write_seen(fd, buf, i));
		check(is_read_seen(fd, buf, i));
	}
	return 0;
}

/* By Linux AIO; 0 also where there is no library that counts. */
static uint64_t nr_direct(void)
{
	void (*stats)(struct rtaio_stats *, size_t) =
		(void (*)(struct rtaio_stats *, size_t))dlsym(RTLD_DEFAULT, "rtaio_stats");
	struct rtaio_stats now = { 0 };

	if (stats)
		stats(&now, sizeof(now));
	return now.lane_direct;
}

static int watch_direct(void)
{
	int fd = direct_file(NR_BLOCKS * BLOCK, 0), nr_unseen = 0;
	const char *implementation = getenv("RTAIO_TEST_IMPLEMENTATION");
	bool may_be_direct = implementation && (strcmp(implementation, "auto") == 0 ||
						strcmp(implementation, "libaio") == 0);
	char *buf;

	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	buf = direct_buffer(BLOCK);
	memset(buf, 0, BLOCK);
	write_first(fd, buf);
	watch(fd);
	for (int i = 0; i < NR_BLOCKS; i++)
		nr_unseen += !is_write_seen(fd, buf, i) + !is_read_seen(fd, buf, i);
	if (may_be_direct && nr_direct() == 0) {
		printf("Linux AIO does not serve this file");
		return CHILD_SKIPPED;
	}
	check_equal(nr_unseen, 0);
	return 0;
}

TEST_IN_CHILD(test_watchers_see_each_transfer, watch_cached, 20000)
TEST_OR_SKIP(test_watchers_see_each_direct_transfer, watch_direct, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watchers_see_each_transfer),
		cmocka_unit_test(test_watchers_see_each_direct_transfer),
	};

	return cmocka_run_group_tests_name("watchers", tests, NULL, NULL);
}
