/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of PASSporT certificates, with a store in a folder and chains without OCSP. */
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/store/store_file.h"
#include "regsvc/certs_int.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"

#define X5U "https://passport.test/a.pem"

static char folder[64];
static struct loop *loop;
static struct store *store;
static struct vzd *vzd;
static struct certs *certs;
static struct trust *trust, *other_trust;
static struct passport_conf conf;
static EVP_PKEY *ca_key;
static X509 *ca;
static unsigned told;

/* --- what there is --- */

static struct trust *
trust_of(X509 *anchor)
{
	X509_STORE *anchors = pki_store(anchor);
	struct trust_config cfg = trust_settings(&conf.trust);
	struct trust *t;

	cfg.name = "test";
	cfg.anchors = anchors;
	t = trust_new(loop, &cfg);
	cr_assert_not_null(t);
	X509_STORE_free(anchors);
	return t;
}

static void
on_told(void *arg)
{
	(void)arg;
	told++;
}

static void
open_certs(void)
{
	const struct certs_config cfg = { .conf = &conf, .trust = trust, .store = store };

	certs = certs_new(loop, vzd);
	cr_assert_not_null(certs);
	certs_adopt(certs, &cfg);
	UNTIL(loop, certs_state(certs).loaded);
}

static void
set_up(void)
{
	const struct store_config cfg = { .value_max = 1 << 20, .keys_max = 100 };

	conf = (struct passport_conf){ .interval = 3600000,
		.overlap = 3600000,
		.max_vzd = 3,
		.max_registered = 2,
		.trust = { .revocation = TRUST_OFF,
		    .ocsp_max_age = 3600000,
		    .roots_interval = 3600000,
		    .retry = 60000,
		    .max_issuers = 8,
		    .max_certificates = 8 } };
	snprintf(folder, sizeof(folder), "certs-%d", (int)getpid());
	loop = loop_new(NULL);
	ca_key = pki_key(PKI_P256);
	ca = pki_certificate(ca_key,
	    &(struct pki_certificate){ .common_name = "CA", .is_ca = true, .key_usage = "" });
	store = store_file_open(loop, &cfg, folder);
	vzd = vzd_new(loop);
	cr_assert(store != NULL && vzd != NULL);
	trust = trust_of(ca);
	other_trust = NULL;
	told = 0;
	open_certs();
}

static void
tear_down(void)
{
	char command[128];

	certs_free(certs);
	trust_free(trust);
	trust_free(other_trust);
	vzd_free(vzd);
	store_free(store);
	loop_free(loop);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_assert_eq(system(command), 0);
}

/* A PEM text; `want` is changed by what the caller left out. */
static char *
pem_with(const char *curve, struct pki_certificate want)
{
	EVP_PKEY *key = pki_key(curve);
	BIO *out = BIO_new(BIO_s_mem());
	char *p, *text;
	X509 *cert;
	long n;

	if (want.issuer == NULL) {
		want.issuer = ca;
		want.issuer_key = ca_key;
	}
	cert = pki_certificate(key, &want);
	cr_assert_eq(PEM_write_bio_X509(out, cert), 1);
	n = BIO_get_mem_data(out, &p);
	text = strndup(p, (size_t)n);
	BIO_free(out);
	X509_free(cert);
	EVP_PKEY_free(key);
	return text;
}

static char *
good_pem(void)
{
	return pem_with(PKI_P256, (struct pki_certificate){ .common_name = "signer" });
}

static char *
foreign_pem(void)
{
	EVP_PKEY *key = pki_key(PKI_P256);
	X509 *root = pki_certificate(key,
	    &(struct pki_certificate){ .common_name = "Foreign", .is_ca = true, .key_usage = "" });
	char *pem =
	    pem_with(PKI_P256, (struct pki_certificate){ .issuer = root, .issuer_key = key });

	X509_free(root);
	EVP_PKEY_free(key);
	return pem;
}

/* --- calls --- */

struct end {
	bool over;
	enum err err;
	char fingerprint[CERTS_FINGERPRINT + 1];
};

static void
on_end(void *arg, enum err err, const char *fingerprint)
{
	struct end *e = arg;

	cr_assert(!e->over, "told twice");
	e->over = true;
	e->err = err;
	strcpy(e->fingerprint, fingerprint);
}

static struct end
enter(const char *pem, const char *x5u, const char *label)
{
	struct end e = { 0 };

	cr_assert_not_null(certs_register(certs, str_z(pem), x5u, label, on_end, &e));
	cr_assert(!e.over, "told before the call was over");
	UNTIL(loop, e.over);
	return e;
}

static enum err
refusal(char *pem)
{
	struct end e = enter(pem, X5U, "praxis");

	free(pem);
	cr_assert_eq(certs_current(certs)->n, 0, "kept though refused");
	return e.err;
}

static enum err
take_out(const char *fingerprint)
{
	struct end e = { 0 };

	cr_assert_not_null(certs_remove(certs, str_z(fingerprint), on_end, &e));
	UNTIL(loop, e.over);
	return e.err;
}

