/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weighs how much: by what an earlier life has left in the state directory, without any
 * network.  The chain is root, sub-CA, signer.
 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fsutil.h"
#include "lib/jose/x5c.h"
#include "lib/net/loop.h"
#include "lib/trust/trust.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define ROLE "1.2.276.0.76.4.171"

static EVP_PKEY *root_key, *ca_key, *key;
static X509 *root, *ca, *signer;
static X509_STORE *anchors;
static STACK_OF(X509) *certs;
static char dir[64], statuses[1024];
static struct loop *loop;
static struct trust_config cfg;
static struct trust_demands demands;

static void
setup(void)
{
	struct pki_certificate want = { .common_name = "root", .is_ca = true };

	root_key = pki_key(PKI_BRAINPOOL);
	ca_key = pki_key(PKI_BRAINPOOL);
	key = pki_key(PKI_BRAINPOOL);
	root = pki_certificate(root_key, &want);
	want = (struct pki_certificate){
		.common_name = "CA", .is_ca = true, .issuer = root, .issuer_key = root_key
	};
	ca = pki_certificate(ca_key, &want);
	want = (struct pki_certificate){
		.common_name = "signer", .role = ROLE, .issuer = ca, .issuer_key = ca_key
	};
	signer = pki_certificate(key, &want);
	anchors = pki_store(root);
	certs = sk_X509_new_null();
	sk_X509_push(certs, signer);
	sk_X509_push(certs, ca);
	snprintf(dir, sizeof(dir), "trust.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	loop = loop_new(NULL);
	statuses[0] = '\0';
	demands = (struct trust_demands){ 0 };
	cfg = (struct trust_config){ .name = "t",
		.state_dir = dir,
		.anchors = anchors,
		.ocsp_max_age = HOUR,
		.grace = 24 * HOUR,
		.roots_interval = HOUR,
		.timeout = 1000,
		.retry_min = 1000,
		.retry_max = 1000,
		.max_issuers = 4,
		.max_certificates = 8 };
}

static void
teardown(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/trust-t.status", dir);
	unlink(path);
	rmdir(dir);
	loop_free(loop);
	sk_X509_free(certs);
	X509_free(root);
	X509_free(ca);
	X509_free(signer);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	X509_STORE_free(anchors);
}

TestSuite(trust, .init = setup, .fini = teardown);

/* What is remembered of a certificate; times from now. */
static void
remember(X509 *cert, const char *state, int64_t good_at, int64_t until)
{
	unsigned char digest[32];
	char hex[65];
	int64_t now = clock_wall_ms();

	cr_assert_eq(X509_digest(cert, EVP_sha256(), digest, NULL), 1);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	sprintf(statuses + strlen(statuses), "%s %s %lld %lld\n", hex, state,
	    good_at != 0 ? (long long)(now + good_at) : 0,
	    until != 0 ? (long long)(now + until) : 0);
}

static enum err
known(struct trust_verdict **v)
{
	char path[128];
	struct trust *t;
	enum err err;

	snprintf(path, sizeof(path), "%s/trust-t.status", dir);
	cr_assert_eq(fs_replace(path, str_z(statuses), 0600), 0);
	t = trust_new(loop, &cfg);
	cr_assert_not_null(t);
	err = trust_known(t, certs, &demands, v);
	trust_free(t);
	return err;
}

static enum err
with_signer(const char *state, int64_t good_at, int64_t until)
{
	statuses[0] = '\0';
	remember(ca, "good", -MINUTE, HOUR - MINUTE);
	remember(signer, state, good_at, until);
	return known(NULL);
}

Test(trust, required_wants_a_current_good_word_about_all)
{
	cr_assert_eq(known(NULL), ERR_REVOCATION);
	remember(ca, "good", -MINUTE, HOUR - MINUTE);
	cr_assert_eq(known(NULL), ERR_REVOCATION);
	remember(signer, "good", -MINUTE, HOUR - MINUTE);
	cr_assert_eq(known(NULL), OK);
	statuses[0] = '\0';
	remember(signer, "good", -MINUTE, HOUR - MINUTE);
	cr_assert_eq(known(NULL), ERR_REVOCATION, "the sub-CA is asked about as well");
}

Test(trust, revoked_refuses_whatever_the_policy)
{
	cr_assert_eq(with_signer("revoked", -MINUTE, HOUR - MINUTE), ERR_OCSP_REVOKED);
	cfg.revocation = TRUST_SOFT;
	cr_assert_eq(with_signer("revoked", -MINUTE, HOUR - MINUTE), ERR_OCSP_REVOKED);
	statuses[0] = '\0';
	remember(ca, "revoked", 0, 0);
	cr_assert_eq(known(NULL), ERR_OCSP_REVOKED);
}

Test(trust, unknown_refuses_if_a_good_word_is_required)
{
	cr_assert_eq(with_signer("unknown", -MINUTE, HOUR - MINUTE), ERR_OCSP_UNKNOWN);
	cfg.revocation = TRUST_SOFT;
	cr_assert_eq(with_signer("unknown", -MINUTE, HOUR - MINUTE), OK);
}

Test(trust, silence_is_borne_for_the_grace)
{
	cr_assert_eq(with_signer("unreachable", -23 * HOUR, -22 * HOUR), OK);
	cr_assert_eq(with_signer("good", -23 * HOUR, -22 * HOUR), OK);
	cr_assert_eq(with_signer("unreachable", -25 * HOUR, -24 * HOUR), ERR_REVOCATION);
	cfg.grace = 2 * HOUR;
	cr_assert_eq(with_signer("unreachable", -3 * HOUR, -2 * HOUR), ERR_REVOCATION);
	cfg.grace = 0;
	cr_assert_eq(with_signer("unreachable", -61 * MINUTE, -MINUTE), ERR_REVOCATION);
	cr_assert_eq(with_signer("good", -59 * MINUTE, MINUTE), OK);
	cfg.revocation = TRUST_SOFT;
	cr_assert_eq(with_signer("unreachable", 0, 0), OK);
}

static void
on_judged(void *arg, enum err err, struct trust_verdict *v)
{
	*(enum err *)arg = err;
}

Test(trust, what_is_new_has_no_grace)
{
	enum err err = ERR_COUNT;
	struct trust *t;

	cr_assert_eq(with_signer("unreachable", -2 * HOUR, -HOUR), OK, "what is in use");
	t = trust_new(loop, &cfg); /* there is nobody to ask */
	cr_assert_not_null(trust_judge(t, certs, &demands, on_judged, &err));
	UNTIL(loop, err != ERR_COUNT);
	cr_assert_eq(err, ERR_REVOCATION);
	trust_free(t);
}

Test(trust, a_word_from_the_future_is_none)
{
	cr_assert_eq(with_signer("good", HOUR, 2 * HOUR), ERR_REVOCATION);
}

Test(trust, off_asks_about_nothing)
{
	cfg.revocation = TRUST_OFF;
	cr_assert_eq(known(NULL), OK);
	cr_assert_eq(with_signer("unreachable", 0, 0), OK);
}

Test(trust, a_verdict_holds_until_the_first_word_grows_old)
{
	struct trust_verdict *v = NULL;
	struct x5c_demands d = { .at = clock_wall_s() };
	STACK_OF(X509) *alone = sk_X509_new_null();

	remember(ca, "good", -MINUTE, HOUR - MINUTE);
	remember(signer, "good", -MINUTE, 10 * MINUTE);
	cr_assert_eq(known(&v), OK);
	cr_assert_leq(v->until, clock_wall_s() + 600);
	cr_assert_gt(v->until, clock_wall_s() + 500);
	sk_X509_push(alone, signer); /* its store has what the signer lacks */
	d.anchors = v->store;
	cr_assert_eq(x5c_judge(alone, &d), OK);
	sk_X509_free(alone);
	snapshot_drop(&v->snap);
}

Test(trust, the_signer_is_what_is_demanded)
{
	cfg.revocation = TRUST_OFF;
	demands.role = ROLE;
	demands.common_name = "signer";
	cr_assert_eq(known(NULL), OK);
	demands.common_name = "other";
	cr_assert_eq(known(NULL), ERR_X5C_ROLE);
	demands = (struct trust_demands){ .role = "1.2.3" };
	cr_assert_eq(known(NULL), ERR_X5C_ROLE);
}

Test(trust, keyusage_is_demanded) /* FD-5.2.1.3-12 */
{
	const struct pki_certificate want = { .common_name = "signer",
		.key_usage = "critical,keyAgreement",
		.issuer = ca,
		.issuer_key = ca_key };

	X509_free(signer);
	signer = pki_certificate(key, &want);
	sk_X509_set(certs, 0, signer);
	cfg.revocation = TRUST_OFF;
	cr_assert_eq(known(NULL), ERR_X5C_USAGE);
}

Test(trust, a_chain_ends_in_an_anchor)
{
	cfg.revocation = TRUST_OFF;
	sk_X509_pop(certs);
	cr_assert_eq(known(NULL), ERR_X5C_CHAIN);
	cfg.base_url = "http://127.0.0.1:9";
	cr_assert_eq(known(NULL), ERR_ISSUER);
}

Test(trust, every_certificate_that_came_along_must_lead_there)
{
	const struct pki_certificate foreign = { .common_name = "foreign", .is_ca = true };
	const struct pki_certificate below = {
		.common_name = "below", .issuer = root, .issuer_key = key
	};
	X509 *extra = pki_certificate(key, &below);

	cfg.revocation = TRUST_OFF;
	sk_X509_push(certs, extra);
	cr_assert_eq(known(NULL), ERR_X5C_CHAIN);
	X509_free(extra);
	extra = pki_certificate(key, &foreign); /* a root: adds nothing, takes nothing away */
	sk_X509_set(certs, 2, extra);
	cr_assert_eq(known(NULL), OK);
	X509_free(extra);
}

Test(trust, damaged_lines_are_asked_again)
{
	remember(ca, "good", -MINUTE, HOUR - MINUTE);
	strcat(statuses, "xyz good 1 2\n\ngood\n");
	remember(signer, "well", -MINUTE, HOUR - MINUTE);
	cr_assert_eq(known(NULL), ERR_REVOCATION);
	remember(signer, "good", -MINUTE, HOUR - MINUTE);
	cr_assert_eq(known(NULL), OK);
}
