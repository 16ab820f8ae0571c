/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of tunnels, FD-5.2.1.2-4 and -7: the CA, what it issues, the TLS that shows it. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/net/minter_int.h"
#include "tests/unit/tlscert.h"

#define NAMES(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__ \
	}

static char folder[] = "/tmp/minter-XXXXXX";
static char why[512];
static unsigned made;
static struct minter_ca *ca;
static struct mint *mint;

static struct str
slurp(const char *name)
{
	char path[128];
	struct buf b;
	struct str copy;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	buf_init(&b, 1 << 20);
	cr_assert(fs_read(path, &b) == 0);
	copy = str_z(strndup(buf_str(&b).p, buf_len(&b)));
	buf_fini(&b);
	return copy;
}

static void
wipe(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/ca.pem", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/ca.key", folder);
	unlink(path);
}

static struct minter_ca *
load(struct str cert, struct str key)
{
	struct minter_ca *c = minter_ca_load(cert, key, why, sizeof(why));

	free((void *)(uintptr_t)cert.p);
	free((void *)(uintptr_t)key.p);
	return c;
}

static struct minter_ca *
ca_of(const struct minter_ca_request *r)
{
	struct minter_ca *c;

	wipe();
	cr_assert(minter_ca_make(folder, r, why, sizeof(why)), "%s", why);
	c = load(slurp("ca.pem"), slurp("ca.key"));
	cr_assert_not_null(c, "%s", why);
	return c;
}

static struct minter_ca *
usual_ca(void)
{
	return ca_of(&(struct minter_ca_request){
	    .excluded = NAMES("own.example.org", "192.0.2.7"), .n_excluded = 2, .days = 400 });
}

static void
on_minted(void *arg)
{
	(void)arg;
	made++;
}

static struct mint *
mint_of(struct minter_ca *of, clock_ms lifetime, size_t max)
{
	struct mint *m = mint_new(of,
	    &(struct mint_config){ .lifetime = lifetime, .max_entries = max, .minted = on_minted });

	cr_assert_not_null(m);
	return m;
}

static void
setup(void)
{
	cr_assert_not_null(mkdtemp(folder));
	ca = usual_ca();
	mint = mint_of(ca, 3600 * 1000, 3);
}

static void
teardown(void)
{
	mint_free(mint);
	snapshot_drop(&ca->snap);
	wipe();
	rmdir(folder);
}

TestSuite(minter, .init = setup, .fini = teardown);

/* --- a client that trusts the CA and nothing else --- */

struct talk {
	SSL *client, *server;
	bool done;
	int alert; /* that the client was sent, 0: none */
	X509 *shown;
};

static void
on_info(const SSL *ssl, int where, int value)
{
	struct talk *k = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		k->alert = value & 0xff;
}

static SSL *
client_of(const struct minter_ca *trusted, const char *sni, const char *host, const char *alpn)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;

	if (trusted != NULL) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		cr_assert(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), trusted->cert) == 1);
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
		X509_VERIFY_PARAM_set_hostflags(
		    SSL_CTX_get0_param(ctx), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	}
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (sni != NULL)
		SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)sni);
	if (host != NULL && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1)
		SSL_set1_host(ssl, host);
	if (alpn != NULL)
		SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	SSL_set_connect_state(ssl);
	return ssl;
}

static void
shake(struct talk *k)
{
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
	int a = 0, b = 0;

	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(k->client, down, up);
	SSL_set_bio(k->server, up, down);
	SSL_set_app_data(k->client, (char *)k);
	SSL_set_info_callback(k->client, on_info);
	for (int i = 0; i < 10 && (a != 1 || b != 1); i++) {
		a = SSL_do_handshake(k->client);
		b = SSL_do_handshake(k->server);
	}
	k->done = a == 1 && b == 1;
	k->shown = SSL_get1_peer_certificate(k->client);
	ERR_clear_error();
}

static void
end(struct talk *k)
{
	X509_free(k->shown);
	SSL_free(k->client);
	SSL_free(k->server);
}

/* A client that asks for `sni` in a tunnel to `target` and checks the certificate for `host`. */
static struct talk
talk(struct mint *m, const char *target, const char *sni, const char *host)
{
	struct talk k = { .client = client_of(ca, sni, host, NULL),
		.server = mint_accept(m, target) };

	shake(&k);
	return k;
}

