/* SPDX-License-Identifier: Apache-2.0 */
/* The CA of tunnels, FD-5.2.1.2-4 and -7: made, judged, what it may issue for. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tunnelca.h"

TestSuite(minter, .init = tunnelca_open, .fini = tunnelca_close);

/* --- the CA --- */

static bool
allows(const struct minter_ca *c, const char *host)
{
	struct minter_host h;

	cr_assert(minter_host_any(str_z(host), &h), "%s", host);
	return minter_names_allow(c->names, &h);
}

/* What OpenSSL, as a client, says of a leaf that was issued all the same. */
static bool
client_allows(const struct minter_ca *c, const char *host)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *model = mint_model(c, key), *leaf;
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	X509_STORE *store = X509_STORE_new();
	struct minter_host h;
	int64_t now = clock_wall_s();
	bool ok;

	cr_assert(minter_host_any(str_z(host), &h));
	leaf = mint_leaf(c, model, &h, now - 60, now + 60);
	X509_STORE_add_cert(store, c->cert);
	X509_STORE_CTX_init(check, store, leaf, NULL);
	X509_STORE_CTX_set_purpose(check, X509_PURPOSE_SSL_SERVER);
	ok = X509_verify_cert(check) == 1;
	X509_STORE_CTX_free(check);
	X509_STORE_free(store);
	X509_free(leaf);
	X509_free(model);
	EVP_PKEY_free(key);
	return ok;
}

static void
compare(const struct minter_ca_request *r, const char *const *yes, const char *const *no)
{
	struct minter_ca *c = tunnelca_make(r);

	for (; *yes != NULL; yes++)
		cr_assert(allows(c, *yes) && client_allows(c, *yes), "%s", *yes);
	for (; *no != NULL; no++)
		cr_assert(!allows(c, *no) && !client_allows(c, *no), "%s", *no);
	snapshot_drop(&c->snap);
}

Test(minter, a_ca_for_names_issues_for_nothing_else)
{
	compare(&(struct minter_ca_request){ .permitted = NAMES("Example.org", "push.example"),
		    .n_permitted = 2,
		    .excluded = NAMES("own.example.org"),
		    .n_excluded = 1,
		    .days = 1 },
	    NAMES("example.org", "a.example.org", "x.y.example.org", "push.example", NULL),
	    NAMES("own.example.org", "a.own.example.org", "example", "fexample.org",
		"other.example", "192.0.2.1", "2001:db8::1", NULL));
}

Test(minter, a_ca_for_addresses_issues_for_nothing_else)
{
	compare(
	    &(struct minter_ca_request){
		.permitted = NAMES("192.0.2.0/25", "2001:db8::1"), .n_permitted = 2, .days = 1 },
	    NAMES("192.0.2.1", "192.0.2.127", "2001:db8::1", NULL),
	    NAMES("192.0.2.128", "2001:db8::2", "example.org", NULL));
}

Test(minter, a_ca_for_all_but_the_own_names)
{
	compare(
	    &(struct minter_ca_request){
		.excluded = NAMES("own.example", "192.0.2.0/24"), .n_excluded = 2, .days = 1 },
	    NAMES("example.org", "192.0.3.1", "2001:db8::1", "own.example.org", NULL),
	    NAMES("own.example", "a.own.example", "192.0.2.1", NULL));
}

