/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust - questions and watches, each around one judgement, which runs whenever something arrived.
 *
 * Few questions ask at a time, so that thousands of certificates are no flood for a responder; the
 * others wait for their turn.  The task answers one question at most each time, as its last act:
 * whoever is told may cancel, ask, or free everything.
 */
#include "lib/trust/trust.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/trust/trust_int.h"

#define ASKING_MAX 16

struct trust_question {
	struct list node;
	struct trust *t;
	struct judgement j;
	bool due; /* something has arrived since it was looked at */
	trust_fn *fn;
	void *arg;
};

struct trust_watch {
	struct list node;
	struct trust *t;
	STACK_OF(X509) *certs;
	char *role, *common_name;
	struct trust_question *question;
	struct timer timer;
	trust_fn *fn;
	void *arg;
};

/* --- questions --- */

static void
free_question(struct trust_question *q)
{
	list_remove(&q->node);
	judgement_fini(&q->j);
	free(q);
}

static void
admit(struct trust *t)
{
	struct list *next;

	while (t->n_asking < ASKING_MAX && (next = list_first(&t->waiting)) != NULL) {
		list_remove(next);
		list_append(&t->asking, next);
		t->n_asking++;
		LIST_ENTRY(next, struct trust_question, node)->due = true;
		task_defer(t->loop, &t->task);
	}
}

static void
leave(struct trust_question *q)
{
	struct trust *t = q->t;

	list_remove(&q->node);
	t->n_asking--;
	admit(t);
}

static void
answer(struct trust_question *q, enum err err)
{
	struct trust_verdict *v = err == OK ? judgement_verdict(&q->j) : NULL;
	trust_fn *fn = q->fn;
	void *arg = q->arg;

	if (err == OK && v == NULL)
		err = ERR_MEMORY;
	free_question(q);
	fn(arg, err, v);
	if (v != NULL)
		snapshot_drop(&v->snap);
}

static void
on_task(void *arg)
{
	struct trust *t = arg;

	LIST_FOR(node, &t->asking) {
		struct trust_question *q = LIST_ENTRY(node, struct trust_question, node);
		enum err err;

		if (!q->due)
			continue;
		q->due = false;
		err = judgement_run(t, &q->j);
		if (err == OK && q->j.coming)
			continue;
		leave(q);
		task_defer(t->loop, &t->task);
		answer(q, err);
		return;
	}
}

static void
on_news(void *arg)
{
	struct trust *t = arg;

	LIST_FOR(node, &t->asking)
		LIST_ENTRY(node, struct trust_question, node)->due = true;
	task_defer(t->loop, &t->task);
}

static void
on_roots(void *arg)
{
	struct trust *t = arg;

	issuers_verify(t->issuers, rootstore_get(t->roots));
	on_news(t);
}

static struct trust_question *
ask_question(struct trust *t, STACK_OF(X509) *certs, const struct trust_demands *d, bool in_use,
    trust_fn *fn, void *arg)
{
	struct trust_question *q = calloc(1, sizeof(*q));

	if (q == NULL || !judgement_init(&q->j, certs, d)) {
		free(q);
		return NULL;
	}
	q->t = t;
	q->j.in_use = in_use;
	q->j.asks = true;
	q->fn = fn;
	q->arg = arg;
	list_append(&t->waiting, &q->node);
	admit(t);
	return q;
}

struct trust_question *
trust_judge(
    struct trust *t, STACK_OF(X509) *certs, const struct trust_demands *d, trust_fn *fn, void *arg)
{
	return ask_question(t, certs, d, false, fn, arg);
}

static bool
is_asking(const struct trust_question *q)
{
	LIST_FOR(node, &q->t->asking)
		if (node == &q->node)
			return true;
	return false;
}

void
trust_cancel(struct trust_question *q)
{
	if (q == NULL)
		return;
	if (is_asking(q))
		leave(q);
	free_question(q);
}

enum err
trust_known(
    struct trust *t, STACK_OF(X509) *certs, const struct trust_demands *d, struct trust_verdict **v)
{
	struct judgement j;
	enum err err = ERR_MEMORY;

	if (!judgement_init(&j, certs, d))
		return err;
	j.in_use = true;
	err = judgement_run(t, &j);
	if (err == OK && v != NULL && (*v = judgement_verdict(&j)) == NULL)
		err = ERR_MEMORY;
	judgement_fini(&j);
	return err;
}

/* --- watches --- */

static void on_judged(void *arg, enum err err, struct trust_verdict *v);

/* Again when the answers have grown old, but not at once if that was a moment ago. */
static void
watch_later(struct trust_watch *w, const struct trust_verdict *v)
{
	int64_t left = v != NULL ? v->until - clock_wall_s() : 0;
	clock_ms wait = left > 0 ? (clock_ms)left * 1000 : 0;

	if (wait < w->t->cfg.retry_min)
		wait = w->t->cfg.retry_min;
	if (wait > w->t->cfg.ocsp_max_age && w->t->cfg.revocation != TRUST_OFF)
		wait = w->t->cfg.ocsp_max_age;
	timer_set(w->t->loop, &w->timer, wait);
}

static void
on_watch_timer(void *arg)
{
	struct trust_watch *w = arg;
	const struct trust_demands d = { .role = w->role, .common_name = w->common_name };

	w->question = ask_question(w->t, w->certs, &d, true, on_judged, w);
	if (w->question == NULL)
		watch_later(w, NULL);
}

static void
on_judged(void *arg, enum err err, struct trust_verdict *v)
{
	struct trust_watch *w = arg;

	w->question = NULL;
	watch_later(w, v);
	w->fn(w->arg, err, v);
}