static void
given(char *a, char *b)
{
	struct str pems[2] = { str_z(a), str_z(b) };

	certs_given(certs, pems, a == NULL ? 0 : b == NULL ? 1 : 2);
	UNTIL(loop, !certs->dirty && certs->writing == NULL);
	lab_turn(loop);
}

/* Forgets all but what the store holds. */
static void
restart(void)
{
	certs_free(certs);
	open_certs();
}

#define SERVED() (certs_current(certs)->n_served)
#define DIRECTORY(name) Test(regsvc_certs, name, .init = set_up, .fini = tear_down)

/* --- what operators register (O-5, B-5.8.3) --- */

DIRECTORY(what_is_registered_is_served_and_told)
{
	struct certs_watch *w = certs_watch(certs, on_told, NULL);
	char *pem = good_pem();
	struct end e = enter(pem, X5U, "praxis");
	const struct certs_entry *x;

	cr_assert_eq(e.err, OK);
	x = certs_by_fingerprint(certs_current(certs), str_z(e.fingerprint));
	cr_assert_not_null(x);
	cr_assert_eq(x, certs_by_x5u(certs_current(certs), STR(X5U), NULL));
	cr_assert_str_eq(x->pem, pem);
	cr_assert_str_eq(x->label, "praxis");
	UNTIL(loop, told == 1);
	certs_unwatch(w);
	free(pem);
}

DIRECTORY(only_trusted_signers_are_registered) /* B-5.4.3, FD-5.2.1.3-12 */
{
	cr_assert_eq(refusal(foreign_pem()), ERR_X5C_CHAIN);
	cr_assert_eq(refusal(pem_with(PKI_P256, (struct pki_certificate){ .key_usage = "" })),
	    ERR_X5C_USAGE);
	cr_assert_eq(
	    refusal(pem_with(PKI_P256, (struct pki_certificate){ .key_usage = "keyAgreement" })),
	    ERR_X5C_USAGE);
	cr_assert_eq(refusal(pem_with(PKI_BRAINPOOL, (struct pki_certificate){ .is_ca = false })),
	    ERR_X5C_CURVE);
	cr_assert_eq(
	    refusal(pem_with(PKI_P256, (struct pki_certificate){ .from_days = -3, .to_days = -2 })),
	    ERR_X5C_VALIDITY);
	cr_assert_eq(refusal(strdup("-----BEGIN CERTIFICATE-----\nAAAA\n")), ERR_X5C_SYNTAX);
}

DIRECTORY(names_are_checked)
{
	char *pem = good_pem();

	cr_assert_eq(enter(pem, "http://passport.test/a.pem", "a").err, ERR_CERTS_X5U);
	cr_assert_eq(enter(pem, "https://u:p@passport.test/", "a").err, ERR_CERTS_X5U);
	cr_assert_eq(enter(pem, "https://passport.test/#a", "a").err, ERR_CERTS_X5U);
	cr_assert_eq(enter(pem, X5U, "").err, ERR_CERTS_LABEL);
	cr_assert_eq(enter(pem, X5U, "two\nlines").err, ERR_CERTS_LABEL);
	cr_assert_eq(SERVED(), 0);
	free(pem);
}

DIRECTORY(no_more_are_registered_than_allowed)
{
	char *a = good_pem(), *b = good_pem(), *c = good_pem();

	cr_assert_eq(enter(a, X5U, "a").err, OK);
	cr_assert_eq(enter(b, X5U, "b").err, OK); /* the same x5u: a roll-over */
	cr_assert_eq(enter(c, X5U, "c").err, ERR_CERTS_FULL);
	cr_assert_eq(enter(a, NULL, "new").err, OK);
	cr_assert_eq(SERVED(), 2);
	free(a);
	free(b);
	free(c);
}

DIRECTORY(what_is_removed_is_gone_for_good)
{
	char *pem = good_pem();
	struct end e = enter(pem, X5U, "a");
	char unknown[CERTS_FINGERPRINT + 1];

	memset(unknown, 'a', CERTS_FINGERPRINT);
	unknown[CERTS_FINGERPRINT] = '\0';
	cr_assert_eq(take_out(unknown), ERR_NOT_FOUND);
	cr_assert_eq(take_out(e.fingerprint), OK);
	cr_assert_eq(certs_current(certs)->n, 0);
	restart();
	cr_assert_eq(certs_current(certs)->n, 0);
	free(pem);
}

DIRECTORY(a_call_may_be_cancelled)
{
	char *pem = good_pem();
	struct end e = { 0 };
	struct certs_call *k = certs_register(certs, str_z(pem), X5U, "a", on_end, &e);

	certs_cancel(k);
	lab_turn(loop);
	cr_assert(!e.over);
	free(pem);
}

/* --- what the VZD gives --- */

DIRECTORY(foreign_ones_of_the_vzd_are_kept_but_not_served) /* B-5.4.3 */
{
	char *good = good_pem(), *foreign = foreign_pem();
	const struct certs_set *set;

	given(good, foreign);
	set = certs_current(certs);
	cr_assert_eq(set->n, 2);
	cr_assert_eq(set->n_served, 1);
	cr_assert_str_eq(set->entries[0].pem, good);
	cr_assert_eq(set->entries[1].why, ERR_X5C_CHAIN);
	cr_assert_null(strstr(set->json.p, set->entries[1].fingerprint));
	free(good);
	free(foreign);
}