Test(minter, makes_a_ca_for_tls_and_no_further_cas)
{
	struct minter_ca *ca = tunnelca_usual();
	X509 *x = ca->cert;
	char *subject = X509_NAME_oneline(X509_get_subject_name(x), NULL, 0);
	char host[256] = "";
	int days, seconds;

	gethostname(host, sizeof(host) - 1);
	host[40] = '\0';
	cr_assert(X509_self_signed(x, 1) == 1);
	cr_assert_eq(X509_get_pathlen(x), 0);
	cr_assert_eq(X509_get_key_usage(x), KU_KEY_CERT_SIGN);
	cr_assert_eq(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
	for (int nid = NID_basic_constraints, i = 0; i < 3; i++) {
		cr_assert_eq(
		    X509_EXTENSION_get_critical(X509_get_ext(x, X509_get_ext_by_NID(x, nid, -1))),
		    1);
		nid = i == 0 ? NID_key_usage : NID_name_constraints;
	}
	cr_assert(strstr(subject, "Schleuse tunnel CA of") != NULL && strstr(subject, host) != NULL,
	    "%s", subject);
	cr_assert(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)) == 1);
	cr_assert(days == 399 || days == 400);
	cr_assert_eq(minter_ca_not_after(ca) / 86400, (clock_wall_s() + 400 * 86400) / 86400);
	OPENSSL_free(subject);
	snapshot_drop(&ca->snap);
}

static mode_t
mode_of(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", tunnelca_folder, name);
	cr_assert(stat(path, &st) == 0);
	return st.st_mode & 07777;
}

Test(minter, a_made_ca_is_never_overwritten)
{
	struct minter_ca_request r = { .days = 1 };
	struct minter_ca *ca = tunnelca_usual();
	struct str before = tunnelca_file("ca.key"), after;
	char path[128];

	snapshot_drop(&ca->snap);
	cr_assert_eq(mode_of("ca.key"), 0600);
	cr_assert_eq(mode_of("ca.pem"), 0644);
	cr_assert_not(minter_ca_make(tunnelca_folder, &r, tunnelca_why, sizeof(tunnelca_why)));
	cr_assert(strstr(tunnelca_why, "ca.pem exists") != NULL, "%s", tunnelca_why);
	snprintf(path, sizeof(path), "%s/ca.pem", tunnelca_folder);
	unlink(path);
	cr_assert_not(minter_ca_make(tunnelca_folder, &r, tunnelca_why, sizeof(tunnelca_why)));
	cr_assert(strstr(tunnelca_why, "ca.key") != NULL &&
		      strstr(tunnelca_why, "never overwritten") != NULL,
	    "%s", tunnelca_why);
	cr_assert(access(path, F_OK) != 0);
	after = tunnelca_file("ca.key");
	cr_assert(str_eq(before, after));
	free((void *)(uintptr_t)before.p);
	free((void *)(uintptr_t)after.p);
	cr_assert_not(minter_ca_make("/nowhere/at/all", &r, tunnelca_why, sizeof(tunnelca_why)));
	cr_assert(strstr(tunnelca_why, "/nowhere/at/all") != NULL, "%s", tunnelca_why);
}

Test(minter, makes_no_ca_for_what_is_no_name)
{
	const char *const bad[] = { "*.example.org", "https://example.org", "example.org:443",
		"192.0.2.1/8", "" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_assert_not(minter_ca_make(tunnelca_folder,
		    &(struct minter_ca_request){
			.permitted = &bad[i], .n_permitted = 1, .days = 1 },
		    tunnelca_why, sizeof(tunnelca_why)));
		cr_assert(
		    strstr(tunnelca_why, "is neither a DNS name") != NULL, "%s", tunnelca_why);
	}
}

/* --- CAs from elsewhere --- */

struct odd {
	const char *basic, *usage, *extended, *names;
	int from_days, to_days; /* default -1 and 90 */
	bool no_ski;
	int rsa_bits;
};

static void
extend(X509 *x, int nid, const char *value)
{
	if (value != NULL)
		cr_assert(minter_extend(x, x, nid, value));
}

static struct str
taken(BIO *bio)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);
	struct str s = str_z(strndup(data, (size_t)n));

	BIO_free(bio);
	return s;
}

