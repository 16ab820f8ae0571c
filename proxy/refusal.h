/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal - the answer to a request that is not let through.
 */
#ifndef SCHLEUSE_PROXY_REFUSAL_H
#define SCHLEUSE_PROXY_REFUSAL_H

#include "lib/http/exchange.h"
#include "proxy/routes.h"

/* What every answer to a client carries (Matrix client-server API, "Web Browser Clients"). */
#define REFUSAL_METHODS "GET, HEAD, POST, PUT, DELETE, OPTIONS"
#define REFUSAL_CORS \
	"Access-Control-Allow-Origin: *\r\n" \
	"Access-Control-Allow-Methods: " REFUSAL_METHODS "\r\n" \
	"Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization, Date\r\n"

/* Answers with the Matrix error of `why` and ends the exchange; cuts it where an answer is begun
 * already, `why` has none, or memory is short.  `route`: NULL where none was found.  `about`: the
 * server that is not a member, n == 0: none is named.  `retry_after`: when it may be asked again,
 * 0: as the reason has it. */
void refusal_answer(struct exchange *ex, const struct route *route, enum err why, struct str about,
    clock_ms retry_after);

/* The status that will be sent, 0: none. */
int refusal_status(const struct exchange *ex, enum err why);

#endif
