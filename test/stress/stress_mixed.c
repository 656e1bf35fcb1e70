// SPDX-License-Identifier: MIT
/*
 * stress_mixed.c - random requests of all kinds at once, checked byte by byte
 *
 * Each of four threads has a buffered file, an O_DIRECT file, a pipe and a
 * socket of its own, and a model of what they hold.  A request on a file takes
 * effect in the order of submission where ranges overlap, so the model is
 * changed at submission: a read must return what the model held then.  Files
 * grow by writes at their end; reads stay below it.  Requests are submitted
 * one by one and in lists, and are waited for in every way there is.
 */
#include "support.h"

#include <pthread.h>
#include <sys/socket.h>

#define NR_THREADS     4
#define NR_SLOTS       12
#define LIST_MAX       4
#define BLOCK          4096
#define FILE_MAX       (64 * BLOCK)
#define TRANSFER_MAX   (6 * BLOCK)
#define STREAM_BYTES   700
#define STREAM_PENDING 8192 /* less than a pipe holds: no write has to wait for a read */

enum target { BUFFERED, DIRECT, PIPE, SOCKET, NR_TARGETS };
enum kind { READING, WRITING, SYNCING };

struct file {
	int fds[2]; /* to read, to write */
	size_t size;
	unsigned char *model;
	unsigned char next_written, next_read; /* streams hold a counting sequence */
	size_t nr_unread;                      /* streams: bytes submitted and not asked for */
	bool is_read;                          /* streams: a read is in flight */
};

struct slot {
	struct aiocb cb;
	bool is_busy;
	enum kind kind;
	enum target target;
	unsigned char *buf, *expected;
	uint64_t order;
};

struct worker {
	struct file files[NR_TARGETS];
	struct slot slots[NR_SLOTS];
	unsigned int seed;
	uint64_t nr_submitted;
};

static uint64_t end_ns;

static unsigned int test_ms(void)
{
	const char *text = getenv("RTAIO_TEST_SECONDS");

	return text ? 1000 * (unsigned int)strtoul(text, NULL, 10) : 3000;
}

static size_t random_below(struct worker *worker, size_t limit)
{
	worker->seed = worker->seed * 1664525 + 1013904223;
	return (worker->seed >> 8) % limit;
}

static void *get_memory(void)
{
	void *memory;

	check_equal(posix_memalign(&memory, BLOCK, TRANSFER_MAX), 0);
	return memory;
}

static bool is_stream(enum target target)
{
	return target == PIPE || target == SOCKET;
}

/* ---- what to ask for ---- */

static void prepare_stream(struct worker *worker, struct slot *slot)
{
	struct file *file = &worker->files[slot->target];
	size_t size = 1 + random_below(worker, STREAM_BYTES);

	if (file->nr_unread > 0 && !file->is_read && random_below(worker, 2)) {
		slot->kind = READING;
		file->is_read = true;
	} else if (file->nr_unread + size < STREAM_PENDING) {
		slot->kind = WRITING;
		file->nr_unread += size;
		for (size_t i = 0; i < size; i++)
			slot->buf[i] = file->next_written++;
	} else {
		slot->target = BUFFERED;
		return;
	}
	aiocb_init(&slot->cb, file->fds[slot->kind == WRITING], slot->buf, size, 0);
}

/* Below the end of the file, but now and then at its end, where it grows. */
static size_t choose_range(struct worker *worker, struct slot *slot, size_t *size)
{
	struct file *file = &worker->files[slot->target];
	size_t unit = slot->target == DIRECT ? BLOCK : 1;
	size_t max = TRANSFER_MAX / unit, offset;

	if (slot->kind == WRITING && file->size + TRANSFER_MAX <= FILE_MAX &&
	    (file->size == 0 || random_below(worker, 3) == 0)) {
		*size = unit * (1 + random_below(worker, max));
		return file->size;
	}
	offset = unit * random_below(worker, file->size / unit);
	if (max > (file->size - offset) / unit)
		max = (file->size - offset) / unit;
	*size = unit * (1 + random_below(worker, max));
	return offset;
}

static void prepare_file(struct worker *worker, struct slot *slot)
{
	struct file *file = &worker->files[slot->target];
	size_t offset, size;

	slot->kind = file->size > 0 && random_below(worker, 2) ? READING : WRITING;
	offset = choose_range(worker, slot, &size);
	if (slot->kind == READING) {
		memcpy(slot->expected, file->model + offset, size);
		memset(slot->buf, 0xee, size);
	} else {
		memset(slot->buf, (int)random_below(worker, 256), size);
		memcpy(file->model + offset, slot->buf, size);
		if (offset + size > file->size)
			file->size = offset + size;
	}
	aiocb_init(&slot->cb, file->fds[0], slot->buf, size, (off_t)offset);
}

