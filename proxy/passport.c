/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passport - the certificates are few and read once, the tokens are many.
 *
 * A chain is built when the store is made and remembered with the time in which all of it is valid;
 * a token inside that time costs one signature.  Outside of it, or without a chain, it is built
 * again: by then another issuer's certificate may do, and if not, the reason is the right one.
 */
#include "proxy/passport.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/jose/claims.h"
#include "lib/jose/jws.h"
#include "lib/jose/x5c.h"
#include "lib/matrix/name.h"

struct trusted {
	STACK_OF(X509) *certs; /* the first signs */
	EVP_PKEY *key;         /* its public key, the certificate's; NULL: of no known kind */
	char *x5u;             /* NULL: found by its key */
	X509_STORE *issuers;   /* whom it leads to, where these are not the anchors */
	bool may_sign;         /* keyUsage and curve are those of an ES256 signer */
	struct x5c_span valid; /* of the chain found at load; from > to: none */
};

struct passport_trust {
	struct snapshot snap;
	X509_STORE *anchors;
	size_t n;
	struct trusted certs[];
};

static void
trust_free(struct snapshot *s)
{
	struct passport_trust *t = (struct passport_trust *)s;

	for (size_t i = 0; i < t->n; i++) {
		sk_X509_pop_free(t->certs[i].certs, X509_free);
		free(t->certs[i].x5u);
		X509_STORE_free(t->certs[i].issuers);
	}
	X509_STORE_free(t->anchors);
	free(t);
}

static enum err
as_passport(enum err chain)
{
	switch (chain) {
	case OK:
	case ERR_MEMORY:
		return chain;
	case ERR_X5C_VALIDITY:
		return ERR_PASSPORT_VALIDITY;
	default:
		return ERR_PASSPORT_CHAIN;
	}
}

static enum err
judge(const struct passport_trust *t, const struct trusted *c, int64_t now)
{
	if (!c->may_sign)
		return ERR_PASSPORT_USAGE;
	if (now >= c->valid.from && now <= c->valid.to)
		return OK;
	return as_passport(
	    x5c_chain(c->certs, c->issuers != NULL ? c->issuers : t->anchors, now, NULL));
}

/* What is known of a certificate once it is here. */
static void
examine(const struct passport_trust *t, struct trusted *c, bool chain_later)
{
	X509 *signer = sk_X509_value(c->certs, 0);

	c->key = X509_get0_pubkey(signer);
	c->may_sign = c->key != NULL && jws_key_fits(JWS_ES256, c->key) && x5c_may_sign(signer);
	if (chain_later || x5c_chain(c->certs, t->anchors, clock_wall_s(), &c->valid) != OK)
		c->valid = (struct x5c_span){ INT64_MAX, INT64_MIN };
}

static enum err
load(const struct passport_trust *t, const struct passport_certificate *from, struct trusted *c)
{
	enum err err = OK;

	c->valid = (struct x5c_span){ INT64_MAX, INT64_MIN };
	if (from->x5u != NULL && (c->x5u = strdup(from->x5u)) == NULL)
		return ERR_MEMORY;
	c->certs =
	    from->file != NULL ? x5c_read_pem(from->file, &err) : X509_chain_up_ref(from->certs);
	if (c->certs == NULL)
		return err != OK ? err : ERR_MEMORY;
	examine(t, c, from->chain_later);
	err = from->chain_later ? OK : judge(t, c, clock_wall_s());
	if (err != OK)
		log_warn("passport certificate=%s is of no use now: %s",
		    from->file != NULL  ? from->file
		    : from->x5u != NULL ? from->x5u
					: "-",
		    err_text(err));
	return OK;
}

static enum err
carry(const struct trusted *from, struct trusted *c)
{
	c->valid = from->valid;
	c->may_sign = from->may_sign;
	if (from->x5u != NULL && (c->x5u = strdup(from->x5u)) == NULL)
		return ERR_MEMORY;
	c->certs = X509_chain_up_ref(from->certs);
	if (c->certs == NULL)
		return ERR_MEMORY;
	c->key = X509_get0_pubkey(sk_X509_value(c->certs, 0));
	return OK;
}

