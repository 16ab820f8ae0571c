/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/trust/revocation.h"

#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/fact/backoff.h"
#include "lib/net/ocsp.h"
#include "lib/trust/revfile.h"

#define NONCE_BYTES 32 /* RFC 9654 */
#define SAVE_AFTER_MS 500

struct status {
	struct hash_node node;
	struct list age; /* least recently used first */
	struct revocation *all;
	struct revfile_row row;
	X509 *cert, *issuer; /* while asking */
	unsigned char nonce[NONCE_BYTES];
	struct fetch *fetch;
	clock_ms not_before; /* no question before that */
};

struct revocation {
	const struct trust_ask *ask;
	struct revocation_config cfg;
	struct hash table;
	struct list ages;
	struct backoff *backoff;
	struct timer save;
	bool paused; /* nothing is written */
};

/* --- what is remembered --- */

static struct str
key_of(const struct status *st)
{
	return str_of((const char *)st->row.fingerprint, REVFILE_FINGERPRINT);
}

static struct status *
find(const struct revocation *r, struct str fingerprint)
{
	struct hash_node *n = hash_first(&r->table, hash_str(fingerprint));

	for (; n != NULL; n = hash_next(n)) {
		struct status *st = HASH_ENTRY(n, struct status, node);

		if (str_eq(key_of(st), fingerprint))
			return st;
	}
	return NULL;
}

static void
stop_asking(struct status *st)
{
	fetch_cancel(st->fetch);
	st->fetch = NULL;
	X509_free(st->cert);
	X509_free(st->issuer);
	st->cert = st->issuer = NULL;
}

static void
drop(struct status *st)
{
	stop_asking(st);
	hash_remove(&st->all->table, &st->node);
	list_remove(&st->age);
	free(st);
}

/* Makes room for one more: the one not looked at for longest goes, but no revocation is forgotten
 * for it. */
static bool
make_room(struct revocation *r)
{
	if (r->table.count < r->cfg.max)
		return true;
	LIST_FOR(node, &r->ages) {
		struct status *st = LIST_ENTRY(node, struct status, age);

		if (st->fetch != NULL || st->row.state == REVOCATION_REVOKED)
			continue;
		drop(st);
		return true;
	}
	return false;
}

static struct status *
add(struct revocation *r, const struct revfile_row *row)
{
	struct status *st = make_room(r) ? calloc(1, sizeof(*st)) : NULL;

	if (st == NULL)
		return NULL;
	st->all = r;
	st->row = *row;
	if (!hash_insert(&r->table, &st->node, hash_str(key_of(st)))) {
		free(st);
		return NULL;
	}
	list_append(&r->ages, &st->age);
	return st;
}

static void
on_row(void *arg, const struct revfile_row *row)
{
	struct revocation *r = arg;

	if (find(r, str_of((const char *)row->fingerprint, REVFILE_FINGERPRINT)) == NULL)
		(void)add(r, row);
}

static void
save(void *arg)
{
	struct revocation *r = arg;
	struct buf text;
	bool ok = true;

	timer_clear(&r->save);
	if (r->paused)
		return;
	buf_init(&text, (r->table.count + 1) * REVFILE_LINE_MAX);
	LIST_FOR(node, &r->ages) {
		const struct status *st = LIST_ENTRY(node, struct status, age);

		if (st->row.state != REVOCATION_NONE)
			ok = ok && revfile_print(&st->row, &text);
	}
	if (ok)
		revfile_write(r->cfg.state_dir, r->ask->name, buf_str(&text));
	buf_fini(&text);
}

/* --- the answer --- */

static int64_t
good_until(const struct revocation *r, int64_t now, const struct ocsp_span *span)
{
	int64_t until = now + (int64_t)r->cfg.max_age;

	return span->to * 1000 < until ? span->to * 1000 : until;
}

/* Word from before the revocation, told again. */
static bool
is_outdated(const struct status *st, const struct ocsp_span *span)
{
	return st->row.state == REVOCATION_REVOKED && span->from * 1000 < st->row.until;
}

