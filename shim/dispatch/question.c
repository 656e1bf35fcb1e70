// SPDX-License-Identifier: MIT
/*
 * question.c - a question to the engine; the caller waits for the answer.
 * test/model/question.pml is the model.
 */
#include "dispatch/question.h"

#include "base/process.h"
#include "engine/engine.h"
#include "request/lio_group.h"
#include "request/publish.h"
#include "request/waiter.h"

struct request *question_make(enum message_kind kind, int fd, uint32_t *process)
{
	struct request *question;

	*process = atomic_load(&process_generation);
	question = lio_group_open(true);

	if (question) {
		question->message.kind = kind;
		question->fd = fd;
	}
	return question;
}

bool question_ask(struct request *question, uint32_t process)
{
	request_handle handle = request_handle_of(question);

	if (!process_is_still(process))
		return false;
	if (engine_hand_over(&question->message, &question->message) < 0) {
		request_free(question); /* the engine does not have it */
		return false;
	}
	while (process_is_still(process) && request_lookup(handle))
		waiter_wait_one(handle, NULL, false);
	return process_is_still(process);
}

void question_answer(struct request *question)
{
	waiter_wake_slots(publish_silent_group(question));
}
