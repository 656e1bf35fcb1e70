// SPDX-License-Identifier: MIT
/*
 * test_inbox.c - the states of an inbox, and the order of what is in it
 *
 * test/model/inbox.pml searches what several threads can do to each other; here
 * are the answers that one of them gets.
 */
#include "transparency.h"

#include "engine/inbox.h"

static struct inbox inbox;
static struct message messages[4];

/* An inbox whose receiver is awake, and empty. */
static void open_inbox(void)
{
	inbox = (struct inbox)INBOX_INIT;
	inbox_open(&inbox);
	check(inbox_take(&inbox) == NULL);
}

static void push(int first, int last)
{
	for (int i = last; i < first; i++)
		messages[i + 1].next = &messages[i];
	check(inbox_push(&inbox, &messages[first], &messages[last]));
}

static void check_order(const struct message *message, int first, int last)
{
	for (int i = first; i <= last; i++) {
		check(message == &messages[i]);
		message = message->next;
	}
	check(message == NULL);
}

static void test_messages_come_oldest_first(void **state)
{
	(void)state;
	open_inbox();
	push(0, 0);
	push(2, 1); /* a list, linked from newest to oldest */
	push(3, 3);
	check_order(inbox_take(&inbox), 0, 3);
	check(inbox_take(&inbox) == NULL);
}

static void test_nobody_sleeps_or_leaves_over_a_message(void **state)
{
	uint32_t value;

	(void)state;
	open_inbox();
	push(0, 0);
	check(!inbox_fall_asleep(&inbox, &value));
	check(!inbox_close(&inbox));
	check_order(inbox_take(&inbox), 0, 0);
	check(inbox_fall_asleep(&inbox, &value));
	inbox_wake_up(&inbox);
	check(inbox_close(&inbox));
}

static void test_first_message_wakes_a_sleeper(void **state)
{
	uint32_t value;

	(void)state;
	open_inbox();
	check(inbox_fall_asleep(&inbox, &value));
	check(inbox_is_asleep(&inbox));
	check_equal(inbox.wake_word, value);
	push(0, 0);
	check(inbox.wake_word != value);
	value = inbox.wake_word;
	push(1, 1);
	check_equal(inbox.wake_word, value);
	check(!inbox_is_asleep(&inbox));
	inbox_wake_up(&inbox); /* which loses no message */
	check_order(inbox_take(&inbox), 0, 1);
}

#define NR_PUSHED 100000

static void *push_all(void *arg)
{
	struct message *own = arg;

	for (int i = 0; i < NR_PUSHED; i++)
		check(inbox_push(&inbox, &own[i], &own[i]));
	return NULL;
}

static void test_messages_of_two_threads_all_arrive(void **state)
{
	static struct message all[2][NR_PUSHED];
	pthread_t threads[2];
	int nr = 0;

	(void)state;
	open_inbox();
	for (int i = 0; i < 2; i++)
		threads[i] = start_thread(push_all, all[i]);
	for (uint64_t until = now_ns() + UINT64_C(10000000000);
	     nr < 2 * NR_PUSHED && now_ns() < until;)
		for (struct message *next = inbox_take(&inbox); next && nr < 2 * NR_PUSHED; nr++)
			next = next->next;
	for (int i = 0; i < 2; i++)
		join_thread(threads[i]);
	check_equal(nr, 2 * NR_PUSHED);
	check(inbox_take(&inbox) == NULL);
}

static _Atomic(pid_t) sleeper;

static void *sleep_until_woken(void *arg)
{
	uint32_t value;

	(void)arg;
	check(inbox_fall_asleep(&inbox, &value));
	sleeper = gettid();
	inbox_sleep(&inbox, value, UINT64_MAX);
	inbox_wake_up(&inbox);
	sleeper = 0;
	return inbox_take(&inbox);
}

static void test_sleeper_gets_the_message(void **state)
{
	pthread_t thread;
	void *message;

	(void)state;
	open_inbox();
	thread = start_thread(sleep_until_woken, NULL);
	eventually(sleeper != 0 && thread_sleeps(sleeper));
	push(0, 0);
	eventually(sleeper == 0);
	check_equal(pthread_join(thread, &message), 0);
	check_order(message, 0, 0);
}