static void
note(struct status *st, enum err err, const struct ocsp_span *span)
{
	const struct revocation *r = st->all;
	int64_t now = clock_wall_ms();

	if (err == OK) {
		st->row.state = REVOCATION_GOOD;
		st->row.good_at = now;
		st->row.until = good_until(r, now, span);
	} else if (err == ERR_OCSP_REVOKED) {
		if (st->row.state != REVOCATION_REVOKED || st->row.until < span->from * 1000)
			st->row.until = span->from * 1000;
		st->row.state = REVOCATION_REVOKED;
		ask_count(r->ask, TRUST_REVOKED);
	} else if (st->row.state != REVOCATION_REVOKED) {
		st->row.state =
		    err == ERR_OCSP_UNKNOWN ? REVOCATION_UNKNOWN : REVOCATION_UNREACHABLE;
	}
}

static void
complain(const struct status *st, enum err err, int status)
{
	char name[128] = "?", hex[17];

	sodium_bin2hex(hex, sizeof(hex), st->row.fingerprint, 8);
	X509_NAME_get_text_by_NID(
	    X509_get_subject_name(st->cert), NID_commonName, name, sizeof(name));
	if (err == ERR_OCSP_REVOKED)
		log_error("trust %s: THE CERTIFICATE OF '%s' IS REVOKED (SHA-256 %s...); nothing "
			  "it signs counts any more; ask its operator for the one that replaces it",
		    st->all->ask->name, name, hex);
	else
		log_warn("trust %s: no good word on the certificate of '%s' (SHA-256 %s...): "
			 "reason=%s status=%d: %s; asking again later",
		    st->all->ask->name, name, hex, err_name(err), status, err_text(err));
}

static void
on_answer(void *arg, const struct fetch_result *res)
{
	struct status *st = arg;
	struct revocation *r = st->all;
	const struct ocsp_demands demands = { .nonce = str_of((char *)st->nonce, NONCE_BYTES),
		.max_age = (int64_t)(r->cfg.max_age / 1000) + 1 };
	struct ocsp_span span = { 0 };
	enum err err = ask_judge(res);

	st->fetch = NULL;
	if (err == OK)
		err = ocsp_judge(res->body, st->cert, st->issuer, clock_wall_s(), &demands, &span);
	if (err == OK && is_outdated(st, &span))
		err = ERR_OCSP_DATES;
	note(st, err, &span);
	if (err == OK) {
		backoff_forget(r->backoff, key_of(st));
		st->not_before = loop_now(r->ask->loop);
	} else {
		st->not_before = loop_now(r->ask->loop) + backoff_fail(r->backoff, key_of(st));
		ask_count(r->ask, TRUST_OCSP_FAILED);
		complain(st, err, res->status);
	}
	stop_asking(st);
	if (err == ERR_OCSP_REVOKED)
		save(r);           /* whoever starts beside us must know */
	else if (r->save.due == 0) /* else a stream of answers would put it off for ever */
		timer_set(r->ask->loop, &r->save, SAVE_AFTER_MS);
	r->cfg.changed(r->cfg.arg);
}

/* --- the question --- */

/* Where to ask; freed with free().  NULL: nowhere. */
static char *
responder_of(const struct revocation *r, X509 *cert)
{
	bool ca = X509_check_ca(cert) != 0;
	const char *first = ca ? r->cfg.ca_ocsp_url : r->cfg.ocsp_url;
	char *own;

	if (first != NULL)
		return strdup(first);
	own = ocsp_responder(cert);
	if (own == NULL && r->cfg.ocsp_url != NULL)
		own = strdup(r->cfg.ocsp_url);
	return own;
}

