/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage_out - the way of a request from the homeserver to another server: what is judged and in
 * which order.  Before it is over, nothing is connected to.
 */
#include "proxy/outbound/passage_out.h"

#include "lib/base/log.h"
#include "proxy/judge.h"
#include "proxy/outbound/judge_out.h"
#include "proxy/outbound/remotes.h"
#include "proxy/passage_int.h"
#include "proxy/refusal.h"

#define HTTPS_PORT 443

/* --- the steps --- */

/* The Matrix server behind a host and port that no signature names.  false: later. */
static bool
find_owner(struct passage *p, enum err *err)
{
	char key[OWNERS_KEY_MAX];
	struct str at;

	if (p->j.destination.n > 0)
		return true;
	at = owners_key(p->aim.host, p->aim.port, key);
	if (!passage_have(p, gather_fact(&p->gather, p->w->owners, at, &p->aim.owner)))
		return false;
	gather_list(&p->gather);
	*err = judge_out_owner(&p->j, &p->aim);
	return true;
}

/* Whom it is meant for, and whether that is a member. */
static bool
settle(struct passage *p, enum err *err)
{
	if (p->j.route == NULL)
		return true;
	if (!find_owner(p, err))
		return false;
	return *err != OK || passage_have(p, gather_member(&p->gather, err));
}

static bool
judge_content(struct passage *p, enum err *err)
{
	struct judged *j = &p->j;

	if (!judge_out_inspects(j))
		return true;
	if (judge_out_verifies(j) && !passage_have(p, gather_keys(&p->gather)))
		return false;
	if (!passage_have_body(p, p->conf->federation_body_max))
		return false;
	*err = judge_out_body(j, judge_out_verifies(j) ? gather_keys_err(&p->gather) : OK);
	return true;
}

static bool
judge_passports(struct passage *p, enum err *err)
{
	return !judge_out_is_signed(&p->j) || passage_have(p, gather_passports(&p->gather, err));
}

/* Those in a transaction. */
static bool
judge_known_invites(struct passage *p, enum err *err)
{
	if (p->j.n_invites == 0)
		return true;
	if (!passage_have(p, gather_invites(&p->gather)))
		return false;
	*err = judge_facts(&p->j, OK);
	return true;
}

static bool
judge_domains(struct passage *p, enum err *err)
{
	if (!judge_out_asks_domains(&p->j))
		return true;
	gather_list(&p->gather); /* what it was before the last wait may be gone */
	*err = judge_out_domains(&p->j, false);
	if (judge_may_be_new(&p->j, *err)) {
		if (!passage_have(p, gather_domain(&p->gather, p->j.stranger)))
			return false;
		*err = judge_out_domains(&p->j, true);
	}
	return true;
}

/* Who asks for a server's well-known document will ask for what it points to next: by then we know
 * whose that is. */
static bool
discover_owner(struct passage *p, enum err *err)
{
	struct aim *aim = &p->aim;
	char normal[NAME_MAX_LEN + 1];

	(void)err; /* what is wrong with it does not concern the document */
	if (p->j.route == NULL || p->j.route->out != OUT_WELL_KNOWN)
		return true;
	if (!passage_have(p, gather_fact(&p->gather, p->w->destinations,
				 name_normal(p->j.destination, normal), &aim->destination)))
		return false;
	fact_drop(&aim->destination);
	return true;
}

/* A Matrix server by its name, in its normal form: in each spelling it would be another one, with
 * look-ups and connections of its own.  A guest, and a well-known document, by host and port. */
static struct str
destination_key(const struct passage *p, char out[DESTINATION_KEY_MAX])
{
	const struct aim *aim = &p->aim;
	struct server_name name;

	if (p->j.route != NULL && p->j.route->out != OUT_WELL_KNOWN)
		return name_normal(p->j.destination, out);
	if (aim->server.n > 0 && name_parse(aim->server, &name))
		return destination_key_host(name.host, HTTPS_PORT, out);
	return destination_key_host(aim->host, aim->port, out);
}

/* What is wrong with it is said by depart(). */
static bool
find_destination(struct passage *p, enum err *err)
{
	char key[DESTINATION_KEY_MAX];
	struct aim *aim = &p->aim;

	if (!passage_have(p, gather_fact(&p->gather, p->w->destinations, destination_key(p, key),
				 &aim->destination)))
		return false;
	if (aim->destination->err == OK)
		*err = judge_out_tie(&p->j, aim);
	return true;
}

/* Where the HTTP proxy in between is, if there is one: the one in force now, as are the credentials
 * it will be shown. */
