/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passage_in - the way of a request to the homeserver: what is judged and in which order.
 */
#include "proxy/judge.h"
#include "proxy/passage_int.h"
#include "proxy/ratelimit.h"
#include "proxy/refusal.h"
#include "proxy/wellknown.h"

static enum err
rate(struct passage *p, clock_ms retry_after)
{
	p->retry_after = retry_after;
	return retry_after == 0 ? OK : ERR_RATE;
}

static void
advance(struct passage *p)
{
	bool signed_by_server = judge_authenticates(&p->j);
	enum err err = OK;

	if (p->unlisted && !passage_have(p, gather_member(&p->gather, &err)))
		return;
	p->unlisted = false;
	if (err == OK && signed_by_server) {
		if (!passage_have(p, gather_keys(&p->gather)))
			return;
		err = gather_keys_err(&p->gather);
	}
	if (err == OK && judge_inspects(&p->j) && !p->body_judged) {
		if (!passage_have_body(p, judge_body_max(&p->j, p->conf)))
			return;
		p->body_judged = true;
		err = judge_body(&p->j);
	}
	if (err == OK && signed_by_server && !p->invites_judged) {
		if (!passage_have(p, gather_passports(&p->gather, &err)))
			return;
		p->invites_judged = true;
		if (err == OK)
			err = rate(
			    p, ratelimit_origin(p->w->rates, p->conf, &p->j, loop_now(p->w->loop)));
	}
	if (err == OK && signed_by_server && !passage_have(p, gather_invites(&p->gather)))
		return;
	if (err == OK && judge_guards(&p->j) && rule_displayname_applies(&p->j) &&
	    !passage_have(p, gather_account(&p->gather)))
		return;
	if (err == OK)
		err = judge_facts(&p->j, gather_account_err(&p->gather));
	if (err == OK)
		passage_relay(p, &hop_home);
	else
		passage_refuse(p, err);
}

static enum err
judge(struct passage *p)
{
	const struct h1_head *req = &p->ex->req;
	struct judged *j = &p->j;
	enum err err = judge_head(j, p->conf, p->ex->sni, p->kind, &p->path);
	uint64_t max;

	if (err == OK)
		err = rate(
		    p, ratelimit_head(p->w->rates, p->conf, j, p->ex->peer, loop_now(p->w->loop)));
	if (err != OK)
		return err;
	max = judge_body_max(j, p->conf);
	if (req->framing == H1_LENGTH && req->length > max)
		return ERR_BODY_SIZE;
	exchange_limit_body(p->ex, max);
	if (!judge_authenticates(j))
		return OK;
	err = judge_origin(j);
	if (err == OK)
		err = gather_membership(&p->gather);
	p->unlisted = judge_may_be_new(j, err);
	return p->unlisted ? OK : err;
}

/* A document that is the proxy's own needs no homeserver. */
static bool
serve(struct passage *p)
{
	struct exchange *ex = p->ex;
	const struct document *d = wellknown_document(p->j.service, p->j.route);

	if (d->mode == DOCUMENT_FORWARD)
		return false;
	if (d->mode == DOCUMENT_OFF) {
		passage_refuse(p, ERR_UNRECOGNIZED);
		return true;
	}
	passage_leave(p, 200);
	wellknown_answer(ex, d);
	return true;
}

static void
begin(struct passage *p)
{
	enum err err = judge(p);

	if (err != OK)
		passage_refuse(p, err);
	else if (p->j.route->document == DOCUMENT_NONE || !serve(p))
		advance(p);
}

static void
answer(struct passage *p, enum err why)
{
	refusal_answer(p->ex, p->j.route, why, STR_NONE, p->retry_after);
}

static const struct passage_side inward = { .advance = advance, .answer = answer, .api = API_NONE };

void
passage_open(void *listener, struct exchange *ex, enum err bad)
{
	struct worker_listener *l = listener;
	struct passage *p = passage_new(l->worker, &inward, ex);

	if (p == NULL)
		return;
	p->kind = l->kind;
	if (ex->tls)
		ex->hsts = p->conf->hsts_value;
	if (bad == OK)
		begin(p);
	else
		passage_refuse(p, bad);
}
