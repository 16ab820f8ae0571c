/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regcerts - a look: the set is asked for with the ETag of the one held, verified on an errand,
 * adopted.  A question about one URL is a small one first; only if the service knows it, all of the
 * set is asked for again: what counts is always what the service gives as a whole.
 */
#include "proxy/regcerts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/net/errand.h"
#include "proxy/regask.h"
#include "proxy/regcertset.h"
#include "proxy/regguard.h"

#define CERTIFICATE_MAX 8192 /* one of them in an answer */
#define ANSWER_ROOM (64 << 10)
#define SKEW_S 60

struct ask {
	struct list node;
	struct regcerts *c;
	struct regask *call; /* NULL: the set is being asked for */
	unsigned needs;      /* the look that will do */
	size_t n;
	char x5u[];
};

struct regcerts {
	struct loop *loop;
	struct regcerts_config cfg;
	char path[PATH_MAX]; /* "": nothing is kept */
	struct timer timer, expiry;
	struct regcall *call;
	struct errand *errand;
	bool again; /* something asks for another look after this one */
	bool paused;
	char announced[FETCH_HEADER_MAX]; /* ETag, during a look; "": nothing */
	unsigned looks;                   /* begun so far */
	struct list asks;
	/* in force */
	struct regguard *guard; /* of the set; NULL: none */
	int64_t as_of;
	struct buf text; /* as it was served */
	char etag[FETCH_HEADER_MAX];
	enum err error; /* of the last look */
	int status;
	/* what the errand takes with it, and brings back */
	struct buf next_text;
	struct regcertset next;
	int64_t next_as_of;
	char next_etag[FETCH_HEADER_MAX];
	enum err next_err;
};

static void look(struct regcerts *c);
static void answer_all(struct regcerts *c, enum err err);

struct passport_trust *
regcerts_trust(const struct regcerts *c)
{
	return c->guard != NULL ? regguard_trust(c->guard) : NULL;
}

size_t
regcerts_count(const struct regcerts *c)
{
	return c->guard != NULL ? regguard_count(c->guard) : 0;
}

/* --- what counts --- */

static void
drop_set(struct regcertset *s)
{
	snapshot_drop((struct snapshot *)s->trust);
	*s = (struct regcertset){ 0 };
}

static size_t
answer_max(const struct regcerts *c)
{
	return c->cfg.max * CERTIFICATE_MAX + ANSWER_ROOM;
}

static void
keep(struct regcerts *c)
{
	if (c->path[0] != '\0' && !regcertset_keep(c->path, buf_str(&c->text), c->as_of))
		log_error("federation %s: PASSporT certificates cannot be kept in %s: %s; after a "
			  "restart they must be asked for anew",
		    c->cfg.name, c->path, strerror(errno));
}

static void
on_guard(void *arg)
{
	struct regcerts *c = arg;

	c->cfg.on_change(c->cfg.arg, regcerts_trust(c));
	if (regguard_pending(c->guard) == 0 && c->call == NULL && c->errand == NULL)
		answer_all(c, OK);
}

/* Puts a set in force.  false: out of memory, nothing changes. */
static bool
hold(struct regcerts *c, struct regcertset *set)
{
	struct regguard *guard = regguard_new(c->cfg.trust, set, c->cfg.name, on_guard, c);

	if (guard == NULL)
		return false;
	regguard_free(c->guard);
	c->guard = guard;
	return true;
}

/* The set's time to live begins anew. */
static void
confirm(struct regcerts *c, int64_t as_of)
{
	int64_t now = clock_wall_s(), ttl = (int64_t)(c->cfg.ttl / 1000);

	c->as_of = as_of < now ? as_of : now;
	timer_set(c->loop, &c->expiry,
	    now - c->as_of < ttl ? (clock_ms)(ttl - (now - c->as_of)) * 1000 : 0);
}

static struct regcertset_demands
demands_of(const struct regcerts *c)
{
	return (struct regcertset_demands){ c->cfg.name, c->cfg.anchors, c->cfg.files, c->cfg.max,
		.chain_later = c->cfg.trust != NULL };
}

