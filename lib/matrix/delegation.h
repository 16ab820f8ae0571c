/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delegation - what https://HOST/.well-known/matrix/server says (Matrix server-server API, "Server
 * discovery", steps 3 and 4).
 *
 * Control thread; one fact cache by host name.  A valid answer is used as long as its headers say,
 * within bounds, and fetched again in the background in the last fifth of that time.  If that
 * fails by a fault of the network or of the server (5xx), it is tried thrice and the old answer
 * goes on for the grace period; any other answer ends it.  Hosts without a valid answer are
 * left alone for an hour, after faults of the network or the server for 5 minutes at first,
 * doubled up to an hour; for 2 minutes only if they had a valid one lately.
 */
#ifndef SCHLEUSE_MATRIX_DELEGATION_H
#define SCHLEUSE_MATRIX_DELEGATION_H

#include "lib/fact/fact.h"
#include "lib/http/fetch.h"
#include "lib/matrix/name.h"

#define DELEGATION_BODY_MAX 51200

struct delegation {
	struct fact fact;          /* err: OK; ERR_NOT_FOUND: nothing (valid) is delegated;
				      ERR_TIMEOUT; ERR_OVERLOAD, ERR_MEMORY */
	char to[NAME_MAX_LEN + 1]; /* a server name */
};

struct delegations;

struct delegations_config {
	struct fetcher *fetcher; /* not owned */
	size_t max_entries, max_pending;
	clock_ms timeout_ms; /* of one request, redirects included */
	clock_ms grace;
	clock_ms retry_pause; /* before the second and third try; 0: 500 ms */
};

struct delegations *delegations_new(
    struct loop *loop, const struct delegations_config *cfg) MUST_CHECK;
void delegations_free(struct delegations *d); /* waiting askers are cancelled without a call */

/* For fact_get(): key is delegations_key(), the value a struct delegation if err is OK. */
struct fact_cache *delegations_cache(struct delegations *d);

/* --- pure --- */

/* The host name as the cache has it: lower case.  host.n <= NAME_MAX_LEN. */
struct str delegations_key(struct str host, char out[NAME_MAX_LEN + 1]);

/* The name in m.server, in `out`; n == 0 if the answer is not a valid delegation. */
struct str delegation_read(struct str body, char out[NAME_MAX_LEN + 1]);

/* How long a valid answer may be used: Cache-Control, then Expires; 24 h if silent; 5 min to 48 h.
 */
clock_ms delegation_lifetime(const char *cache_control, const char *expires, int64_t now_s);

/* What follows from an answer; `lately`: the host had a valid one, `tries` include this one. */
struct delegation_verdict {
	enum { DELEGATION_TAKE, DELEGATION_AGAIN, DELEGATION_NONE, DELEGATION_FAULT } what;
	clock_ms lifetime; /* before jitter; 0: as the backoff says */
};

struct delegation_verdict delegation_judge(
    const struct fetch_result *r, struct str to, bool lately, unsigned tries, int64_t now_s);

/* Up to a tenth less, so that what was asked for at one time is not asked for again at one time;
 * never more, for a server's word is not stretched. */
clock_ms delegation_jitter(clock_ms ms);

#endif