struct passport_trust *
passport_trust_join(const struct passport_trust *base, const struct passport_certificate *certs,
    size_t n, X509_STORE *anchors, enum err *why)
{
	size_t n_base = base != NULL ? base->n : 0;
	struct passport_trust *t = calloc(1, sizeof(*t) + (n_base + n) * sizeof(t->certs[0]));

	*why = ERR_MEMORY;
	if (t == NULL)
		return NULL;
	snapshot_init(&t->snap, trust_free);
	if (anchors != NULL)
		X509_STORE_up_ref(anchors);
	t->anchors = anchors;
	*why = OK;
	for (; t->n < n_base && *why == OK; t->n++)
		*why = carry(&base->certs[t->n], &t->certs[t->n]);
	for (; t->n < n_base + n && *why == OK; t->n++)
		*why = load(t, &certs[t->n - n_base], &t->certs[t->n]);
	if (*why == OK)
		return t;
	snapshot_drop(&t->snap);
	return NULL;
}

static enum err
pick(const struct trusted *from, const struct passport_pick *how, struct trusted *c)
{
	enum err err = carry(from, c);

	if (err == OK && how->issuers != NULL) {
		X509_STORE_up_ref(how->issuers);
		c->issuers = how->issuers;
		c->valid = how->valid;
	}
	return err;
}

struct passport_trust *
passport_trust_some(const struct passport_trust *from, const struct passport_pick *picks)
{
	struct passport_trust *t = calloc(1, sizeof(*t) + from->n * sizeof(t->certs[0]));
	enum err err = OK;

	if (t == NULL)
		return NULL;
	snapshot_init(&t->snap, trust_free);
	if (from->anchors != NULL)
		X509_STORE_up_ref(from->anchors);
	t->anchors = from->anchors;
	for (size_t i = 0; i < from->n && err == OK; i++)
		if (picks[i].counts)
			err = pick(&from->certs[i], &picks[i], &t->certs[t->n++]);
	if (err == OK)
		return t;
	snapshot_drop(&t->snap);
	return NULL;
}

size_t
passport_trust_count(const struct passport_trust *t)
{
	return t->n;
}

STACK_OF(X509) *
passport_trust_certs(const struct passport_trust *t, size_t i)
{
	return t->certs[i].certs;
}

const char *
passport_trust_x5u(const struct passport_trust *t, size_t i)
{
	return t->certs[i].x5u;
}

struct passport_trust *
passport_trust_new(
    const struct passport_certificate *certs, size_t n, X509_STORE *anchors, enum err *why)
{
	return passport_trust_join(NULL, certs, n, anchors, why);
}

enum err
passport_judge(STACK_OF(X509) *certs, X509_STORE *anchors, int64_t now)
{
	X509 *signer = sk_X509_value(certs, 0);
	EVP_PKEY *key = X509_get0_pubkey(signer);

	if (key == NULL || !jws_key_fits(JWS_ES256, key) || !x5c_may_sign(signer))
		return ERR_PASSPORT_USAGE;
	return as_passport(x5c_chain(certs, anchors, now, NULL));
}

/* -- the token -- */

struct passport {
	struct jws jws;
	struct claims *payload;    /* what the others belong to */
	struct str orig;           /* n == 0: a telephone number or the like */
	const struct claims *dest; /* array of strings, or NULL */
};

static enum err
read_orig(struct passport *p)
{
	const struct claims *orig = claims_get(p->payload, "orig");
	const struct claims *uri = claims_get(orig, "uri");
	struct str other;

	if (claims_members(orig) != 1)
		return ERR_PASSPORT_SYNTAX;
	if (uri != NULL)
		return claims_text(uri, &p->orig) ? OK : ERR_PASSPORT_SYNTAX;
	/* the one member is another identity: well-formed, but of nobody here */
	return claims_text(claims_first(orig), &other) ? OK : ERR_PASSPORT_SYNTAX;
}

static enum err
read_dest(struct passport *p)
{
	const struct claims *dest = claims_get(p->payload, "dest");
	struct str text;

	p->dest = claims_get(dest, "uri");
	if (claims_members(dest) == 0 || (p->dest != NULL && !claims_is_array(p->dest)))
		return ERR_PASSPORT_SYNTAX;
	for (size_t i = 0; i < claims_elements(p->dest); i++)
		if (!claims_text(claims_at(p->dest, i), &text))
			return ERR_PASSPORT_SYNTAX;
	return OK;
}

