/* SPDX-License-Identifier: Apache-2.0 */
/* Server contexts against OpenSSL's client, over memory: no sockets, no loop. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/net/tls.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"
#include "tests/unit/tlscert.h"

static const char *const hosts_a[] = { "a.example.org", "a2.example.org" };
static const char *const hosts_b[] = { "b.example.org" };
static struct tls_identity ids[2] = {
	{ .name = "a", .hosts = hosts_a, .n_hosts = 2 },
	{ .name = "b", .hosts = hosts_b, .n_hosts = 1 },
};
static struct tls_tickets *tickets;
static struct tls_server *server;
static X509_STORE *client_cas;
static SSL_CTX *client_ctx;

struct talk {
	SSL *client, *server;
	bool done;        /* the handshake succeeded on both sides */
};

static struct tls_server *
make_server(size_t fallback, bool tls13, bool http2)
{
	struct tls_server_config cfg = { .identities = ids, .n = 2, .fallback = fallback, .tls13 = tls13,
		.http2 = http2, .ticket_lifetime_s = 3600, .client_anchors = client_cas };
	char why[256];
	struct tls_server *t = tls_server_new(&cfg, tickets, why, sizeof(why));

	cr_assert_not_null(t, "%s", why);
	return t;
}

static void
setup(void)
{
	char *chain, *key;

	for (size_t i = 0; i < 2; i++) {
		tlscert_make(&(struct tlscert){ .names = i == 0 ? "DNS:a.example.org,DNS:a2.example.org"
								 : "DNS:b.example.org" }, &chain, &key);
		ids[i].certificate = str_z(chain);
		ids[i].key = str_z(key);
	}
	tickets = tls_tickets_rotate(NULL);
	server = make_server(2, true, true);
	client_ctx = SSL_CTX_new(TLS_client_method());
}

static void
teardown(void)
{
	tls_server_free(server);
	snapshot_drop(&tickets->snap);
	SSL_CTX_free(client_ctx);
	for (size_t i = 0; i < 2; i++) {
		free((void *)(uintptr_t)ids[i].certificate.p);
		free((void *)(uintptr_t)ids[i].key.p);
	}
}

TestSuite(tls, .init = setup, .fini = teardown);

