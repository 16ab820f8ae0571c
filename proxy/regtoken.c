/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/regtoken.h"
#include "lib/base/percent.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/http/fetch.h"
#include "lib/jose/claims.h"
#include "proxy/regclient.h"
#include "proxy/series.h"

#define ANSWER_MAX (16 << 10)
#define FORM_MAX (16 << 10)
#define MARGIN_MS 60000 /* before its end a token is renewed */
#define LIFETIME_MAX_S 3600

struct regtoken {
	struct loop *loop;
	struct regtoken_config cfg;
	struct fetch *fetch;
	struct list waits;
	char token[REGTOKEN_MAX + 1];
	clock_ms renew_at; /* 0: there is none */
};

const char *
regtoken_now(const struct regtoken *t)
{
	return t->renew_at > loop_now(t->loop) ? t->token : NULL;
}

void
regtoken_refused(struct regtoken *t)
{
	t->renew_at = 0;
	sodium_memzero(t->token, sizeof(t->token));
}

/* --- the answer --- */

static bool
is_token(struct str s)
{
	if (s.n == 0 || s.n > REGTOKEN_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

static bool
adopt(struct regtoken *t, const struct claims *answer)
{
	struct str token, type;
	double lifetime;
	clock_ms ms;

	if (!claims_text(claims_get(answer, "access_token"), &token) || !is_token(token) ||
	    !claims_text(claims_get(answer, "token_type"), &type) ||
	    !str_eq_ci(type, STR("Bearer")) ||
	    !claims_number(claims_get(answer, "expires_in"), &lifetime) || lifetime < 1)
		return false;
	ms = (clock_ms)(lifetime < LIFETIME_MAX_S ? lifetime : LIFETIME_MAX_S) * 1000;
	*str_put(t->token, token) = '\0';
	t->renew_at = loop_now(t->loop) + ms - (ms / 10 < MARGIN_MS ? ms / 10 : MARGIN_MS);
	return true;
}

static enum err
read_answer(struct regtoken *t, const struct fetch_result *r)
{
	struct claims *answer;
	bool good;

	if (r->err != OK)
		return r->err;
	answer = r->status == 200 ? claims_read_object(r->body) : NULL;
	good = answer != NULL && adopt(t, answer);
	claims_free(answer);
	return good ? OK : ERR_HTTP_ANSWER;
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct regtoken *t = arg;
	enum err err = read_answer(t, r);
	struct list waits, *node;

	t->fetch = NULL;
	if (r->body.n > 0)
		sodium_memzero((char *)(uintptr_t)r->body.p, r->body.n);
	metrics_inc(err == OK ? S_REGSVC_TOKENS : S_REGSVC_TOKENS_FAILED);
	list_init(&waits);
	while ((node = list_first(&t->waits)) != NULL) {
		list_remove(node);
		list_append(&waits, node);
	}
	/* Whoever asks again meanwhile waits for the next one. */
	while ((node = list_first(&waits)) != NULL) {
		struct regtoken_wait *w = LIST_ENTRY(node, struct regtoken_wait, node);

		list_remove(node);
		w->fn(w->arg, err, r->err == OK ? r->status : 0);
	}
}

/* --- the question --- */

static bool
put_form(struct buf *b, const struct regsvc_conf *c)
{
	return buf_put(b, STR("grant_type=client_credentials&client_id=")) &&
	       percent_put(b, str_z(c->client_id)) && buf_put(b, STR("&client_secret=")) &&
	       percent_put(b, c->password);
}

static bool
ask(struct regtoken *t)
{
	const struct regsvc_conf *c = t->cfg.conf;
	char url[REGURL_MAX];
	struct buf form;
	bool ok;

	buf_init(&form, FORM_MAX);
	/* All at once: no copy of the secret stays behind in memory that was outgrown. */
	ok = buf_reserve(&form, FORM_MAX) != NULL && put_form(&form, c) &&
	     snprintf(url, sizeof(url), "%s/token", c->url) < (int)sizeof(url);
	if (ok) {
		const struct fetch_request req = { .url = url,
			.anchors = t->cfg.anchors,
			.local = true, /* any address; it is https all the same */
			.post = buf_str(&form),
			.post_type = "application/x-www-form-urlencoded",
			.max_bytes = ANSWER_MAX,
			.timeout_ms = c->timeout };

		t->fetch = fetch_start(t->cfg.fetcher, &req, on_answer, t);
	}
	if (form.mem != NULL)
		sodium_memzero(form.mem, form.cap);
	buf_fini(&form);
	return t->fetch != NULL;
}

bool
regtoken_get(struct regtoken *t, struct regtoken_wait *w,
    void (*fn)(void *arg, enum err err, int status), void *arg)
{
	if (t->fetch == NULL && !ask(t))
		return false;
	w->fn = fn;
	w->arg = arg;
	list_init(&w->node);
	list_append(&t->waits, &w->node);
	return true;
}

void
regtoken_cancel(struct regtoken_wait *w)
{
	if (w->node.next != NULL)
		list_remove(&w->node);
}

struct regtoken *
regtoken_new(struct loop *loop, const struct regtoken_config *cfg)
{
	struct regtoken *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->loop = loop;
	t->cfg = *cfg;
	list_init(&t->waits);
	return t;
}

void
regtoken_free(struct regtoken *t)
{
	if (t == NULL)
		return;
	fetch_cancel(t->fetch);
	LIST_FOR(node, &t->waits)
		list_remove(node);
	sodium_memzero(t->token, sizeof(t->token));
	free(t);
}
