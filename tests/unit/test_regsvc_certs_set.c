/* SPDX-License-Identifier: Apache-2.0 */
/* What is served as one set, certificates as PEM, and as records of the store. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "regsvc/certs_record.h"
#include "tests/unit/pki.h"

#define X5U "https://passport.test/a.pem"

static char *
good_pem(void)
{
	EVP_PKEY *key = pki_key(PKI_P256);
	X509 *cert = pki_certificate(key, &(struct pki_certificate){ .common_name = "signer" });
	BIO *out = BIO_new(BIO_s_mem());
	char *p, *text;
	long n;

	cr_assert_eq(PEM_write_bio_X509(out, cert), 1);
	n = BIO_get_mem_data(out, &p);
	text = strndup(p, (size_t)n);
	BIO_free(out);
	X509_free(cert);
	EVP_PKEY_free(key);
	return text;
}

/* --- the set --- */

static struct certs_entry
entry(char c, const char *x5u, enum err why)
{
	struct certs_entry e = { .pem = "P\n", .x5u = x5u, .vzd = true, .why = why };

	memset(e.fingerprint, c, CERTS_FINGERPRINT);
	return e;
}

static bool
same_etag(struct certs_entry *a, struct certs_entry *b, size_t n)
{
	struct certs_set *x = certs_set_new(a, n), *y = certs_set_new(b, n);
	bool same = strcmp(x->etag, y->etag) == 0;

	snapshot_drop(&x->snap);
	snapshot_drop(&y->snap);
	return same;
}

Test(regsvc_certs_set, etags_say_what_is_served)
{
	struct certs_entry a[2] = { entry('a', NULL, OK), entry('b', X5U, OK) };
	struct certs_entry b[2] = { a[1], a[0] };

	cr_assert(same_etag(a, b, 2), "the order counts");
	b[0].checked = 5;
	cr_assert(same_etag(a, b, 2), "the last look counts");
	b[0].x5u = NULL;
	cr_assert(!same_etag(a, b, 2));
	b[0] = a[1];
	b[0].why = ERR_OCSP_REVOKED;
	cr_assert(!same_etag(a, b, 2));
	a[1].why = ERR_X5C_CHAIN;
	cr_assert(same_etag(a, b, 2), "why it is refused counts");
	cr_assert(!same_etag(a, b + 1, 1) == false);
}

Test(regsvc_certs_set, several_of_one_x5u_are_all_found)
{
	struct certs_entry all[4] = { entry('c', X5U, OK), entry('a', X5U, OK),
		entry('b', NULL, OK), entry('d', X5U, ERR_X5C_VALIDITY) };
	struct certs_set *set = certs_set_new(all, 4);
	const struct certs_entry *e = certs_by_x5u(set, STR(X5U), NULL);

	cr_assert_eq(e->fingerprint[0], 'a');
	e = certs_by_x5u(set, STR(X5U), e);
	cr_assert_eq(e->fingerprint[0], 'c');
	cr_assert_null(certs_by_x5u(set, STR(X5U), e), "a refused one is found");
	cr_assert_null(certs_by_fingerprint(set, str_z(all[3].fingerprint)));
	snapshot_drop(&set->snap);
}

Test(regsvc_certs_set, json_is_that_of_the_interface)
{
	struct certs_entry e = entry('a', NULL, OK);
	struct certs_set *set;
	char want[256];

	e.not_after = 1800000000;
	e.checked = 1700000000;
	set = certs_set_new(&e, 1);
	snprintf(want, sizeof(want),
	    "{\"certificates\":[{\"fingerprint\":\"%s\",\"x5u\":null,\"pem\":\"P\\n\",\"source\":"
	    "\"vzd\",\"not_after\":\"2027-01-15T08:00:00Z\",\"checked\":\"2023-11-14T22:13:20Z\"}"
	    "]}",
	    e.fingerprint);
	cr_assert_str_eq(set->json.p, want);
	cr_assert_eq(set->json.n, strlen(want));
	snapshot_drop(&set->snap);
	set = certs_set_new(NULL, 0);
	cr_assert_str_eq(set->json.p, "{\"certificates\":[]}");
	snapshot_drop(&set->snap);
}

/* --- PEM and records --- */

Test(regsvc_certs_set, what_is_no_certificate_is_left_behind)
{
	struct certs_cert c;
	char *pem = good_pem(), text[8192];

	snprintf(text, sizeof(text),
	    "a note\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n%s", pem);
	cr_assert_eq(certs_cert_read(str_z(text), &c), OK);
	cr_assert_str_eq(c.pem, pem);
	certs_cert_fini(&c);
	snprintf(text, sizeof(text), "%s-----BEGIN CERTIFICATE-----\nAAAA\n", pem);
	cr_assert_eq(certs_cert_read(str_z(text), &c), ERR_X5C_SYNTAX);
	cr_assert_eq(certs_cert_read(STR_NONE, &c), ERR_X5C_SYNTAX);
	free(pem);
}

Test(regsvc_certs_set, records_are_those_of_their_key)
{
	char *pem = good_pem(), key[CERTS_KEY_MAX];
	struct certs_record r;
	struct certs_cert c;
	struct buf b;

	buf_init(&b, CERTS_RECORD_MAX);
	cr_assert_eq(certs_cert_read(str_z(pem), &c), OK);
	cr_assert(certs_record_print(c.pem, X5U, "a \"b\"", 7, &b));
	certs_record_key(true, c.fingerprint, key);
	cr_assert_eq(certs_record_read(str_z(key), buf_str(&b), &r), OK);
	cr_assert(r.registered && r.gone == 7);
	cr_assert_str_eq(r.x5u, X5U);
	cr_assert_str_eq(r.label, "a \"b\"");
	cr_assert_str_eq(r.cert.pem, pem);
	certs_record_fini(&r);
	key[strlen(key) - 1] ^= 1;
	cr_assert_eq(certs_record_read(str_z(key), buf_str(&b), &r), ERR_STORE_DAMAGED);
	cr_assert_eq(certs_record_read(str_z(key), STR("{}"), &r), ERR_STORE_DAMAGED);
	certs_cert_fini(&c);
	buf_fini(&b);
	free(pem);
}
