/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/certs_set.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/jsontext.h"

#define SET_MAX (256UL << 20) /* bytes; the numbers of certificates are bounded far below it */

struct whole {
	struct certs_set set;
	struct arena arena; /* everything the set points to */
};

static void
set_free(struct snapshot *s)
{
	struct whole *w = (struct whole *)(void *)s;

	arena_fini(&w->arena);
	free(w);
}

/* --- JSON --- */

static bool
put_text(struct buf *b, const char *text)
{
	struct str s = str_z(text);
	size_t n = jsontext_quoted_size(s);
	char *at;

	if (text == NULL)
		return buf_put(b, STR("null"));
	at = buf_reserve(b, n);
	if (at == NULL)
		return false;
	jsontext_quote(at, s);
	buf_commit(b, n);
	return true;
}

static bool
put_time(struct buf *b, int64_t at)
{
	time_t t = (time_t)at;
	char text[64];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return buf_put(b, STR("null"));
	return buf_printf(b, "\"%s\"", text);
}

static bool
put_entry(struct buf *b, const struct certs_entry *e)
{
	return buf_printf(b, "{\"fingerprint\":\"%s\",\"x5u\":", e->fingerprint) &&
	       put_text(b, e->x5u) && buf_put(b, STR(",\"pem\":")) && put_text(b, e->pem) &&
	       buf_printf(
		   b, ",\"source\":\"%s\",\"not_after\":", e->registered ? "registered" : "vzd") &&
	       put_time(b, e->not_after) && buf_put(b, STR(",\"checked\":")) &&
	       put_time(b, e->checked) && buf_put(b, STR("}"));
}

static struct str
keep(struct arena *a, const struct buf *b)
{
	char *p = arena_bytes(a, buf_len(b) + 1);

	if (p == NULL)
		return STR_NONE;
	*str_put(p, buf_str(b)) = '\0';
	return str_of(p, buf_len(b));
}

static bool
make_entry_json(struct arena *a, struct certs_entry *e)
{
	struct buf b;

	buf_init(&b, SET_MAX);
	if (put_entry(&b, e))
		e->json = keep(a, &b);
	buf_fini(&b);
	return e->json.p != NULL;
}

static bool
make_set_json(struct whole *w)
{
	struct buf b;
	bool ok;

	buf_init(&b, SET_MAX);
	ok = buf_put(&b, STR("{\"certificates\":["));
	for (size_t i = 0; ok && i < w->set.n_served; i++)
		ok = (i == 0 || buf_put(&b, STR(","))) && buf_put(&b, w->set.entries[i].json);
	if (ok && buf_put(&b, STR("]}")))
		w->set.json = keep(&w->arena, &b);
	buf_fini(&b);
	return w->set.json.p != NULL;
}

/* --- the set --- */

static void
make_etag(struct certs_set *s)
{
	unsigned char digest[crypto_generichash_BYTES_MIN];
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, sizeof(digest));
	for (size_t i = 0; i < s->n_served; i++) {
		const struct certs_entry *e = &s->entries[i];
		struct str x5u = e->x5u != NULL ? str_z(e->x5u) : STR("-");

		/* with its zero byte, so that no two sets are the same bytes */
		crypto_generichash_update(&h, (const void *)e->fingerprint, sizeof(e->fingerprint));
		crypto_generichash_update(&h, (const void *)x5u.p, x5u.n);
		crypto_generichash_update(&h, (const void *)(e->registered ? "\0r" : "\0v"), 3);
	}
	crypto_generichash_final(&h, digest, sizeof(digest));
	sodium_bin2hex(s->etag, sizeof(s->etag), digest, sizeof(digest));
}

static int
by_rank(const void *x, const void *y)
{
	const struct certs_entry *a = x, *b = y;

	if ((a->why == OK) != (b->why == OK))
		return a->why == OK ? -1 : 1;
	return strcmp(a->fingerprint, b->fingerprint);
}

static bool
copy_text(struct arena *a, const char **text)
{
	if (*text == NULL)
		return true;
	*text = arena_z(a, str_z(*text));
	return *text != NULL;
}

static bool
fill(struct whole *w, const struct certs_entry *from, size_t n)
{
	struct certs_entry *all = arena_alloc(&w->arena, (n + 1) * sizeof(*all));

	if (all == NULL)
		return false;
	if (n > 0)
		memcpy(all, from, n * sizeof(*all));
	qsort(all, n, sizeof(*all), by_rank);
	w->set.entries = all;
	w->set.n = n;
	for (size_t i = 0; i < n; i++) {
		w->set.n_served += all[i].why == OK;
		if (!copy_text(&w->arena, &all[i].pem) || !copy_text(&w->arena, &all[i].x5u) ||
		    !copy_text(&w->arena, &all[i].label) || !make_entry_json(&w->arena, &all[i]))
			return false;
	}
	make_etag(&w->set);
	return make_set_json(w);
}

struct certs_set *
certs_set_new(const struct certs_entry *from, size_t n)
{
	struct whole *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	snapshot_init(&w->set.snap, set_free);
	arena_init(&w->arena, SET_MAX);
	if (fill(w, from, n))
		return &w->set;
	snapshot_drop(&w->set.snap);
	return NULL;
}

/* --- looking up --- */

const struct certs_entry *
certs_by_x5u(const struct certs_set *set, struct str x5u, const struct certs_entry *after)
{
	size_t i = after != NULL ? (size_t)(after - set->entries) + 1 : 0;

	for (; i < set->n_served; i++)
		if (set->entries[i].x5u != NULL && str_eq(str_z(set->entries[i].x5u), x5u))
			return &set->entries[i];
	return NULL;
}

const struct certs_entry *
certs_by_fingerprint(const struct certs_set *set, struct str fingerprint)
{
	for (size_t i = 0; i < set->n_served; i++)
		if (str_eq(str_z(set->entries[i].fingerprint), fingerprint))
			return &set->entries[i];
	return NULL;
}
