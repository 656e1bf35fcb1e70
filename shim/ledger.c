// SPDX-License-Identifier: MIT
/*
 * ledger.c - the engine's books: what is outstanding, and in which list.
 */
#include "ledger.h"

#include <string.h>

struct ledger ledger;

void ledger_end(struct request *req, ssize_t res)
{
	req->res = res;
	req->has_ended = true;
	TAILQ_INSERT_TAIL(&ledger.ended, req, list_link);
}

void ledger_reset(void)
{
	memset(&ledger, 0, sizeof(ledger));
	ledger.round = 1; /* a new queue has been looked at in round 0: never */
	TAILQ_INIT(&ledger.backlog);
	TAILQ_INIT(&ledger.awaiting);
	TAILQ_INIT(&ledger.ended);
	TAILQ_INIT(&ledger.stranded);
	TAILQ_INIT(&ledger.prepared);
}
