/* SPDX-License-Identifier: Apache-2.0 */
/*
 * homeserver - who is behind an access token, asked at our own homeserver.
 *
 * Control thread; one fact cache of struct account by account_key().  The token itself is only ever
 * an input: it is no key, is in no log, and is wiped when the look-up ends.
 */
#ifndef SCHLEUSE_PROXY_HOMESERVER_H
#define SCHLEUSE_PROXY_HOMESERVER_H

#include "lib/fact/fact.h"
#include "lib/http/fetch.h"
#include "proxy/config.h"

/* err: ERR_NOT_FOUND (the homeserver does not know the token), ERR_UPSTREAM_DOWN,
 * ERR_UPSTREAM_SLOW, ERR_UPSTREAM_BAD, ERR_OVERLOAD, ERR_MEMORY, ERR_TIMEOUT; then there are no
 * further members.  */
struct account {
	struct fact fact;
	char *user_id;
	bool is_admin; /* a server admin; always false where the service does not go by that */
	bool has_displayname;
	char *displayname; /* "" without */
};

#define ACCOUNT_KEY_LEN 32
struct account_key {
	unsigned char bytes[ACCOUNT_KEY_LEN];
};

/* A hash with a key that is drawn once per process; any thread. */
struct account_key account_key(struct str server_name, struct str token);

static inline struct str
account_key_str(const struct account_key *k)
{
	return str_of((const char *)k->bytes, sizeof(k->bytes));
}

struct account_input {          /* the `input` of fact_get() on homeserver_accounts() */
	struct str server_name; /* of the service */
	struct str token;
};

struct homeserver;

/* Holds a reference to conf; fetcher is not owned. */
struct homeserver *homeserver_new(
    struct loop *loop, struct fetcher *fetcher, struct proxy_conf *conf) MUST_CHECK;
void homeserver_free(struct homeserver *h);

struct fact_cache *homeserver_accounts(struct homeserver *h);

#endif
