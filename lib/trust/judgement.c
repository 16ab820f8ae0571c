/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judgement - one look at all certificates with what is at hand now.
 *
 * Begins anew each time something has arrived, so nothing has to be remembered about how far it
 * got.
 */
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "lib/jose/x5c.h"
#include "lib/trust/trust_int.h"

#define DEPTH_MAX 8
#define DAY_S (24 * 60 * 60) /* to be judged again after that at the latest (T-12) */

static bool
copy_text(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return from == NULL || *to != NULL;
}

bool
judgement_init(struct judgement *j, STACK_OF(X509) *certs, const struct trust_demands *d)
{
	bool ok;

	*j = (struct judgement){ .certs = X509_chain_up_ref(certs) };
	ok = copy_text(&j->role, d->role);
	ok = copy_text(&j->common_name, d->common_name) && ok;
	if (ok && j->certs != NULL)
		return true;
	judgement_fini(j);
	return false;
}

void
judgement_fini(struct judgement *j)
{
	sk_X509_pop_free(j->certs, X509_free);
	X509_STORE_free(j->store);
	free(j->role);
	free(j->common_name);
	*j = (struct judgement){ 0 };
}

/* --- chains --- */

/* The certificate itself, then what may help to build its chain. */
static STACK_OF(X509) *
helpers_of(const struct trust *t, const struct judgement *j, X509 *cert)
{
	STACK_OF(X509) *out = X509_chain_up_ref(j->certs);

	if (out == NULL)
		return NULL;
	if (sk_X509_unshift(out, cert) > 0) {
		X509_up_ref(cert);
		if (issuers_collect(t->issuers, out))
			return out;
	}
	sk_X509_pop_free(out, X509_free);
	return NULL;
}

static X509 *
issuer_among(STACK_OF(X509) *helpers, X509 *of)
{
	for (int i = 0; i < sk_X509_num(helpers); i++)
		if (X509_check_issued(sk_X509_value(helpers, i), of) == X509_V_OK)
			return sk_X509_value(helpers, i);
	return NULL;
}

/* The certificate at which the chain breaks off: its issuer is not at hand, or it is a root that
 * nobody trusts. */
static X509 *
last_of(STACK_OF(X509) *helpers, X509 *cert)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		X509 *issuer = issuer_among(helpers, cert);

		if (issuer == NULL || X509_cmp(issuer, cert) == 0)
			break;
		cert = issuer;
	}
	return cert;
}

/* A chain is not complete: gets what it lacks, if that may help. */
static enum err
get_more(struct trust *t, struct judgement *j, STACK_OF(X509) *helpers, X509 *cert)
{
	X509 *last = last_of(helpers, cert);
	enum err err = ERR_X5C_CHAIN;

	if (!j->asks)
		return t->cfg.base_url != NULL ? ERR_ISSUER : ERR_X5C_CHAIN;
	j->coming = rootstore_is_looking(t->roots);
	if (j->coming)
		return OK;
	if (X509_self_signed(last, 0) != 1)
		err = issuers_want(t->issuers, last);
	if (err == OK) {
		j->coming = true;
	} else if (!j->looked) {
		j->looked = true;
		j->coming = rootstore_look(t->roots);
	}
	return j->coming ? OK : err;
}

/* --- revocation --- */

static enum err
weigh(const struct trust *t, struct judgement *j, const struct revocation_word *word)
{
	int64_t now = clock_wall_ms(), until;

	if (word->state == REVOCATION_REVOKED)
		return ERR_OCSP_REVOKED;
	if (word->state == REVOCATION_GOOD && word->good_at <= now && now < word->until) {
		until = word->until / 1000;
		j->until = until < j->until ? until : j->until;
		return OK;
	}
	if (t->cfg.revocation == TRUST_SOFT)
		return OK;
	if (word->state == REVOCATION_UNKNOWN)
		return ERR_OCSP_UNKNOWN;
	until = word->good_at + (int64_t)t->cfg.grace;
	if (!j->in_use || word->good_at == 0 || word->good_at > now || until <= now)
		return ERR_REVOCATION;
	j->until = until / 1000 < j->until ? until / 1000 : j->until;
	return OK;
}

/* All of a chain but its end, which is trusted by itself. */
static enum err
check_chain(struct trust *t, struct judgement *j, STACK_OF(X509) *chain)
{
	enum err err = OK;

	for (int i = 0; err == OK && i + 1 < sk_X509_num(chain); i++) {
		struct revocation_word word = { .state = REVOCATION_NONE };

		if (t->cfg.revocation != TRUST_OFF)
			word = revocation_of(t->revocation, sk_X509_value(chain, i),
			    sk_X509_value(chain, i + 1), j->asks);
		/* What somebody else waits for says nothing yet. */
		if (j->asks && word.coming && word.state != REVOCATION_REVOKED)
			j->coming = true;
		else if (t->cfg.revocation != TRUST_OFF)
			err = weigh(t, j, &word);
	}
	return err;
}

/* --- all of it --- */

static enum err
remember(struct judgement *j, STACK_OF(X509) *chain)
{
	int n = sk_X509_num(chain);

	for (int i = n > 1 ? 1 : 0; i < n; i++)
		if (X509_STORE_add_cert(j->store, sk_X509_value(chain, i)) != 1)
			return ERR_MEMORY;
	return OK;
}

static enum err
judge_one(struct trust *t, struct judgement *j, X509 *cert)
{
	STACK_OF(X509) *helpers = helpers_of(t, j, cert), *chain = NULL;
	int64_t now = clock_wall_s();
	struct x5c_span span;
	enum err err = ERR_MEMORY;

	if (helpers != NULL)
		err = x5c_build(helpers, rootstore_get(t->roots), now, &span, &chain);
	if (err == ERR_X5C_CHAIN) {
		err = get_more(t, j, helpers, cert);
	} else if (err == OK) {
		j->until = span.to < j->until ? span.to : j->until;
		err = check_chain(t, j, chain);
		if (err == OK)
			err = remember(j, chain);
	}
	sk_X509_pop_free(chain, X509_free);
	sk_X509_pop_free(helpers, X509_free);
	return err;
}

/* A root that came along adds nothing: it counts if it is one of ours, and else it is not needed.
 */
static bool
is_needed(int i, X509 *cert)
{
	return i == 0 || X509_self_signed(cert, 0) != 1;
}

enum err
judgement_run(struct trust *t, struct judgement *j)
{
	const struct x5c_demands demands = { .role = j->role, .common_name = j->common_name };
	X509 *signer = sk_X509_value(j->certs, 0);
	enum err err = signer != NULL ? OK : ERR_X5C_SYNTAX;

	X509_STORE_free(j->store);
	j->store = X509_STORE_new();
	j->until = clock_wall_s() + DAY_S;
	j->coming = false;
	if (j->store == NULL)
		return ERR_MEMORY;
	for (int i = 0; err == OK && !j->coming && i < sk_X509_num(j->certs); i++)
		if (is_needed(i, sk_X509_value(j->certs, i)))
			err = judge_one(t, j, sk_X509_value(j->certs, i));
	if (err == OK && !j->coming)
		err = x5c_demand(signer, &demands);
	return err;
}

static void
free_verdict(struct snapshot *s)
{
	struct trust_verdict *v = (struct trust_verdict *)s;

	X509_STORE_free(v->store);
	free(v);
}

struct trust_verdict *
judgement_verdict(struct judgement *j)
{
	struct trust_verdict *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	snapshot_init(&v->snap, free_verdict);
	v->store = j->store;
	v->until = j->until;
	j->store = NULL;
	return v;
}
