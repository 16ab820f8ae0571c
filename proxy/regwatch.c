/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regwatch - what was announced last is what is asked for next, whether or not it could be had:
 * else a list that is refused here would be announced again and again.
 */
#include "proxy/regwatch.h"
#include "lib/base/percent.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/jose/claims.h"
#include "proxy/series.h"

#define ANSWER_MAX (16 << 10)
#define STATUS_MAX 16
#define VERSION_MAX 9007199254740991.0 /* what a JSON number holds exactly */

struct regwatch {
	struct loop *loop;
	struct regwatch_config cfg;
	struct timer timer;
	struct regcall *call;
	clock_ms asked, retry;
	int64_t version;         /* as announced last; -1: nothing yet */
	char status[STATUS_MAX]; /* likewise */
	char etag[FETCH_HEADER_MAX];
	bool heard, up, tried;
};

bool
regwatch_up(const struct regwatch *w)
{
	return w->up;
}

/* --- answers --- */

static void
ask_after(struct regwatch *w, clock_ms ms)
{
	timer_set(w->loop, &w->timer, ms);
}

/* One line when it breaks, one when it works again. */
static void
fail(struct regwatch *w, enum err err, int status)
{
	clock_ms wait = w->retry == 0 ? REGWATCH_RETRY_MS : w->retry;

	if (w->up || !w->tried)
		log_warn("federation %s: the registration service announces no changes: "
			 "reason=%s status=%d: %s; %s",
		    w->cfg.name, err_name(err), status, err_text(err),
		    regclient_advice(err, status));
	w->up = false;
	w->tried = true;
	w->retry = wait * 2 < REGWATCH_RETRY_MAX_MS ? wait * 2 : REGWATCH_RETRY_MAX_MS;
	ask_after(w, wait / 2 + randombytes_uniform((uint32_t)(wait / 2) + 1));
}

static bool
read_news(struct regwatch *w, const struct claims *answer, struct regnews *news)
{
	const struct claims *list = claims_get(answer, "federation_list"), *version;
	struct str etag = STR_NONE, status = STR_NONE;
	double n = -1;

	version = claims_get(list, "version");
	if (claims_number(version, &n) && (n < 0 || n > VERSION_MAX))
		return false;
	if (claims_text(claims_get(claims_get(answer, "passport_certificates"), "etag"), &etag) &&
	    etag.n >= sizeof(w->etag))
		return false;
	if (claims_text(claims_get(list, "status"), &status) && status.n >= sizeof(w->status))
		return false;
	w->version = news->version = (int64_t)n;
	*str_put(w->status, status) = '\0';
	news->outdated = str_eq(status, STR("veraltet"));
	*str_put(w->etag, etag) = '\0';
	news->certificates = w->etag;
	return true;
}

static void
succeed(struct regwatch *w, const struct regnews *news)
{
	clock_ms took = loop_now(w->loop) - w->asked;

	if (!w->up && w->tried)
		log_info(
		    "federation %s: the registration service announces changes again", w->cfg.name);
	w->up = w->tried = true;
	w->retry = 0;
	ask_after(w, took < REGWATCH_PACE_MS ? REGWATCH_PACE_MS - took : 0);
	if (news != NULL)
		w->cfg.on_news(w->cfg.arg, news);
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct regwatch *w = arg;
	struct regnews news = { .back = !w->up && w->tried,
		.version = w->version,
		.outdated = strcmp(w->status, "veraltet") == 0 };
	struct claims *answer;
	bool good;

	w->call = NULL;
	news.certificates = w->etag;
	if (r->err == OK && r->status == 204) {
		succeed(w, news.back ? &news : NULL);
		return;
	}
	if (r->err != OK || r->status != 200) {
		fail(w, r->err != OK ? r->err : ERR_HTTP_ANSWER, r->status);
		return;
	}
	answer = claims_read_object(r->body);
	good = answer != NULL && read_news(w, answer, &news);
	claims_free(answer);
	if (!good) {
		fail(w, ERR_HTTP_ANSWER, r->status);
		return;
	}
	w->heard = true;
	metrics_inc(S_REGSVC_PUSHES);
	succeed(w, &news);
}

/* --- questions --- */

static bool
put_path(const struct regwatch *w, struct buf *b)
{
	bool ok = buf_printf(b, "changes?wait=%llu",
	    (unsigned long long)(regclient_conf(w->cfg.client)->wait / 1000));

	if (w->heard)
		ok = ok &&
		     buf_printf(b, "&list=%lld", w->version < 0 ? 0LL : (long long)w->version) &&
		     buf_put(b, STR("&certificates=")) && percent_put(b, str_z(w->etag));
	if (w->heard && w->status[0] != '\0')
		ok = ok && buf_put(b, STR("&status=")) && percent_put(b, str_z(w->status));
	return ok && buf_put(b, str_of("", 1));
}

static void
ask(void *arg)
{
	struct regwatch *w = arg;
	const struct regsvc_conf *conf = regclient_conf(w->cfg.client);
	struct buf path;

	w->asked = loop_now(w->loop);
	buf_init(&path, REGURL_MAX);
	if (put_path(w, &path)) {
		const struct regcall_request req = { .path = buf_str(&path).p,
			.max_bytes = ANSWER_MAX,
			.timeout = conf->wait + conf->timeout };

		w->call = regclient_get(w->cfg.client, &req, on_answer, w);
	}
	buf_fini(&path);
	if (w->call == NULL)
		fail(w, ERR_MEMORY, 0);
}

/* --- the watch --- */

struct regwatch *
regwatch_new(struct loop *loop, const struct regwatch_config *cfg)
{
	struct regwatch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->loop = loop;
	w->cfg = *cfg;
	w->version = -1;
	timer_init(&w->timer, ask, w);
	ask_after(w, 0);
	return w;
}

void
regwatch_pause(struct regwatch *w)
{
	regcall_cancel(w->call);
	w->call = NULL;
	timer_clear(&w->timer);
}

void
regwatch_resume(struct regwatch *w)
{
	ask_after(w, 0);
}

void
regwatch_free(struct regwatch *w)
{
	if (w == NULL)
		return;
	regwatch_pause(w);
	free(w);
}
