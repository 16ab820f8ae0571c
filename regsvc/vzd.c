/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vzd - a call is: a token, the request, its answer; after a 401 once more from the start.  Some
 * have a second way to ask when the first one is not known.
 */
#include "regsvc/vzd.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/percent.h"
#include "lib/federation/fedsigned.h"
#include "lib/matrix/name.h"
#include "regsvc/vzd_auth.h"
#include "regsvc/vzd_read.h"

#define TARGET_MAX 4096

struct vzd {
	struct loop *loop;
	const struct vzd_conf *conf;
	struct fetcher *fetcher;
	struct vzd_auth *auth; /* NULL: no VZD is configured */
	struct list calls;
};

struct vzd_call {
	struct list node;
	struct vzd *vzd;
	enum vzd_step step;
	struct task start;
	struct vzd_auth_want want;
	struct fetch *fetch;
	unsigned generation; /* of the token in use */
	bool repeated;
	size_t way; /* of asking */
	/* Puts what follows services_url; false: there is no such way, or no room. */
	bool (*target)(struct vzd_call *c, struct buf *out);
	/* Whether another way is to be tried; else it has told the caller. */
	bool (*done)(
	    struct vzd_call *c, const struct vzd_verdict *v, const struct fetch_result *answer);
	int64_t version; /* of a list */
	char *user;      /* "local:server", to be located */
	bool unknown;    /* one spelling was answered so */
	vzd_list_fn *on_list;
	vzd_certificates_fn *on_certificates;
	vzd_place_fn *on_place;
	void *arg;
};

/* --- the way of every call --- */

static void
free_call(struct vzd_call *c)
{
	task_cancel(&c->start);
	vzd_auth_cancel(&c->want);
	fetch_cancel(c->fetch);
	list_remove(&c->node);
	free(c->user);
	free(c);
}

static void
begin(struct vzd_call *c) /* goes on in the next turn */
{
	fetch_cancel(c->fetch);
	c->fetch = NULL;
	vzd_auth_cancel(&c->want);
	c->repeated = false;
	task_defer(c->vzd->loop, &c->start);
}

static void
end(struct vzd_call *c, const struct vzd_verdict *v, const struct fetch_result *answer)
{
	if (c->done(c, v, answer))
		begin(c);
	else
		free_call(c);
}

static void
end_with(struct vzd_call *c, enum err err)
{
	struct vzd_verdict v = { .err = err, .outcome = VZD_REFUSED, .step = c->step };

	end(c, &v, NULL);
}

static void on_token(void *arg, const struct vzd_token *t);

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct vzd_call *c = arg;
	struct vzd_verdict v = vzd_judge(c->step, r);

	c->fetch = NULL;
	if (v.err == ERR_VZD_LOGIN && !c->repeated) {
		vzd_count(&v);
		c->repeated = true;
		vzd_auth_refused(c->vzd->auth, c->generation);
		vzd_auth_get(c->vzd->auth, &c->want, on_token, c);
		return;
	}
	end(c, &v, r);
}

static void
ask(struct vzd_call *c, const char *token)
{
	struct vzd *v = c->vzd;
	struct buf url;
	struct fetch_request req = { .anchors = v->conf->anchors,
		.bearer = token,
		.max_bytes = c->step == VZD_LIST ? v->conf->list_max : v->conf->answer_max,
		.timeout_ms = v->conf->timeout };

	buf_init(&url, TARGET_MAX);
	if (buf_printf(&url, "%s/", v->conf->services_url) && c->target(c, &url) &&
	    buf_put(&url, str_of("", 1))) {
		req.url = buf_str(&url).p;
		c->fetch = fetch_start(v->fetcher, &req, on_answer, c);
	}
	buf_fini(&url);
	if (c->fetch == NULL)
		end_with(c, ERR_MEMORY);
}

static void
on_token(void *arg, const struct vzd_token *t)
{
	struct vzd_call *c = arg;

	if (t->text == NULL) {
		end(c, &t->verdict, NULL);
		return;
	}
	c->generation = t->generation;
	ask(c, t->text);
}

static void
on_start(void *arg)
{
	struct vzd_call *c = arg;

	if (c->vzd->auth == NULL)
		end_with(c, ERR_VZD_OFF);
	else
		vzd_auth_get(c->vzd->auth, &c->want, on_token, c);
}

