/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/certs.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "regsvc/certs_int.h"
#include "regsvc/series.h"

struct certs_watch {
	struct list node;
	bool due;
	void (*fn)(void *arg);
	void *arg;
};

/* --- who is told --- */

static void
tell(void *arg)
{
	struct certs *c = arg;

	LIST_FOR(node, &c->watches) {
		struct certs_watch *w = LIST_ENTRY(node, struct certs_watch, node);

		if (!w->due)
			continue;
		w->due = false;
		task_defer(c->loop, &c->tell); /* for the others: this one may end any of them */
		w->fn(w->arg);
		return;
	}
}

static void
tell_all(struct certs *c)
{
	LIST_FOR(node, &c->watches)
		LIST_ENTRY(node, struct certs_watch, node)->due = true;
	task_defer(c->loop, &c->tell);
}

struct certs_watch *
certs_watch(struct certs *c, void (*fn)(void *arg), void *arg)
{
	struct certs_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->fn = fn;
	w->arg = arg;
	list_append(&c->watches, &w->node);
	return w;
}

void
certs_unwatch(struct certs_watch *w)
{
	if (w == NULL)
		return;
	list_remove(&w->node);
	free(w);
}

/* --- the set --- */

static struct certs_entry
entry_of(const struct cert *x)
{
	struct certs_entry e = { .pem = x->c.pem,
		.x5u = x->x5u,
		.label = x->label,
		.vzd = x->vzd,
		.registered = x->registered,
		.why = x->why,
		.not_before = x->c.not_before,
		.not_after = x->c.not_after,
		.checked = x->checked };

	memcpy(e.fingerprint, x->c.fingerprint, sizeof(e.fingerprint));
	return e;
}

static struct certs_set *
make_set(const struct certs *c)
{
	struct certs_entry *all;
	struct certs_set *set;
	size_t n = 0;

	LIST_FOR(node, &c->certs)
		n++;
	all = calloc(n + 1, sizeof(*all));
	if (all == NULL)
		return NULL;
	n = 0;
	LIST_FOR(node, &c->certs) {
		const struct cert *x = LIST_ENTRY(node, struct cert, node);

		if (x->registered || x->vzd)
			all[n++] = entry_of(x);
	}
	set = certs_set_new(all, n);
	free(all);
	return set;
}

void
certs_publish(struct certs *c)
{
	struct certs_set *next = make_set(c), *old = c->set;

	task_cancel(&c->publish);
	if (next == NULL) {
		log_error("passport certificates: a change is not in force yet: out of memory");
		return;
	}
	c->set = next;
	if (strcmp(next->etag, old->etag) != 0) {
		log_info("passport certificates: %zu served, %zu refused", next->n_served,
		    next->n - next->n_served);
		tell_all(c);
	}
	snapshot_drop(&old->snap);
}

static void
on_publish(void *arg)
{
	certs_publish(arg);
}

void
certs_changed(struct certs *c)
{
	task_defer(c->loop, &c->publish);
}

const struct certs_set *
certs_current(const struct certs *c)
{
	return c->set;
}

/* --- for operators --- */

struct certs_state
certs_state(const struct certs *c)
{
	return (struct certs_state){ .asked = c->asked,
		.fetched = c->fetched,
		.error = c->error,
		.asks = c->claim != NULL && store_claim_held(c->claim),
		.loaded = c->loaded };
}

static enum series
refusal_of(enum err why)
{
	switch (why) {
	case ERR_OCSP_REVOKED:
		return S_PASSPORT_REFUSED_REVOKED;
	case ERR_X5C_VALIDITY:
		return S_PASSPORT_REFUSED_VALIDITY;
	case ERR_COUNT:
	case ERR_OCSP_UNKNOWN:
	case ERR_REVOCATION:
	case ERR_MEMORY:
		return S_PASSPORT_REFUSED_UNCHECKED;
	default:
		return S_PASSPORT_REFUSED_UNTRUSTED;
	}
}

void
certs_measure(const struct certs *c)
{
	int64_t count[S_PASSPORT_REFUSED_LAST - S_PASSPORT_VZD + 1] = { 0 }, checked = 0;

	for (size_t i = 0; i < c->set->n; i++) {
		const struct certs_entry *e = &c->set->entries[i];
		enum series s = e->registered ? S_PASSPORT_REGISTERED : S_PASSPORT_VZD;

		if (e->why != OK)
			s = refusal_of(e->why);
		else if (checked == 0 || e->checked < checked)
			checked = e->checked;
		count[s - S_PASSPORT_VZD]++;
	}
	for (unsigned s = S_PASSPORT_VZD; s <= S_PASSPORT_REFUSED_LAST; s++)
		metrics_set(s, count[s - S_PASSPORT_VZD]);
	metrics_set(S_PASSPORT_CHECKED, checked);
	metrics_set(S_PASSPORT_FETCHED, c->fetched);
}

/* --- all of it --- */

void
certs_adopt(struct certs *c, const struct certs_config *cfg)
{
	/* watches and questions belong to their judge */
	certs_calls_end(c);
	if (c->store != cfg->store)
		certs_vzd_leave(c);
	LIST_FOR(node, &c->certs)
		cert_end(LIST_ENTRY(node, struct cert, node));
	c->cfg = *cfg;
	c->store = cfg->store;
	certs_keep_adopt(c->keep, cfg->store);
	LIST_FOR(node, &c->certs)
		cert_begin(LIST_ENTRY(node, struct cert, node));
	certs_vzd_adopt(c);
	certs_changed(c);
}

struct certs *
certs_new(struct loop *loop, struct vzd *vzd)
{
	struct certs *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->vzd = vzd;
	list_init(&c->certs);
	list_init(&c->watches);
	list_init(&c->calls);
	task_init(&c->publish, on_publish, c);
	task_init(&c->tell, tell, c);
	certs_vzd_open(c);
	c->set = certs_set_new(NULL, 0);
	c->keep = c->set != NULL ? certs_keep_new(loop, certs_merge, c) : NULL;
	if (c->keep == NULL) {
		certs_free(c);
		return NULL;
	}
	return c;
}

void
certs_free(struct certs *c)
{
	if (c == NULL)
		return;
	certs_vzd_close(c);
	certs_keep_free(c->keep);
	LIST_FOR(node, &c->certs)
		certs_drop(LIST_ENTRY(node, struct cert, node));
	task_cancel(&c->publish);
	task_cancel(&c->tell);
	if (c->set != NULL)
		snapshot_drop(&c->set->snap);
	free(c);
}
