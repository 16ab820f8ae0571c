/* SPDX-License-Identifier: Apache-2.0 */
/* When the VZD is asked and what is held, against a server with scripted replies; one step. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "regsvc/lists.h"
#include "regsvc/listsign.h"
#include "regsvc/series.h"
#include "tests/unit/httpd.h"
#include "tests/unit/pki.h"

#define OCTETS "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
#define TOKEN \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" \
	"{\"access_token\":\"t\",\"expires_in\":3000}"
#define NO_NEWER "HTTP/1.1 204 No Content\r\n\r\n"
#define BROKEN "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
#define TURNS_MAX 40000 /* of at least half a millisecond */
#define HOUR UINT64_C(3600000)

static struct httpd server;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct vzd *vzd;
static struct lists *lists;
static char folder[] = "test_lists.XXXXXX", urls[2][128], secret_file[64];
static char form[] = "mxid=matrix:u/", *localization[] = { form };
static struct vzd_conf vc;
static struct list_conf lc;
static struct lookup_conf lookups;
static struct lists_config cfg;
static BIO *certificate, *private_key;
static size_t told, checked;

static struct str
text_of(BIO *b)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	return str_of(p, (size_t)n);
}

/* A reply with a list of that version. */
static const char *
list_reply(int version)
{
	static char replies[4][4096];
	static size_t next;
	char json[128], *to = replies[next++ % 4];
	struct buf out;

	buf_init(&out, 1 << 16);
	snprintf(json, sizeof(json),
	    "{\"version\":%d,\"domainList\":[{\"domain\":\"a%d.example\"}]}", version, version);
	cr_assert_eq(
	    listsign_make(str_z(json), text_of(certificate), text_of(private_key), &out), OK);
	snprintf(to, 4096, OCTETS STR_FMT, STR_ARG(buf_str(&out)));
	buf_fini(&out);
	return to;
}

