/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/staple.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/fact/backoff.h"
#include "lib/net/ocsp.h"
#include "lib/trust/agent.h"
#include "proxy/series.h"

#define LOOK_AGAIN_MS (60 * 60 * 1000) /* at the latest: the wall clock may be set meanwhile */

struct staple { /* of one service */
	struct staple_keeper *keeper;
	const struct service_conf *service;
	char *path;       /* ocsp_file, or where a fetched response is kept */
	struct stat seen; /* the file as it was last read */
	char *der;        /* the good response at hand, or NULL */
	size_t len;
	struct ocsp_span span;
	clock_ms not_before; /* the responder is left alone until then */
	bool revoked;
	enum err error; /* of the last look */
	struct timer timer;
	struct fetch *fetch;
};

struct staple_keeper {
	struct loop *loop;
	struct proxy_conf *conf; /* one reference */
	struct fetcher *fetcher;
	struct backoff *backoff;
	struct staple *of; /* by service */
	struct tls_staples *now;
	void (*changed)(void *arg, struct tls_staples *now);
	void *arg;
};

/* --- what is stapled --- */

static bool
wanted(const struct staple *st)
{
	return st->service->ocsp == OCSP_FETCH ||
	       (st->service->ocsp == OCSP_FILE && st->service->ocsp_file != NULL);
}

static void
measure(const struct staple_keeper *k)
{
	int64_t first = 0, revoked = 0;
	bool any = false, lacking = false;

	for (size_t i = 0; i < k->conf->n_services; i++) {
		const struct staple *st = &k->of[i];

		revoked += st->revoked;
		if (!wanted(st))
			continue;
		lacking |= st->der == NULL;
		if (!any || st->span.to < first)
			first = st->span.to;
		any = true;
	}
	metrics_set(S_OCSP_VALID_UNTIL, lacking ? 0 : first);
	metrics_set(S_OCSP_REVOKED, revoked);
}

static struct tls_staples *
collect(const struct staple_keeper *k)
{
	size_t n = k->conf->n_services;
	struct tls_staple *all = calloc(n, sizeof(*all));
	struct tls_staples *out = NULL;

	for (size_t i = 0; all != NULL && i < n; i++)
		if (k->of[i].der != NULL)
			all[i] = (struct tls_staple){ .der = str_of(k->of[i].der, k->of[i].len),
				.until = k->of[i].span.to };
	if (all != NULL)
		out = tls_staples_of(all, n);
	free(all);
	return out;
}

static void
publish(struct staple_keeper *k)
{
	struct tls_staples *next = collect(k);

	measure(k);
	if (next == NULL) {
		log_error("tls: the new OCSP response is not in force: out of memory");
		return;
	}
	snapshot_drop((struct snapshot *)k->now);
	k->now = next;
	k->changed(k->arg, next);
}

static void
withdraw(struct staple *st)
{
	free(st->der);
	st->der = NULL;
	st->len = 0;
	st->span = (struct ocsp_span){ 0 };
}

/* Takes a response if it is good; what it replaces may still be good otherwise, except when the
 * certificate is revoked. */
static enum err
take(struct staple *st, struct str der)
{
	static const struct ocsp_demands demands = { 0 }; /* nextUpdate; and no nonce was sent */
	const struct service_conf *s = st->service;
	struct ocsp_span span;
	enum err err = ocsp_judge(der, s->leaf, s->issuer, clock_wall_s(), &demands, &span);
	char *copy;

	if (err == ERR_OCSP_REVOKED) {
		withdraw(st);
		st->revoked = true;
	}
	if (err != OK)
		return err;
	copy = malloc(der.n);
	if (copy == NULL)
		return ERR_MEMORY;
	memcpy(copy, der.p, der.n);
	withdraw(st);
	st->der = copy;
	st->len = der.n;
	st->span = span;
	st->revoked = false;
	return OK;
}

/* One line when something goes wrong, one when it is over; of a responder, each time it is asked.
 */
