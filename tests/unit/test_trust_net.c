/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and watches against a server in a thread of the test; the chain is root, signer. */
#include <criterion/criterion.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/net/loop.h"
#include "lib/trust/issuers.h"
#include "lib/trust/trust.h"
#include "tests/unit/httpd.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"

#define HOUR 3600

static EVP_PKEY *root_key, *ca_key, *key;
static X509 *root, *ca, *signer;
static X509_STORE *anchors;
static STACK_OF(X509) *certs;
static struct httpd server;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct trust *trust;
static struct trust_config cfg;
static char url[64];
static char *replies[HTTPD_REPLIES];
static size_t n_replies;

static struct {
	size_t calls;
	enum err err;
	int64_t until;
} got;

static size_t counts[TRUST_EVENTS];

static void
count(void *arg, enum trust_event event)
{
	counts[event]++;
}

static void
setup(void)
{
	struct pki_certificate want = { .common_name = "root", .is_ca = true };

	root_key = pki_key(PKI_BRAINPOOL);
	ca_key = pki_key(PKI_BRAINPOOL);
	key = pki_key(PKI_BRAINPOOL);
	root = pki_certificate(root_key, &want);
	want = (struct pki_certificate){
		.common_name = "Sub CA/1", .is_ca = true, .issuer = root, .issuer_key = root_key
	};
	ca = pki_certificate(ca_key, &want);
	want = (struct pki_certificate){
		.common_name = "signer", .issuer = root, .issuer_key = root_key
	};
	signer = pki_certificate(key, &want);
	anchors = pki_store(root);
	certs = sk_X509_new_null();
	sk_X509_push(certs, signer);
	httpd_open(&server, false);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &(struct resolver_config){ 0 });
	fetcher = fetcher_new(
	    loop, &(struct fetcher_config){ .resolver = resolver, .private_addresses = true });
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.port);
	cfg = (struct trust_config){ .name = "t",
		.client_id = "SIM-1",
		.anchors = anchors,
		.fetcher = fetcher,
		.ocsp_url = url,
		.ocsp_max_age = HOUR * 1000,
		.roots_interval = HOUR * 1000,
		.timeout = 10000,
		.retry_min = 60000,
		.retry_max = 60000,
		.max_issuers = 4,
		.max_certificates = 8,
		.count = count };
}

static void
teardown(void)
{
	trust_free(trust);
	httpd_close(&server);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	sk_X509_free(certs);
	X509_free(root);
	X509_free(ca);
	X509_free(signer);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	X509_STORE_free(anchors);
	for (size_t i = 0; i < n_replies; i++)
		free(replies[i]);
}

TestSuite(trust_net, .init = setup, .fini = teardown);

static void
reply(struct str body)
{
	char *text = malloc(body.n + 200);
	int n = sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.n);

	memcpy(text + n, body.p, body.n);
	server.replies[n_replies] = replies[n_replies] = text;
	server.reply_sizes[n_replies++] = (size_t)n + body.n;
}

static void
reply_since(X509 *about, X509 *issuer, EVP_PKEY *issuer_key, int status, long from_s)
{
	struct str der = pki_ocsp(&(struct pki_ocsp){ .cert = about,
	    .issuer = issuer,
	    .signer_key = issuer_key,
	    .status = status,
	    .from_s = from_s,
	    .to_s = 7 * 24 * HOUR });

	reply(der);
	OPENSSL_free((void *)(uintptr_t)der.p);
}

static void
reply_status(X509 *about, X509 *issuer, EVP_PKEY *issuer_key, int status)
{
	reply_since(about, issuer, issuer_key, status, -60);
}

static void
reply_certificate(X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);

	reply(str_of((char *)der, (size_t)n));
	OPENSSL_free(der);
}

static void
begin(void)
{
	trust = trust_new(loop, &cfg);
	cr_assert_not_null(trust);
	httpd_start(&server);
}

static void
on_judged(void *arg, enum err err, struct trust_verdict *v)
{
	got.calls++;
	got.err = err;
	got.until = v != NULL ? v->until : 0;
	cr_assert_eq(err == OK, v != NULL);
}

static void
turn_until(size_t calls)
{
	UNTIL(loop, got.calls >= calls);
	cr_assert_eq(got.calls, calls);
}

static enum err
judge(void)
{
	const struct trust_demands d = { 0 };
	size_t before = got.calls;

	cr_assert_not_null(trust_judge(trust, certs, &d, on_judged, NULL));
	cr_assert_eq(got.calls, before, "called from within trust_judge()");
	turn_until(before + 1);
	return got.err;
}

