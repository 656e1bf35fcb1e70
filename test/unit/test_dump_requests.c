// SPDX-License-Identifier: MIT
/*
 * test_dump_requests.c - what rtaio dump reads of a record that changes meanwhile
 *
 * One record goes from request to request while it is read, word by word.  A generation is also the
 * size, offset and descriptor of its request, so that it shows if values of two are mixed.
 */
#include "support.h"

#include <stdlib.h>

#include "request/request.h"
#include "tools/dump_requests.h"
#undef fail /* cmocka's */
#include "tools/fail.h"

#define NR_ROUNDS 40000

static struct request *record;

/* ---- memory of the reader: given back after each round ---- */

static _Alignas(16) char arena[1 << 20];
static size_t arena_used;

void *make(size_t nr, size_t size)
{
	void *memory = arena + arena_used;

	arena_used += (nr * size + 15) & ~(size_t)15;
	check(arena_used <= sizeof(arena));
	return memset(memory, 0, nr * size);
}

void *grow(void *old, size_t size)
{
	check(!old);
	return make(1, size);
}

void fail(const char *format, ...)
{
	printf("%s\n", format);
	abort();
}

/* ---- the life of the record, a step at a time ---- */

static void make_record(void)
{
	check(request_alloc() == record);
}

static void set_size(void)
{
	record->nbytes = request_generation(record);
}

static void set_offset(void)
{
	record->offset = request_generation(record);
}

static void set_fd(void)
{
	record->op = OP_READ;
	record->fd = (int)request_generation(record);
}

static void set_time(void)
{
	request_note_time(record);
}

static void accept_it(void)
{
	request_set_place(record, PLACE_QUEUE);
}

static void issue(void)
{
	request_set_place(record, PLACE_RING);
}

static void end(void)
{
	request_set_place(record, PLACE_ENDED);
}

static void raise_generation(void)
{
	atomic_fetch_add(&record->word, (uint64_t)1 << 32);
}

static void publish(void)
{
	request_set_place(record, PLACE_DONE);
}

static void free_it(void)
{
	request_free(record);
}

static void (*const steps[])(void) = {
	make_record, set_size, set_offset, set_fd,           set_time, accept_it,
	issue,       end,      publish,    raise_generation, free_it,
};

#define NR_STEPS (sizeof(steps) / sizeof(*steps))

static size_t step;

static void live_on(int nr_steps)
{
	while (nr_steps-- > 0)
		steps[step++ % NR_STEPS]();
}

/* ---- a reader that is interrupted ---- */

static unsigned rarity; /* of an interruption, in words */

static bool read_words(struct image *image, uint64_t address, void *buf, size_t size)
{
	(void)image;
	/* Also from the last to the first: nobody promises an order. */
	for (size_t i = 0, nr = size / 8; i < nr; i++) {
		size_t at = rarity % 2 ? nr - 1 - i : i;

		memcpy((char *)buf + at * 8, (char *)(uintptr_t)address + at * 8, 8); /* NOLINT */
		if (size == request_dump.record_size && random() % rarity == 0)
			live_on((int)(random() % (2 * NR_STEPS)));
	}
	memcpy((char *)buf + size / 8 * 8, (char *)(uintptr_t)address + size / 8 * 8, /* NOLINT */
	       size % 8);
	return true;
}

static struct image image = { .title = (char *)"test", .read = read_words };

static struct requests *read_all(void)
{
	static struct library library;

	library.records = request_dump;
	arena_used = 0;
	return dump_requests(&image, &library);
}

static void begin(void)
{
	request_after_fork();
	record = request_alloc();
	request_free(record);
	step = 0;
	srandom(1);
}

static void test_request_that_stays_is_shown(void **state)
{
	(void)state;
	begin();
	rarity = 1u << 30;
	live_on(6);
	for (int i = 0; i < 10; i++) {
		struct requests *requests = read_all();

		check_equal(requests->nr, 1);
		check_equal(requests->list[0].handle, request_handle_of(record));
		check_equal(requests->list[0].nbytes, request_generation(record));
	}
}

static void test_values_are_those_of_one_request(void **state)
{
	long nr_shown = 0;

	(void)state;
	begin();
	for (unsigned i = 0; i < NR_ROUNDS; i++) {
		struct requests *requests;

		rarity = 20 + i % 400;
		requests = read_all();
		for (size_t k = 0; k < requests->nr; k++, nr_shown++) {
			const struct dumped *dumped = &requests->list[k];
			uint64_t generation = dumped->handle >> 32;

			check_equal(dumped->nbytes, generation);
			check_equal(dumped->offset, generation);
			check_equal(dumped->fd, generation);
			check_equal(dumped->op, OP_READ);
		}
		live_on((int)(random() % NR_STEPS));
	}
	check(nr_shown > NR_ROUNDS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_that_stays_is_shown),
		cmocka_unit_test(test_values_are_those_of_one_request),
	};

	return cmocka_run_group_tests_name("dump_requests", tests, NULL, NULL);
}