static void
note(struct staple *st, enum err err)
{
	const char *name = st->service->server_name;

	if (err != OK)
		metrics_inc(S_OCSP_FAILURES);
	if (err == ERR_OCSP_REVOKED)
		log_error("tls: THE CERTIFICATE OF %s IS REVOKED; replace it at once", name);
	else if (err != OK && (err != st->error || st->service->ocsp == OCSP_FETCH))
		log_warn("tls: no new OCSP response for %s: reason=%s: %s", name, err_name(err),
		    err_text(err));
	else if (err == OK && st->error != OK)
		log_info("tls: there is an OCSP response for %s again", name);
	st->error = err;
}

/* --- files --- */

static enum err
read_file(struct staple *st)
{
	struct buf b;
	enum err err;

	buf_init(&b, STAPLE_MAX);
	if (fs_read(st->path, &b) == 0)
		err = take(st, buf_str(&b));
	else
		err = errno == ENOENT ? ERR_NOT_FOUND : errno == EFBIG ? ERR_TOO_LARGE : ERR_FILE;
	buf_fini(&b);
	return err;
}

static bool /* whether there was something to read */
look_at_file(struct staple *st)
{
	struct stat now = { 0 };

	if (stat(st->path, &now) == 0 && now.st_ino == st->seen.st_ino &&
	    now.st_size == st->seen.st_size && now.st_mtim.tv_sec == st->seen.st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == st->seen.st_mtim.tv_nsec)
		return false;
	if (now.st_ino == 0 && st->error == ERR_NOT_FOUND)
		return false;
	st->seen = now;
	note(st, read_file(st));
	return true;
}

static void
save(const struct staple *st)
{
	if (fs_replace(st->path, str_of(st->der, st->len), 0600) != 0)
		log_warn("tls: the OCSP response for %s cannot be kept in state_dir: %s",
		    st->service->server_name, strerror(errno));
}

/* --- responders --- */

static clock_ms until_due(const struct staple *st);
static void set_timer(struct staple *st);

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct staple *st = arg;
	struct staple_keeper *k = st->keeper;
	struct str name = str_z(st->service->server_name);
	enum err err = r->err;

	st->fetch = NULL;
	if (err == OK)
		err = r->status == 200 ? take(st, r->body) : ERR_HTTP_ANSWER;
	note(st, err);
	st->not_before = 0;
	if (err == OK)
		save(st);
	/* A responder that hands out what is past its half already is left alone like a failing
	 * one. */
	if (err == OK && until_due(st) > 0)
		backoff_forget(k->backoff, name);
	else
		st->not_before = loop_now(k->loop) + backoff_fail(k->backoff, name);
	publish(k);
	set_timer(st);
}

static void
ask(struct staple *st)
{
	struct staple_keeper *k = st->keeper;
	char *url = st->service->ocsp_url != NULL ? strdup(st->service->ocsp_url)
						  : ocsp_responder(st->service->leaf);
	char agent[AGENT_FIELD_MAX];
	const char *const fields[] = { agent };
	struct fetch_request req = { .url = url,
		.plain = true, /* the answer is signed (RFC 6960, appendix A) */
		.post_type = "application/ocsp-request",
		.fields = fields,
		.max_bytes = STAPLE_MAX,
		.timeout_ms = k->conf->lookups.timeout };
	struct buf der;

	agent_field(k->conf->lookups.client_id, agent);
	req.n_fields = agent[0] != '\0';
	buf_init(&der, STAPLE_MAX);
	if (url != NULL && ocsp_request(st->service->leaf, st->service->issuer, STR_NONE, &der)) {
		req.post = buf_str(&der);
		st->fetch = fetch_start(k->fetcher, &req, on_answer, st);
	}
	if (st->fetch == NULL) {
		note(st, ERR_MEMORY);
		st->not_before =
		    loop_now(k->loop) + backoff_fail(k->backoff, str_z(st->service->server_name));
	}
	buf_fini(&der);
	free(url);
}

/* --- time --- */

/* How long until the responder should be asked: half of the response's time, unless it failed. */
static clock_ms
until_due(const struct staple *st)
{
	int64_t now = clock_wall_s(), due = st->span.from + (st->span.to - st->span.from) / 2;
	clock_ms at = loop_now(st->keeper->loop), wait = 0;

	if (st->der != NULL && due > now)
		wait = (clock_ms)(due - now) * 1000;
	if (st->not_before > at && st->not_before - at > wait)
		wait = st->not_before - at;
	return wait;
}

