// SPDX-License-Identifier: MIT
/*
 * execute.c - run a program and judge it
 */
#include "execute.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actors.h"
#include "descriptors.h"
#include "history.h"
#include "model.h"
#include "notification.h"
#include "requests.h"
#include "settle.h"

#define CHILD_SECONDS 30

/* What the second process is told, as if they were steps. */
enum { TO_JOIN = STEPS_MAX, TO_SETTLE, TO_JUDGE, TO_END };

static const struct program *current;
static bool is_child; /* runs the steps of the child */
static uint64_t in_use_before;

static bool is_mine(const struct step *step)
{
	return (bool)step->is_in_child == is_child;
}

/* Entries of a list that follow it. */
static int nr_entries_after(int index)
{
	int nr = 0;

	while (index + 1 + nr < current->nr && current->steps[index + 1 + nr].is_listed &&
	       is_mine(&current->steps[index + 1 + nr]))
		nr++;
	return nr;
}

static void look_at_all(void)
{
	for (int i = 0; i < REQUESTS_MAX; i++)
		if (record_is_accepted(&history.records[i]))
			record_observe(&history.records[i]);
	notification_collect(0);
}

static void move(const struct step *step)
{
	struct descriptor *descriptor = descriptor_of(step->descriptor);
	bool is_feed = step->verb == VERB_FEED;
	struct object *object;

	if (!descriptor || descriptor->closed)
		return;
	object = is_feed ? descriptor->out : descriptor->in;
	if (!object || !object->is_stream || object->reader_closed)
		return;
	if (is_feed && object->writer == USAGE_PLAIN)
		stream_feed(object, descriptor->fd, step->length);
	else if (!is_feed && object->reader == USAGE_PLAIN)
		stream_drain(object, descriptor->fd, step->length);
}

static void run_in_child(int first);

static void make_child(int index)
{
	time_t deadline = time(NULL) + CHILD_SECONDS;
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		run_in_child(index + 1);
	while (waitpid(pid, &status, WNOHANG) == 0 && time(NULL) <= deadline) {
		struct timespec moment = { .tv_nsec = 100000 };

		nanosleep(&moment, NULL);
	}
	if (time(NULL) > deadline) {
		violation("child", "it does not end");
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	} else if (status != 0) {
		violation("child", "ended with status %#x", status);
	}
}

static void make_process(void);

/* In whatever thread. */
static void run_step(int index)
{
	const struct step *step = &current->steps[index];

	switch (step->verb) {
	case VERB_READ:
	case VERB_WRITE:
	case VERB_FSYNC:
	case VERB_DSYNC:
		request_submit(step);
		break;
	case VERB_LIST:
		request_submit_list(step, nr_entries_after(index));
		break;
	case VERB_SUSPEND:
		request_suspend(step, step->actor == BY_MAIN && actors_are_idle());
		break;
	case VERB_CANCEL:
		request_cancel(step);
		break;
	case VERB_FEED:
	case VERB_DRAIN:
		move(step);
		break;
	case VERB_RESTLESS:
		notification_set_restless(true);
		break;
	case VERB_JOIN:
		break;
	case VERB_COLLECT:
		look_at_all();
		break;
	case VERB_SCRUB:
		request_scrub(step);
		break;
	case VERB_CLOSE:
		if (descriptor_of(step->descriptor))
			descriptor_close(descriptor_of(step->descriptor));
		break;
	case VERB_DUP2:
		descriptors_replace(step);
		break;
	case VERB_FORK:
		make_child(index);
		break;
	case VERB_PROCESS:
		make_process();
		break;
	default:
		descriptors_open(step);
	}
}

/* These change what other threads look at. */
static bool needs_to_be_alone(int index)
{
	const struct step *step = &current->steps[index];

	for (int i = 1; i <= nr_entries_after(index); i++)
		if (step[i].block >= 0)
			return true;
	switch (step->verb) {
	case VERB_FEED:
	case VERB_DRAIN:
	case VERB_CANCEL:
	case VERB_SUSPEND:
	case VERB_LIST:
	case VERB_COLLECT:
		return false;
	default:
		return !step_is_submission(step) || step->block >= 0;
	}
}

