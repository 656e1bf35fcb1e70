// SPDX-License-Identifier: MIT
/*
 * test_lio_priorities.c - aio_reqprio of entries that have no priority
 *
 * Entries with LIO_NOP are not looked at, and the opcodes by which glibc's
 * lio_listio synchronises a file take no priority: garbage in aio_reqprio fails
 * neither them nor their list.  Where there is a priority, garbage is refused.
 */
#include "transparency.h"

/* <aio.h> does not tell them, but glibc takes them, as its aio_fsync does inside. */
#define OPCODE_DSYNC (LIO_NOP + 1)
#define OPCODE_SYNC  (LIO_NOP + 2)

static const int garbage[] = { -1, 21, INT_MIN, INT_MAX, (int)0xA5A5A5A5 };
#define NR_GARBAGE (int)(sizeof(garbage) / sizeof(*garbage))

static struct aiocb odd, reading;
static struct aiocb *list[] = { &odd, &reading };
static char buf[512];

static void prepare(int opcode, int fd, int priority)
{
	aiocb_init_lio(&odd, opcode, fd, NULL, 0, 0);
	odd.aio_reqprio = priority;
	aiocb_init_lio(&reading, LIO_READ, fd, buf, sizeof(buf), 0);
}

static int list_nops(void)
{
	int fd = temp_file_filled(4096);
	struct aiocb before;

	for (int i = 0; i < 2 * NR_GARBAGE; i++) {
		int mode = i % 2 ? LIO_WAIT : LIO_NOWAIT;

		prepare(LIO_NOP, fd, garbage[i / 2]);
		before = odd;
		check_equal(lio_listio(mode, list, 2, NULL), 0);
		check_equal(outcome(&reading), sizeof(buf));
		check_equal(lio_listio(mode, list, 1, NULL), 0);
		check_memory(&odd, &before, sizeof(odd));
	}
	return 0;
}

static int list_syncs(void)
{
	static const int opcodes[] = { OPCODE_DSYNC, OPCODE_SYNC };
	int fd = temp_file_filled(4096);

	for (int i = 0; i < 4 * NR_GARBAGE; i++) {
		int mode = i % 2 ? LIO_WAIT : LIO_NOWAIT;

		prepare(opcodes[i / 2 % 2], fd, garbage[i / 4]);
		check_equal(lio_listio(mode, list, 2, NULL), 0);
		check_equal(outcome(&odd), 0);
		check_equal(outcome(&reading), sizeof(buf));
	}
	return 0;
}

/* aio_fsync itself does not look at it either, and clears it. */
static int sync_alone(void)
{
	int fd = temp_file_filled(4096);

	for (int i = 0; i < NR_GARBAGE; i++) {
		prepare(LIO_NOP, fd, garbage[i]);
		check_equal(aio_fsync(i % 2 ? O_SYNC : O_DSYNC, &odd), 0);
		check_equal(odd.aio_reqprio, 0);
		check_equal(outcome(&odd), 0);
	}
	return 0;
}

static int list_transfers(void)
{
	int fd = temp_file_filled(4096);

	for (int i = 0; i < NR_GARBAGE; i++) {
		prepare(i % 2 ? LIO_READ : LIO_WRITE, fd, garbage[i]);
		check_equal(lio_listio(LIO_WAIT, list, 2, NULL), -1);
		check(errno == EIO || errno == EINVAL);
		check_equal(outcome(&odd), -EINVAL);
		check_equal(outcome(&reading), sizeof(buf));
	}
	return 0;
}

TEST_IN_CHILD(test_priority_of_a_nop_does_not_matter, list_nops, 20000)
TEST_IN_CHILD(test_priority_of_a_sync_in_a_list_does_not_matter, list_syncs, 20000)
TEST_IN_CHILD(test_priority_of_a_sync_does_not_matter, sync_alone, 20000)
TEST_IN_CHILD(test_bad_priority_of_a_transfer_fails_its_entry_alone, list_transfers, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priority_of_a_nop_does_not_matter),
		cmocka_unit_test(test_priority_of_a_sync_in_a_list_does_not_matter),
		cmocka_unit_test(test_priority_of_a_sync_does_not_matter),
		cmocka_unit_test(test_bad_priority_of_a_transfer_fails_its_entry_alone),
	};

	return cmocka_run_group_tests_name("lio_priorities", tests, NULL, NULL);
}