Test(trust_net, an_answer_counts_an_hour_and_is_asked_for_once) /* B-5.8.8 */
{
	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD);
	begin();
	cr_assert_eq(judge(), OK);
	cr_assert_leq(got.until, clock_wall_s() + HOUR);
	cr_assert_eq(judge(), OK);
	cr_assert_eq(counts[TRUST_OCSP_ASKED], 1);
	cr_assert_geq(counts[TRUST_OCSP_CACHED], 1);
	cr_assert_not_null(strstr(server.requests[0], "TI-User-Agent: SIM-1/"));
	cr_assert_not_null(strstr(server.requests[0], "application/ocsp-request"));
}

Test(trust_net, revoked_is_told_and_counted)
{
	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_REVOKED);
	begin();
	cr_assert_eq(judge(), ERR_OCSP_REVOKED);
	cr_assert_eq(counts[TRUST_REVOKED], 1);
	cr_assert_eq(judge(), ERR_OCSP_REVOKED, "and remembered, without asking at once again");
	cr_assert_eq(counts[TRUST_OCSP_ASKED], 1);
}

/* What a responder has said before it revoked is good for a week, and anybody can send it again. */
Test(trust_net, a_good_word_from_before_the_revocation_is_none) /* RFC 6960, 4.2.2.1 */
{
	cfg.retry_min = cfg.retry_max = 1;
	reply_since(signer, root, root_key, V_OCSP_CERTSTATUS_REVOKED, -60);
	reply_since(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD, -120);
	reply_since(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD, -30);
	begin();
	cr_assert_eq(judge(), ERR_OCSP_REVOKED);
	while (counts[TRUST_OCSP_ASKED] < 3) {
		cr_assert_eq(judge(), ERR_OCSP_REVOKED);
		loop_turn(loop);
	}
	while (judge() != OK)
		loop_turn(loop);
}

/* Somebody else's question is no answer. */
Test(trust_net, what_is_being_asked_is_not_known)
{
	const struct trust_demands d = { 0 }, other = { .common_name = "somebody else" };
	struct trust_question *q;

	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD);
	begin();
	q = trust_judge(trust, certs, &d, on_judged, NULL);
	while (counts[TRUST_OCSP_ASKED] == 0)
		loop_turn(loop);
	cr_assert_eq(trust_known(trust, certs, &d, NULL), ERR_REVOCATION);
	cr_assert_neq(trust_known(trust, certs, &other, NULL), OK);
	trust_cancel(q);
}

/* As after a reload: nothing was written yet, or cannot be. */
Test(trust_net, what_was_known_goes_on_without_a_file)
{
	const struct trust_demands d = { 0 };
	struct trust *old;

	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD);
	begin();
	cr_assert_eq(judge(), OK);
	old = trust;
	cfg.from = old;
	trust = trust_new(loop, &cfg);
	trust_free(old);
	cr_assert_eq(trust_known(trust, certs, &d, NULL), OK);
}

Test(trust_net, an_answer_about_another_is_none)
{
	reply_status(ca, root, root_key, V_OCSP_CERTSTATUS_GOOD);
	begin();
	cr_assert_eq(judge(), ERR_REVOCATION);
	cr_assert_eq(counts[TRUST_OCSP_FAILED], 1);
}

Test(trust_net, without_a_responder_there_is_no_word)
{
	cfg.ocsp_url = NULL;
	begin();
	cr_assert_eq(judge(), ERR_REVOCATION);
	cr_assert_eq(counts[TRUST_OCSP_ASKED], 0);
}

/* The signer's issuer is a sub-CA that has to be downloaded. */
static void
below_ca(void)
{
	const struct pki_certificate want = {
		.common_name = "signer", .issuer = ca, .issuer_key = ca_key
	};

	X509_free(signer);
	signer = pki_certificate(key, &want);
	sk_X509_set(certs, 0, signer);
	cfg.base_url = url;
	cfg.revocation = TRUST_OFF;
}

Test(trust_net, a_sub_ca_is_downloaded_by_its_name)
{
	below_ca();
	reply(STR("[]")); /* roots.json */
	reply_certificate(ca);
	begin();
	cr_assert_eq(judge(), OK);
	cr_assert_not_null(strstr(server.requests[0], "GET /ECC/ROOT-CA/roots.json "));
	cr_assert_not_null(strstr(server.requests[1], "GET /ECC/SUB-CA/Sub_CA%2F1.der "));
	cr_assert_not_null(strstr(server.requests[1], "TI-User-Agent: SIM-1/"));
	cr_assert_eq(judge(), OK);
	cr_assert_eq(counts[TRUST_DOWNLOADED], 2);
}