DIRECTORY(they_outlive_a_restart) /* FD-5.2.2-21 */
{
	char *vzds = good_pem(), *ours = good_pem();
	char etag[33];

	given(vzds, NULL);
	cr_assert_eq(enter(ours, X5U, "a").err, OK);
	strcpy(etag, certs_current(certs)->etag);
	restart();
	lab_turn(loop);
	cr_assert_eq(SERVED(), 2);
	cr_assert_str_eq(certs_current(certs)->etag, etag);
	free(vzds);
	free(ours);
}

DIRECTORY(old_and_new_overlap)
{
	char *old = good_pem(), *new = good_pem();

	given(old, NULL);
	given(new, NULL);
	cr_assert_eq(SERVED(), 2);
	cr_assert_gt(certs_sweep(certs), 0);
	restart();
	lab_turn(loop);
	cr_assert_eq(SERVED(), 2, "the overlap ends with a restart");
	cr_assert_gt(certs_sweep(certs), 0);
	conf.overlap = 0;
	cr_assert_eq(certs_sweep(certs), 0);
	lab_turn(loop);
	cr_assert_eq(SERVED(), 1);
	cr_assert_str_eq(certs_current(certs)->entries[0].pem, new);
	UNTIL(loop, !certs->dirty && certs->writing == NULL);
	restart();
	lab_turn(loop);
	cr_assert_eq(SERVED(), 1);
	free(old);
	free(new);
}

DIRECTORY(one_that_comes_back_stays)
{
	char *a = good_pem(), *b = good_pem();

	given(a, NULL);
	given(b, NULL);
	given(a, b);
	conf.overlap = 0;
	cr_assert_eq(certs_sweep(certs), 0);
	lab_turn(loop);
	cr_assert_eq(SERVED(), 2);
	free(a);
	free(b);
}

DIRECTORY(nothing_is_missed_in_an_answer_that_cannot_be_read)
{
	char *a = good_pem();

	given(a, NULL);
	certs_given(certs, &STR("not PEM"), 1);
	conf.overlap = 0;
	cr_assert_eq(certs_sweep(certs), 0);
	lab_turn(loop);
	cr_assert_eq(SERVED(), 1);
	free(a);
}

DIRECTORY(no_more_are_taken_than_allowed)
{
	char *pem[4];
	struct str all[4];

	for (size_t i = 0; i < 4; i++)
		all[i] = str_z(pem[i] = good_pem());
	certs_given(certs, all, 4);
	lab_turn(loop);
	cr_assert_eq(SERVED(), 3);
	UNTIL(loop, !certs->dirty && certs->writing == NULL);
	for (size_t i = 0; i < 4; i++)
		free(pem[i]);
}

DIRECTORY(a_certificate_of_both_sources_needs_only_one)
{
	char *pem = good_pem();
	struct end e;

	given(pem, NULL);
	e = enter(pem, X5U, "a");
	cr_assert_eq(certs_current(certs)->n, 1);
	cr_assert_not_null(strstr(certs_current(certs)->json.p, "\"source\":\"registered\""));
	cr_assert_eq(take_out(e.fingerprint), OK);
	restart();
	lab_turn(loop);
	cr_assert_eq(SERVED(), 1);
	cr_assert_not_null(strstr(certs_current(certs)->json.p, "\"x5u\":null"));
	cr_assert_not_null(strstr(certs_current(certs)->json.p, "\"source\":\"vzd\""));
	free(pem);
}

/* --- settings --- */

DIRECTORY(other_anchors_count_at_once)
{
	EVP_PKEY *key = pki_key(PKI_P256);
	X509 *root = pki_certificate(key,
	    &(struct pki_certificate){ .common_name = "Other", .is_ca = true, .key_usage = "" });
	struct certs_watch *w = certs_watch(certs, on_told, NULL);
	struct certs_config cfg = { .conf = &conf, .store = store };
	char *pem = good_pem();

	cr_assert_eq(enter(pem, X5U, "a").err, OK);
	UNTIL(loop, told == 1);
	cfg.trust = other_trust = trust_of(root);
	certs_adopt(certs, &cfg);
	UNTIL(loop, told == 2);
	cr_assert_eq(SERVED(), 0);
	cr_assert_eq(certs_current(certs)->entries[0].why, ERR_X5C_CHAIN);
	cfg.trust = NULL;
	certs_adopt(certs, &cfg);
	lab_turn(loop);
	cr_assert_eq(certs_current(certs)->entries[0].why, ERR_CERTS_OFF);
	cr_assert_eq(enter(pem, X5U, "a").err, ERR_CERTS_OFF);
	cfg.trust = trust;
	certs_adopt(certs, &cfg);
	UNTIL(loop, told == 3);
	cr_assert_eq(SERVED(), 1);
	certs_unwatch(w);
	X509_free(root);
	EVP_PKEY_free(key);
	free(pem);
}