static void
make_signer(void)
{
	const struct pki_certificate want = { 0 };
	EVP_PKEY *key = pki_key(PKI_P256);
	X509 *cert = pki_certificate(key, &want);

	certificate = BIO_new(BIO_s_mem());
	private_key = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(certificate, cert);
	PEM_write_bio_PrivateKey(private_key, key, NULL, NULL, 0, NULL, NULL);
	lc.anchors = pki_store(cert);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
make_conf(void)
{
	lc.max_bytes = 1 << 16;
	lc.max_entries = 10;
	lc.trust.revocation = TRUST_OFF;
	lc.interval = HOUR;
	lc.retry_interval = 50;
	lc.retries = 3;
	lc.ttl = 72 * HOUR;
	lc.check_timeout = 20000;
	lc.check_max_age = HOUR;
	snprintf(urls[0], sizeof(urls[0]), "https://test:%u/token", server.port);
	snprintf(urls[1], sizeof(urls[1]), "https://test:%u/services", server.port);
	vc = (struct vzd_conf){ .services_url = urls[1],
		.token_url = urls[0],
		.client_id = (char *)(uintptr_t) "me",
		.secret_file = secret_file,
		.timeout = 20000,
		.answer_max = 1000,
		.list_path = (char *)(uintptr_t) "list",
		.localization = { localization, 1 },
		.list_max = 1 << 16,
		.anchors = server.anchors };
	cfg = (struct lists_config){
		.conf = &lc, .lookups = &lookups, .state_dir = folder, .fetcher = fetcher
	};
}

static void
setup(void)
{
	static const struct resolver_host hosts[] = { { "test", "127.0.0.1" } };
	const struct resolver_config rc = { .hosts = hosts, .n_hosts = 1 };
	struct fetcher_config fc = { .private_addresses = true };
	FILE *f;

	cr_assert(series_declare());
	cr_assert_not_null(mkdtemp(folder));
	snprintf(secret_file, sizeof(secret_file), "%s/secret", folder);
	f = fopen(secret_file, "w");
	fputs("s", f);
	fclose(f);
	httpd_open(&server, true);
	loop = loop_new(NULL);
	fc.resolver = resolver = resolver_new(loop, &rc);
	fetcher = fetcher_new(loop, &fc);
	make_signer();
	make_conf();
	vzd = vzd_new(loop);
	lists = lists_new(loop, vzd);
}

static void
teardown(void)
{
	char line[128];

	lists_free(lists);
	vzd_free(vzd);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	httpd_close(&server);
	X509_STORE_free(lc.anchors);
	BIO_free(certificate);
	BIO_free(private_key);
	snprintf(line, sizeof(line), "rm -rf %s", folder);
	cr_assert_eq(system(line), 0);
	arena_drop_cache();
	buf_drop_cache();
}

TestSuite(lists, .init = setup, .fini = teardown);

static void
serve(const char *const *replies)
{
	for (size_t i = 0; (server.replies[i] = replies[i]) != NULL; i++)
		;
	httpd_start(&server);
	vzd_adopt(vzd, &vc, fetcher);
	lists_adopt(lists, &cfg);
}

static void
turn(void)
{
	static size_t turns;

	cr_assert(turns++ < TURNS_MAX, "what is waited for does not come");
	loop_turn(loop);
	usleep(500);
}

static void
on_change(void *arg)
{
	(void)arg;
	told++;
}

/* Until we are told so. */
static void
run_until(enum lists_status status, int64_t version)
{
	struct lists_watch *w = lists_watch(lists, on_change, NULL);

	for (told = 0; told == 0 || lists_current(lists).status != status ||
		       lists_current(lists).version != version;)
		turn();
	lists_unwatch(w);
}

static void
on_checked(void *arg)
{
	(void)arg;
	checked++;
}

static void
check(size_t times)
{
	checked = 0;
	for (size_t i = 0; i < times; i++)
		cr_assert_not_null(lists_check(lists, on_checked, NULL));
	cr_assert_eq(checked, 0, "called from within lists_check()");
	while (checked < times)
		turn();
}

static bool
asked(size_t i, const char *target)
{
	return strstr(server.requests[i], target) != NULL;
}

Test(lists, asks_at_once_and_holds_what_comes) /* FD-5.2.2-13 */
{
	struct lists_view v;

	cr_assert_eq(lists_current(lists).status, LISTS_MISSING);
	serve((const char *const[]){ TOKEN, list_reply(7), NULL });
	run_until(LISTS_CURRENT, 7);
	v = lists_current(lists);
	cr_assert(v.entries == 1 && v.age <= 1 && v.healthy);
	cr_assert(fedlist_has(v.list, STR("a7.example"), FEDLIST_PORTS_EXACT));
	cr_assert_eq(strncmp(v.text->etag, "7-", 2), 0);
	cr_assert(memmem(list_reply(7), 4096, v.text->jws.p, 100) != NULL);
}

Test(lists, a_request_makes_one_check_however_many_ask) /* FD-5.2.2-15 */
{
	serve((const char *const[]){ TOKEN, list_reply(7), NO_NEWER, list_reply(8), NULL });
	run_until(LISTS_CURRENT, 7);
	check(100);
	cr_assert_eq(metrics_sum(S_LIST_CHECKS), 2);
	cr_assert(asked(2, "GET /services/list?version=7 "));
	cr_assert_eq(lists_current(lists).version, 7);
	check(1);
	cr_assert_eq(lists_current(lists).version, 8, "delivered in that very answer");
}

Test(lists, by_max_age_a_young_list_is_not_checked)
{
	lc.check = LIST_CHECK_MAX_AGE;
	serve((const char *const[]){ TOKEN, list_reply(7), NULL });
	run_until(LISTS_CURRENT, 7);
	check(3);
	cr_assert_eq(metrics_sum(S_LIST_CHECKS), 1);
	lc.check_max_age = 0;
	lc.check = LIST_CHECK_EVERY;
	lc.check_gap = HOUR;
	check(3);
	cr_assert_eq(metrics_sum(S_LIST_CHECKS), 1);
}

Test(lists, a_request_waits_only_so_long)
{
	lc.check_timeout = 50;
	serve((const char *const[]){ TOKEN, list_reply(7), NULL });
	run_until(LISTS_CURRENT, 7);
	pthread_join(server.thread, NULL); /* from here on it accepts, and says nothing */
	server.running = false;
	check(2);
	cr_assert_eq(metrics_sum(S_LIST_CHECKS_LATE), 2);
	cr_assert_eq(lists_current(lists).version, 7);
}

Test(lists, three_retries_make_an_incident) /* UC_Update_Federationlist */
{
	serve((const char *const[]){
	    TOKEN, list_reply(7), BROKEN, BROKEN, BROKEN, BROKEN, NO_NEWER, NULL });
	run_until(LISTS_CURRENT, 7);
	check(1);
	cr_assert(!lists_current(lists).healthy);
	while (metrics_sum(S_LIST_INCIDENTS) == 0)
		turn();
	cr_assert_eq(metrics_sum(S_LIST_CHECKS_FAILED), 4);
	cr_assert_eq(metrics_sum(S_LIST_INCIDENTS), 1);
	cr_assert_eq(lists_current(lists).version, 7);
	check(1);
	cr_assert(lists_current(lists).healthy);
}

Test(lists, a_lower_version_and_a_bad_signature_change_nothing)
{
	static char bad[4096];
	size_t n;

	n = (size_t)snprintf(bad, sizeof(bad), "%s", list_reply(9));
	bad[n - 5] = bad[n - 5] == 'A' ? 'B' : 'A';
	serve((const char *const[]){ TOKEN, list_reply(7), list_reply(6), bad, NULL });
	run_until(LISTS_CURRENT, 7);
	check(1);
	cr_assert_eq(metrics_sum(S_LIST_REFUSED), 1);
	check(1);
	cr_assert_eq(metrics_sum(S_LIST_REFUSED), 2);
	cr_assert(lists_current(lists).version == 7 && lists_current(lists).healthy);
}

Test(lists, a_list_grows_old) /* `veraltet` */
{
	struct buf missing;

	lc.ttl = 1000;
	serve((const char *const[]){ TOKEN, list_reply(7), NULL });
	run_until(LISTS_CURRENT, 7);
	run_until(LISTS_OUTDATED, 7);
	cr_assert_eq(metrics_sum(S_LIST_INCIDENTS), 1);
	buf_init(&missing, 1000);
	lists_missing(lists, &missing);
	cr_assert(str_eq(buf_str(&missing), STR("the federation list is outdated\n")));
	buf_fini(&missing);
}

Test(lists, a_reload_keeps_the_list_and_another_life_restores_it) /* CP-3-6 */
{
	struct lists_text *text;

	serve((const char *const[]){ TOKEN, list_reply(7), NULL });
	run_until(LISTS_CURRENT, 7);
	text = lists_current(lists).text;
	vc.services_url = NULL;
	vzd_adopt(vzd, &vc, fetcher);
	lists_adopt(lists, &cfg);
	cr_assert_eq(lists_current(lists).text, text);
	lists_free(lists);
	lists = lists_new(loop, vzd);
	lists_adopt(lists, &cfg);
	cr_assert_eq(lists_current(lists).version, 7);
	cr_assert_eq(lists_current(lists).status, LISTS_CURRENT);
}

Test(lists, an_unsigned_list_is_signed_here)
{
	lc.form = LIST_UNSIGNED;
	lc.sign_certificate_pem = text_of(certificate);
	lc.sign_key_pem = text_of(private_key);
	serve((const char *const[]){ TOKEN,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
	    "{\"version\":3,\"domainList\":[\"a.example\"]}",
	    NULL });
	run_until(LISTS_CURRENT, 3);
	cr_assert_eq(lists_current(lists).entries, 1);
}
