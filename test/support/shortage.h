/* SPDX-License-Identifier: MIT */
/*
 * shortage.h - a process that can make no thread, from its first request on or later
 */
#ifndef RTAIO_TEST_SHORTAGE_H
#define RTAIO_TEST_SHORTAGE_H

#include "transparency.h"

/* Which helpers there are: none, those of a read that need not wait, or those of everything. */
enum use { NO_USE, ONE_READ, ALL_USES };

/* In a child, which becomes a user of its own: limits do not bind root, and count per user. */
void begin_shortage(enum use use);

/* There can be threads again. */
void end_shortage(void);

/* Three tests, which are one function run in a child, and their names for cmocka. */
#define TEST_USES(name, function)                                                \
	static int function##_first(void)                                        \
	{                                                                        \
		return function(NO_USE);                                         \
	}                                                                        \
	static int function##_after_one(void)                                    \
	{                                                                        \
		return function(ONE_READ);                                       \
	}                                                                        \
	static int function##_later(void)                                        \
	{                                                                        \
		return function(ALL_USES);                                       \
	}                                                                        \
	TEST_IN_CHILD(test_##name##_first, function##_first, 30000)              \
	TEST_IN_CHILD(test_##name##_after_one_read, function##_after_one, 30000) \
	TEST_IN_CHILD(test_##name##_later, function##_later, 30000)

#define UNIT_TESTS(name)                                                                       \
	cmocka_unit_test(test_##name##_first), cmocka_unit_test(test_##name##_after_one_read), \
		cmocka_unit_test(test_##name##_later)

#endif