static bool
find_proxy(struct passage *p, enum err *err)
{
	struct str key = p->w->conf->forward.proxy_key;

	(void)err;
	return key.n == 0 ||
	       passage_have(p, gather_fact(&p->gather, p->w->destinations, key, &p->aim.through));
}

/* In this order.  Each is begun anew when what it waited for is here, and not again when it is
 * over.  false: not over, the passage has left for what is needed, or has been refused. */
static bool (*const steps[])(struct passage *p, enum err *err) = { settle, judge_content,
	judge_passports, judge_known_invites, judge_domains, discover_owner, find_destination,
	find_proxy };

static void
depart(struct passage *p)
{
	struct aim *aim = &p->aim;
	enum err err = OK;

	aim->remote = remotes_get(
	    p->w->out.remotes, aim_destination(aim), aim_through(aim), !aim->plain, &err);
	if (aim->remote == NULL) {
		passage_refuse(p, err);
		return;
	}
	p->relay.aim = aim;
	passage_relay(p, &hop_remote);
}

static void
advance(struct passage *p)
{
	enum err err = OK;

	for (; err == OK && p->step < sizeof(steps) / sizeof(steps[0]); p->step++)
		if (!steps[p->step](p, &err))
			return;
	if (err == OK)
		depart(p);
	else
		passage_refuse(p, err);
}

/* --- the head --- */

static enum err
judge(struct passage *p)
{
	struct judged *j = &p->j;
	const struct h1_head *req = &p->ex->req;
	enum err err = judge_out_head(j, &p->aim, &p->path);
	uint64_t max =
	    judge_out_inspects(j) ? p->conf->federation_body_max : p->conf->client_body_max;

	if (err == OK && req->framing == H1_LENGTH && req->length > max)
		err = ERR_BODY_SIZE;
	if (err != OK)
		return err;
	exchange_limit_body(p->ex, max);
	return judge_out_is_federation(j) ? judge_out_destination(j, &p->aim) : OK;
}

/* Whom it is meant for, as far as that is known. */
static struct str
other(const struct passage *p)
{
	return p->j.destination.n > 0 ? p->j.destination
	       : p->aim.server.n > 0  ? p->aim.server
				      : p->aim.host;
}

static void
begin(struct passage *p)
{
	enum err err = judge(p);

	log_debug("%016llx to " STR_FMT, (unsigned long long)p->ex->id, STR_ARG(other(p)));
	if (err == OK)
		advance(p);
	else
		passage_refuse(p, err);
}

/* --- the end --- */

static void
left(struct passage *p)
{
	fact_drop(&p->aim.owner);
	fact_drop(&p->aim.destination);
	fact_drop(&p->aim.through);
	remote_drop(p->aim.remote);
	p->aim.remote = NULL;
}

static void
answer(struct passage *p, enum err why)
{
	struct str about = why == ERR_DESTINATION_UNLISTED ? p->j.destination
			   : why == ERR_DOMAIN_UNLISTED    ? p->j.stranger
							   : STR_NONE;

	refusal_answer(p->ex, NULL, why, about, 0);
}

static const struct passage_side outward_side = {
	.advance = advance, .left = left, .answer = answer, .api = API_OUTBOUND, .other = other
};

/* --- public --- */

static struct passage *
open(struct worker *w, struct exchange *ex, const struct service_conf *s)
{
	struct passage *p = passage_new(w, &outward_side, ex);

	if (p == NULL)
		return NULL;
	p->j.outbound = true;
	p->j.service = s;
	if (s != NULL)
		p->j.federation = proxy_conf_federation(p->conf, s);
	return p;
}

void
passage_out_refuse(struct worker *w, struct exchange *ex, enum err why)
{
	struct passage *p = open(w, ex, NULL);

	if (p != NULL)
		passage_refuse(p, why);
}

void
passage_out_open(struct worker *w, struct exchange *ex, const struct service_conf *s)
{
	struct passage *p = open(w, ex, s);
	enum err err;

	if (p == NULL)
		return;
	err = aim_of_request(&p->aim, &ex->arena, &ex->req);
	if (err == OK)
		begin(p);
	else
		passage_refuse(p, err);
}

void
passage_out_tunnelled(struct worker *w, struct exchange *ex, const struct service_conf *s,
    struct str host, uint16_t port)
{
	struct passage *p = open(w, ex, s);

	if (p == NULL)
		return;
	p->aim.host = arena_dup(&ex->arena, host);
	p->aim.port = port;
	p->aim.tunnelled = true;
	p->aim.sni = ex->sni;
	if (p->aim.host.p != NULL)
		begin(p);
	else
		passage_refuse(p, ERR_MEMORY);
}
