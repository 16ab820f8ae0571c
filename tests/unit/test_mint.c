/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of tunnels and the TLS that shows them, FD-5.2.1.2-4 and -7. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "tests/unit/tunnelca.h"
#include "tests/unit/wallclock.h"

static unsigned made;
static struct minter_ca *ca;
static struct mint *mint;

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
	tunnelca_open();
	ca = tunnelca_usual();
	mint = mint_of(ca, 3600 * 1000, 3);
}

static void
teardown(void)
{
	mint_free(mint);
	snapshot_drop(&ca->snap);
	tunnelca_close();
}

TestSuite(mint, .init = setup, .fini = teardown);

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

/* --- how it ended --- */

Test(mint, tells_why_a_handshake_failed)
{
	struct minter_ca *stranger = tunnelca_usual();
	struct talk fine = talk(mint, "target.example", "a.example.org", "a.example.org");
	struct talk forbidden = talk(mint, "target.example", "a..example.org", NULL);
	struct talk distrusted = { .client = client_of(stranger, "a.example.org", NULL, NULL),
		.server = mint_accept(mint, "target.example") };
	struct talk silent = { .client = client_of(ca, "a.example.org", NULL, NULL),
		.server = mint_accept(mint, "target.example") };
	struct talk other = { .client = client_of(ca, "a.example.org", NULL, "\x02h2"),
		.server = mint_accept(mint, "target.example") };

	shake(&distrusted);
	shake(&other);
	cr_assert_eq(mint_fault(fine.server), MINT_OK);
	cr_assert_eq(mint_fault(forbidden.server), MINT_FORBIDDEN);
	cr_assert_eq(mint_fault(distrusted.server), MINT_DISTRUSTED);
	cr_assert_eq(mint_fault(silent.server), MINT_GONE);
	cr_assert_eq(mint_fault(other.server), MINT_OTHER);
	end(&fine);
	end(&forbidden);
	end(&distrusted);
	end(&silent);
	end(&other);
	snapshot_drop(&stranger->snap);
}

/* --- leaves --- */

Test(mint, issues_for_the_name_of_sni)
{
	cr_assert(believed("target.example", "a.example.org", "a.example.org"));
	cr_assert(believed("target.example", "A.Example.ORG", "a.example.org"));
	cr_assert(believed("target.example", "localhost", "localhost"));
	cr_assert(believed("target.example", "xn--bcher-kva.example", "xn--bcher-kva.example"));
	cr_assert_not(believed("target.example", "a.example.org", "target.example"));
}

Test(mint, issues_for_the_target_where_there_is_no_sni)
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

Test(mint, takes_names_longer_than_a_common_name)
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

Test(mint, a_leaf_is_what_clients_want)
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

Test(mint, refuses_malformed_names)
{
	const char *const bad[] = { "a..example.org", ".example.org", "example.org.", "-a.example",
		"a-.example", "a_b.example", "a b.example", "*.example.org", "192.0.2.9", "a.123",
		"2001:db8::1", "b\303\274cher.example", "a/b.example", "a:443",
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

Test(mint, issues_nothing_its_constraints_exclude)
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

Test(mint, speaks_http11_only_and_without_tickets)
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

Test(mint, speaks_tls_1_2_without_resumption)
{
	struct talk k = { .client = client_of(ca, "a.example", "a.example", NULL),
		.server = mint_accept(mint, "t.example") };

	SSL_set_max_proto_version(k.client, TLS1_2_VERSION);
	shake(&k);
	cr_assert(k.done);
	cr_assert_eq(SSL_SESSION_is_resumable(SSL_get0_session(k.client)), 0);
	end(&k);
}

Test(mint, connections_outlive_the_mint)
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

Test(mint, a_name_is_minted_once)
{
	for (int i = 0; i < 3; i++)
		cr_assert(believed("t.example", "a.example", "a.example"));
	cr_assert(believed("t.example", "A.EXAMPLE", "a.example"));
	cr_assert(believed("a.example.", NULL, "a.example"));
	cr_assert_eq(made, 1);
}

Test(mint, the_least_recently_used_goes_first)
{
	const char *const in_turn[] = { "a.example", "b.example", "c.example", "a.example",
		"d.example", "a.example", "c.example" };

	for (size_t i = 0; i < sizeof(in_turn) / sizeof(*in_turn); i++)
		cr_assert(believed("t.example", in_turn[i], in_turn[i]));
	cr_assert_eq(made, 4);
	cr_assert(believed("t.example", "b.example", "b.example"));
	cr_assert_eq(made, 5);
}

Test(mint, is_minted_again_after_half_its_life)
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

/* A clock that is put right takes certificates along that are not valid any more, or not yet. */
Test(mint, is_minted_again_when_the_clock_is_set)
{
	const int64_t wrong[] = { -4 * 3600, 4 * 3600 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		wallclock_shift_s = wrong[i];
		cr_assert_not(believed("t.example", "a.example", "a.example"));
		wallclock_shift_s = 0;
		cr_assert(believed("t.example", "a.example", "a.example"));
	}
	cr_assert_eq(made, 4);
}

Test(mint, each_mint_has_a_key_of_its_own)
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