static void prepare(struct worker *worker, struct slot *slot)
{
	slot->target = (enum target)random_below(worker, NR_TARGETS);
	if (is_stream(slot->target))
		prepare_stream(worker, slot);
	if (!is_stream(slot->target))
		prepare_file(worker, slot);
	slot->cb.aio_lio_opcode = slot->kind == WRITING ? LIO_WRITE : LIO_READ;
	slot->order = ++worker->nr_submitted;
	slot->is_busy = true;
}

/* ---- what must have come of it ---- */

static void check_stream(struct worker *worker, struct slot *slot, size_t size)
{
	struct file *file = &worker->files[slot->target];

	if (slot->kind == WRITING) {
		check_equal(size, slot->cb.aio_nbytes);
		return;
	}
	check(size > 0 && size <= slot->cb.aio_nbytes);
	for (size_t i = 0; i < size; i++)
		check_equal(slot->buf[i], file->next_read++);
	check(size <= file->nr_unread);
	file->nr_unread -= size;
	file->is_read = false;
}

/* aio_fsync is complete: so is every write that was submitted before it. */
static void check_sync(struct worker *worker, struct slot *slot)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		struct slot *other = &worker->slots[i];

		if (other->is_busy && other->kind == WRITING && other->target == slot->target &&
		    other->order < slot->order)
			check_equal(aio_error(&other->cb), 0);
	}
}

/* A wrong result may be the fault of what was to happen before. */
static void show_slots(struct worker *worker, struct slot *wrong)
{
	static const char *const targets[] = { "buffered", "O_DIRECT", "pipe", "socket" };
	static const char *const kinds[] = { "read", "write", "fsync" };

	for (int i = 0; i < NR_SLOTS; i++) {
		struct slot *slot = &worker->slots[i];

		if (slot != wrong && !slot->is_busy)
			continue;
		print_message("# %s%s no. %llu, %s, %zu at %lld: error %d, result %zd\n",
			      slot == wrong ? "wrong: " : "", kinds[slot->kind],
			      (unsigned long long)slot->order, targets[slot->target],
			      slot->cb.aio_nbytes, (long long)slot->cb.aio_offset,
			      aio_error(&slot->cb), aio_return(&slot->cb));
	}
}

static void collect(struct worker *worker, struct slot *slot)
{
	ssize_t size;

	check_equal(aio_error(&slot->cb), 0);
	size = aio_return(&slot->cb);
	slot->is_busy = false;
	if (slot->kind == SYNCING) {
		check_equal(size, 0);
		check_sync(worker, slot);
	} else if (is_stream(slot->target)) {
		check_stream(worker, slot, (size_t)size);
	} else {
		if (size != (ssize_t)slot->cb.aio_nbytes)
			show_slots(worker, slot);
		check_equal(size, slot->cb.aio_nbytes);
		if (slot->kind == READING)
			check_memory(slot->buf, slot->expected, (size_t)size);
	}
}

/* ---- ways to submit ---- */

static struct slot *free_slot(struct worker *worker)
{
	for (int i = 0; i < NR_SLOTS; i++)
		if (!worker->slots[i].is_busy)
			return &worker->slots[i];
	return NULL;
}

static void submit_single(struct worker *worker)
{
	struct slot *slot = free_slot(worker);

	if (!slot)
		return;
	prepare(worker, slot);
	check_equal(slot->kind == WRITING ? aio_write(&slot->cb) : aio_read(&slot->cb), 0);
}

static void submit_sync(struct worker *worker)
{
	struct slot *slot = free_slot(worker);

	if (!slot)
		return;
	slot->target = random_below(worker, 2) ? BUFFERED : DIRECT;
	slot->kind = SYNCING;
	slot->order = ++worker->nr_submitted;
	slot->is_busy = true;
	aiocb_init(&slot->cb, worker->files[slot->target].fds[0], NULL, 0, 0);
	check_equal(aio_fsync(random_below(worker, 2) ? O_SYNC : O_DSYNC, &slot->cb), 0);
}

static void submit_several(struct worker *worker, int mode)
{
	struct aiocb *list[LIST_MAX + 1] = { NULL };
	size_t nr = 1 + random_below(worker, LIST_MAX);
	struct slot *slot;

	for (size_t i = 0; i < nr && (slot = free_slot(worker)); i++) {
		prepare(worker, slot);
		list[i] = &slot->cb;
	}
	check_equal(lio_listio(mode, list, LIST_MAX + 1, NULL), 0);
	for (size_t i = 0; mode == LIO_WAIT && i < nr && list[i]; i++)
		check_equal(aio_error(list[i]), 0);
}

/* ---- ways to wait ---- */

static void collect_complete(struct worker *worker)
{
	/* In the order of submission, as streams are checked in it. */
	for (int i = 0; i < NR_SLOTS; i++)
		if (worker->slots[i].is_busy && aio_error(&worker->slots[i].cb) != EINPROGRESS)
			collect(worker, &worker->slots[i]);
}