Test(trust_net, a_sub_ca_of_another_name_or_without_root_is_not_taken)
{
	const struct pki_certificate unrooted = { .common_name = "Sub CA/1", .is_ca = true };
	X509 *forged = pki_certificate(ca_key, &unrooted);

	below_ca();
	reply(STR("[]"));
	reply_certificate(forged);
	begin();
	cr_assert_eq(judge(), ERR_X5C_CHAIN);
	cr_assert_eq(judge(), ERR_X5C_CHAIN, "left alone for a while");
	cr_assert_eq(counts[TRUST_DOWNLOADED], 2);
	cr_assert_eq(counts[TRUST_DOWNLOAD_FAILED], 1);
	X509_free(forged);
}

Test(trust_net, a_download_that_fails_is_told_apart)
{
	below_ca();
	reply(STR("[]"));
	server.replies[1] = "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n.";
	begin();
	cr_assert_eq(judge(), ERR_ISSUER);
}

Test(trust_net, cancelled_questions_are_not_answered)
{
	const struct trust_demands d = { 0 };
	struct trust_question *first, *more[40];

	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD);
	begin();
	first = trust_judge(trust, certs, &d, on_judged, NULL);
	for (size_t i = 0; i < 40; i++) /* more than are asked at a time */
		more[i] = trust_judge(trust, certs, &d, on_judged, NULL);
	trust_cancel(first);
	for (size_t i = 0; i < 39; i++)
		trust_cancel(more[i]);
	turn_until(1);
	cr_assert_eq(got.err, OK);
}

static void
on_all(void *arg, enum err err, struct trust_verdict *v)
{
	cr_assert_eq(err, OK);
	got.calls++;
}

Test(trust_net, many_questions_are_one_to_the_responder)
{
	const struct trust_demands d = { 0 };

	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD);
	begin();
	for (size_t i = 0; i < 40; i++)
		cr_assert_not_null(trust_judge(trust, certs, &d, on_all, NULL));
	turn_until(40);
	cr_assert_eq(counts[TRUST_OCSP_ASKED], 1);
}

Test(trust_net, a_watch_tells_when_good_turns_bad)
{
	const struct trust_demands d = { 0 };
	struct trust_watch *w;

	cfg.ocsp_max_age = 1000; /* long enough for the first answer to be looked at */
	cfg.retry_min = cfg.retry_max = 100;
	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD);
	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_REVOKED);
	begin();
	w = trust_watch(trust, certs, &d, on_judged, NULL);
	cr_assert_not_null(w);
	turn_until(1);
	cr_assert_eq(got.err, OK);
	UNTIL(loop, got.err != OK);
	cr_assert_eq(got.err, ERR_OCSP_REVOKED);
	trust_unwatch(w);
}

static void
on_free(void *arg, enum err err, struct trust_verdict *v)
{
	trust_free(trust);
	trust = NULL;
}

Test(trust_net, whoever_is_told_may_free_all)
{
	const struct trust_demands d = { 0 };

	reply_status(signer, root, root_key, V_OCSP_CERTSTATUS_GOOD);
	begin();
	cr_assert_not_null(trust_judge(trust, certs, &d, on_free, NULL));
	cr_assert_not_null(trust_judge(trust, certs, &d, on_judged, NULL));
	UNTIL(loop, trust == NULL);
	loop_turn(loop);
	cr_assert_eq(got.calls, 0);
}

static void
url_is(const char *name, const char *wanted)
{
	char *u = issuers_url("https://x", str_z(name));

	cr_assert_str_eq(u, wanted);
	free(u);
}

Test(trust_net, names_of_sub_cas_in_urls)
{
	char *none;

	url_is("GEM.KOMP-CA50 TEST-ONLY", "https://x/ECC/SUB-CA/GEM.KOMP-CA50_TEST-ONLY.der");
	url_is("a/../b?c#d%", "https://x/ECC/SUB-CA/a%2F..%2Fb%3Fc%23d%25.der");
	url_is("\xc3\xa4~", "https://x/ECC/SUB-CA/%C3%A4~.der");
	none = issuers_url("https://x", STR_NONE);
	cr_assert_null(none);
	none = issuers_url("https://x", str_of(url, 0));
	cr_assert_null(none);
}
