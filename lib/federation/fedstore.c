/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedstore - an offer is verified whole before anything changes; what was adopted is written after
 * that.
 *
 * Two files: the list as it was signed, and beside it version, hash and time of the last
 * refresh.  The list is written first.  After a crash between the two, or with a damaged second
 * file, the list is in force with unknown age ("never refreshed"), which keeps the
 * federation closed until the source was asked, and still refuses lower versions.
 */
#include "lib/federation/fedstore.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/federation/fedsigned.h"
#include "lib/jose/claims.h"

#define DIGEST 32
#define SKEW_S 60
#define STATE_MAX 1024

struct fedstore {
	struct fedstore_config cfg;
	char *state_dir, *name, *signer_role, *signer_cn; /* what cfg points to */
	struct fedlist *list;
	STACK_OF(X509) *signer;       /* of `list` */
	unsigned char digest[DIGEST]; /* SHA-256 of the payload of `list` */
	bool suspended;
	int64_t as_of;
};

static bool
copy(const char *from, char **to, const char **use)
{
	if (from != NULL && (*to = strdup(from)) == NULL)
		return false;
	*use = *to;
	return true;
}

struct fedstore *
fedstore_new(const struct fedstore_config *cfg)
{
	struct fedstore *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->cfg = *cfg;
	if (cfg->anchors != NULL)
		X509_STORE_up_ref(cfg->anchors);
	if (cfg->issuers != NULL)
		X509_STORE_up_ref(cfg->issuers);
	if (!copy(cfg->state_dir, &s->state_dir, &s->cfg.state_dir) ||
	    !copy(cfg->name, &s->name, &s->cfg.name) ||
	    !copy(cfg->signer_role, &s->signer_role, &s->cfg.signer_role) ||
	    !copy(cfg->signer_cn, &s->signer_cn, &s->cfg.signer_cn)) {
		fedstore_free(s);
		return NULL;
	}
	return s;
}

void
fedstore_free(struct fedstore *s)
{
	if (s == NULL)
		return;
	snapshot_drop((struct snapshot *)s->list);
	sk_X509_pop_free(s->signer, X509_free);
	X509_STORE_free(s->cfg.anchors);
	X509_STORE_free(s->cfg.issuers);
	free(s->state_dir);
	free(s->name);
	free(s->signer_role);
	free(s->signer_cn);
	free(s);
}

const struct fedlist *
fedstore_list(const struct fedstore *s)
{
	return s->suspended ? NULL : s->list;
}

STACK_OF(X509) *
fedstore_signer(const struct fedstore *s)
{
	return s->signer;
}

const struct fedstore_config *
fedstore_config(const struct fedstore *s)
{
	return &s->cfg;
}

bool
fedstore_suspend(struct fedstore *s, bool suspended)
{
	bool changes = s->list != NULL && s->suspended != suspended;

	s->suspended = suspended && s->list != NULL;
	return changes;
}

int64_t
fedstore_as_of(const struct fedstore *s)
{
	return s->as_of;
}

static bool
in_dates(const struct fedlist *l, int64_t now)
{
	int64_t from = fedlist_not_before(l), to = fedlist_not_after(l);

	return (from == 0 || from - SKEW_S <= now) && (to == 0 || now - SKEW_S <= to);
}

/* -- files -- */

static bool
file_path(const struct fedstore *s, const char *suffix, char out[PATH_MAX])
{
	const char *dir = s->cfg.state_dir;

	return dir != NULL &&
	       snprintf(out, PATH_MAX, "%s/%s.%s", dir, s->cfg.name, suffix) < PATH_MAX;
}