static struct vzd_call *
call_new(struct vzd *v, enum vzd_step step, void *arg)
{
	struct vzd_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->vzd = v;
	c->step = step;
	c->arg = arg;
	task_init(&c->start, on_start, c);
	list_append(&v->calls, &c->node);
	task_defer(v->loop, &c->start);
	return c;
}

void
vzd_cancel(struct vzd_call *c)
{
	if (c != NULL)
		free_call(c);
}

/* What a verdict of this call's own step is worth telling. */
static void
note(const struct vzd_call *c, const struct vzd_verdict *v, const struct fetch_result *answer)
{
	if (answer != NULL && v->step == c->step)
		vzd_note(v);
}

/* --- the list --- */

static const struct {
	const char *name;
	enum jws_alg alg;
} algs[] = {
	[VZD_ALG_ANY] = { NULL, JWS_OTHER },
	[VZD_ALG_BP256R1] = { "BP256R1", JWS_BP256R1 },
	[VZD_ALG_ES256] = { "ES256", JWS_ES256 },
};

static bool
list_target(struct vzd_call *c, struct buf *out)
{
	const struct vzd_conf *conf = c->vzd->conf;
	const char *alg = algs[conf->sig_alg].name;
	char mark = '?';

	if (!buf_put(out, str_z(conf->list_path)))
		return false;
	if (c->version >= 0) {
		if (!buf_printf(out, "%cversion=%lld", mark, (long long)c->version))
			return false;
		mark = '&';
	}
	return alg == NULL || buf_printf(out, "%csigAlg=%s", mark, alg);
}

/* What is no JWS at all, whoever takes the list finds out. */
static bool
is_of_other_alg(const struct vzd_call *c, struct str body)
{
	enum jws_alg alg = algs[c->vzd->conf->sig_alg].alg;

	return alg != JWS_OTHER && fedsigned_lacks(str_strip(body), alg);
}

static bool
list_done(struct vzd_call *c, const struct vzd_verdict *v, const struct fetch_result *answer)
{
	struct vzd_verdict verdict = *v;

	/* without a version, "no newer one" says nothing */
	if (v->err == OK && (answer->status == 204 ? c->version < 0 : answer->body.n == 0))
		verdict = vzd_unusable(VZD_LIST, answer->status);
	else if (v->err == OK && answer->status == 200 && is_of_other_alg(c, answer->body))
		verdict = (struct vzd_verdict){ .err = ERR_JWS_ALG,
			.outcome = VZD_UNUSABLE,
			.step = VZD_LIST,
			.status = answer->status };
	note(c, &verdict, answer);
	c->on_list(c->arg, &verdict, answer);
	return false;
}

struct vzd_call *
vzd_list(struct vzd *v, int64_t version, vzd_list_fn *fn, void *arg)
{
	struct vzd_call *c = call_new(v, VZD_LIST, arg);

	if (c == NULL)
		return NULL;
	c->version = version;
	c->target = list_target;
	c->done = list_done;
	c->on_list = fn;
	return c;
}

/* --- certificates of the PASSporT service --- */

static bool
certificates_target(struct vzd_call *c, struct buf *out)
{
	return buf_put(out, c->way == 0 ? STR("PASSporTCertificates") : STR("PASSporTCertificate"));
}

static void
tell_certificates(
    struct vzd_call *c, const struct vzd_verdict *v, const struct fetch_result *answer)
{
	struct vzd_verdict verdict = *v;
	struct str *pem = calloc(VZD_CERTIFICATES_MAX, sizeof(*pem));
	size_t size = answer->body.n, n = 0;
	char *buf = malloc(size + 1);

	if (pem == NULL || buf == NULL)
		verdict = (struct vzd_verdict){
			.err = ERR_MEMORY, .outcome = VZD_REFUSED, .step = VZD_CERTIFICATES
		};
	else if (answer->status != 200 ||
		 !vzd_read_certificates(answer->body, buf, pem, VZD_CERTIFICATES_MAX, &n))
		verdict = vzd_unusable(VZD_CERTIFICATES, answer->status);
	note(c, &verdict, answer);
	c->on_certificates(c->arg, &verdict, pem, verdict.err == OK ? n : 0);
	free(buf);
	free(pem);
}

