/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hop_home - to the homeserver: chooses the upstream by path and the address by load or by user or
 * room.  An address that cannot be connected to costs nothing but the attempt: the next one that is
 * up is dialled.
 */
#include "lib/base/hash.h"
#include "proxy/paths.h"
#include "proxy/relay.h"
#include "proxy/series.h"

/* --- what the homeserver is told --- */

static char *
put_hex(char *out, uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[v >> shift & 15];
	return out;
}

/* What the homeserver is told of the peer.  For every request, so without printf. */
static struct str
extra_fields(struct exchange *ex)
{
	struct str peer = str_z(ex->peer);
	char *begin = arena_bytes(&ex->arena, 128 + peer.n + ex->req.host.n), *at = begin;

	if (begin == NULL)
		return STR_NONE;
	at = str_put(at, STR("X-Forwarded-For: "));
	at = str_put(at, peer);
	at = str_put(at, ex->tls ? STR("\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: ")
				 : STR("\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: "));
	at = str_put(at, ex->req.host);
	at = str_put(at, STR("\r\nX-Request-ID: "));
	at = put_hex(at, ex->id);
	at = str_put(at, STR("\r\n"));
	return str_of(begin, (size_t)(at - begin));
}

static bool
address(struct relay *r, struct forward_request *how)
{
	how->extra = extra_fields(r->ex);
	return how->extra.n > 0;
}

/* --- where to --- */

/* Synapse's own tokens, syt_NAME_RANDOM_CHECK, begin with the name of the user: all devices of one
 * meet at one worker (as in Synapse's documentation of workers).  Other tokens stand for
 * themselves. */
static uint64_t
user_key(const struct relay *r)
{
	struct str token = rule_token(r->j), rest, name;

	if (str_has_prefix(token, STR("syt_")) && str_cut(str_from(token, 4), '_', &name, &rest) &&
	    name.n > 0)
		token = name;
	return token.n > 0 ? hash_str(token) : 0;
}

static void
find_upstream(struct relay *r)
{
	const struct service_conf *s = r->j->service;
	const struct paths_row *row =
	    s->map != NULL ? paths_find(s->map, r->j->path, r->ex->req.method) : NULL;

	r->to = service_upstream(s, row != NULL ? row->upstream : 0);
	if (r->to->balance == BALANCE_USER)
		r->key = user_key(r);
	else if (r->to->balance == BALANCE_ROOM && row->room != PATHS_NO_ROOM)
		r->key = hash_str(r->j->path->text[row->room]);
}

static struct target *
target(const struct relay *r)
{
	return upstreams_target(r->upstreams, r->to, r->address);
}

static void
start(struct relay *r)
{
	find_upstream(r);
	r->address = upstreams_choose(r->upstreams, r->to, r->key, 0);
}

static struct pool *
pool(const struct relay *r)
{
	return target(r)->pool;
}

static void
reached(struct relay *r)
{
	upstreams_worked(target(r));
}

/* Notes that the address cannot be connected to; true: there is another one to dial. */
static bool
missed(struct relay *r)
{
	size_t next;

	upstreams_failed(r->upstreams, r->to, r->address);
	r->tried |= UINT64_C(1) << r->address;
	next = upstreams_choose(r->upstreams, r->to, r->key, r->tried);
	if (next == SIZE_MAX)
		return false;
	metrics_inc(S_UPSTREAM_FAILOVERS);
	r->address = next;
	return true;
}

static void
repeated(void)
{
	metrics_inc(S_UPSTREAM_RETRIES);
}

static enum err
reason(enum err err)
{
	return err;
}

const struct relay_hop hop_home = { .start = start,
	.pool = pool,
	.reached = reached,
	.missed = missed,
	.address = address,
	.repeated = repeated,
	.reason = reason };