static void
hex_of(const unsigned char digest[DIGEST], char out[2 * DIGEST + 1])
{
	for (size_t i = 0; i < DIGEST; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void
write_file(const struct fedstore *s, const char *suffix, struct str content)
{
	char path[PATH_MAX];

	if (s->cfg.state_dir == NULL)
		return;
	if (!file_path(s, suffix, path) || fs_replace(path, content, 0640) != 0)
		log_error("fedstore list=%s cannot write the .%s file: %s", s->cfg.name, suffix,
		    strerror(errno));
}

static void
write_state(const struct fedstore *s)
{
	char hex[2 * DIGEST + 1], text[STATE_MAX];
	int n;

	hex_of(s->digest, hex);
	n = snprintf(text, sizeof(text), "{\"version\":%lld,\"as_of\":%lld,\"sha256\":\"%s\"}\n",
	    (long long)fedlist_version(s->list), (long long)s->as_of, hex);
	write_file(s, "state", str_of(text, (size_t)n));
}

/* The time of the last refresh, if the state is of the list held or of one that it has replaced
 * since: between the two files being written a process may end, and another one begin.  Else 0. */
static int64_t
state_as_of(const struct fedstore *s, struct str text)
{
	struct claims *state = claims_read_object(text);
	double held = (double)fedlist_version(s->list);
	char hex[2 * DIGEST + 1];
	double version = -1, as_of = 0;
	struct str sha256 = STR_NONE;
	bool good;

	hex_of(s->digest, hex);
	good = claims_number(claims_get(state, "version"), &version) &&
	       claims_number(claims_get(state, "as_of"), &as_of) &&
	       claims_text(claims_get(state, "sha256"), &sha256) && version >= 0 &&
	       (version < held || (version == held && str_eq(sha256, str_z(hex)))) && as_of > 0 &&
	       as_of <= (double)(clock_wall_s() + SKEW_S);
	claims_free(state);
	return good ? (int64_t)as_of : 0;
}

static void
read_state(const struct fedstore *s, struct buf *text)
{
	char path[PATH_MAX];

	if (file_path(s, "state", path) && fs_read(path, text) != 0)
		buf_consume(text, buf_len(text));
}

/* -- judging -- */

static enum err
judge_verified(const struct fedstore *s, const struct jws *j, int64_t now, struct fedstore_offer *o)
{
	struct fedlist_limits limits = { .max_entries = s->cfg.max_entries };
	enum err err;

	if (EVP_Digest(j->payload.p, j->payload.n, o->digest, NULL, EVP_sha256(), NULL) != 1)
		return ERR_MEMORY;
	if (s->list != NULL && memcmp(o->digest, s->digest, DIGEST) == 0)
		return in_dates(s->list, now) ? OK : ERR_FEDLIST_DATES;
	err = fedlist_parse(j->payload, &limits, &o->list);
	if (err == OK && !in_dates(o->list, now))
		err = ERR_FEDLIST_DATES;
	/* the same version with other content is as odd as a lower one */
	if (err == OK && s->list != NULL && fedlist_version(o->list) <= fedlist_version(s->list))
		err = ERR_FEDLIST_LOWER;
	return err;
}

static struct fedsigned_demands
demands_of(const struct fedstore *s, const struct fedstore_signer *by, int64_t now)
{
	X509_STORE *own = s->cfg.issuers != NULL ? s->cfg.issuers : s->cfg.anchors;

	return (struct fedsigned_demands){
		.x5c = { .anchors = by != NULL ? by->issuers : own,
		    .at = now,
		    .role = s->cfg.signer_role,
		    .common_name = s->cfg.signer_cn },
		.only = by != NULL ? by->cert : NULL,
	};
}

/* `text` is trimmed. */
static enum err
judge(const struct fedstore *s, struct str text, const struct fedstore_signer *by, int64_t now,
    struct fedstore_offer *o)
{
	const struct fedsigned_demands demands = demands_of(s, by, now);
	struct arena a;
	struct jws j;
	enum err err;

	*o = (struct fedstore_offer){ 0 };
	if (text.n > s->cfg.max_bytes)
		return ERR_FEDLIST_SIZE;
	arena_init(&a, text.n + FEDSIGNED_ROOM);
	err = fedsigned_verify(&a, text, &demands, &j, &o->signer);
	if (err == OK)
		err = judge_verified(s, &j, now, o);
	arena_fini(&a);
	if (err != OK)
		fedstore_offer_drop(o);
	return err;
}

/* The list held, but signed by somebody else. */
static bool
is_signed_anew(const struct fedstore *s, const struct fedstore_offer *o)
{
	return s->signer == NULL ||
	       X509_cmp(sk_X509_value(s->signer, 0), sk_X509_value(o->signer, 0)) != 0;
}

enum err
fedstore_judge(const struct fedstore *s, struct str jws, const struct fedstore_signer *by,
    struct fedstore_offer *o)
{
	struct str text = str_strip(jws);
	enum err err = judge(s, text, by, clock_wall_s(), o);

	if (err != OK)
		log_debug("fedstore list=%s refused: %s", s->cfg.name, err_name(err));
	else if (o->list != NULL || is_signed_anew(s, o))
		write_file(s, "jws", text);
	return err;
}

void
fedstore_offer_drop(struct fedstore_offer *o)
{
	snapshot_drop((struct snapshot *)o->list);
	sk_X509_pop_free(o->signer, X509_free);
	o->list = NULL;
	o->signer = NULL;
}

/* -- adoption -- */

static void
hold_signer(struct fedstore *s, struct fedstore_offer *o)
{
	sk_X509_pop_free(s->signer, X509_free);
	s->signer = o->signer;
	o->signer = NULL;
	s->suspended = false;
}

static void
hold(struct fedstore *s, struct fedstore_offer *o)
{
	if (fedlist_skipped(o->list) > 0)
		log_warn("fedstore list=%s skipped %zu entries that are no server name",
		    s->cfg.name, fedlist_skipped(o->list));
	snapshot_drop((struct snapshot *)s->list);
	s->list = o->list;
	memcpy(s->digest, o->digest, DIGEST);
	o->list = NULL;
	hold_signer(s, o);
}

void
fedstore_adopt(struct fedstore *s, struct fedstore_offer *o, int64_t as_of)
{
	int64_t now = clock_wall_s();

	if (o->list == NULL) {
		hold_signer(s, o);
		fedstore_confirm(s, as_of);
		return;
	}
	hold(s, o);
	/* a date from the future does not keep a list fresh */
	s->as_of = as_of < now ? as_of : now;
	log_info("fedstore list=%s adopted version=%lld entries=%zu", s->cfg.name,
	    (long long)fedlist_version(s->list), fedlist_count(s->list));
	write_state(s);
}

void
fedstore_confirm(struct fedstore *s, int64_t as_of)
{
	int64_t now = clock_wall_s();

	as_of = as_of < now ? as_of : now;
	if (s->list == NULL || as_of <= s->as_of)
		return;
	s->as_of = as_of;
	write_state(s);
}

enum err
fedstore_restore(struct fedstore *s)
{
	char path[PATH_MAX];
	struct fedstore_offer o;
	struct buf text, state;
	enum err err = ERR_NOT_FOUND;

	if (!file_path(s, "jws", path))
		return ERR_NOT_FOUND;
	buf_init(&text, s->cfg.max_bytes);
	buf_init(&state, STATE_MAX);
	read_state(s, &state); /* first, for another process may write both, the list first */
	if (fs_read(path, &text) == 0) {
		err = judge(s, str_strip(buf_str(&text)), NULL, clock_wall_s(), &o);
		if (err == OK && o.list != NULL) {
			hold(s, &o);
			s->as_of = state_as_of(s, buf_str(&state));
		}
		if (err == OK)
			fedstore_offer_drop(&o);
	} else if (errno != ENOENT) {
		err = errno == EFBIG ? ERR_FEDLIST_SIZE : ERR_FILE;
	}
	buf_fini(&text);
	buf_fini(&state);
	if (err != OK && err != ERR_NOT_FOUND)
		log_debug("fedstore list=%s kept copy refused: %s", s->cfg.name, err_name(err));
	return err;
}

/* -- inheritance -- */

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_anchor(const X509_OBJECT *a, const X509_OBJECT *b)
{
	X509 *one = X509_OBJECT_get0_X509(a), *other = X509_OBJECT_get0_X509(b);

	return one != NULL && other != NULL && X509_cmp(one, other) == 0;
}

static bool
has_anchor(STACK_OF(X509_OBJECT) *of, const X509_OBJECT *wanted)
{
	for (int i = 0; i < sk_X509_OBJECT_num(of); i++)
		if (same_anchor(sk_X509_OBJECT_value(of, i), wanted))
			return true;
	return false;
}

/* The same certificates, in whatever order.  Locked, for an offer may be judged meanwhile. */
static bool
same_anchors(X509_STORE *a, X509_STORE *b)
{
	STACK_OF(X509_OBJECT) *one, *other;
	bool same;

	if (a == NULL || b == NULL || X509_STORE_lock(b) != 1)
		return false;
	one = X509_STORE_get0_objects(a);
	other = X509_STORE_get0_objects(b);
	same = sk_X509_OBJECT_num(one) == sk_X509_OBJECT_num(other);
	for (int i = 0; same && i < sk_X509_OBJECT_num(one); i++)
		same = has_anchor(other, sk_X509_OBJECT_value(one, i));
	X509_STORE_unlock(b);
	return same;
}

bool
fedstore_inherit(struct fedstore *s, const struct fedstore *from)
{
	const struct fedstore_config *a = &s->cfg, *b = &from->cfg;

	if (from->list == NULL || !same_text(a->name, b->name) ||
	    !same_text(a->state_dir, b->state_dir) || !same_text(a->signer_role, b->signer_role) ||
	    !same_text(a->signer_cn, b->signer_cn) || a->max_bytes != b->max_bytes ||
	    a->max_entries != b->max_entries || !same_anchors(a->anchors, b->anchors) ||
	    (a->issuers == NULL &&
		b->issuers != NULL)) /* whom the anchors alone may not vouch for */
		return false;
	snapshot_drop((struct snapshot *)s->list);
	s->list = snapshot_hold((struct snapshot *)from->list);
	sk_X509_pop_free(s->signer, X509_free);
	s->signer = from->signer != NULL ? X509_chain_up_ref(from->signer) : NULL;
	s->suspended = from->suspended;
	memcpy(s->digest, from->digest, DIGEST);
	s->as_of = from->as_of;
	return true;
}
