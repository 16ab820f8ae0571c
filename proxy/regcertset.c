/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/regcertset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/jose/x5c.h"
#include "lib/matrix/canonical.h"

#define READING_ROOM (64 << 10) /* besides the text and its canonical form */
#define HEAD "as_of "

/* --- one certificate --- */

static void
refuse(const struct regcertset_demands *d, struct str x5u, enum err err, struct regcertset *out)
{
	out->n_refused++;
	log_warn("federation %s: a PASSporT certificate of the registration service is left out: "
		 "x5u=" STR_FMT " reason=%s: %s; check passport.anchors and where it comes from",
	    d->name, STR_ARG(x5u.n > 0 ? x5u : STR("-")), err_name(err), err_text(err));
}

/* The certificates of one entry; NULL: it is of no use, and was logged. */
static STACK_OF(X509) *
read_entry(
    const struct regcertset_demands *d, struct str x5u, struct str pem, struct regcertset *out)
{
	enum err err;
	STACK_OF(X509) *certs = x5c_parse_pem(pem, &err);

	if (certs != NULL)
		err = passport_judge(certs, d->anchors, clock_wall_s());
	if (err == ERR_PASSPORT_CHAIN && d->chain_later)
		err = OK;
	/* One that is not valid yet will be, and one that has expired has its own reason. */
	if (err == OK || err == ERR_PASSPORT_VALIDITY)
		return certs;
	refuse(d, x5u, err, out);
	sk_X509_pop_free(certs, X509_free);
	return NULL;
}

/* --- the set --- */

struct reading {
	const struct regcertset_demands *d;
	struct arena arena;
	struct passport_certificate *certs; /* d->max of them */
	struct regcertset *out;
};

static enum err
add(struct reading *r, struct str entry)
{
	struct str pem = json_text(&r->arena, json_get(entry, STR("pem")));
	struct str url = json_get(entry, STR("x5u")), x5u = json_text(&r->arena, url);
	struct passport_certificate *c = &r->certs[r->out->n];

	if (json_type(entry) != JSON_OBJECT || pem.p == NULL ||
	    (json_type(url) == JSON_STRING && x5u.p == NULL))
		return ERR_HTTP_ANSWER;
	if (r->out->n + r->out->n_refused == r->d->max)
		return ERR_TOO_LARGE;
	c->certs = read_entry(r->d, x5u, pem, r->out);
	if (c->certs == NULL)
		return OK;
	c->chain_later = r->d->chain_later;
	c->x5u = x5u.n > 0 ? arena_z(&r->arena, x5u) : NULL;
	r->out->n++;
	return x5u.n > 0 && c->x5u == NULL ? ERR_MEMORY : OK;
}

static enum err
read_all(struct reading *r, struct str json)
{
	struct str content, list, entry;
	struct json_iter it;
	enum err err = canonical_form(&r->arena, json, &content);

	if (err != OK)
		return err == ERR_MEMORY ? err : ERR_HTTP_ANSWER;
	list = json_get(content, STR("certificates"));
	if (json_type(list) != JSON_ARRAY)
		return ERR_HTTP_ANSWER;
	json_begin(&it, list);
	while (err == OK && json_next(&it, NULL, &entry))
		err = add(r, entry);
	return err;
}

enum err
regcertset_read(struct str json, const struct regcertset_demands *d, struct regcertset *out)
{
	struct reading r = { .d = d, .out = out };
	enum err err;

	*out = (struct regcertset){ 0 };
	r.certs = calloc(d->max, sizeof(*r.certs));
	if (r.certs == NULL)
		return ERR_MEMORY;
	arena_init(&r.arena, json.n * 4 + READING_ROOM);
	err = read_all(&r, json);
	if (err == OK)
		out->trust = passport_trust_join(d->files, r.certs, out->n, d->anchors, &err);
	for (size_t i = 0; i < d->max && r.certs[i].certs != NULL; i++)
		sk_X509_pop_free(r.certs[i].certs, X509_free);
	free(r.certs);
	arena_fini(&r.arena);
	return err;
}

/* --- the file --- */

bool
regcertset_keep(const char *path, struct str json, int64_t as_of)
{
	struct buf b;
	bool ok;

	buf_init(&b, json.n + 64);
	ok = buf_printf(&b, HEAD "%lld\n", (long long)as_of) && buf_put(&b, json);
	if (!ok)
		errno = ENOMEM;
	ok = ok && fs_replace(path, buf_str(&b), 0640) == 0;
	buf_fini(&b);
	return ok;
}

enum err
regcertset_kept(const char *path, struct buf *json, int64_t *as_of)
{
	struct str head, rest;
	uint64_t n;

	if (fs_read(path, json) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_FILE;
	if (!str_cut(buf_str(json), '\n', &head, &rest) || !str_has_prefix(head, STR(HEAD)) ||
	    !str_to_u64(str_from(head, strlen(HEAD)), INT64_MAX, &n))
		return ERR_HTTP_ANSWER;
	*as_of = (int64_t)n;
	buf_consume(json, head.n + 1);
	return OK;
}
