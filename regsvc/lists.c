/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/lists.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "regsvc/lists_int.h"
#include "regsvc/series.h"

const char *const lists_status_names[] = {
	[LISTS_MISSING] = "fehlt", [LISTS_CURRENT] = "aktuell", [LISTS_OUTDATED] = "veraltet"
};

/* --- what there is --- */

static enum lists_status
status_of(const struct lists *l, int64_t as_of, int64_t age)
{
	return as_of > 0 && age <= (int64_t)(l->cfg.conf->ttl / 1000) ? LISTS_CURRENT
								      : LISTS_OUTDATED;
}

struct lists_view
lists_current(const struct lists *l)
{
	struct lists_view v = { .version = -1, .age = INT64_MAX, .healthy = l->healthy };
	int64_t now = clock_wall_s();

	v.text = l->keep != NULL ? listkeep_text(l->keep) : NULL;
	if (v.text == NULL)
		return v;
	v.list = listkeep_list(l->keep);
	v.version = v.text->version;
	v.entries = fedlist_count(v.list);
	v.as_of = listkeep_as_of(l->keep);
	if (v.as_of > 0)
		v.age = v.as_of < now ? now - v.as_of : 0;
	v.status = status_of(l, v.as_of, v.age);
	return v;
}

static void
on_stale(void *arg)
{
	lists_changed(arg);
}

void
lists_changed(struct lists *l)
{
	struct lists_view v = lists_current(l);
	clock_ms ttl = l->cfg.conf->ttl;

	if (v.status == LISTS_CURRENT)
		timer_set(l->loop, &l->stale, ttl - (clock_ms)v.age * 1000 + 1000);
	else
		timer_clear(&l->stale);
	if (v.status == LISTS_OUTDATED && l->told.status != LISTS_OUTDATED)
		lists_incident(l, "it is outdated (veraltet); proxies close the federation");
	if (v.version != l->told.version && v.text != NULL)
		log_info("federation list in force: version=%lld entries=%zu", (long long)v.version,
		    v.entries);
	if (v.text != l->told.text || v.status != l->told.status || v.healthy != l->told.healthy)
		task_defer(l->loop, &l->tell);
	l->told = v; /* text only to be compared */
}

void
lists_missing(const struct lists *l, struct buf *out)
{
	struct lists_view v = lists_current(l);
	const char *line = v.status == LISTS_MISSING    ? "no federation list\n"
			   : v.status == LISTS_OUTDATED ? "the federation list is outdated\n"
							: "";

	if (l->keep != NULL && !buf_put(out, str_z(line)))
		log_error("out of memory");
}

void
lists_measure(const struct lists *l)
{
	struct lists_view v = lists_current(l);

	metrics_set(S_VZD_HEALTHY, v.healthy);
	metrics_set(S_LIST_VERSION, v.version);
	metrics_set(S_LIST_ENTRIES, (int64_t)v.entries);
	metrics_set(S_LIST_AS_OF, v.as_of);
	metrics_set(S_LIST_STATUS, v.status);
	metrics_set(S_LIST_ELECTED, l->share != NULL && listshare_elected(l->share));
}

/* --- what is refused --- */

static const char *
advice(enum err err)
{
	switch (err) {
	case ERR_JWS_SYNTAX:
	case ERR_FEDLIST_SHAPE:
		return "it must be a federation list as a JWS; an old VZD needs list.form: "
		       "unsigned";
	case ERR_X5C_VALIDITY:
	case ERR_FEDLIST_DATES:
		return "check this machine's clock; else the VZD must give a current list";
	case ERR_FEDLIST_LOWER:
		return "the VZD gives an older list than the one held; ask its operator";
	case ERR_FEDLIST_SIZE:
	case ERR_TOO_LARGE:
		return "raise list.max_bytes or list.max_entries if the list is genuine";
	case ERR_OCSP_REVOKED:
		return "ask the VZD's operator why the signer's certificate was revoked";
	case ERR_OCSP_UNKNOWN:
	case ERR_REVOCATION:
	case ERR_ISSUER:
		return "see the line of 'trust' above; check list.trust.base_url and "
		       "list.trust.ocsp_url";
	case ERR_MEMORY:
		return "it is tried again";
	default:
		return "check list.anchors, list.signer_role and list.signer_cn; do not trust "
		       "this list";
	}
}

void
lists_refused(struct lists *l, enum err err, const char *from)
{
	struct lists_view v = lists_current(l);

	metrics_inc(S_LIST_REFUSED);
	log_error("federation list refused: source=%s reason=%s: %s; %s; in force: version=%lld",
	    from, err_name(err), err_text(err), advice(err), (long long)v.version);
}

/* --- life --- */

static void
on_signer(void *arg) /* of the keep: the list counts, or does not any more */
{
	lists_changed(arg);
}

void
lists_adopt(struct lists *l, const struct lists_config *cfg)
{
	const struct listkeep_config kc = { .conf = cfg->conf,
		.client_id = cfg->lookups->client_id,
		.state_dir = cfg->state_dir,
		.fetcher = cfg->fetcher,
		.timeout = cfg->lookups->timeout,
		.changed = on_signer,
		.arg = l };
	struct listkeep *keep = NULL;

	lists_stop_judging(l);
	listkeep_stop(l->keep);
	if (cfg->conf->anchors != NULL && (keep = listkeep_new(l->loop, &kc, l->keep)) == NULL)
		log_error("federation list: out of memory; none is served before the next reload");
	listkeep_free(l->keep);
	l->keep = keep;
	l->cfg = *cfg;
	if (keep == NULL) {
		vzd_cancel(l->call);
		l->call = NULL;
		l->phase = LISTS_IDLE;
	}
	lists_open_share(l);
	lists_changed(l);
	if (l->phase == LISTS_IDLE)
		lists_schedule(l, 0);
}

struct lists *
lists_new(struct loop *loop, struct vzd *vzd)
{
	struct lists *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->loop = loop;
	l->vzd = vzd;
	l->healthy = true;
	l->told.version = -1;
	l->told.healthy = true;
	list_init(&l->calls);
	list_init(&l->watches);
	timer_init(&l->due, lists_on_due, l);
	timer_init(&l->stale, on_stale, l);
	task_init(&l->tell, lists_tell, l);
	return l;
}

void
lists_free(struct lists *l)
{
	if (l == NULL)
		return;
	vzd_cancel(l->call);
	listsign_cancel(l->signing);
	listkeep_free(l->keep);
	listshare_free(l->share);
	timer_clear(&l->due);
	timer_clear(&l->stale);
	task_cancel(&l->tell);
	free(l);
}