static void
odd_ca(const struct odd *o, struct str *cert, struct str *key_pem)
{
	EVP_PKEY *key = o->rsa_bits > 0 ? EVP_RSA_gen((unsigned)o->rsa_bits) : EVP_EC_gen("P-384");
	BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_mem());
	int64_t now = clock_wall_s();
	X509 *x = X509_new();

	X509_set_version(x, X509_VERSION_3);
	cr_assert(minter_stamp(x, now + (o->from_days != 0 ? o->from_days : -1) * 86400,
	    now + (o->to_days != 0 ? o->to_days : 90) * 86400));
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"Odd", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	extend(
	    x, NID_basic_constraints, o->basic != NULL ? o->basic : "critical,CA:TRUE,pathlen:0");
	extend(x, NID_key_usage, o->usage != NULL ? o->usage : "critical,keyCertSign");
	extend(x, NID_ext_key_usage, o->extended);
	if (!o->no_ski)
		extend(x, NID_subject_key_identifier, "hash");
	if (o->names == NULL || *o->names != '\0')
		extend(x, NID_name_constraints,
		    o->names != NULL ? o->names : "critical,permitted;DNS:example.org");
	cr_assert(X509_sign(x, key, EVP_sha256()) > 0);
	PEM_write_bio_X509(c, x);
	PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL);
	*cert = taken(c);
	*key_pem = taken(k);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
judged(const struct odd *o, bool good, const char *because)
{
	struct str cert, key;
	struct minter_ca *c;

	odd_ca(o, &cert, &key);
	c = tunnelca_load(cert, key);
	cr_assert_eq(c != NULL, good, "%s: '%s'", because, tunnelca_why);
	cr_assert(
	    because[0] == '\0' ? tunnelca_why[0] == '\0' : strstr(tunnelca_why, because) != NULL,
	    "expected '%s' in '%s'", because, tunnelca_why);
	snapshot_drop((struct snapshot *)c);
}

Test(minter, judges_a_ca)
{
	judged(&(struct odd){ .basic = NULL }, true, "");
	judged(&(struct odd){ .rsa_bits = 2048, .extended = "serverAuth,clientAuth" }, true, "");
	judged(&(struct odd){ .to_days = 29 }, true, "the CA ends in ");
	judged(&(struct odd){ .basic = "critical,CA:FALSE" }, false, "not one of a CA");
	judged(&(struct odd){ .basic = "critical,CA:TRUE" }, false, "pathlen must be 0");
	judged(&(struct odd){ .basic = "critical,CA:TRUE,pathlen:1" }, false, "pathlen must be 0");
	judged(&(struct odd){ .usage = "critical,cRLSign" }, false, "keyUsage");
	judged(&(struct odd){ .extended = "clientAuth" }, false, "extendedKeyUsage");
	judged(&(struct odd){ .no_ski = true }, false, "subjectKeyIdentifier");
	judged(&(struct odd){ .names = "" }, false, "name constraints");
	judged(&(struct odd){ .names = "permitted;DNS:example.org" }, false, "name constraints");
	judged(&(struct odd){ .to_days = -1, .from_days = -9 }, false, "has expired");
	judged(&(struct odd){ .from_days = 1 }, false, "not valid yet");
	judged(&(struct odd){ .rsa_bits = 1024 }, false, "must be EC of 256 bit or RSA of 2048");
}

Test(minter, judges_files_that_hold_something_else)
{
	struct str cert, key, other_cert, other_key;

	odd_ca(&(struct odd){ .basic = NULL }, &cert, &key);
	odd_ca(&(struct odd){ .basic = NULL }, &other_cert, &other_key);
	cr_assert_null(minter_ca_load(key, key, tunnelca_why, sizeof(tunnelca_why)));
	cr_assert(strstr(tunnelca_why, "no PEM certificate") != NULL, "%s", tunnelca_why);
	cr_assert_null(minter_ca_load(STR_NONE, key, tunnelca_why, sizeof(tunnelca_why)));
	cr_assert_null(minter_ca_load(cert, cert, tunnelca_why, sizeof(tunnelca_why)));
	cr_assert(strstr(tunnelca_why, "no PEM private key") != NULL, "%s", tunnelca_why);
	cr_assert_null(tunnelca_load(cert, other_key));
	cr_assert(
	    strstr(tunnelca_why, "not the one of the certificate") != NULL, "%s", tunnelca_why);
	free((void *)(uintptr_t)key.p);
	free((void *)(uintptr_t)other_cert.p);
}