static void
on_expiry(void *arg)
{
	struct regcerts *c = arg;
	const struct regcertset_demands d = demands_of(c);
	struct regcertset none;

	if (regcertset_read(STR("{\"certificates\":[]}"), &d, &none) != OK || !hold(c, &none)) {
		drop_set(&none);
		timer_set(c->loop, &c->expiry, REGCERTS_RETRY_MS);
		return;
	}
	log_error("federation %s: the PASSporT certificates of the registration service were not "
		  "confirmed for passport.ttl and count no more",
	    c->cfg.name);
	c->etag[0] = '\0';
	c->cfg.on_change(c->cfg.arg, regcerts_trust(c));
}

static enum err
adopt(struct regcerts *c, const char *from)
{
	size_t n = c->next.n, n_refused = c->next.n_refused;

	if (!hold(c, &c->next))
		return ERR_MEMORY;
	buf_fini(&c->text);
	c->text = c->next_text;
	buf_init(&c->next_text, 0);
	confirm(c, c->next_as_of);
	log_info("federation %s: %zu PASSporT certificates from %s, %zu left out", c->cfg.name, n,
	    from, n_refused);
	return OK;
}

/* --- questions about one URL --- */

static void
ask_free(struct ask *a)
{
	regask_cancel(a->call);
	list_remove(&a->node);
	free(a);
}

static void
answer(struct ask *a, enum err err)
{
	struct regcerts *c = a->c;

	c->cfg.on_asked(c->cfg.arg, str_of(a->x5u, a->n), err);
	ask_free(a);
}

static void
answer_all(struct regcerts *c, enum err err)
{
	LIST_FOR(node, &c->asks) {
		struct ask *a = LIST_ENTRY(node, struct ask, node);

		if (a->call == NULL && a->needs <= c->looks)
			answer(a, err);
	}
}

static void
on_known(void *arg, enum err err, bool known)
{
	struct ask *a = arg;
	struct regcerts *c = a->c;

	a->call = NULL;
	if (err != OK || !known) {
		answer(a, err);
		return;
	}
	a->needs = c->looks + 1;
	c->again = true;
	if (c->call == NULL && c->errand == NULL)
		look(c);
}

bool
regcerts_ask(struct regcerts *c, struct str x5u)
{
	struct ask *a = c->paused ? NULL : calloc(1, sizeof(*a) + x5u.n);

	if (a == NULL)
		return false;
	a->c = c;
	a->n = x5u.n;
	str_put(a->x5u, x5u);
	list_init(&a->node);
	a->call = regask_start(c->cfg.client, x5u, on_known, a);
	if (a->call == NULL) {
		free(a);
		return false;
	}
	list_append(&c->asks, &a->node);
	return true;
}

/* --- the end of a look --- */

static void
note(struct regcerts *c, enum err err, int status)
{
	bool changed = err != c->error || status != c->status;

	if (err != OK && changed)
		log_error("federation %s: PASSporT certificates are not to be had from the "
			  "registration service: reason=%s status=%d: %s; %s",
		    c->cfg.name, err_name(err), status, err_text(err),
		    err == ERR_TOO_LARGE ? "raise passport.max_certificates if they are genuine"
					 : regclient_advice(err, status));
	else if (err == OK && c->error != OK)
		log_info("federation %s: PASSporT certificates are fine again", c->cfg.name);
	c->error = err;
	c->status = err != OK ? status : 0;
}

static void
finish(struct regcerts *c, enum err err, int status)
{
	clock_ms wait = c->cfg.interval;

	note(c, err, status);
	if (c->announced[0] != '\0' && strcmp(c->announced, c->etag) != 0)
		c->again = true;
	c->announced[0] = '\0';
	if (err != OK && wait > REGCERTS_RETRY_MS)
		wait = REGCERTS_RETRY_MS;
	timer_set(c->loop, &c->timer, c->again ? 0 : wait);
	/* Who asked about a certificate is told when it was judged. */
	if (err != OK || c->guard == NULL || regguard_pending(c->guard) == 0)
		answer_all(c, err);
}

static void
run(void *arg) /* on a thread of its own */
{
	struct regcerts *c = arg;
	const struct regcertset_demands d = demands_of(c);

	c->next_err = regcertset_read(buf_str(&c->next_text), &d, &c->next);
}

static void
on_judged(void *arg)
{
	struct regcerts *c = arg;

	c->errand = NULL;
	if (c->next_err == OK)
		c->next_err = adopt(c, "the registration service");
	if (c->next_err == OK) {
		memcpy(c->etag, c->next_etag, sizeof(c->etag));
		keep(c);
		c->cfg.on_change(c->cfg.arg, regcerts_trust(c));
	}
	drop_set(&c->next);
	buf_fini(&c->next_text);
	finish(c, c->next_err, 200);
}