static bool
certificates_done(
    struct vzd_call *c, const struct vzd_verdict *v, const struct fetch_result *answer)
{
	if (v->err == ERR_NOT_FOUND && c->way == 0) { /* interface 1.0.0 has the other name */
		vzd_count(v);
		c->way = 1;
		return true;
	}
	if (v->err == OK) {
		tell_certificates(c, v, answer);
	} else {
		note(c, v, answer);
		c->on_certificates(c->arg, v, NULL, 0);
	}
	return false;
}

struct vzd_call *
vzd_certificates(struct vzd *v, vzd_certificates_fn *fn, void *arg)
{
	struct vzd_call *c = call_new(v, VZD_CERTIFICATES, arg);

	if (c == NULL)
		return NULL;
	c->target = certificates_target;
	c->done = certificates_done;
	c->on_certificates = fn;
	return c;
}

/* --- where a user is entered --- */

static bool
localization_target(struct vzd_call *c, struct buf *out)
{
	struct str parameter, prefix;

	str_cut(str_z(c->vzd->conf->localization.v[c->way]), '=', &parameter, &prefix);
	return buf_put(out, STR("localization?")) && buf_put(out, parameter) &&
	       buf_put(out, STR("=")) && percent_put(out, prefix) &&
	       percent_put(out, str_z(c->user));
}

static bool
localization_done(
    struct vzd_call *c, const struct vzd_verdict *v, const struct fetch_result *answer)
{
	struct vzd_verdict verdict = *v;
	enum vzd_place place = VZD_NONE;

	/* Which spelling is right has changed; a wrong one is a bad request, or just not found. */
	if (answer != NULL && (answer->status == 400 || answer->status == 404) &&
	    c->way + 1 < c->vzd->conf->localization.n) {
		vzd_count(v);
		c->unknown |= answer->status == 404;
		c->way++;
		return true;
	}
	if (answer != NULL && answer->status == 400 && c->unknown)
		verdict.err = ERR_NOT_FOUND;
	if (v->err == OK && (answer->status != 200 || !vzd_read_place(answer->body, &place)))
		verdict = vzd_unusable(VZD_LOCALIZATION, answer->status);
	note(c, &verdict, answer);
	c->on_place(c->arg, verdict.err == ERR_NOT_FOUND ? OK : verdict.err, place);
	return false;
}

/* "local:server", zero-terminated. */
static char *
user_of(struct str mxid)
{
	struct str local, server;
	char *user;

	if (!mxid_parse(mxid, &local, &server) || (user = malloc(mxid.n)) == NULL)
		return NULL;
	*str_put(user, str_from(mxid, 1)) = '\0';
	return user;
}

struct vzd_call *
vzd_localize(struct vzd *v, struct str mxid, vzd_place_fn *fn, void *arg)
{
	char *user = user_of(mxid);
	struct vzd_call *c = user != NULL ? call_new(v, VZD_LOCALIZATION, arg) : NULL;

	if (c == NULL) {
		free(user);
		return NULL;
	}
	c->user = user;
	c->target = localization_target;
	c->done = localization_done;
	c->on_place = fn;
	return c;
}

/* --- life --- */

bool
vzd_configured(const struct vzd *v)
{
	return v->auth != NULL;
}

void
vzd_adopt(struct vzd *v, const struct vzd_conf *conf, struct fetcher *fetcher)
{
	struct vzd_auth *auth =
	    conf->services_url != NULL ? vzd_auth_new(v->loop, conf, fetcher) : NULL;

	if (conf->services_url != NULL && auth == NULL)
		log_error("vzd: out of memory; it is not asked before the next reload");
	LIST_FOR(n, &v->calls) {
		struct vzd_call *c = LIST_ENTRY(n, struct vzd_call, node);

		c->way = 0;
		begin(c);
	}
	if (auth != NULL && v->auth != NULL)
		vzd_auth_inherit(auth, v->auth);
	vzd_auth_free(v->auth);
	v->auth = auth;
	v->conf = conf;
	v->fetcher = fetcher;
}

struct vzd *
vzd_new(struct loop *loop)
{
	struct vzd *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->loop = loop;
	list_init(&v->calls);
	return v;
}

void
vzd_free(struct vzd *v)
{
	if (v == NULL)
		return;
	while (!list_empty(&v->calls))
		free_call(LIST_ENTRY(v->calls.next, struct vzd_call, node));
	vzd_auth_free(v->auth);
	free(v);
}
