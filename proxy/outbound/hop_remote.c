/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hop_remote - to another server, whose address and name discovery has given.
 *
 * Of a federation request only what federation needs goes on: User-Agent, Authorization,
 * Content-Type and the body (Matrix facts: "outbound_federation_restricted_to").
 */
#include "proxy/outbound/remotes.h"
#include "proxy/relay.h"
#include "proxy/series.h"

static void
start(struct relay *r)
{
	(void)r;
}

static struct pool *
pool(const struct relay *r)
{
	return remote_pool(r->aim->remote);
}

static void
reached(struct relay *r)
{
	(void)r;
}

static bool
missed(struct relay *r)
{
	(void)r;
	return false; /* the connector has tried every address */
}

static bool
keep_federation(const struct h1_field *f)
{
	return f->id == H1_F_USER_AGENT || f->id == H1_F_AUTHORIZATION ||
	       f->id == H1_F_CONTENT_TYPE;
}

static bool
keep_guest(const struct h1_field *f)
{
	return f->id != H1_F_HOST;
}

/* The Host a guest is asked by: in a tunnel the homeserver's, else that of the target (RFC 9112
 * 3.2.2). */
static struct str
guest_host(const struct relay *r)
{
	return r->aim->tunnelled ? r->ex->req.host : r->ex->req.authority;
}

static bool
address(struct relay *r, struct forward_request *how)
{
	bool federation = r->j->route != NULL;
	struct str host = federation ? str_z(aim_destination(r->aim)->host) : guest_host(r);
	char *begin = arena_bytes(&r->ex->arena, host.n + 8), *at = begin;

	if (begin == NULL)
		return false;
	at = str_put(str_put(str_put(at, STR("Host: ")), host), STR("\r\n"));
	how->extra = str_of(begin, (size_t)(at - begin));
	how->keep = federation ? keep_federation : keep_guest;
	return true;
}

static void
repeated(void)
{
	metrics_inc(S_REMOTE_RETRIES);
}

static enum err
reason(enum err err)
{
	switch (err) {
	case ERR_UPSTREAM_DOWN:
		return ERR_REMOTE_DOWN;
	case ERR_UPSTREAM_BAD:
		return ERR_REMOTE_BAD;
	case ERR_UPSTREAM_SLOW:
	case ERR_UPSTREAM_TOTAL:
		return ERR_REMOTE_TIMEOUT;
	case ERR_UPSTREAM_BUSY:
		return ERR_REMOTE_BUSY;
	case ERR_UPSTREAM_BROKE:
		return ERR_REMOTE_BROKE;
	default:
		return err;
	}
}

const struct relay_hop hop_remote = { .start = start,
	.pool = pool,
	.reached = reached,
	.missed = missed,
	.address = address,
	.strict = true, /* a transaction is not ours to send twice */
	.repeated = repeated,
	.reason = reason };