/* What is kept counts from the start, like a list that is kept. */
static void
restore(struct regcerts *c)
{
	int64_t now = clock_wall_s();
	enum err err;

	buf_init(&c->next_text, answer_max(c) + 64);
	err = regcertset_kept(c->path, &c->next_text, &c->next_as_of);
	if (err == OK &&
	    (c->next_as_of > now + SKEW_S || now - c->next_as_of >= (int64_t)(c->cfg.ttl / 1000)))
		err = ERR_NOT_FOUND; /* too old */
	if (err == OK) {
		run(c);
		err = c->next_err;
	}
	if (err == OK)
		err = adopt(c, c->path);
	if (err != OK && err != ERR_NOT_FOUND)
		log_warn("federation %s: the PASSporT certificates kept in %s are not used: %s",
		    c->cfg.name, c->path, err_text(err));
	drop_set(&c->next);
	buf_fini(&c->next_text);
}

/* --- a look --- */

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct regcerts *c = arg;
	int64_t age = regclient_age(r);

	c->call = NULL;
	c->next_as_of = clock_wall_s() - (age > 0 ? age : 0);
	if (r->err == OK && r->status == 200) {
		fetch_take_body(r, &c->next_text);
		snprintf(c->next_etag, sizeof(c->next_etag), "%s", r->etag);
		c->errand = errand_start(c->loop, "certificates", run, on_judged, c);
		if (c->errand == NULL) {
			buf_fini(&c->next_text);
			finish(c, ERR_MEMORY, 200);
		}
	} else if (r->err == OK && r->status == 304 && c->etag[0] != '\0') {
		confirm(c, c->next_as_of);
		keep(c);
		finish(c, OK, 304);
	} else {
		finish(c, r->err != OK ? r->err : ERR_HTTP_ANSWER, r->status);
	}
}

static void
look(struct regcerts *c)
{
	const struct regcall_request req = { .path = "passport-certificates",
		.if_none_match = c->etag[0] != '\0' ? c->etag : NULL,
		.max_bytes = answer_max(c) };

	c->again = false;
	c->looks++;
	c->call = regclient_get(c->cfg.client, &req, on_answer, c);
	if (c->call == NULL)
		finish(c, ERR_MEMORY, 0);
}

static void
on_timer(void *arg)
{
	struct regcerts *c = arg;

	if (c->call == NULL && c->errand == NULL)
		look(c);
}

void
regcerts_announced(struct regcerts *c, const char *etag)
{
	if (etag[0] != '\0' && strcmp(etag, c->etag) == 0)
		return;
	if (c->call == NULL && c->errand == NULL)
		timer_set(c->loop, &c->timer, 0);
	else
		snprintf(c->announced, sizeof(c->announced), "%s", etag);
}

/* --- opening and closing --- */

void
regcerts_pause(struct regcerts *c)
{
	c->paused = true;
	errand_cancel(c->errand);
	c->errand = NULL;
	drop_set(&c->next);
	buf_fini(&c->next_text);
	regcall_cancel(c->call);
	c->call = NULL;
	timer_clear(&c->timer);
	LIST_FOR(node, &c->asks)
		ask_free(LIST_ENTRY(node, struct ask, node));
}

void
regcerts_resume(struct regcerts *c)
{
	c->paused = false;
	timer_set(c->loop, &c->timer, 0);
}

struct regcerts *
regcerts_new(struct loop *loop, const struct regcerts_config *cfg)
{
	struct regcerts *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->cfg = *cfg;
	list_init(&c->asks);
	buf_init(&c->text, 0);
	buf_init(&c->next_text, 0);
	timer_init(&c->timer, on_timer, c);
	timer_init(&c->expiry, on_expiry, c);
	if (cfg->state_dir != NULL &&
	    snprintf(c->path, sizeof(c->path), "%s/federation-%s.passports", cfg->state_dir,
		cfg->name) >= (int)sizeof(c->path))
		c->path[0] = '\0';
	if (c->path[0] != '\0')
		restore(c);
	timer_set(loop, &c->timer, 0);
	return c;
}

void
regcerts_free(struct regcerts *c)
{
	if (c == NULL)
		return;
	regcerts_pause(c);
	timer_clear(&c->expiry);
	regguard_free(c->guard);
	buf_fini(&c->text);
	free(c);
}
