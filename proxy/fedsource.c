/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/fedsource.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/fsutil.h"
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
	bool again; /* a reload came during a download */
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
		return "the source must give the federation list as a compact JWS, unchanged";
	case ERR_JWS_ALG:
	case ERR_JWS_SIGNATURE:
	case ERR_X5C_SYNTAX:
	case ERR_X5C_CURVE:
	case ERR_X5C_CHAIN:
	case ERR_X5C_USAGE:
	case ERR_X5C_ROLE:
		return "check list.anchors, list.signer_role and list.signer_cn; do not trust this "
		       "list";
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

struct held { /* what was in force before a look */
	const struct fedlist *list;
	int64_t as_of;
};

static struct held
held(const struct fedsource *s)
{
	return (struct held){ fedstore_list(s->cfg.store), fedstore_as_of(s->cfg.store) };
}

static void
tell(struct fedsource *s, struct held before)
{
	struct held now = held(s);

	if (now.list == NULL || (now.list == before.list && now.as_of == before.as_of))
		return;
	if (now.list != before.list)
		log_info("federation list in force: federation=%s version=%lld entries=%zu",
		    s->name, (long long)fedlist_version(now.list), fedlist_count(now.list));
	s->cfg.on_change(s->cfg.arg, now.list, now.as_of);
}

/* --- file --- */

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum err
read_file(struct fedsource *s, const struct stat *st)
{
	enum err err;
	struct buf b;

	buf_init(&b, s->cfg.max_bytes);
	if (fs_read(s->file, &b) != 0)
		err = errno == EFBIG ? ERR_TOO_LARGE : ERR_FILE;
	else
		err = fedstore_offer(s->cfg.store, buf_str(&b), st->st_mtim.tv_sec);
	buf_fini(&b);
	return err;
}

static void
look_at_file(struct fedsource *s)
{
	struct held before = held(s);
	struct stat st;

	timer_set(s->loop, &s->timer,
	    s->cfg.interval < FEDSOURCE_FILE_LOOK_MS ? s->cfg.interval : FEDSOURCE_FILE_LOOK_MS);
	if (stat(s->file, &st) != 0) {
		memset(&s->seen, 0, sizeof(s->seen));
		note(s, ERR_FILE, 0);
		return;
	}
	if (same_file(&st, &s->seen) && (s->state.error == OK || loop_now(s->loop) < s->read_again))
		return;
	s->seen = st;
	s->read_again = loop_now(s->loop) + FEDSOURCE_RETRY_MS;
	note(s, read_file(s, &st), 0);
	tell(s, before);
}

/* --- URL --- */

static void look_at_url(struct fedsource *s);

static enum err
judge(struct fedsource *s, const struct fetch_result *r)
{
	int64_t now = clock_wall_s();
	enum err err;

	if (r->err != OK)
		return r->err;
	if (r->status == 204 || r->status == 304) {
		if (fedstore_list(s->cfg.store) == NULL)
			return ERR_HTTP_ANSWER; /* nothing it could confirm */
		fedstore_confirm(s->cfg.store, now);
		return OK;
	}
	if (r->status != 200)
		return ERR_HTTP_ANSWER;
	err = fedstore_offer(s->cfg.store, r->body, now);
	if (err == OK)
		memcpy(s->etag, r->etag, strlen(r->etag) + 1);
	return err;
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct fedsource *s = arg;
	struct held before = held(s);
	enum err err;

	s->fetch = NULL;
	err = judge(s, r);
	if (err != OK)
		s->etag[0] = '\0'; /* ask for all of it next time */
	note(s, err, r->status);
	timer_set(s->loop, &s->timer,
	    err == OK || s->cfg.interval < FEDSOURCE_RETRY_MS ? s->cfg.interval
							      : FEDSOURCE_RETRY_MS);
	if (s->again) {
		s->again = false;
		timer_set(s->loop, &s->timer, 0);
	}
	tell(s, before);
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

	if (s->file != NULL)
		look_at_file(s);
	else if (s->fetch == NULL)
		look_at_url(s);
	else
		s->again = true;
}

/* --- the source --- */

void
fedsource_reload(struct fedsource *s)
{
	memset(&s->seen, 0, sizeof(s->seen));
	s->etag[0] = '\0';
	look(s);
}

void
fedsource_pause(struct fedsource *s)
{
	fetch_cancel(s->fetch);
	s->fetch = NULL;
	s->again = false;
	timer_clear(&s->timer);
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
	if (s->name == NULL || (s->file == NULL && s->url == NULL)) {
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
	fetch_cancel(s->fetch);
	timer_clear(&s->timer);
	X509_STORE_free(s->cfg.anchors);
	free(s->name);
	free(s->file);
	free(s->url);
	free(s);
}