struct trust_watch *
trust_watch(
    struct trust *t, STACK_OF(X509) *certs, const struct trust_demands *d, trust_fn *fn, void *arg)
{
	struct trust_watch *w = calloc(1, sizeof(*w));
	bool ok;

	if (w == NULL)
		return NULL;
	w->t = t;
	w->fn = fn;
	w->arg = arg;
	list_append(&t->watches, &w->node);
	timer_init(&w->timer, on_watch_timer, w);
	w->certs = X509_chain_up_ref(certs);
	w->role = d->role != NULL ? strdup(d->role) : NULL;
	w->common_name = d->common_name != NULL ? strdup(d->common_name) : NULL;
	ok = w->certs != NULL && (w->role != NULL) == (d->role != NULL) &&
	     (w->common_name != NULL) == (d->common_name != NULL);
	if (!ok) {
		trust_unwatch(w);
		return NULL;
	}
	timer_set(t->loop, &w->timer, 0);
	return w;
}

void
trust_unwatch(struct trust_watch *w)
{
	if (w == NULL)
		return;
	trust_cancel(w->question);
	timer_clear(&w->timer);
	list_remove(&w->node);
	sk_X509_pop_free(w->certs, X509_free);
	free(w->role);
	free(w->common_name);
	free(w);
}

/* --- all of it --- */

X509_STORE *
trust_store(struct trust *t)
{
	STACK_OF(X509) *issuers = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	bool ok = issuers != NULL && store != NULL && rootstore_collect(t->roots, issuers) &&
		  issuers_collect(t->issuers, issuers);

	for (int i = 0; ok && i < sk_X509_num(issuers); i++)
		ok = X509_STORE_add_cert(store, sk_X509_value(issuers, i)) == 1;
	sk_X509_pop_free(issuers, X509_free);
	if (ok)
		return store;
	X509_STORE_free(store);
	return NULL;
}

static bool
copy(const char *from, char **to, const char **use)
{
	if (from != NULL && (*to = strdup(from)) == NULL)
		return false;
	*use = *to;
	return true;
}

static bool
copy_texts(struct trust *t)
{
	struct trust_config *c = &t->cfg;

	return copy(c->name, &t->name, &c->name) &&
	       copy(c->client_id, &t->client_id, &c->client_id) &&
	       copy(c->state_dir, &t->state_dir, &c->state_dir) &&
	       copy(c->base_url, &t->base_url, &c->base_url) &&
	       copy(c->ocsp_url, &t->ocsp_url, &c->ocsp_url) &&
	       copy(c->ca_ocsp_url, &t->ca_ocsp_url, &c->ca_ocsp_url);
}

static bool
open_parts(struct trust *t)
{
	const struct trust_config *c = &t->cfg;
	const struct rootstore_config rc = { .pinned = c->anchors,
		.base_url = c->base_url,
		.state_dir = c->state_dir,
		.interval = c->roots_interval,
		.changed = on_roots,
		.arg = t };
	const struct issuers_config ic = { .base_url = c->base_url,
		.state_dir = c->state_dir,
		.max = c->max_issuers,
		.changed = on_news,
		.arg = t };
	const struct revocation_config vc = { .ocsp_url = c->ocsp_url,
		.ca_ocsp_url = c->ca_ocsp_url,
		.state_dir = c->state_dir,
		.from = c->from != NULL ? c->from->revocation : NULL,
		.max_age = c->ocsp_max_age,
		.max = c->max_certificates,
		.changed = on_news,
		.arg = t };

	t->roots = rootstore_new(&t->ask, &rc);
	t->issuers = t->roots != NULL ? issuers_new(&t->ask, &ic, rootstore_get(t->roots)) : NULL;
	t->revocation = t->issuers != NULL ? revocation_new(&t->ask, &vc) : NULL;
	t->cfg.from = NULL;
	return t->revocation != NULL;
}

struct trust *
trust_new(struct loop *loop, const struct trust_config *cfg)
{
	struct trust *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->loop = loop;
	t->cfg = *cfg;
	list_init(&t->asking);
	list_init(&t->waiting);
	list_init(&t->watches);
	task_init(&t->task, on_task, t);
	if (!copy_texts(t)) {
		trust_free(t);
		return NULL;
	}
	t->ask = (struct trust_ask){ .loop = loop,
		.fetcher = cfg->fetcher,
		.name = t->cfg.name,
		.timeout = cfg->timeout,
		.retry_min = cfg->retry_min,
		.retry_max = cfg->retry_max,
		.count = cfg->count,
		.arg = cfg->arg };
	agent_field(t->cfg.client_id, t->ask.field);
	if (!open_parts(t)) {
		trust_free(t);
		return NULL;
	}
	return t;
}

void
trust_free(struct trust *t)
{
	if (t == NULL)
		return;
	LIST_FOR(node, &t->watches)
		trust_unwatch(LIST_ENTRY(node, struct trust_watch, node));
	LIST_FOR(node, &t->waiting)
		free_question(LIST_ENTRY(node, struct trust_question, node));
	LIST_FOR(node, &t->asking)
		free_question(LIST_ENTRY(node, struct trust_question, node));
	task_cancel(&t->task);
	revocation_free(t->revocation);
	issuers_free(t->issuers);
	rootstore_free(t->roots);
	free(t->name);
	free(t->client_id);
	free(t->state_dir);
	free(t->base_url);
	free(t->ocsp_url);
	free(t->ca_ocsp_url);
	free(t);
}

void
trust_pause(struct trust *t)
{
	revocation_pause(t->revocation);
}

void
trust_resume(struct trust *t)
{
	revocation_resume(t->revocation);
}
