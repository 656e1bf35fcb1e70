// SPDX-License-Identifier: MIT
/*
 * test_submit_waits.c - calls that submit do not wait for a device
 *
 * A thread that sleeps in the kernel gives its processor up of its own accord,
 * which the kernel counts.  Hence this does not depend on how busy the machine
 * is.  glibc's calls take a lock, which may be contended, and a library finds out
 * about a file by waiting now and then: one call in a hundred is allowed to.
 */
#include "transparency.h"
#include "frozen.h"
#include "served.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define SIZE        4096
#define DEPTH       32
#define NR          2000
#define BIG         (4 << 20)
#define NR_BIG      100
#define PLACES      16 /* of big ones */
#define SHORT_QUEUE 4
#define NR_ATTEMPTS 3

static unsigned long nr_sleeps(void)
{
	struct rusage usage;

	check_equal(getrusage(RUSAGE_THREAD, &usage), 0);
	return (unsigned long)usage.ru_nvcsw;
}

/* ---- a thread that makes the file system busy, as a log's would ---- */

static atomic_bool is_over;

static void *sync_again_and_again(void *fd)
{
	while (!atomic_load(&is_over))
		check_equal(fdatasync(*(int *)fd), 0);
	return NULL;
}

/* ---- where requests go ---- */

/* A log that grows. */
static off_t at_the_end(int i)
{
	return (off_t)i * SIZE;
}

/* Each place once: 1201 and the count have no common factor. */
static off_t anywhere(int i)
{
	return (off_t)(i * 1201 % NR) * SIZE;
}

static off_t big_ones(int i)
{
	return (off_t)(i % PLACES) * BIG;
}

/* ---- files and devices ---- */

static void lay_out(int fd, off_t size)
{
	char *buf = direct_buffer(BIG);

	for (off_t done = 0; done < size; done += BIG)
		check_equal(pwrite(fd, buf, BIG, done), BIG);
	check_equal(fsync(fd), 0);
	free(buf);
}

static int skip_file(const char *reason)
{
	printf("%s", reason);
	return -1;
}

static int on_disk(void)
{
	int fd = direct_file(0, 0);

	return fd < 0 ? skip_file("the file system refuses O_DIRECT") : fd;
}

static char length_path[96]; /* of the device's queue */
static int length;           /* before it was shortened; 0: it was not */

static bool write_length(int nr)
{
	FILE *file = fopen(length_path, "w");
	bool is_done;

	if (!file)
		return false;
	is_done = fprintf(file, "%d\n", nr) > 0;
	return fclose(file) == 0 && is_done;
}

/* A loop device keeps the length of its queue for whoever uses it next. */
static void restore_length(void)
{
	if (length > 0)
		write_length(length);
}

/* The device has room for so few requests that the others wait for it. */
static bool shorten_queue(dev_t device)
{
	FILE *file;

	snprintf(length_path, sizeof(length_path), "/sys/dev/block/%u:%u/queue/nr_requests",
		 major(device), minor(device));
	file = fopen(length_path, "r");
	if (!file)
		return false;
	check_equal(fscanf(file, "%d", &length), 1);
	fclose(file);
	return write_length(SHORT_QUEUE);
}

static int on_short_queue(void)
{
	struct stat st;
	int fd;

	if (!frozen_start())
		return -1;
	fd = frozen_file(O_DIRECT);
	check_equal(fstat(fd, &st), 0);
	return shorten_queue(st.st_dev) ? fd : skip_file("the queue cannot be shortened");
}

static int device_with_short_queue_over(const char *image)
{
	char device[32];
	struct stat st;
	int fd = geteuid() == 0 ? frozen_attach(image, device) : -1;

	if (fd < 0)
		return skip_file("no loop device: needs root, and the module loop");
	check_equal(fcntl(fd, F_SETFL, O_DIRECT), 0);
	check_equal(fstat(fd, &st), 0);
	return shorten_queue(st.st_rdev) ? fd : skip_file("the queue cannot be shortened");
}

static int device_with_short_queue(void)
{
	const char *image = temp_path("image");
	int fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	check(fd >= 0);
	check_equal(ftruncate(fd, (off_t)PLACES * BIG), 0);
	close(fd);
	fd = device_with_short_queue_over(image);
	unlink(image);
	return fd;
}

/* Its file system takes O_DIRECT, and goes through the page cache. */
static int in_journal(void)
{
	return frozen_start_as("ext4", "data=journal") ? frozen_file(O_DIRECT) : -1;
}

/* ---- what is done there ---- */

typedef off_t place_fn(int i);
typedef int file_fn(void);

struct plan {
	file_fn *open;
	place_fn *place;
	bool is_read, is_laid_out, is_sparse, is_synced;
	int per_list; /* 0: one call for each */
	int nr, size; /* 0: NR and SIZE */
};

static void prepare(const struct plan *plan, int fd, struct aiocb *cb, void *buf, int i)
{
	aiocb_init(cb, fd, buf, (size_t)plan->size, plan->place(i));
	cb->aio_lio_opcode = plan->is_read ? LIO_READ : LIO_WRITE;
}

