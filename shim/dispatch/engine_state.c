// SPDX-License-Identifier: MIT
/*
 * engine_state.c - the engine's counters and lists of requests.
 */
#include "dispatch/engine_state.h"

#include <string.h>

struct engine_state engine_state;

void engine_state_end(struct request *req, ssize_t res)
{
	req->res = res;
	request_set_place(req, PLACE_ENDED);
	TAILQ_INSERT_TAIL(&engine_state.ended, req, list_link);
}

void engine_state_reset(void)
{
	memset(&engine_state, 0, sizeof(engine_state));
	TAILQ_INIT(&engine_state.awaiting);
	TAILQ_INIT(&engine_state.throttled);
	TAILQ_INIT(&engine_state.ended);
	TAILQ_INIT(&engine_state.without_thread);
}
