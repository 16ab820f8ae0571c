/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_judge - trust watches every certificate, also the refused ones, which may become good:
 * their issuer or their responder may only be away.
 */
#include "lib/base/log.h"
#include "regsvc/certs_int.h"

static const char *
advice(enum err why)
{
	switch (why) {
	case ERR_X5C_CHAIN:
	case ERR_ISSUER:
		return "check passport.anchors and passport.trust.base_url; if they are right, it "
		       "is "
		       "not to be trusted";
	case ERR_X5C_VALIDITY:
		return "its owner must replace it; else check this machine's clock";
	case ERR_X5C_CURVE:
		return "its owner needs one with a P-256 key, which ES256 wants";
	case ERR_X5C_USAGE:
		return "its owner needs one with keyUsage digitalSignature";
	case ERR_OCSP_REVOKED:
		return "its owner must replace it";
	case ERR_OCSP_UNKNOWN:
	case ERR_REVOCATION:
		return "check passport.trust.ocsp_url and the way to the OCSP responder";
	case ERR_CERTS_OFF:
		return "set passport.anchors";
	default:
		return "see the reason in the table of doc/operations.md";
	}
}

static const char *
source_of(const struct cert *x)
{
	return x->registered ? "registered" : "vzd";
}

/* A line for each change of mind. */
static void
settle(struct cert *x, enum err why)
{
	if (why == x->why)
		return;
	if (why == OK)
		log_info("passport certificate in force: sha256=%.16s source=%s", x->c.fingerprint,
		    source_of(x));
	else if (why != ERR_COUNT)
		log_error("passport certificate refused: sha256=%.16s source=%s reason=%s: %s; %s",
		    x->c.fingerprint, source_of(x), err_name(why), err_text(why), advice(why));
	x->why = why;
	certs_changed(x->all);
}

static void
on_verdict(void *arg, enum err err, struct trust_verdict *v)
{
	struct cert *x = arg;

	if (err == ERR_MEMORY) /* says nothing about the certificate */
		return;
	if (err == OK)
		x->checked = clock_wall_s();
	settle(x, err);
	certs_changed(x->all); /* also for the time */
}

/* What must be asked for first is on its way: what was good stays so until then. */
static void
settle_known(struct cert *x, enum err known)
{
	bool to_ask = known == ERR_REVOCATION || known == ERR_ISSUER || known == ERR_MEMORY;

	if (known == OK)
		x->checked = clock_wall_s();
	if (!to_ask)
		settle(x, known);
	else if (x->why != OK)
		settle(x, ERR_COUNT);
}

void
cert_begin(struct cert *x)
{
	static const struct trust_demands none = { 0 };
	struct trust *trust = x->all->cfg.trust;

	if (trust == NULL || !x->c.es256) {
		settle(x, trust == NULL ? ERR_CERTS_OFF : ERR_X5C_CURVE);
		return;
	}
	settle_known(x, trust_known(trust, x->c.chain, &none, NULL));
	x->watch = trust_watch(trust, x->c.chain, &none, on_verdict, x);
	if (x->watch == NULL) /* nobody would notice when it turns bad */
		settle(x, ERR_MEMORY);
}

void
cert_end(struct cert *x)
{
	trust_unwatch(x->watch);
	x->watch = NULL;
}