/* One call with the next requests.  Did it sleep? */
static bool submit(const struct plan *plan, struct aiocb *cbs)
{
	struct aiocb *list[DEPTH];
	unsigned long before;

	for (int i = 0; i < plan->per_list; i++)
		list[i] = &cbs[i];
	before = nr_sleeps();
	if (plan->per_list)
		check_equal(lio_listio(LIO_NOWAIT, list, plan->per_list, NULL), 0);
	else
		check_equal(plan->is_read ? aio_read(cbs) : aio_write(cbs), 0);
	return nr_sleeps() != before;
}

static bool submit_sync(int fd, struct aiocb *cb)
{
	unsigned long before;

	aiocb_init(cb, fd, NULL, 0, 0);
	before = nr_sleeps();
	check_equal(aio_fsync(O_DSYNC, cb), 0);
	return nr_sleeps() != before;
}

/* How many of the calls slept; one in DEPTH is followed by a sync. */
static int count_sleeping_calls(const struct plan *plan, int fd, int *nr_calls)
{
	static struct aiocb cbs[DEPTH], sync;
	int step = plan->per_list ? plan->per_list : 1, nr_sleeping = 0;
	char *buf = direct_buffer((size_t)plan->size);

	for (int i = 0; i < plan->nr + DEPTH; i++) {
		struct aiocb *cb = &cbs[i % DEPTH];

		if (i >= DEPTH)
			check_equal(outcome(cb), plan->size);
		if (i % DEPTH == 0 && i > 0 && plan->is_synced)
			check_equal(outcome(&sync), 0);
		if (i >= plan->nr)
			continue;
		prepare(plan, fd, cb, buf, i);
		if ((i + 1) % step == 0) {
			nr_sleeping += submit(plan, cb + 1 - step);
			++*nr_calls;
		}
		if (i % DEPTH == 0 && plan->is_synced) {
			nr_sleeping += submit_sync(fd, &sync);
			++*nr_calls;
		}
	}
	free(buf);
	return nr_sleeping;
}

/* Sleeping calls beyond one in a hundred; -1: there is no such file. */
static int count_too_many(struct plan *plan)
{
	int fd = plan->open(), nr, nr_calls = 0;
	pthread_t thread;

	if (fd < 0)
		return -1;
	plan->size = plan->size ? plan->size : SIZE;
	plan->nr = plan->nr ? plan->nr : NR;
	if (plan->is_laid_out) {
		lay_out(fd, plan->size == BIG ? (off_t)PLACES * BIG : (off_t)NR * SIZE);
		evict(fd);
	}
	if (plan->is_sparse)
		check_equal(ftruncate(fd, NR * SIZE), 0);
	atomic_store(&is_over, !plan->is_synced);
	thread = start_thread(sync_again_and_again, &fd);
	nr = count_sleeping_calls(plan, fd, &nr_calls);
	atomic_store(&is_over, true);
	join_thread(thread);
	restore_length();
	close(fd);
	printf("# %d of %d calls slept\n", nr, nr_calls);
	return nr <= 1 + nr_calls / 100 ? 0 : nr;
}

/* Other programs may sync the journal of the file system all the time: once in time is enough. */
static int submit_as_planned(void *arg)
{
	int nr_too_many = count_too_many(arg);

	for (int i = 1; i < NR_ATTEMPTS && nr_too_many > 0; i++)
		nr_too_many = count_too_many(arg);
	if (nr_too_many < 0)
		return CHILD_SKIPPED;
	check_equal(nr_too_many, 0);
	return 0;
}

#define TEST_PLAN(test, ...) TEST_WITH_PLAN(test, submit_as_planned, 60000, __VA_ARGS__)

TEST_PLAN(test_writes_of_a_growing_file_do_not_wait, .open = on_disk, .place = at_the_end)
TEST_PLAN(test_writes_of_a_growing_file_under_syncs_do_not_wait, .open = on_disk,
	  .place = at_the_end, .is_synced = true)
TEST_PLAN(test_lists_of_writes_of_a_growing_file_do_not_wait, .open = on_disk, .place = at_the_end,
	  .per_list = DEPTH / 2)
TEST_PLAN(test_writes_of_a_sparse_file_do_not_wait, .open = on_disk, .place = anywhere,
	  .is_sparse = true)
TEST_PLAN(test_writes_of_a_sparse_file_under_syncs_do_not_wait, .open = on_disk, .place = anywhere,
	  .is_sparse = true, .is_synced = true)
TEST_PLAN(test_reads_of_a_sparse_file_do_not_wait, .open = on_disk, .place = anywhere,
	  .is_read = true, .is_sparse = true)
TEST_PLAN(test_writes_of_a_laid_out_file_under_syncs_do_not_wait, .open = on_disk,
	  .place = anywhere, .is_laid_out = true, .is_synced = true)
TEST_PLAN(test_reads_of_a_laid_out_file_under_syncs_do_not_wait, .open = on_disk, .place = anywhere,
	  .is_read = true, .is_laid_out = true, .is_synced = true)
