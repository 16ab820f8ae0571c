/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsource - a look: the file or an answer's body goes to the intake, which judges and adopts it.
 */
#include "proxy/fedsource.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/log.h"
#include "proxy/series.h"

struct fedsource {
	struct loop *loop;
	struct fedsource_config cfg;
	char *name, *file, *url;
	struct timer timer;
	struct fetch *fetch;
	struct stat seen;            /* the file as it was last read; st_ino == 0: never */
	clock_ms read_again;         /* a file that was refused, though it does not change */
	char etag[FETCH_HEADER_MAX]; /* of the answer in force */
	struct fedsource_state state;
	struct fedintake *intake;
	int status;                       /* of the download being judged, or 0 */
	char etag_next[FETCH_HEADER_MAX]; /* of the answer being judged */
	const struct fedlist *before;     /* what was in force then, to be compared only */
	int64_t before_as_of;
};

/* What an operator should do about a refusal. */
static const char *
advice(enum err err)
{
	switch (err) {
	case ERR_FILE:
		return "check that the file exists and that this user may read it";
	case ERR_JWS_SYNTAX:
	case ERR_FEDLIST_SHAPE:
		return "the source must give the federation list as a JWS, unchanged";
	case ERR_JWS_ALG:
	case ERR_JWS_SIGNATURE:
	case ERR_X5C_SYNTAX:
	case ERR_X5C_CURVE:
	case ERR_X5C_CHAIN:
	case ERR_X5C_USAGE:
	case ERR_X5C_ROLE:
		return "check list.anchors, list.signer_role and list.signer_cn; do not trust this "
		       "list";
	case ERR_OCSP_REVOKED:
		return "do not trust this list; ask its publisher why the certificate was revoked";
	case ERR_ISSUER:
	case ERR_REVOCATION:
	case ERR_OCSP_UNKNOWN:
		return "see the line of 'trust' above; check list.trust.base_url and ocsp_url, "
		       "network and firewall";
	case ERR_X5C_VALIDITY:
		return "check this machine's clock and the signer's certificate";
	case ERR_FEDLIST_DATES:
		return "check this machine's clock; else the source must give a current list";
	case ERR_FEDLIST_LOWER:
		return "the source gives an older list than the one held; it must catch up";
	case ERR_FEDLIST_SIZE:
	case ERR_TOO_LARGE:
		return "raise list.max_bytes or list.max_entries if the list is genuine";
	case ERR_TLS:
		return "check list.ca_file and the server's certificate";
	case ERR_ADDRESS:
		return "set lookups.private_addresses if the server is meant to be inside your "
		       "network";
	case ERR_DNS:
	case ERR_CONNECT:
	case ERR_TIMEOUT:
		return "check name, network and firewall";
	default:
		return "see the reason in the table of doc/operations.md";
	}
}

/* One line when something goes wrong, one when it is over; not one every few seconds. */
static void
note(struct fedsource *s, enum err err, int status)
{
	const char *where = s->file != NULL ? s->file : s->url;
	bool news = s->state.error != err || s->state.http_status != status;

	s->state.looked = clock_wall_s();
	if (err != OK)
		metrics_inc(S_LIST_REFUSED);
	if (err != OK && (news || s->url != NULL))
		log_error(
		    "federation list refused: federation=%s source=%s reason=%s status=%d: %s; %s",
		    s->name, where, err_name(err), status, err_text(err), advice(err));
	else if (err == OK && s->state.error != OK)
		log_info("federation list is fine again: federation=%s source=%s", s->name, where);
	s->state.error = err;
	s->state.http_status = status;
}

static void
look_after(struct fedsource *s, clock_ms most)
{
	timer_set(s->loop, &s->timer, s->cfg.interval < most ? s->cfg.interval : most);
}

static void
tell(struct fedsource *s, const struct fedlist *before, int64_t before_as_of)
{
	const struct fedlist *now = fedstore_list(s->cfg.store);
	int64_t as_of = fedstore_as_of(s->cfg.store);

	if (now == NULL || (now == before && as_of == before_as_of))
		return;
	if (now != before)
		log_info("federation list in force: federation=%s version=%lld entries=%zu",
		    s->name, (long long)fedlist_version(now), fedlist_count(now));
	s->cfg.on_change(s->cfg.arg, now, as_of);
}

/* --- judging --- */

static void
on_judged(void *arg, enum err err)
{
	struct fedsource *s = arg;

	if (err == OK)
		memcpy(s->etag, s->etag_next, sizeof(s->etag));
	note(s, err, s->status);
	look_after(s, s->file != NULL ? FEDSOURCE_FILE_LOOK_MS
		      : err != OK     ? FEDSOURCE_RETRY_MS
				      : s->cfg.interval);
	tell(s, s->before, s->before_as_of);
}

/* Whoever signed the list in force is no longer trusted, or is again. */
static void
on_signer(void *arg)
{
	struct fedsource *s = arg;
	const struct fedlist *now = fedstore_list(s->cfg.store);

	s->cfg.on_change(s->cfg.arg, now, now != NULL ? fedstore_as_of(s->cfg.store) : 0);
}

/* What is about to be judged: an answer's body, or without one the file. */
static void
offer(struct fedsource *s, struct buf *body, int64_t as_of, int status, const char *etag)
{
	bool begun;

	s->before = fedstore_list(s->cfg.store);
	s->before_as_of = fedstore_as_of(s->cfg.store);
	s->status = status;
	snprintf(s->etag_next, sizeof(s->etag_next), "%s", etag);
	begun = body != NULL ? fedintake_offer(s->intake, body, as_of, on_judged, s)
			     : fedintake_offer_file(s->intake, s->file, as_of, on_judged, s);
	if (begun)
		return;
	note(s, ERR_MEMORY, status);
	look_after(s, s->file != NULL ? FEDSOURCE_FILE_LOOK_MS : FEDSOURCE_RETRY_MS);
}

