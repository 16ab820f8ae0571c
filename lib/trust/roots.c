/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roots - the file is read into entries; then trust spreads from the pinned roots.
 *
 * Each trusted root is taken up once: the cross certificates it has signed make roots of their name
 * and key trusted, which are taken up in turn.  So loops end, and an order is not needed.
 */
#include "lib/trust/roots.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/jread.h"
#include "lib/jose/x5c.h"

#define TEXT_MAX (16 << 10)      /* of one certificate in base64 */
#define ARENA_MAX (8 * TEXT_MAX) /* for one certificate */

enum { CERT, PREV, NEXT, PARTS };
static const char *const part_names[PARTS] = { "cert", "prev", "next" };

struct entry {
	X509 *part[PARTS]; /* NULL: absent, or not a certificate */
	unsigned seen;     /* members, as bits */
	bool usable;       /* cert may be a root */
	bool trusted;
};

struct walk {
	struct entry v[ROOTS_MAX];
	size_t n;
	int64_t at;
	unsigned signatures; /* verified so far */
	STACK_OF(X509) *trusted;
	enum err err;
};

/* --- reading --- */

/* What is no certificate links nothing; the others may still be good. */
static enum err
decode(struct str text, X509 **out)
{
	struct arena a;
	enum err err;

	arena_init(&a, ARENA_MAX);
	err = x5c_certificate(&a, text, out);
	arena_fini(&a);
	return err == ERR_MEMORY ? err : OK;
}

static bool
read_certificate(struct walk *w, struct jread *r, X509 **out)
{
	char room[TEXT_MAX];
	struct str text;
	bool fits;

	if (jread_peek(r) == 'n')
		return jread_null(r);
	if (!jread_string(r, room, sizeof(room), &text, &fits))
		return false;
	if (fits && text.n > 0 && text.n <= TEXT_MAX)
		w->err = decode(text, out);
	return w->err == OK;
}

static int
part_of(struct str name)
{
	int i = 0;

	while (i < PARTS && !str_eq(name, str_z(part_names[i])))
		i++;
	return i;
}

static bool
read_member(struct walk *w, struct jread *r, struct entry *e)
{
	char room[16];
	struct str name;
	bool fits;
	int part;

	if (!jread_string(r, room, sizeof(room), &name, &fits) || !jread_colon(r))
		return false;
	part = fits ? part_of(name) : PARTS;
	if (part == PARTS)
		return jread_skip(r);
	if ((e->seen & 1U << part) != 0)
		return false;
	e->seen |= 1U << part;
	return read_certificate(w, r, &e->part[part]);
}

static bool
read_entries(struct walk *w, struct jread *r)
{
	if (!jread_enter(r, '['))
		return false;
	while (jread_more(r, ']')) {
		if (w->n == ROOTS_MAX || !jread_enter(r, '{'))
			return false;
		w->n++;
		while (jread_more(r, '}'))
			if (!read_member(w, r, &w->v[w->n - 1]))
				return false;
	}
	return !r->bad && jread_end(r);
}

/* --- judging --- */

bool
roots_is_current(X509 *cert, int64_t at)
{
	time_t t = (time_t)at;

	return X509_cmp_time(X509_get0_notBefore(cert), &t) < 0 &&
	       X509_cmp_time(X509_get0_notAfter(cert), &t) > 0;
}

bool
roots_has(STACK_OF(X509) *in, X509 *cert)
{
	for (int i = 0; i < sk_X509_num(in); i++)
		if (X509_cmp(sk_X509_value(in, i), cert) == 0)
			return true;
	return false;
}

static bool
is_authority(const struct walk *w, X509 *cert)
{
	return cert != NULL && X509_check_ca(cert) == 1 && roots_is_current(cert, w->at);
}