static struct talk
shake(struct tls_server *t, const char *name, SSL_SESSION *session, const char *alpn)
{
	struct talk k = { .client = SSL_new(client_ctx), .server = tls_server_accept(t) };
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
	char c;
	int a = 0, b = 0;

	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(k.client, down, up);
	SSL_set_bio(k.server, up, down);
	SSL_set_connect_state(k.client);
	if (name != NULL)
		SSL_set_tlsext_host_name(k.client, (char *)(uintptr_t)name);
	if (session != NULL)
		SSL_set_session(k.client, session);
	if (alpn != NULL)
		SSL_set_alpn_protos(k.client, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	for (int i = 0; i < 10 && (a != 1 || b != 1); i++) {
		a = SSL_do_handshake(k.client);
		b = SSL_do_handshake(k.server);
	}
	k.done = a == 1 && b == 1;
	if (k.done) /* takes in tickets */
		(void)SSL_read(k.client, &c, 1);
	ERR_clear_error();
	return k;
}

static void
end(struct talk *k)
{
	SSL_shutdown(k->client);
	SSL_shutdown(k->server);
	SSL_free(k->client);
	SSL_free(k->server);
	ERR_clear_error();
}

static bool
shows(const struct talk *k, const char *host)
{
	X509 *cert = SSL_get0_peer_certificate(k->client);

	return cert != NULL && X509_check_host(cert, host, 0, 0, NULL) == 1;
}

static bool
accepted(struct tls_server *t, const char *name, const char *shown)
{
	struct talk k = shake(t, name, NULL, NULL);
	bool ok = k.done && shows(&k, shown);

	end(&k);
	return ok;
}

/* --- names --- */

Test(tls, shows_the_certificate_of_the_name_asked_for)
{
	cr_assert(accepted(server, "a.example.org", "a.example.org"));
	cr_assert(accepted(server, "A2.Example.ORG", "a.example.org"));
	cr_assert(accepted(server, "b.example.org", "b.example.org"));
}

Test(tls, refuses_names_it_does_not_serve)
{
	cr_assert_not(accepted(server, "c.example.org", "a.example.org"));
	cr_assert_not(accepted(server, "example.org", "a.example.org"));
	cr_assert_not(accepted(server, "x.a.example.org", "a.example.org"));
}

Test(tls, without_a_name_only_a_fallback_answers)
{
	struct tls_server *with = make_server(1, true, true);

	cr_assert_not(accepted(server, NULL, "a.example.org"));
	cr_assert(accepted(with, NULL, "b.example.org"));
	cr_assert_not(accepted(with, "c.example.org", "b.example.org"), "a wrong name is not no name");
	tls_server_free(with);
}

/* --- versions and protocols --- */

Test(tls, speaks_1_2_and_1_3_only)
{
	SSL_CTX_set_max_proto_version(client_ctx, TLS1_2_VERSION);
	cr_assert(accepted(server, "a.example.org", "a.example.org"));
	SSL_CTX_set_security_level(client_ctx, 0);
	SSL_CTX_set_min_proto_version(client_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(client_ctx, TLS1_1_VERSION);
	cr_assert_not(accepted(server, "a.example.org", "a.example.org"));
}

/* What is agreed on by who offers `alpn`; "" if the handshake fails. */
static const char *
agreed(struct tls_server *t, const char *alpn)
{
	static char text[16];
	struct talk k = shake(t, "a.example.org", NULL, alpn);
	const unsigned char *chosen = NULL;
	unsigned n = 0;

	if (k.done)
		SSL_get0_alpn_selected(k.client, &chosen, &n);
	snprintf(text, sizeof(text), "%.*s", (int)n, (const char *)chosen);
	end(&k);
	return text;
}

Test(tls, prefers_http_2)
{
	struct tls_server *old = make_server(2, true, false);

	cr_assert_str_eq(agreed(server, "\x08http/1.1\x02h2"), "h2");
	cr_assert_str_eq(agreed(server, "\x08http/1.1"), "http/1.1");
	cr_assert_str_eq(agreed(server, "\x02h3"), "");
	cr_assert_str_eq(agreed(old, "\x02h2\x08http/1.1"), "http/1.1");
	cr_assert_str_eq(agreed(old, "\x02h2"), "");
	tls_server_free(old);
}

/* --- tickets --- */

static SSL_SESSION *
first_session(const char *name)
{
	struct talk k = shake(server, name, NULL, NULL);
	SSL_SESSION *session;

	cr_assert(k.done);
	cr_assert_not(SSL_session_reused(k.client));
	session = SSL_get1_session(k.client);
	end(&k);
	return session;
}

static bool
resumes(struct tls_server *t, const char *name, SSL_SESSION *session)
{
	struct talk k = shake(t, name, session, NULL);
	bool reused = k.done && SSL_session_reused(k.client);

	cr_assert(k.done, "a ticket that is not taken must not end the handshake");
	end(&k);
	return reused;
}

static void
rotate(struct tls_server *t)
{
	struct tls_tickets *next = tls_tickets_rotate(tickets);

	cr_assert_not_null(next);
	snapshot_drop(&tickets->snap);
	tickets = next;
	tls_server_set_tickets(t, tickets);
}

static void
resumption(int version)
{
	struct tls_server *other = make_server(2, true, true); /* another worker's, or that of a reload */
	SSL_SESSION *session;

	SSL_CTX_set_max_proto_version(client_ctx, version);
	session = first_session("a.example.org");
	cr_assert(resumes(server, "a.example.org", session));
	cr_assert(resumes(other, "a.example.org", session));
	cr_assert_not(resumes(other, "b.example.org", session), "a ticket opens one service only");
	rotate(other);
	rotate(other);
	cr_assert(resumes(other, "a.example.org", session), "two older keys are kept");
	rotate(other);
	cr_assert_not(resumes(other, "a.example.org", session));
	SSL_SESSION_free(session);
	tls_server_free(other);
}

Test(tls, resumes_on_any_worker_until_its_key_is_gone_1_2)
{
	resumption(TLS1_2_VERSION);
}

Test(tls, resumes_on_any_worker_until_its_key_is_gone_1_3)
{
	resumption(TLS1_3_VERSION);
}

/* Resuming verifies no certificate of a client again. */
Test(tls, resumes_nothing_when_the_cas_of_clients_are_others)
{
	EVP_PKEY *key = pki_key(PKI_P256);
	X509 *one = pki_certificate(key, &(struct pki_certificate){ .common_name = "one" });
	X509 *other = pki_certificate(key, &(struct pki_certificate){ .common_name = "other" });
	struct tls_server *same, *others;
	SSL_SESSION *session;

	tls_server_free(server);
	client_cas = pki_store(one);
	server = make_server(2, true, true);
	same = make_server(2, true, true);
	session = first_session("a.example.org");
	cr_assert(resumes(same, "a.example.org", session));
	cr_assert_eq(X509_STORE_add_cert(client_cas, other), 1);
	others = make_server(2, true, true);
	cr_assert_not(resumes(others, "a.example.org", session));
	SSL_SESSION_free(session);
	tls_server_free(same);
	tls_server_free(others);
	X509_STORE_free(client_cas);
	X509_free(one);
	X509_free(other);
	EVP_PKEY_free(key);
}

Test(tls, resumes_nothing_under_foreign_keys)
{
	SSL_SESSION *session = first_session("a.example.org");
	struct tls_tickets *foreign = tls_tickets_rotate(NULL);

	tls_server_set_tickets(server, foreign);
	cr_assert_not(resumes(server, "a.example.org", session));
	snapshot_drop(&foreign->snap);
	SSL_SESSION_free(session);
}

/* --- early data --- */

/* It can be replayed: never taken, whatever the client believes to be allowed. */
Test(tls, early_data_is_not_taken)
{
	SSL_SESSION *session = first_session("a.example.org");
	struct talk k = { .client = SSL_new(client_ctx), .server = tls_server_accept(server) };
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
	char got[16] = "";
	size_t n;
	int a = 0, b = 0;

	cr_assert_eq(SSL_SESSION_get_max_early_data(session), 0);
	SSL_SESSION_set_max_early_data(session, 1024);
	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(k.client, down, up);
	SSL_set_bio(k.server, up, down);
	SSL_set_connect_state(k.client);
	SSL_set_tlsext_host_name(k.client, (char *)(uintptr_t) "a.example.org");
	SSL_set_session(k.client, session);
	cr_assert_eq(SSL_write_early_data(k.client, "early", 5, &n), 1);
	for (int i = 0; i < 10 && (a != 1 || b != 1); i++) {
		b = SSL_do_handshake(k.server);
		a = SSL_do_handshake(k.client);
	}
	cr_assert(a == 1 && b == 1, "the handshake itself goes on");
	cr_assert_eq(SSL_get_early_data_status(k.client), SSL_EARLY_DATA_REJECTED);
	cr_assert_eq(SSL_write(k.client, "late", 4), 4);
	cr_assert_eq(SSL_read(k.server, got, sizeof(got)), 4);
	cr_assert_str_eq(got, "late");
	end(&k);
	SSL_SESSION_free(session);
}

/* --- order of suites --- */

Test(tls, the_server_chooses_the_suite)
{
	struct talk k;

	SSL_CTX_set_max_proto_version(client_ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(
	    client_ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384");
	k = shake(server, "a.example.org", NULL, NULL);
	cr_assert_str_eq(SSL_get_cipher_name(k.client), "ECDHE-ECDSA-AES256-GCM-SHA384");
	end(&k);
}

/* --- staples --- */

static struct tls_staples *
staples(struct str first, int64_t until)
{
	struct tls_staple of[2] = { { first, until }, { STR_NONE, 0 } };
	struct tls_staples *s = tls_staples_of(of, 2);

	cr_assert_not_null(s);
	return s;
}

/* The staple a client of this name is given; NULL: none. */
static const char *
stapled(const char *name)
{
	static char text[32];
	const unsigned char *der = NULL;
	struct talk k;
	long n;

	SSL_CTX_set_tlsext_status_type(client_ctx, TLSEXT_STATUSTYPE_ocsp);
	k = shake(server, name, NULL, NULL);
	cr_assert(k.done);
	n = SSL_get_tlsext_status_ocsp_resp(k.client, &der);
	snprintf(text, sizeof(text), "%.*s", n > 0 ? (int)n : 0, (const char *)der);
	end(&k);
	return n > 0 ? text : NULL;
}

Test(tls, staples_what_it_was_last_given)
{
	struct tls_staples *one = staples(STR("one"), clock_wall_s() + 1000);
	struct tls_staples *two = staples(STR("second"), clock_wall_s() + 1000);

	cr_assert_null(stapled("a.example.org"));
	tls_server_set_staples(server, one);
	cr_assert_str_eq(stapled("a.example.org"), "one");
	cr_assert_null(stapled("b.example.org"));
	tls_server_set_staples(server, two);
	cr_assert_str_eq(stapled("a.example.org"), "second");
	tls_server_set_staples(server, NULL);
	cr_assert_null(stapled("a.example.org"));
	snapshot_drop(&one->snap);
	snapshot_drop(&two->snap);
}

Test(tls, staples_nothing_past_its_end)
{
	struct tls_staples *old = staples(STR("old"), clock_wall_s());

	tls_server_set_staples(server, old);
	cr_assert_null(stapled("a.example.org"));
	snapshot_drop(&old->snap);
}

static int n_tickets;

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	(void)session;
	n_tickets++;
	return 0;
}

Test(tls, gives_one_ticket_for_each_connection)
{
	SSL_SESSION *session;

	SSL_CTX_set_session_cache_mode(
	    client_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client_ctx, on_session);
	session = first_session("a.example.org");
	cr_assert_eq(n_tickets, 1);
	cr_assert(resumes(server, "a.example.org", session));
	cr_assert_eq(n_tickets, 2);
	SSL_SESSION_free(session);
}

/* --- life and death --- */

Test(tls, lives_as_long_as_its_connections)
{
	struct tls_server *t = make_server(0, true, true);
	SSL *ssl = tls_server_accept(t);

	cr_assert_not_null(ssl);
	tls_server_free(t);
	SSL_free(ssl);
}

Test(tls, refuses_a_key_of_another_certificate)
{
	struct tls_identity wrong = { .name = "a", .certificate = ids[0].certificate, .key = ids[1].key,
		.hosts = hosts_a, .n_hosts = 1 };
	struct tls_server_config cfg = { .identities = &wrong, .n = 1, .fallback = 0, .tls13 = true,
		.ticket_lifetime_s = 3600 };
	char why[256] = "";

	cr_assert_null(tls_server_new(&cfg, tickets, why, sizeof(why)));
	cr_assert_eq(strncmp(why, "TLS for a: ", 11), 0, "%s", why);
}
