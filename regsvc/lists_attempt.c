/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists_attempt - an attempt is: asking the VZD; signing what came unsigned; judging.  There is one
 * at a time, and it ends in one place, whoever caused it.
 */
#include "lib/base/log.h"
#include "regsvc/lists_int.h"
#include "regsvc/series.h"

#define LOOK_MS 1000 /* while another instance asks */

/* --- when --- */

void
lists_schedule(struct lists *l, clock_ms after)
{
	l->next = loop_now(l->loop) + after;
	timer_set(l->loop, &l->due, after);
}

/* Of several instances one asks; another one does when nothing has come from it for too long. */
static bool
is_ours(const struct lists *l)
{
	return l->share == NULL || listshare_asks(l->share) ||
	       lists_current(l).age > (int64_t)(2 * l->cfg.conf->interval / 1000);
}

static void
look_at_others(struct lists *l)
{
	timer_set(l->loop, &l->due, LOOK_MS);
	if (l->lacks_word && l->share != NULL) {
		l->lacks_word = false;
		lists_look_again(l);
	}
}

void
lists_on_due(void *arg)
{
	struct lists *l = arg;
	clock_ms now = loop_now(l->loop);

	if (l->keep == NULL || !vzd_configured(l->vzd) || l->phase != LISTS_IDLE)
		return; /* the end of the attempt comes back */
	if (now < l->next)
		timer_set(l->loop, &l->due, l->next - now);
	else if (is_ours(l))
		lists_attempt(l, true);
	else
		look_at_others(l);
}

/* --- the end of an attempt --- */

void
lists_incident(const struct lists *l, const char *what)
{
	metrics_inc(S_LIST_INCIDENTS);
	log_error("incident: federation list: %s; version=%lld age_s=%lld", what,
	    (long long)lists_current(l).version, (long long)lists_current(l).age);
}

/* As UC_Update_Federationlist has it: the first failure makes it unhealthy, then come the retries.
 */
static void
note_failure(struct lists *l)
{
	const struct list_conf *c = l->cfg.conf;

	metrics_inc(S_LIST_CHECKS_FAILED);
	if (!l->retrying && (l->healthy || l->scheduled)) {
		l->retrying = true;
		l->failures = 0;
		lists_schedule(l, c->retry_interval);
	} else if (l->retrying && l->scheduled && ++l->failures >= c->retries) {
		l->retrying = false;
		lists_incident(l, "the VZD does not answer; the last list stays in use");
		lists_schedule(l, c->interval);
	} else if (l->scheduled) {
		lists_schedule(l, c->retry_interval);
	} else {
		lists_on_due(l); /* the timer may have passed meanwhile */
	}
	l->healthy = false;
}

static void
note_success(struct lists *l)
{
	if (!l->healthy)
		log_info("federation list: the VZD answers again");
	l->healthy = true;
	l->retrying = false;
	lists_schedule(l, l->cfg.conf->interval);
}

static void
end(struct lists *l, bool healthy)
{
	l->phase = LISTS_IDLE;
	l->ended = loop_now(l->loop);
	if (healthy)
		note_success(l);
	else
		note_failure(l);
	lists_changed(l);
	lists_answer(l);
	if (l->look_again)
		lists_look_again(l);
}

static void
end_good(struct lists *l)
{
	struct lists_text *text = listkeep_text(l->keep);

	if (l->share != NULL && text != NULL)
		listshare_publish(l->share, text, listkeep_as_of(l->keep));
	end(l, true);
}

/* --- an attempt --- */

static void
on_judged(void *arg, enum err err)
{
	struct lists *l = arg;

	if (err != OK)
		lists_refused(l, err, "vzd");
	if (err == OK)
		end_good(l);
	else
		end(l, err != ERR_MEMORY);
	if (trust_lacks_word(err) && l->cfg.conf->trust.retry < l->cfg.conf->interval)
		lists_schedule(l, l->cfg.conf->trust.retry);
}

static void
judge(struct lists *l, struct buf *jws)
{
	l->phase = LISTS_JUDGING;
	if (!listkeep_offer(l->keep, jws, l->asked_at, on_judged, l)) {
		lists_refused(l, ERR_MEMORY, "vzd");
		end(l, false);
	}
}

static void
on_signed(void *arg, enum err err, struct buf *jws)
{
	struct lists *l = arg;

	l->signing = NULL;
	if (err == OK) {
		judge(l, jws);
		return;
	}
	log_error("federation list: it cannot be signed: reason=%s: %s; check "
		  "list.sign_certificate and list.sign_key",
	    err_name(err), err_text(err));
	metrics_inc(S_LIST_REFUSED);
	end(l, true);
}

static void
take(struct lists *l, const struct fetch_result *answer)
{
	const struct list_conf *c = l->cfg.conf;
	struct buf body;

	fetch_take_body(answer, &body);
	if (c->form == LIST_SIGNED) {
		judge(l, &body);
		return;
	}
	l->phase = LISTS_SIGNING;
	l->signing = listsign_start(l->loop, &body, 2 * c->max_bytes, c->sign_certificate_pem,
	    c->sign_key_pem, on_signed, l);
	if (l->signing == NULL)
		end(l, false);
}

/* What did not reach the VZD is tried again soon, too. */
static bool
is_healthy(const struct vzd_verdict *v)
{
	return v->outcome != VZD_FAILED && v->err != ERR_SECRET && v->err != ERR_MEMORY;
}

static void
on_answer(void *arg, const struct vzd_verdict *v, const struct fetch_result *answer)
{
	struct lists *l = arg;

	l->call = NULL;
	if (v->err != OK) {
		end(l, is_healthy(v));
	} else if (answer->status == 204) {
		listkeep_confirm(l->keep, l->asked_at);
		end_good(l);
	} else {
		take(l, answer);
	}
}

void
lists_attempt(struct lists *l, bool scheduled)
{
	const struct fedlist *list = listkeep_list(l->keep);

	l->phase = LISTS_ASKING;
	l->scheduled = scheduled;
	l->asked_at = clock_wall_s(); /* what is known is known as of then */
	metrics_inc(S_LIST_CHECKS);
	l->call = vzd_list(l->vzd, list != NULL ? fedlist_version(list) : -1, on_answer, l);
	if (l->call == NULL) {
		l->phase = LISTS_IDLE;
		lists_schedule(l, l->cfg.conf->retry_interval);
	}
}

/* What was begun with the former settings begins anew; a question at the VZD does so by itself. */
void
lists_stop_judging(struct lists *l)
{
	listsign_cancel(l->signing);
	l->signing = NULL;
	if (l->phase != LISTS_ASKING)
		l->phase = LISTS_IDLE;
}