static void
post(struct status *st, const char *url, X509 *cert, X509 *issuer)
{
	struct buf der;

	buf_init(&der, REVOCATION_MAX_BYTES);
	randombytes_buf(st->nonce, sizeof(st->nonce));
	if (ocsp_request(cert, issuer, str_of((char *)st->nonce, NONCE_BYTES), &der))
		st->fetch = ask_start(
		    st->all->ask, url, buf_str(&der), REVOCATION_MAX_BYTES, on_answer, st);
	buf_fini(&der);
	if (st->fetch == NULL)
		return;
	X509_up_ref(cert);
	X509_up_ref(issuer);
	st->cert = cert;
	st->issuer = issuer;
	ask_count(st->all->ask, TRUST_OCSP_ASKED);
}

static void
ask(struct status *st, X509 *cert, X509 *issuer)
{
	struct revocation *r = st->all;
	char *url;

	if (loop_now(r->ask->loop) < st->not_before)
		return;
	url = responder_of(r, cert);
	if (url != NULL)
		post(st, url, cert, issuer);
	if (st->fetch == NULL) {
		if (st->row.state != REVOCATION_REVOKED)
			st->row.state = REVOCATION_UNREACHABLE;
		st->not_before = loop_now(r->ask->loop) + backoff_fail(r->backoff, key_of(st));
		ask_count(r->ask, TRUST_OCSP_FAILED);
		log_warn("trust %s: a certificate cannot be checked for revocation: %s",
		    r->ask->name,
		    url == NULL ? "it names no OCSP responder; set ocsp_url" : "out of memory");
	}
	free(url);
}

/* Clocks are set back: what was learnt in the future is of no use. */
static bool
is_current(const struct revfile_row *row, int64_t now)
{
	return row->state == REVOCATION_GOOD && row->good_at <= now && now < row->until;
}

struct revocation_word
revocation_of(struct revocation *r, X509 *cert, X509 *issuer, bool may_ask)
{
	struct revfile_row row = { .state = REVOCATION_NONE };
	struct revocation_word word = { .state = REVOCATION_UNREACHABLE };
	unsigned n = sizeof(row.fingerprint);
	struct status *st;

	if (X509_digest(cert, EVP_sha256(), row.fingerprint, &n) != 1)
		return word;
	st = find(r, str_of((char *)row.fingerprint, sizeof(row.fingerprint)));
	if (st == NULL)
		st = add(r, &row);
	if (st == NULL)
		return word;
	list_remove(&st->age);
	list_append(&r->ages, &st->age);
	if (is_current(&st->row, clock_wall_ms()))
		ask_count(r->ask, TRUST_OCSP_CACHED);
	else if (may_ask && st->fetch == NULL)
		ask(st, cert, issuer);
	word.state = st->row.state;
	word.coming = st->fetch != NULL;
	word.good_at = st->row.good_at;
	word.until = st->row.until;
	return word;
}

/* --- all of it --- */

struct revocation *
revocation_new(const struct trust_ask *ask, const struct revocation_config *cfg)
{
	struct revocation *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->ask = ask;
	r->cfg = *cfg;
	hash_init(&r->table);
	list_init(&r->ages);
	timer_init(&r->save, save, r);
	r->backoff = backoff_new(ask->retry_min, ask->retry_max, cfg->max);
	if (r->backoff == NULL) {
		revocation_free(r);
		return NULL;
	}
	if (cfg->from != NULL) /* what it knows is newer than the file */
		LIST_FOR(node, &cfg->from->ages)
			on_row(r, &LIST_ENTRY(node, struct status, age)->row);
	r->cfg.from = NULL;
	revfile_read(cfg->state_dir, ask->name, cfg->max, on_row, r);
	return r;
}

void
revocation_pause(struct revocation *r)
{
	if (r->save.due != 0)
		save(r);
	r->paused = true;
}

void
revocation_resume(struct revocation *r)
{
	r->paused = false;
	timer_set(r->ask->loop, &r->save, SAVE_AFTER_MS);
}

void
revocation_free(struct revocation *r)
{
	if (r == NULL)
		return;
	if (r->save.due != 0)
		save(r);
	LIST_FOR(node, &r->ages)
		drop(LIST_ENTRY(node, struct status, age));
	hash_fini(&r->table);
	backoff_free(r->backoff);
	free(r);
}
