/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring - the signing keys of other servers, looked up and kept (FD-5.2.1.2-10).
 *
 * Control thread; one fact cache of struct serverkeys by server name.  The server itself is asked
 * first, where discovery says it is; if that fails, the configured notaries, one after the other.
 * Either way only the server's own signature counts.
 *
 * Keys are fresh for half of their remaining validity, at most ttl_max, and usable until they
 * expire. A failure is remembered 30 s at first (negative_ttl), doubled up to an hour
 * (negative_ttl_max); keys still usable go on being served meanwhile.  Membership comes first:
 * never ask for a server that is not listed.
 *
 * Errors in the fact: of discovery (ERR_SERVER_NAME, ERR_DNS, ERR_NOT_FOUND, ERR_TIMEOUT), of the
 * connection (ERR_ADDRESS, ERR_CONNECT, ERR_TLS, ERR_TIMEOUT, ERR_TOO_LARGE), ERR_HTTP_ANSWER
 * (status other than 200), ERR_KEYS_* (what is wrong with the answer), ERR_OVERLOAD, ERR_MEMORY.
 * With notaries it is the origin's error, not theirs.
 */
#ifndef SCHLEUSE_MATRIX_KEYRING_H
#define SCHLEUSE_MATRIX_KEYRING_H

#include "lib/fact/fact.h"
#include "lib/http/fetch.h"
#include "lib/matrix/discovery.h"
#include "lib/matrix/serverkeys.h"

#define KEYRING_ANSWER_MAX 65536
#define KEYRING_REFETCH_MS 60000 /* an unknown key ID makes us ask again at most this often */

#define KEYRING_OWN_AGAIN_MS 2000 /* it may only be restarting */

struct keyring;

struct keyring_config {
	struct fetcher *fetcher;     /* not owned */
	struct discovery *discovery; /* not owned; outlives the keyring */
	const char *const *notaries; /* server names; copied */
	size_t n_notaries;
	/* For a server of our own: makes `req` (and url) ask it directly, or returns false.  NULL:
	 * none is. */
	bool (*own)(
	    void *arg, struct str name, struct fetch_request *req, char *url, size_t url_size);
	void *own_arg;
	size_t max_entries, max_pending;
	clock_ms timeout_ms; /* of one request */
	clock_ms ttl_max, negative_ttl, negative_ttl_max;
};

struct keyring *keyring_new(struct loop *loop, const struct keyring_config *cfg) MUST_CHECK;
void keyring_free(struct keyring *k); /* waiting askers are cancelled without a call */

struct fact_cache *keyring_cache(struct keyring *k);

/* `younger_than` for fact_get() when what is held lacks a key ID: not younger than this and it
 * does. */
static inline clock_ms
keyring_younger_than(clock_ms now)
{
	return now > KEYRING_REFETCH_MS ? now - KEYRING_REFETCH_MS : 1;
}

/* How long keys valid until `valid_until_ms` are fresh, seen at `now_ms` (both wall clock). */
clock_ms keyring_lifetime(int64_t valid_until_ms, int64_t now_ms, clock_ms ttl_max);

#endif