TEST_PLAN(test_lists_of_reads_do_not_wait, .open = on_disk, .place = anywhere, .is_read = true,
	  .is_laid_out = true, .per_list = DEPTH / 2)
TEST_PLAN(test_writes_to_a_file_do_not_wait_for_a_short_queue, .open = on_short_queue,
	  .place = anywhere, .is_laid_out = true)
TEST_PLAN(test_reads_of_a_file_do_not_wait_for_a_short_queue, .open = on_short_queue,
	  .place = anywhere, .is_read = true, .is_laid_out = true)
TEST_PLAN(test_big_reads_of_a_file_do_not_wait_for_a_short_queue, .open = on_short_queue,
	  .place = big_ones, .is_read = true, .is_laid_out = true, .nr = NR_BIG, .size = BIG)
TEST_PLAN(test_writes_to_a_device_do_not_wait_for_a_short_queue, .open = device_with_short_queue,
	  .place = anywhere)
TEST_PLAN(test_reads_of_a_device_do_not_wait_for_a_short_queue, .open = device_with_short_queue,
	  .place = anywhere, .is_read = true)
TEST_PLAN(test_big_reads_of_a_device_do_not_wait_for_a_short_queue, .open = device_with_short_queue,
	  .place = big_ones, .is_read = true, .nr = NR_BIG, .size = BIG)
TEST_PLAN(test_writes_through_a_journal_do_not_wait, .open = in_journal, .place = anywhere,
	  .is_laid_out = true, .is_synced = true)
TEST_PLAN(test_reads_through_the_page_cache_do_not_wait, .open = in_journal, .place = anywhere,
	  .is_read = true, .is_laid_out = true)

/* ---- a device that has stopped ---- */

static struct aiocb stopped_cbs[3 * SHORT_QUEUE];

static void *fill_the_queue(void *fd)
{
	static char buf[3 * SHORT_QUEUE][SIZE] __attribute__((aligned(4096)));

	for (int i = 0; i < 3 * SHORT_QUEUE; i++)
		submit_read(&stopped_cbs[i], *(int *)fd, buf[i], SIZE, (off_t)i * SIZE);
	return NULL;
}

static int read_a_device_that_has_stopped(void)
{
	char image[64], *buf = direct_buffer(SIZE);
	int file, fd;

	if (!served_start())
		return CHILD_SKIPPED;
	file = served_open("held and synced", O_RDWR);
	snprintf(image, sizeof(image), "/proc/self/fd/%d", file);
	fd = device_with_short_queue_over(image);
	if (fd < 0)
		return CHILD_SKIPPED;
	/*
	 * At the end nobody asks the device.  What the library finds out about the file, it has
	 * then.
	 */
	for (int i = 0; i < NR; i++) {
		submit_read(&stopped_cbs[0], fd, buf, SIZE, SERVED_SIZE);
		check_equal(outcome(&stopped_cbs[0]), 0);
	}
	join_thread(start_thread(fill_the_queue, &fd));
	for (int i = 0; i < 3 * SHORT_QUEUE; i++)
		check_equal(aio_error(&stopped_cbs[i]), EINPROGRESS);
	served_release();
	for (int i = 0; i < 3 * SHORT_QUEUE; i++)
		check_equal(outcome(&stopped_cbs[i]), SIZE);
	restore_length();
	return 0;
}

TEST_OR_SKIP(test_reads_of_a_device_that_has_stopped_do_not_wait, read_a_device_that_has_stopped,
	     60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes_of_a_growing_file_do_not_wait),
		cmocka_unit_test(test_writes_of_a_growing_file_under_syncs_do_not_wait),
		cmocka_unit_test(test_lists_of_writes_of_a_growing_file_do_not_wait),
		cmocka_unit_test(test_writes_of_a_sparse_file_do_not_wait),
		cmocka_unit_test(test_writes_of_a_sparse_file_under_syncs_do_not_wait),
		cmocka_unit_test(test_reads_of_a_sparse_file_do_not_wait),
		cmocka_unit_test(test_writes_of_a_laid_out_file_under_syncs_do_not_wait),
		cmocka_unit_test(test_reads_of_a_laid_out_file_under_syncs_do_not_wait),
		cmocka_unit_test(test_lists_of_reads_do_not_wait),
		cmocka_unit_test(test_writes_to_a_file_do_not_wait_for_a_short_queue),
		cmocka_unit_test(test_reads_of_a_file_do_not_wait_for_a_short_queue),
		cmocka_unit_test(test_big_reads_of_a_file_do_not_wait_for_a_short_queue),
		cmocka_unit_test(test_writes_to_a_device_do_not_wait_for_a_short_queue),
		cmocka_unit_test(test_reads_of_a_device_do_not_wait_for_a_short_queue),
		cmocka_unit_test(test_big_reads_of_a_device_do_not_wait_for_a_short_queue),
		cmocka_unit_test(test_writes_through_a_journal_do_not_wait),
		cmocka_unit_test(test_reads_through_the_page_cache_do_not_wait),
		cmocka_unit_test(test_reads_of_a_device_that_has_stopped_do_not_wait),
	};

	return cmocka_run_group_tests_name("submit_waits", tests, NULL, NULL);
}