/* Whether `root` alone vouches for the certificate now: signature, dates, basicConstraints. */
static bool
has_signed(struct walk *w, X509 *root, X509 *cert)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *one = sk_X509_new_null();
	enum err err = ERR_MEMORY;

	if (store != NULL && one != NULL && X509_STORE_add_cert(store, root) == 1 &&
	    sk_X509_push(one, cert) > 0)
		err = x5c_chain(one, store, w->at, NULL);
	sk_X509_free(one);
	X509_STORE_free(store);
	if (err == ERR_MEMORY)
		w->err = err;
	return err == OK;
}

static bool
is_of(X509 *cross, X509 *root)
{
	return X509_NAME_cmp(X509_get_subject_name(cross), X509_get_subject_name(root)) == 0 &&
	       EVP_PKEY_eq(X509_get0_pubkey(cross), X509_get0_pubkey(root)) == 1;
}

static void
trust(struct walk *w, struct entry *e)
{
	e->trusted = true;
	if (roots_has(w->trusted, e->part[CERT]))
		return;
	if (sk_X509_push(w->trusted, e->part[CERT]) > 0)
		X509_up_ref(e->part[CERT]);
	else
		w->err = ERR_MEMORY;
}

/* Trusts the roots for which `cross` speaks, if `by` has signed it. */
static void
follow(struct walk *w, X509 *by, X509 *cross)
{
	bool wanted = false;

	if (!is_authority(w, cross) ||
	    X509_NAME_cmp(X509_get_issuer_name(cross), X509_get_subject_name(by)) != 0)
		return;
	for (size_t i = 0; i < w->n && !wanted; i++)
		wanted = w->v[i].usable && !w->v[i].trusted && is_of(cross, w->v[i].part[CERT]);
	if (!wanted)
		return;
	if (w->signatures++ >= ROOTS_MAX_SIGNATURES) {
		w->err = ERR_ROOTS;
		return;
	}
	if (!has_signed(w, by, cross))
		return;
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].usable && !w->v[i].trusted && is_of(cross, w->v[i].part[CERT]))
			trust(w, &w->v[i]);
}

static void
spread(struct walk *w)
{
	/* the stack grows meanwhile */
	for (int i = 0; w->err == OK && i < sk_X509_num(w->trusted); i++)
		for (size_t k = 0; w->err == OK && k < w->n; k++) {
			follow(w, sk_X509_value(w->trusted, i), w->v[k].part[PREV]);
			follow(w, sk_X509_value(w->trusted, i), w->v[k].part[NEXT]);
		}
}

static void
begin(struct walk *w, STACK_OF(X509) *pinned)
{
	w->trusted = X509_chain_up_ref(pinned);
	if (w->trusted == NULL)
		w->err = ERR_MEMORY;
	for (size_t i = 0; w->err == OK && i < w->n; i++) {
		X509 *cert = w->v[i].part[CERT];

		w->v[i].usable = is_authority(w, cert) && X509_self_signed(cert, 1) == 1;
		w->v[i].trusted = w->v[i].usable && roots_has(pinned, cert);
	}
	ERR_clear_error();
}

/* Takes the pinned ones, which come first, off the stack. */
static STACK_OF(X509) *
only_linked(struct walk *w, int pinned)
{
	STACK_OF(X509) *out = w->trusted;

	w->trusted = NULL;
	while (pinned-- > 0)
		X509_free(sk_X509_shift(out));
	return out;
}

static void
finish(struct walk *w)
{
	for (size_t i = 0; i < w->n; i++)
		for (int k = 0; k < PARTS; k++)
			X509_free(w->v[i].part[k]);
	sk_X509_pop_free(w->trusted, X509_free);
}

enum err
roots_link(struct str json, STACK_OF(X509) *pinned, int64_t at, STACK_OF(X509) **linked)
{
	struct walk w = { .at = at, .err = OK };
	struct jread r;

	*linked = NULL;
	jread_init(&r, json);
	if ((json.n > ROOTS_MAX_BYTES || !read_entries(&w, &r)) && w.err == OK)
		w.err = ERR_ROOTS;
	if (w.err == OK)
		begin(&w, pinned);
	if (w.err == OK)
		spread(&w);
	if (w.err == OK)
		*linked = only_linked(&w, sk_X509_num(pinned));
	finish(&w);
	return w.err;
}