static bool
believed(const char *target, const char *sni, const char *host)
{
	struct talk k = talk(mint, target, sni, host);
	bool ok = k.done;

	end(&k);
	return ok;
}

static int
alert_of(const char *target, const char *sni)
{
	struct talk k = talk(mint, target, sni, NULL);
	int alert = k.alert;

	cr_assert_not(k.done);
	cr_assert_null(k.shown);
	end(&k);
	return alert;
}

/* --- leaves --- */

Test(minter, issues_for_the_name_of_sni)
{
	cr_assert(believed("target.example", "a.example.org", "a.example.org"));
	cr_assert(believed("target.example", "A.Example.ORG", "a.example.org"));
	cr_assert(believed("target.example", "localhost", "localhost"));
	cr_assert(believed("target.example", "xn--bcher-kva.example", "xn--bcher-kva.example"));
	cr_assert_not(believed("target.example", "a.example.org", "target.example"));
}

Test(minter, issues_for_the_target_where_there_is_no_sni)
{
	cr_assert(believed("target.example", NULL, "target.example"));
	cr_assert(believed("Target.Example.", NULL, "target.example"));
	cr_assert(believed("198.51.100.7", NULL, "198.51.100.7"));
	cr_assert(believed("2001:DB8::1", NULL, "2001:db8::1"));
	cr_assert(believed("2001:db8:0::1", NULL, "2001:db8::1"));
	cr_assert_not(believed("198.51.100.7", NULL, "198.51.100.8"));
}

static char *
repeated(const char *label, size_t n, const char *last, char *out)
{
	*out = '\0';
	while (n-- > 0)
		strcat(strcat(out, label), ".");
	return strcat(out, last);
}

Test(minter, takes_names_longer_than_a_common_name)
{
	char name[400], label[64];

	memset(label, 'x', 63);
	label[63] = '\0';
	cr_assert(believed("t.example", repeated("sixteen-bytes-xx", 6, "example", name), name));
	repeated(label, 3, "", name);
	memset(name + strlen(name), 'y', 61);
	name[253] = '\0';
	cr_assert(believed("t.example", name, name));
}

Test(minter, a_leaf_is_what_clients_want)
{
	struct talk k = talk(mint, "t.example", "a.example.org", "a.example.org");
	X509 *x = k.shown;
	int critical, days, seconds;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);

	cr_assert(k.done);
	cr_assert_eq(X509_get_version(x), X509_VERSION_3);
	cr_assert_eq(sk_GENERAL_NAME_num(names), 1);
	cr_assert_eq(critical, 1);
	cr_assert_eq(X509_NAME_entry_count(X509_get_subject_name(x)), 0);
	cr_assert_eq(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
	cr_assert_eq(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
	cr_assert_eq(X509_get_extension_flags(x) & EXFLAG_CA, 0);
	cr_assert(ASN1_STRING_cmp(
		      X509_get0_authority_key_id(x), X509_get0_subject_key_id(ca->cert)) == 0);
	cr_assert_not_null(X509_get0_subject_key_id(x));
	cr_assert_eq(X509_get_signature_nid(x), NID_ecdsa_with_SHA256);
	cr_assert_geq(ASN1_STRING_length(X509_get0_serialNumber(x)), 12);
	cr_assert_eq(X509_cmp_current_time(X509_get0_notBefore(x)), -1);
	cr_assert(
	    ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x), X509_get0_notAfter(x)) == 1);
	cr_assert_eq(days * 86400 + seconds, 3600 + 300);
	GENERAL_NAMES_free(names);
	end(&k);
}