static void
set_timer(struct staple *st)
{
	clock_ms wait = LOOK_AGAIN_MS, due;
	int64_t left = st->span.to - clock_wall_s();

	if (st->service->ocsp == OCSP_FILE) {
		wait = STAPLE_LOOK_MS;
	} else {
		due = until_due(st);
		if (due < wait)
			wait = due;
		if (st->der != NULL && (clock_ms)(left > 0 ? left : 0) * 1000 < wait)
			wait = (clock_ms)(left > 0 ? left : 0) * 1000;
	}
	timer_set(st->keeper->loop, &st->timer, wait);
}

static void
on_timer(void *arg)
{
	struct staple *st = arg;
	bool news = st->service->ocsp == OCSP_FILE && look_at_file(st);

	if (st->der != NULL && clock_wall_s() >= st->span.to) {
		withdraw(st);
		note(st, ERR_OCSP_DATES);
		news = true;
	}
	if (news)
		publish(st->keeper);
	if (st->service->ocsp == OCSP_FETCH && st->fetch == NULL && until_due(st) == 0)
		ask(st);
	if (st->fetch == NULL) /* else when it has ended */
		set_timer(st);
}

/* --- the keeper --- */

/* Where a fetched response is kept: named after the service, so that a renewed certificate's takes
 * the place of the old one. */
static char *
kept_at(const struct proxy_conf *c, const struct service_conf *s)
{
	unsigned char hash[8];
	char hex[2 * sizeof(hash) + 1];
	size_t room = strlen(c->state_dir) + 64;
	char *out = malloc(room);

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)s->server_name,
	    strlen(s->server_name), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	if (out != NULL)
		snprintf(out, room, "%s/ocsp-%s.der", c->state_dir, hex);
	return out;
}

static bool
begin(struct staple_keeper *k, size_t i)
{
	struct staple *st = &k->of[i];
	enum err err;

	st->keeper = k;
	st->service = &k->conf->services[i];
	timer_init(&st->timer, on_timer, st);
	if (!wanted(st))
		return true;
	st->path = st->service->ocsp == OCSP_FILE ? strdup(st->service->ocsp_file)
						  : kept_at(k->conf, st->service);
	if (st->path == NULL)
		return false;
	if (st->service->ocsp == OCSP_FILE)
		look_at_file(st);
	else if ((err = read_file(st)) != OK && err != ERR_NOT_FOUND && err != ERR_OCSP_DATES &&
		 err != ERR_OCSP_SUBJECT && err != ERR_OCSP_SIGNATURE) /* of an older certificate */
		note(st, err);
	timer_set(k->loop, &st->timer, 0);
	return true;
}

struct staple_keeper *
staple_open(struct loop *loop, struct proxy_conf *conf, struct fetcher *fetcher,
    void (*changed)(void *arg, struct tls_staples *now), void *arg)
{
	struct staple_keeper *k = calloc(1, sizeof(*k));
	bool ok;

	if (k == NULL)
		return NULL;
	k->loop = loop;
	k->conf = snapshot_hold(&conf->snap);
	k->fetcher = fetcher;
	k->changed = changed;
	k->arg = arg;
	k->backoff = backoff_new(conf->negative_ttl, conf->negative_ttl_max, conf->n_services);
	k->of = calloc(conf->n_services, sizeof(*k->of));
	ok = k->backoff != NULL && k->of != NULL;
	for (size_t i = 0; ok && i < conf->n_services; i++)
		ok = begin(k, i);
	if (ok)
		k->now = collect(k);
	if (k->now == NULL) {
		staple_close(k);
		return NULL;
	}
	measure(k);
	return k;
}

void
staple_close(struct staple_keeper *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; k->of != NULL && i < k->conf->n_services; i++) {
		if (k->of[i].keeper == NULL)
			break;
		fetch_cancel(k->of[i].fetch);
		timer_clear(&k->of[i].timer);
		free(k->of[i].path);
		free(k->of[i].der);
	}
	free(k->of);
	backoff_free(k->backoff);
	snapshot_drop((struct snapshot *)k->now);
	snapshot_drop(&k->conf->snap);
	free(k);
}

struct tls_staples *
staple_now(const struct staple_keeper *k)
{
	return k->now;
}