/* One, or some of all kinds in one list; with a timeout that may be too short, or none. */
static void suspend_on_some(struct worker *worker, bool may_time_out)
{
	struct timespec timeout = { may_time_out ? 0 : default_deadline_ms() / 1000,
				    (long)random_below(worker, 100000) };
	const struct aiocb *list[NR_SLOTS] = { NULL };
	size_t one_in = 1 + random_below(worker, NR_SLOTS);
	bool is_any = false, has_ended = false;

	for (int i = 0; i < NR_SLOTS; i++) {
		if (!worker->slots[i].is_busy || random_below(worker, one_in))
			continue;
		list[i] = &worker->slots[i].cb;
		is_any = true;
	}
	if (!is_any)
		return;
	if (aio_suspend(list, NR_SLOTS, &timeout) < 0) {
		check_equal(errno, EAGAIN);
		check(may_time_out);
		return;
	}
	for (int i = 0; i < NR_SLOTS; i++)
		has_ended |= list[i] && aio_error(list[i]) != EINPROGRESS;
	check(has_ended);
	collect_complete(worker);
}

static void finish_all(struct worker *worker)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		if (!worker->slots[i].is_busy)
			continue;
		check_equal(await(&worker->slots[i].cb), 0);
		collect(worker, &worker->slots[i]);
	}
}

static void check_files(struct worker *worker)
{
	for (int target = BUFFERED; target <= DIRECT; target++) {
		struct file *file = &worker->files[target];
		unsigned char *buf = worker->slots[0].buf;

		for (size_t at = 0; at < file->size; at += BLOCK) {
			size_t size = file->size - at < BLOCK ? file->size - at : BLOCK;

			check_equal(pread(file->fds[0], buf, BLOCK, (off_t)at), size);
			check_memory(buf, file->model + at, size);
		}
		check_equal(ftruncate(file->fds[0], 0), 0);
		file->size = 0;
	}
}

static void step(struct worker *worker)
{
	size_t choice = random_below(worker, 64);

	if (choice < 24)
		submit_single(worker);
	else if (choice < 26)
		submit_sync(worker);
	else if (choice < 34)
		submit_several(worker, LIO_NOWAIT);
	else if (choice < 38)
		submit_several(worker, LIO_WAIT);
	else if (choice < 46)
		collect_complete(worker);
	else if (choice < 54)
		suspend_on_some(worker, true);
	else if (choice < 63)
		suspend_on_some(worker, false);
	else
		finish_all(worker);
	if (random_below(worker, 1000) == 0) {
		finish_all(worker);
		check_files(worker);
	}
}

static void open_worker(struct worker *worker)
{
	worker->files[BUFFERED].fds[0] = worker->files[BUFFERED].fds[1] = temp_file(0);
	worker->files[DIRECT].fds[0] = worker->files[DIRECT].fds[1] = direct_file(0, 0);
	if (worker->files[DIRECT].fds[0] < 0) /* without O_DIRECT it is one more buffered file */
		worker->files[DIRECT].fds[0] = worker->files[DIRECT].fds[1] = temp_file(0);
	open_pipe(worker->files[PIPE].fds);
	open_socketpair(worker->files[SOCKET].fds, SOCK_STREAM);
	for (int i = 0; i < NR_TARGETS; i++)
		check((worker->files[i].model = malloc(FILE_MAX)));
	for (int i = 0; i < NR_SLOTS; i++) {
		worker->slots[i].buf = get_memory();
		worker->slots[i].expected = get_memory();
	}
}

static void close_worker(struct worker *worker)
{
	for (int i = 0; i < NR_TARGETS; i++) {
		close(worker->files[i].fds[0]);
		if (is_stream((enum target)i))
			close(worker->files[i].fds[1]);
		free(worker->files[i].model);
	}
	for (int i = 0; i < NR_SLOTS; i++) {
		free(worker->slots[i].buf);
		free(worker->slots[i].expected);
	}
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (now_ns() < end_ns)
		step(worker);
	finish_all(worker);
	check_files(worker);
	return NULL;
}

static int many_threads_do_everything(void)
{
	static struct worker workers[NR_THREADS];
	pthread_t threads[NR_THREADS];
	const char *text = getenv("RTAIO_TEST_SEED");
	unsigned int seed = text && *text ? (unsigned int)strtoul(text, NULL, 10)
					  : (unsigned int)(now_ns() >> 10);

	end_ns = now_ns() + (uint64_t)test_ms() * 1000000;
	for (int i = 0; i < NR_THREADS; i++) {
		workers[i].seed = seed + (unsigned int)i;
		print_message("# seed %u\n", workers[i].seed);
		open_worker(&workers[i]);
		check_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < NR_THREADS; i++) {
		check_equal(pthread_join(threads[i], NULL), 0);
		close_worker(&workers[i]);
	}
	return 0;
}

/* Every byte read is the one that the order of submission says. */
static void test_random_requests_of_all_kinds_keep_every_byte(void **state)
{
	(void)state;
	temp_dir(); /* made here, so that they are removed */
	direct_dir();
	check_in_child(many_threads_do_everything, test_ms() + 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_requests_of_all_kinds_keep_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