/* --- file --- */

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
look_at_file(struct fedsource *s)
{
	struct stat st;

	look_after(s, FEDSOURCE_FILE_LOOK_MS);
	if (stat(s->file, &st) != 0) {
		memset(&s->seen, 0, sizeof(s->seen));
		note(s, ERR_FILE, 0);
		return;
	}
	if (fedintake_busy(s->intake))
		return;
	if (same_file(&st, &s->seen) && (s->state.error == OK || loop_now(s->loop) < s->read_again))
		return;
	s->seen = st;
	s->read_again = loop_now(s->loop) + FEDSOURCE_RETRY_MS;
	if (s->cfg.interval < FEDSOURCE_RETRY_MS)
		s->read_again = loop_now(s->loop) + s->cfg.interval;
	offer(s, NULL, st.st_mtim.tv_sec, 0, "");
}

/* --- URL --- */

/* What an answer means that brings no list. */
static enum err
err_of(struct fedsource *s, const struct fetch_result *r)
{
	if (r->err != OK)
		return r->err;
	/* "Not modified" confirms what we have; without any there is nothing to confirm. */
	if ((r->status == 204 || r->status == 304) && fedstore_list(s->cfg.store) != NULL)
		return OK;
	return ERR_HTTP_ANSWER;
}

static void
settle(struct fedsource *s, const struct fetch_result *r)
{
	const struct fedlist *list = fedstore_list(s->cfg.store);
	int64_t before = fedstore_as_of(s->cfg.store);
	enum err err = err_of(s, r);

	if (err == OK)
		fedstore_confirm(s->cfg.store, clock_wall_s());
	else
		s->etag[0] = '\0'; /* ask for all of it next time */
	note(s, err, r->status);
	look_after(s, err != OK ? FEDSOURCE_RETRY_MS : s->cfg.interval);
	tell(s, list, before);
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct fedsource *s = arg;
	struct buf body;

	s->fetch = NULL;
	if (r->err != OK || r->status != 200 || r->body.n == 0) {
		settle(s, r);
		return;
	}
	s->etag[0] = '\0'; /* until it is judged */
	fetch_take_body(r, &body);
	offer(s, &body, clock_wall_s(), r->status, r->etag);
}

static void
look_at_url(struct fedsource *s)
{
	const struct fetch_request req = { .url = s->url,
		.anchors = s->cfg.anchors,
		.if_none_match =
		    s->etag[0] != '\0' && fedstore_list(s->cfg.store) != NULL ? s->etag : NULL,
		.max_bytes = s->cfg.max_bytes,
		.timeout_ms = s->cfg.timeout };

	s->fetch = fetch_start(s->cfg.fetcher, &req, on_answer, s);
	if (s->fetch == NULL) {
		note(s, ERR_MEMORY, 0);
		timer_set(s->loop, &s->timer, FEDSOURCE_RETRY_MS);
	}
}

static void
look(void *arg)
{
	struct fedsource *s = arg;

	if (s->file == NULL)
		look_at_url(s);
	else
		look_at_file(s);
}

/* --- the source --- */

void
fedsource_pause(struct fedsource *s)
{
	fedintake_cancel(s->intake);
	fetch_cancel(s->fetch);
	s->fetch = NULL;
	timer_clear(&s->timer);
	memset(&s->seen, 0, sizeof(s->seen));
}

void
fedsource_resume(struct fedsource *s)
{
	timer_set(s->loop, &s->timer, 0);
}

struct fedsource_state
fedsource_state(const struct fedsource *s)
{
	const struct fedlist *l = fedstore_list(s->cfg.store);
	struct fedsource_state st = s->state;

	st.version = l != NULL ? fedlist_version(l) : -1;
	st.count = l != NULL ? fedlist_count(l) : 0;
	st.as_of = fedstore_as_of(s->cfg.store);
	return st;
}

struct fedsource *
fedsource_new(struct loop *loop, const struct fedsource_config *cfg)
{
	struct fedsource *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->cfg = *cfg;
	if (s->cfg.anchors != NULL)
		X509_STORE_up_ref(s->cfg.anchors);
	timer_init(&s->timer, look, s);
	s->name = strdup(cfg->name);
	s->file = cfg->file != NULL ? strdup(cfg->file) : NULL;
	s->url = cfg->url != NULL ? strdup(cfg->url) : NULL;
	s->intake = fedintake_new(loop, &(struct fedintake_config){ .store = cfg->store,
					    .max_bytes = cfg->max_bytes,
					    .name = cfg->name,
					    .trust = cfg->trust,
					    .on_signer = on_signer,
					    .arg = s });
	if (s->name == NULL || s->intake == NULL || (s->file == NULL && s->url == NULL)) {
		fedsource_free(s);
		return NULL;
	}
	timer_set(loop, &s->timer, 0);
	return s;
}

void
fedsource_free(struct fedsource *s)
{
	if (s == NULL)
		return;
	fedintake_free(s->intake);
	fetch_cancel(s->fetch);
	timer_clear(&s->timer);
	X509_STORE_free(s->cfg.anchors);
	free(s->name);
	free(s->file);
	free(s->url);
	free(s);
}