Test(minter, refuses_malformed_names)
{
	const char *const bad[] = { "a..example.org", ".example.org", "example.org.", "-a.example",
		"a-.example", "a_b.example", "a b.example", "*.example.org", "192.0.2.9", "a.123",
		"2001:db8::1",
		"b\xc3\xbc"
		"cher.example",
		"a/b.example", "a:443",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.example" };
	const char *const bad_targets[] = { "", ".", "a..b", "[2001:db8::1]", "1.2.3.4.5",
		"fe80::1%eth0", "a b" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(alert_of("t.example", bad[i]), SSL_AD_UNRECOGNIZED_NAME, "%s", bad[i]);
	for (size_t i = 0; i < sizeof(bad_targets) / sizeof(*bad_targets); i++)
		cr_assert_eq(
		    alert_of(bad_targets[i], NULL), SSL_AD_UNRECOGNIZED_NAME, "%s", bad_targets[i]);
	cr_assert_eq(made, 0);
}

Test(minter, issues_nothing_its_constraints_exclude)
{
	cr_assert_eq(alert_of("t.example", "own.example.org"), SSL_AD_UNRECOGNIZED_NAME);
	cr_assert_eq(alert_of("t.example", "OWN.example.org"), SSL_AD_UNRECOGNIZED_NAME);
	cr_assert_eq(alert_of("t.example", "x.own.example.org"), SSL_AD_UNRECOGNIZED_NAME);
	cr_assert_eq(alert_of("own.example.org", NULL), SSL_AD_UNRECOGNIZED_NAME);
	cr_assert_eq(alert_of("192.0.2.7", NULL), SSL_AD_UNRECOGNIZED_NAME);
	cr_assert_eq(made, 0);
	cr_assert(believed("t.example", "notown.example.org", "notown.example.org"));
	cr_assert(believed("192.0.2.8", NULL, "192.0.2.8"));
}

/* --- TLS --- */

Test(minter, speaks_http11_only_and_without_tickets)
{
	struct talk h1 = { .client = client_of(ca, "a.example", NULL, "\x02h2\x08http/1.1"),
		.server = mint_accept(mint, "t.example") };
	struct talk h2 = { .client = client_of(ca, "a.example", NULL, "\x02h2"),
		.server = mint_accept(mint, "t.example") };
	const unsigned char *protocol;
	unsigned n;
	char c;

	shake(&h1);
	shake(&h2);
	SSL_get0_alpn_selected(h1.client, &protocol, &n);
	cr_assert(h1.done && n == 8 && memcmp(protocol, "http/1.1", 8) == 0);
	(void)SSL_read(h1.client, &c, 1);
	cr_assert_eq(SSL_SESSION_is_resumable(SSL_get0_session(h1.client)), 0);
	cr_assert_not(h2.done);
	cr_assert_eq(h2.alert, SSL_AD_NO_APPLICATION_PROTOCOL);
	end(&h1);
	end(&h2);
}

Test(minter, speaks_tls_1_2_without_resumption)
{
	struct talk k = { .client = client_of(ca, "a.example", "a.example", NULL),
		.server = mint_accept(mint, "t.example") };

	SSL_set_max_proto_version(k.client, TLS1_2_VERSION);
	shake(&k);
	cr_assert(k.done);
	cr_assert_eq(SSL_SESSION_is_resumable(SSL_get0_session(k.client)), 0);
	end(&k);
}

Test(minter, connections_outlive_the_mint)
{
	struct mint *m = mint_of(ca, 3600 * 1000, 3);
	struct talk k = { .client = client_of(ca, "a.example", "a.example", NULL),
		.server = mint_accept(m, "t.example") };

	mint_free(m);
	shake(&k);
	cr_assert(k.done);
	cr_assert_eq(made, 0);
	end(&k);
}

/* --- the cache --- */

Test(minter, a_name_is_minted_once)
{
	for (int i = 0; i < 3; i++)
		cr_assert(believed("t.example", "a.example", "a.example"));
	cr_assert(believed("t.example", "A.EXAMPLE", "a.example"));
	cr_assert(believed("a.example.", NULL, "a.example"));
	cr_assert_eq(made, 1);
}

Test(minter, the_least_recently_used_goes_first)
{
	const char *const in_turn[] = { "a.example", "b.example", "c.example", "a.example",
		"d.example", "a.example", "c.example" };

	for (size_t i = 0; i < sizeof(in_turn) / sizeof(*in_turn); i++)
		cr_assert(believed("t.example", in_turn[i], in_turn[i]));
	cr_assert_eq(made, 4);
	cr_assert(believed("t.example", "b.example", "b.example"));
	cr_assert_eq(made, 5);
}

Test(minter, is_minted_again_after_half_its_life)
{
	struct mint *m = mint_of(ca, 1, 3); /* a second, at least */
	struct talk first = talk(m, "t.example", "a.example", NULL), next;
	clock_ms begin = clock_now();

	while (clock_now() < begin + 500)
		usleep(10000);
	next = talk(m, "t.example", "a.example", NULL);
	cr_assert(first.done && next.done);
	cr_assert_neq(X509_cmp(first.shown, next.shown), 0);
	cr_assert_eq(made, 2);
	end(&first);
	end(&next);
	mint_free(m);
}

Test(minter, each_mint_has_a_key_of_its_own)
{
	struct mint *m = mint_of(ca, 3600 * 1000, 3);
	struct talk a = talk(mint, "t.example", "a.example", NULL);
	struct talk b = talk(mint, "t.example", "b.example", NULL);
	struct talk other = talk(m, "t.example", "a.example", NULL);

	cr_assert(EVP_PKEY_eq(X509_get0_pubkey(a.shown), X509_get0_pubkey(b.shown)) == 1);
	cr_assert(EVP_PKEY_eq(X509_get0_pubkey(a.shown), X509_get0_pubkey(other.shown)) == 0);
	end(&a);
	end(&b);
	end(&other);
	mint_free(m);
}

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
	struct minter_ca *c = ca_of(r);

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
}

static mode_t
mode_of(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	cr_assert(stat(path, &st) == 0);
	return st.st_mode & 07777;
}

Test(minter, a_made_ca_is_never_overwritten)
{
	struct minter_ca_request r = { .days = 1 };
	struct str before = slurp("ca.key"), after;
	char path[128];

	cr_assert_eq(mode_of("ca.key"), 0600);
	cr_assert_eq(mode_of("ca.pem"), 0644);
	cr_assert_not(minter_ca_make(folder, &r, why, sizeof(why)));
	cr_assert(strstr(why, "ca.pem exists") != NULL, "%s", why);
	snprintf(path, sizeof(path), "%s/ca.pem", folder);
	unlink(path);
	cr_assert_not(minter_ca_make(folder, &r, why, sizeof(why)));
	cr_assert(
	    strstr(why, "ca.key") != NULL && strstr(why, "never overwritten") != NULL, "%s", why);
	cr_assert(access(path, F_OK) != 0);
	after = slurp("ca.key");
	cr_assert(str_eq(before, after));
	free((void *)(uintptr_t)before.p);
	free((void *)(uintptr_t)after.p);
	cr_assert_not(minter_ca_make("/nowhere/at/all", &r, why, sizeof(why)));
	cr_assert(strstr(why, "/nowhere/at/all") != NULL, "%s", why);
}

Test(minter, makes_no_ca_for_what_is_no_name)
{
	const char *const bad[] = { "*.example.org", "https://example.org", "example.org:443",
		"192.0.2.1/8", "" };

	wipe();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_assert_not(minter_ca_make(folder,
		    &(struct minter_ca_request){
			.permitted = &bad[i], .n_permitted = 1, .days = 1 },
		    why, sizeof(why)));
		cr_assert(strstr(why, "is neither a DNS name") != NULL, "%s", why);
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
	c = load(cert, key);
	cr_assert_eq(c != NULL, good, "%s: '%s'", because, why);
	cr_assert(because[0] == '\0' ? why[0] == '\0' : strstr(why, because) != NULL,
	    "expected '%s' in '%s'", because, why);
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
	cr_assert_null(minter_ca_load(key, key, why, sizeof(why)));
	cr_assert(strstr(why, "no PEM certificate") != NULL, "%s", why);
	cr_assert_null(minter_ca_load(STR_NONE, key, why, sizeof(why)));
	cr_assert_null(minter_ca_load(cert, cert, why, sizeof(why)));
	cr_assert(strstr(why, "no PEM private key") != NULL, "%s", why);
	cr_assert_null(load(cert, other_key));
	cr_assert(strstr(why, "not the one of the certificate") != NULL, "%s", why);
	free((void *)(uintptr_t)key.p);
	free((void *)(uintptr_t)other_cert.p);
}