static void test_message_for_who_rests_finds_nobody_awake(void **state)
{
	uint32_t value;

	(void)state;
	open_inbox();
	check(!inbox_push_if_asleep(&inbox, &messages[0]));
	check(inbox_fall_asleep(&inbox, &value));
	check(inbox_push_if_asleep(&inbox, &messages[0]));
	check(!inbox_push_if_asleep(&inbox, &messages[1]));
	check_order(inbox_take(&inbox), 0, 0);
}

static struct request *make_read(int fd)
{
	struct request *req = request_alloc();

	req->op = OP_READ;
	req->fd = fd;
	return req;
}

static void test_only_requests_of_the_named_chain_need_no_wake(void **state)
{
	struct request *reads[] = { make_read(3), make_read(3), make_read(4) };
	const struct message *message;
	uint32_t value;

	(void)state;
	open_inbox();
	check(!inbox_push_no_wake(&inbox, reads[0])); /* the receiver is awake */
	inbox.chain = request_chain(reads[0]);
	check(inbox_fall_asleep(&inbox, &value));
	check(inbox_push_no_wake(&inbox, reads[0]));
	check(!inbox_push_no_wake(&inbox, reads[2]));
	check(inbox_push_no_wake(&inbox, reads[1]));
	check(!inbox_is_awake(&inbox));
	check_equal(inbox.wake_word, value);
	push(0, 0);
	check(inbox.wake_word != value);
	check(!inbox_push_no_wake(&inbox, reads[2]));
	message = inbox_take(&inbox);
	check(message == &reads[0]->message);
	check(message->next == &reads[1]->message);
	check_order(message->next->next, 0, 0);
}

static void test_message_without_a_wake_outlives_the_sleep(void **state)
{
	struct request *req = make_read(3);
	uint32_t value;

	(void)state;
	open_inbox();
	inbox.chain = request_chain(req);
	check(inbox_fall_asleep(&inbox, &value));
	inbox_wake_up(&inbox);
	check(inbox_is_empty(&inbox));
	check(inbox_fall_asleep(&inbox, &value));
	check(inbox_push_no_wake(&inbox, req));
	inbox_wake_up(&inbox);
	check(!inbox_fall_asleep(&inbox, &value));
	check(inbox_take(&inbox) == &req->message);
	check(inbox_is_empty(&inbox));
}

static void test_closed_inbox_takes_nothing_until_somebody_starts(void **state)
{
	(void)state;
	inbox = (struct inbox)INBOX_INIT;
	check(!inbox_is_open(&inbox));
	check(!inbox_push(&inbox, &messages[0], &messages[0]));
	check(inbox_claim_start(&inbox));
	check(!inbox_claim_start(&inbox));
	check(inbox_is_open(&inbox));
	push(0, 0);
	check_order(inbox_take(&inbox), 0, 0);
}

static void test_start_that_fails_gives_back_what_came(void **state)
{
	(void)state;
	inbox = (struct inbox)INBOX_INIT;
	check(inbox_claim_start(&inbox));
	push(0, 0);
	check(!inbox_abandon(&inbox));
	check_order(inbox_take_refused(&inbox), 0, 0);
	check(inbox_abandon(&inbox));
	check(!inbox_is_open(&inbox));
	check(inbox_claim_start(&inbox));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_come_oldest_first),
		cmocka_unit_test(test_nobody_sleeps_or_leaves_over_a_message),
		cmocka_unit_test(test_first_message_wakes_a_sleeper),
		cmocka_unit_test(test_messages_of_two_threads_all_arrive),
		cmocka_unit_test(test_sleeper_gets_the_message),
		cmocka_unit_test(test_message_for_who_rests_finds_nobody_awake),
		cmocka_unit_test(test_only_requests_of_the_named_chain_need_no_wake),
		cmocka_unit_test(test_message_without_a_wake_outlives_the_sleep),
		cmocka_unit_test(test_closed_inbox_takes_nothing_until_somebody_starts),
		cmocka_unit_test(test_start_that_fails_gives_back_what_came),
	};

	return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