static void run_steps(int first)
{
	for (int i = first; i < current->nr && history_is_good(); i++) {
		const struct step *step = &current->steps[i];

		if (is_child && !step->is_in_child)
			return;
		if (!is_mine(step))
			continue;
		report->step = i;
		if (step->is_listed) /* done with the list */
			continue;
		if (step->actor == BY_PROCESS) {
			actors_hand_over(BY_PROCESS, i);
		} else if (needs_to_be_alone(i)) {
			actors_join();
			run_step(i);
		} else if (step->actor == BY_MAIN) {
			run_step(i);
		} else {
			actors_hand_over(step->actor, i);
		}
	}
}

static void look_for_handlers(void)
{
	static bool had_callbacks;

	history.has_callbacks = had_callbacks;
	had_callbacks = false;
	for (int i = 0; i < current->nr; i++) {
		const struct step *step = &current->steps[i];

		if (is_mine(step) && (step->actor == BY_HANDLER || step->notice == NOTICE_HANDLER))
			history.has_handlers = true;
		if (is_mine(step) && step->notice == NOTICE_THREAD)
			had_callbacks = true;
	}
	history.has_callbacks |= had_callbacks;
}

static void clean_up(void)
{
	descriptors_close_all();
	notification_collect(0);
	if (descriptors_in_use() != in_use_before)
		violation("descriptors", "open before %#llx, after %#llx",
			  (unsigned long long)in_use_before,
			  (unsigned long long)descriptors_in_use());
}

/* The files are judged by the first process alone, when both have settled. */
static void judge(void)
{
	actors_hand_over(BY_PROCESS, TO_SETTLE);
	settle();
	actors_join();
	if (history_is_good())
		model_judge();
	if (!history_is_good())
		return;
	actors_hand_over(BY_PROCESS, TO_JUDGE);
	actors_join();
}

static void run_and_judge(int first)
{
	in_use_before = descriptors_in_use();
	history_begin(!is_child && program_has(current, VERB_PROCESS));
	notification_set_restless(false);
	look_for_handlers();
	run_steps(first);
	actors_join();
	report->step = current->nr;
	if (history_is_good())
		judge();
	if (!history_is_good())
		return;
	clean_up();
	actors_end_process(TO_END);
}

/* ---- the second process ---- */

/* It shares files with the first one; all else would be in its way. */
static bool is_for_second(const struct step *step)
{
	switch (step->verb) {
	case VERB_OPEN:
	case VERB_DUP:
	case VERB_DUP2:
	case VERB_LIST:
	case VERB_SUSPEND:
	case VERB_CANCEL:
	case VERB_CLOSE:
	case VERB_COLLECT:
	case VERB_SCRUB:
		return true;
	default:
		return step_is_submission(step);
	}
}

static void run_in_second(int index)
{
	switch (index) {
	case TO_JOIN:
		history_join();
		descriptors_drop_streams();
		break;
	case TO_SETTLE:
		settle();
		break;
	case TO_JUDGE:
		model_judge_status();
		break;
	case TO_END:
		clean_up();
		_exit(history_is_good() ? 0 : 1);
	default:
		if (is_for_second(&current->steps[index]))
			run_step(index);
	}
}

static void make_process(void)
{
	actors_fork(run_in_second);
	actors_hand_over(BY_PROCESS, TO_JOIN);
	actors_join();
}

static void run_in_child(int first)
{
	is_child = true;
	actors_init(run_step);
	run_and_judge(first);
	_exit(history_is_good() ? 0 : 1);
}

void execute_init(void)
{
	actors_init(run_step);
}

void execute(const struct program *program)
{
	current = program;
	run_and_judge(0);
}