static enum err
read_token(struct arena *a, struct str token, struct passport *p)
{
	enum err err;

	if (token.n > PASSPORT_MAX)
		return ERR_PASSPORT_SYNTAX;
	err = jws_parse(a, token, &p->jws);
	if (err != OK)
		return err == ERR_MEMORY ? err : ERR_PASSPORT_SYNTAX;
	p->payload = claims_read_object(p->jws.payload);
	if (p->payload == NULL)
		return ERR_PASSPORT_SYNTAX;
	err = read_orig(p);
	return err == OK ? read_dest(p) : err;
}

static enum err
check_header(const struct jws *j)
{
	if (!str_eq(j->typ, STR("passport")))
		return ERR_PASSPORT_TYPE;
	if (j->alg != JWS_ES256)
		return ERR_PASSPORT_ALG;
	if (j->has_ppt || j->has_crit)
		return ERR_PASSPORT_PPT;
	return OK;
}

static bool
named(const struct trusted *c, struct str x5u)
{
	return x5u.n > 0 && c->x5u != NULL && str_eq(str_z(c->x5u), x5u);
}

static bool
any_named(const struct passport_trust *t, struct str x5u)
{
	for (size_t i = 0; i < t->n; i++)
		if (named(&t->certs[i], x5u))
			return true;
	return false;
}

/* Whether one certificate vouches for the token.  *fits: it was signed with its key. */
static enum err
vouch(const struct passport_trust *t, const struct trusted *c, const struct jws *j, int64_t now,
    bool *fits)
{
	enum err sig = c->key != NULL ? jws_verify(j, c->key) : ERR_X5C_CURVE, err;

	*fits = sig == OK;
	if (sig == ERR_MEMORY)
		return sig;
	err = judge(t, c, now);
	return err == OK && sig != OK ? ERR_PASSPORT_SIGNATURE : err;
}

static enum err
check_signature(const struct passport_trust *t, const struct jws *j, int64_t now)
{
	bool by_name = any_named(t, j->x5u), tried = false, decided = false;
	enum err why = OK;

	for (size_t i = 0; i < t->n; i++) {
		const struct trusted *c = &t->certs[i];
		bool fits;
		enum err err;

		if (by_name ? !named(c, j->x5u) : (j->x5u.n > 0 && c->x5u != NULL))
			continue;
		err = vouch(t, c, j, now, &fits);
		if (err == OK || err == ERR_MEMORY)
			return err;
		/* the reason to give is that of the certificate the token was signed with */
		if ((fits && !decided) || (by_name && !tried))
			why = err;
		decided |= fits;
		tried = true;
	}
	if (why != OK)
		return why;
	return tried && j->x5u.n == 0 ? ERR_PASSPORT_SIGNATURE : ERR_PASSPORT_CERTIFICATE;
}

static enum err
check_users(struct arena *a, const struct passport *p, const struct passport_demands *d)
{
	if (!mxid_same(mxid_from_uri(a, p->orig), d->orig))
		return ERR_PASSPORT_ORIG;
	for (size_t i = 0; i < claims_elements(p->dest); i++) {
		struct str uri;

		if (claims_text(claims_at(p->dest, i), &uri) &&
		    mxid_same(mxid_from_uri(a, uri), d->dest))
			return OK;
	}
	return ERR_PASSPORT_DEST;
}

static enum err
check_time(const struct passport *p, const struct passport_demands *d)
{
	const struct claims *claim = claims_get(p->payload, "iat");
	double iat;

	if (claim == NULL)
		return d->iat_optional ? OK : ERR_PASSPORT_IAT;
	if (!claims_number(claim, &iat))
		return ERR_PASSPORT_IAT;
	if (iat > (double)d->now + (double)d->max_future_s)
		return ERR_PASSPORT_FUTURE;
	if (d->max_age_s > 0 && iat < (double)d->now - (double)d->max_age_s)
		return ERR_PASSPORT_OLD;
	return OK;
}

enum err
passport_verify(struct arena *a, const struct passport_trust *t, struct str token,
    const struct passport_demands *d)
{
	struct passport p = { 0 };
	enum err err;

	if ((err = read_token(a, token, &p)) == OK && (err = check_header(&p.jws)) == OK &&
	    (err = check_signature(t, &p.jws, d->now)) == OK && (err = check_users(a, &p, d)) == OK)
		err = check_time(&p, d);
	claims_free(p.payload);
	return err;
}

struct str
passport_x5u(struct arena *a, struct str token)
{
	struct jws j;

	return token.n <= PASSPORT_MAX && jws_parse(a, token, &j) == OK ? j.x5u : STR_NONE;
}
