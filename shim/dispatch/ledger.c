// SPDX-License-Identifier: MIT
/*
 * ledger.c - the engine's books: what is outstanding, and in which list.
 */
#include "dispatch/ledger.h"

#include <string.h>

struct ledger ledger;

void ledger_end(struct request *req, ssize_t res)
{
	req->res = res;
	if (request_place(req) != PLACE_DONE) /* a worker has published it */
		request_set_place(req, PLACE_ENDED);
	TAILQ_INSERT_TAIL(&ledger.ended, req, list_link);
}

void ledger_reset(void)
{
	memset(&ledger, 0, sizeof(ledger));
	TAILQ_INIT(&ledger.awaiting);
	TAILQ_INIT(&ledger.held);
	TAILQ_INIT(&ledger.ended);
	TAILQ_INIT(&ledger.stranded);
}
