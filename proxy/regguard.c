/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/regguard.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

struct guarded {
	struct regguard *g;
	size_t place;
	struct trust_watch *watch;
	bool judged;
};

struct regguard {
	struct passport_trust *set; /* all of them; one reference, like the next */
	struct passport_trust *counting;
	size_t first; /* place of the first one that is watched */
	const char *name;
	void (*on_change)(void *arg);
	void *arg;
	size_t n, n_pending;
	struct passport_pick *picks; /* of all */
	struct guarded guarded[];
};

struct passport_trust *
regguard_trust(const struct regguard *g)
{
	return g->counting;
}

size_t
regguard_count(const struct regguard *g)
{
	return passport_trust_count(g->counting) - g->first;
}

size_t
regguard_pending(const struct regguard *g)
{
	return g->n_pending;
}

/* What counts is made anew.  false: out of memory, it stays as it was. */
static bool
sift(struct regguard *g)
{
	struct passport_trust *some = passport_trust_some(g->set, g->picks);

	if (some == NULL)
		return false;
	snapshot_drop((struct snapshot *)g->counting);
	g->counting = some;
	return true;
}

/* Whom a certificate leads to, and for how long; true: that is news. */
static bool
lead(struct guarded *one, struct trust_verdict *v)
{
	struct passport_pick *p = &one->g->picks[one->place];
	struct x5c_span before = p->valid;

	X509_STORE_up_ref(v->store);
	X509_STORE_free(p->issuers);
	p->issuers = v->store;
	if (x5c_chain(passport_trust_certs(one->g->set, one->place), v->store, clock_wall_s(),
		&p->valid) != OK)
		p->valid = (struct x5c_span){ INT64_MAX, INT64_MIN };
	return p->valid.from != before.from || p->valid.to != before.to;
}

static void
note(const struct guarded *one, enum err err)
{
	const char *x5u = passport_trust_x5u(one->g->set, one->place);

	if (err != OK)
		log_error("federation %s: a PASSporT certificate of the registration service does "
			  "not count: x5u=%s reason=%s: %s; see the lines of 'trust' above",
		    one->g->name, x5u != NULL ? x5u : "-", err_name(err), err_text(err));
	else
		log_info("federation %s: a PASSporT certificate counts: x5u=%s", one->g->name,
		    x5u != NULL ? x5u : "-");
}

static void
on_verdict(void *arg, enum err err, struct trust_verdict *v)
{
	struct guarded *one = arg;
	struct regguard *g = one->g;
	struct passport_pick *p = &g->picks[one->place];
	bool first = !one->judged, changed;

	if (err == ERR_MEMORY)
		return; /* which says nothing about the certificate; it is judged again */
	one->judged = true;
	g->n_pending -= first;
	changed = p->counts != (err == OK);
	p->counts = err == OK;
	if (changed || (first && err != OK))
		note(one, err);
	if (err == OK && lead(one, v))
		changed = true;
	if (changed && !sift(g))
		log_error("federation %s: out of memory; the former PASSporT certificates count on",
		    g->name);
	if (changed || (first && g->n_pending == 0))
		g->on_change(g->arg);
}

static bool
watch(struct regguard *g, struct trust *trust, size_t place, struct guarded *one)
{
	static const struct trust_demands none = { 0 };
	STACK_OF(X509) *certs = passport_trust_certs(g->set, place);
	struct trust_verdict *v = NULL;

	*one = (struct guarded){ .g = g, .place = place };
	one->judged = trust_known(trust, certs, &none, &v) == OK;
	g->picks[place].counts = one->judged;
	if (one->judged)
		lead(one, v);
	snapshot_drop((struct snapshot *)v);
	g->n_pending += !one->judged;
	one->watch = trust_watch(trust, certs, &none, on_verdict, one);
	return one->watch != NULL;
}

static bool
begin(struct regguard *g, struct trust *trust, size_t all)
{
	for (size_t i = 0; i < all; i++)
		g->picks[i].counts = true;
	for (size_t i = g->first; trust != NULL && i < all; i++)
		if (!watch(g, trust, i, &g->guarded[g->n++]))
			return false;
	return sift(g);
}

struct regguard *
regguard_new(struct trust *trust, struct regcertset *set, const char *name,
    void (*on_change)(void *arg), void *arg)
{
	size_t all = passport_trust_count(set->trust);
	struct regguard *g = calloc(1, sizeof(*g) + set->n * sizeof(g->guarded[0]));

	if (g == NULL)
		return NULL;
	g->set = snapshot_hold((struct snapshot *)set->trust);
	g->first = all - set->n;
	g->name = name;
	g->on_change = on_change;
	g->arg = arg;
	g->picks = calloc(all + 1, sizeof(*g->picks));
	if (g->picks == NULL || !begin(g, trust, all)) {
		regguard_free(g);
		return NULL;
	}
	snapshot_drop((struct snapshot *)set->trust);
	*set = (struct regcertset){ 0 };
	return g;
}

void
regguard_free(struct regguard *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++)
		trust_unwatch(g->guarded[i].watch);
	for (size_t i = 0; i < g->n; i++)
		X509_STORE_free(g->picks[g->guarded[i].place].issuers);
	snapshot_drop((struct snapshot *)g->counting);
	snapshot_drop((struct snapshot *)g->set);
	free(g->picks);
	free(g);
}
