// SPDX-License-Identifier: MIT
/*
 * model.c - what is allowed: order, and the parts of the judgement
 */
#include "model.h"

#include <errno.h>

bool model_is_after(const struct record *b, const struct record *a)
{
	if (a->group && a->group == b->group)
		return b->entry > a->entry;
	return a->end < b->begin;
}

bool model_has_ended_before(const struct record *a, const struct record *b)
{
	return a->ended < b->begin;
}

/* A request that an aio_fsync waited for ended no later than the aio_fsync. */
static void find_ends(void)
{
	for (int i = 0; i < RECORDS_MAX; i++)
		history.records[i].ended = history.records[i].done;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		const struct record *barrier = &history.records[i];

		if ((barrier->verb != VERB_FSYNC && barrier->verb != VERB_DSYNC) ||
		    !barrier->done || barrier->error == ECANCELED)
			continue;
		for (int j = 0; j < REQUESTS_MAX; j++) {
			struct record *record = &history.records[j];

			if (record->done && record->descriptor == barrier->descriptor &&
			    record->fd == barrier->fd && model_is_after(barrier, record) &&
			    barrier->done < record->ended)
				record->ended = barrier->done;
		}
	}
}

void model_judge(void)
{
	find_ends();
	for (int i = 0; i < history.nr_objects && history_is_good(); i++) {
		if (history.objects[i].is_stream)
			model_judge_stream(&history.objects[i]);
		else
			model_judge_file(&history.objects[i]);
	}
	if (history_is_good())
		model_judge_status();
}
