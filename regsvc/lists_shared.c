/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists_shared - what other instances of the service found.
 */
#include "lib/base/log.h"
#include "regsvc/lists_int.h"
#include "regsvc/series.h"

/* --- what others found --- */

static void
on_shared_judged(void *arg, enum err err)
{
	struct lists *l = arg;

	l->phase = LISTS_IDLE;
	/* a lower version is what an instance that lagged behind has put there */
	if (err != OK && err != ERR_FEDLIST_LOWER)
		lists_refused(l, err, "store");
	if (trust_lacks_word(err)) {
		l->lacks_word = true;
		if (l->cfg.conf->trust.retry < l->cfg.conf->interval)
			lists_schedule(l, l->cfg.conf->trust.retry);
	}
	lists_changed(l);
	if (!list_empty(&l->calls) && vzd_configured(l->vzd))
		lists_attempt(l, false); /* they want to know what the VZD says */
	else
		lists_on_due(l);
	if (l->look_again)
		lists_look_again(l);
}

static void
on_found(void *arg, struct str jws, int64_t as_of)
{
	struct lists *l = arg;
	struct buf copy;

	if (l->keep == NULL)
		return;
	if (l->phase != LISTS_IDLE) {
		l->look_again = true;
		return;
	}
	buf_init(&copy, jws.n);
	if (!buf_put(&copy, jws))
		return;
	l->phase = LISTS_SHARED;
	if (!listkeep_offer(l->keep, &copy, as_of, on_shared_judged, l))
		l->phase = LISTS_IDLE;
}

void
lists_look_again(struct lists *l)
{
	l->look_again = false;
	listshare_look(l->share);
}

static void
on_confirmed(void *arg, int64_t version, int64_t as_of)
{
	struct lists *l = arg;

	if (lists_current(l).version != version)
		return;
	listkeep_confirm(l->keep, as_of);
	lists_changed(l);
}

static int64_t
on_version(void *arg)
{
	return lists_current(arg).version;
}

static void
on_elected(void *arg)
{
	struct lists *l = arg;

	lists_on_due(l);
}

void
lists_open_share(struct lists *l)
{
	const struct listshare_config sc = { .store = l->cfg.store,
		.claim = l->cfg.conf->claim,
		.version = on_version,
		.confirmed = on_confirmed,
		.found = on_found,
		.elected = on_elected,
		.arg = l };

	listshare_free(l->share);
	l->share = NULL;
	if (l->keep == NULL || l->cfg.store == NULL)
		return;
	l->share = listshare_new(&sc);
	if (l->share == NULL)
		log_error("federation list: out of memory; it is not shared before the next "
			  "reload");
}
