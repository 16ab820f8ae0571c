/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's look-ups whole, down to a server on loopback: keys of other servers, the
 * user behind a token, the federation list. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/matrix/keyring.h"
#include "proxy/fedsource.h"
#include "proxy/homeserver.h"
#include "tests/unit/httpd.h"
#include "tests/unit/lab.h"
#include "tests/unit/pki.h"

static char dir[] = "lookups.XXXXXX";
static char texts[HTTPD_REPLIES][2048];
static struct httpd server;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static const struct fact *found;

static const char *
path(const char *name)
{
	static char p[PATH_MAX];

	snprintf(p, sizeof(p), "%s/%s", dir, name);
	return p;
}

static void
on_fact(void *arg, const struct fact *f)
{
	snapshot_drop((struct snapshot *)(uintptr_t)found);
	found = snapshot_hold(&((struct fact *)(uintptr_t)f)->snap);
	loop_stop(loop);
}

static void
wait_for(struct fact_cache *c, struct str key, const void *input)
{
	struct fact_wait w;

	fact_wait_init(&w);
	fact_get(c, key, input, 0, &w, on_fact, NULL);
	loop_run(loop);
	cr_assert_not_null(found);
}

/* The i-th answer of the server. */
static void
reply(size_t i, int status, const char *headers, const char *body)
{
	snprintf(texts[i], sizeof(texts[i]), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s",
	    status, headers, strlen(body), body);
	server.replies[i] = texts[i];
}

static void
setup_with(bool tls)
{
	static const struct resolver_host hosts[] = { { "test", "127.0.0.1" } };
	const struct resolver_config rc = { .hosts = hosts, .n_hosts = 1 };
	struct fetcher_config fc = { .private_addresses = true };

	cr_assert_not_null(mkdtemp(dir));
	httpd_open(&server, tls);
	if (tls) {
		pki_write_pem(path("ca.pem"), &server.cert, 1);
		fc.ca_file = path("ca.pem");
	}
	loop = loop_new(NULL);
	fc.resolver = resolver = resolver_new(loop, &rc);
	fetcher = fetcher_new(loop, &fc);
	cr_assert_not_null(fetcher);
}

static void
teardown(void)
{
	snapshot_drop((struct snapshot *)(uintptr_t)found);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	httpd_close(&server);
	unlink(path("ca.pem"));
	unlink(path("list.jws"));
	rmdir(dir);
}

/* --- keys of other servers (FD-5.2.1.2-10) --- */

static struct discovery *discovery;
static struct keyring *keyring;
static char origin[64];

static void
setup_keyring(void)
{
	static char notary[64];
	const char *const notaries[] = { notary };
	struct discovery_config dc = { .max_entries = 10,
		.max_pending = 10,
		.timeout_ms = 20000,
		.negative_ttl = 30000,
		.negative_ttl_max = 3600000 };
	struct keyring_config kc = { .notaries = notaries,
		.n_notaries = 1,
		.max_entries = 10,
		.max_pending = 10,
		.timeout_ms = 20000,
		.ttl_max = 86400000,
		.negative_ttl = 30000,
		.negative_ttl_max = 3600000 };

	setup_with(true);
	snprintf(origin, sizeof(origin), "test:%u", server.port);
	snprintf(notary, sizeof(notary), "test:%u", server.port);
	dc.fetcher = kc.fetcher = fetcher;
	dc.resolver = resolver;
	kc.discovery = discovery = discovery_new(loop, &dc);
	keyring = keyring_new(loop, &kc);
	cr_assert_not_null(keyring);
}

static void
teardown_keyring(void)
{
	keyring_free(keyring);
	discovery_free(discovery);
	teardown();
}

/* A key answer of `name`, signed by its own key. */
static void
key_answer(const char *name, char *out, size_t size)
{
	unsigned char pk[32], sk[64], sig[64];
	char pub[64], sig64[128], text[1024];
	long long until = (long long)clock_wall_ms() + 3600000;

	crypto_sign_keypair(pk, sk);
	sodium_bin2base64(pub, sizeof(pub), pk, 32, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(text, sizeof(text),
	    "{\"server_name\":\"%s\",\"valid_until_ts\":%lld,\"verify_keys\":{\"ed25519:1\":{"
	    "\"key\":\"%s\"}}}",
	    name, until, pub);
	crypto_sign_detached(sig, NULL, (const unsigned char *)text, strlen(text), sk);
	sodium_bin2base64(sig64, sizeof(sig64), sig, 64, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(out, size,
	    "{\"server_name\":\"%s\",\"signatures\":{\"%s\":{\"ed25519:1\":\"%s\"}},\"valid_until_"
	    "ts\":%lld,"
	    "\"verify_keys\":{\"ed25519:1\":{\"key\":\"%s\"}}}",
	    name, name, sig64, until, pub);
}

static const unsigned char *
found_key(void)
{
	return serverkeys_find(
	    (const struct serverkeys *)(const void *)found, STR("ed25519:1"), clock_wall_ms());
}

TestSuite(keyring, .init = setup_keyring, .fini = teardown_keyring);

Test(keyring, asks_the_server_itself)
{
	char body[1024];

	key_answer(origin, body, sizeof(body));
	reply(0, 200, "", body);
	httpd_start(&server);
	wait_for(keyring_cache(keyring), str_z(origin), NULL);
	cr_assert_eq(found->err, OK, "%s", err_name(found->err));
	cr_assert_not_null(found_key());
	cr_assert_not_null(strstr(server.requests[0], "GET /_matrix/key/v2/server HTTP/1.1\r\n"));
	cr_assert_lt(found->fresh_until, found->usable_until);
}

Test(keyring, asks_a_notary_when_the_server_gives_nothing_usable)
{
	char body[1024], notarised[1200], line[128];

	key_answer(origin, body, sizeof(body));
	snprintf(notarised, sizeof(notarised), "{\"server_keys\":[%s]}", body);
	reply(0, 500, "", "{}");
	reply(1, 200, "", notarised);
	httpd_start(&server);
	wait_for(keyring_cache(keyring), str_z(origin), NULL);
	cr_assert_eq(found->err, OK, "%s", err_name(found->err));
	cr_assert_not_null(found_key());
	snprintf(line, sizeof(line), "GET /_matrix/key/v2/query/%s HTTP/1.1\r\n", origin);
	cr_assert_not_null(strstr(server.requests[1], line));
}

Test(keyring, says_what_is_wrong_with_the_server_not_with_the_notary)
{
	char body[1024];

	key_answer("other.example", body, sizeof(body));
	reply(0, 200, "", body);
	reply(1, 404, "", "{}");
	httpd_start(&server);
	wait_for(keyring_cache(keyring), str_z(origin), NULL);
	cr_assert_eq(found->err, ERR_KEYS_NAME);
	cr_assert_geq(found->fresh_until, found->looked_up + 30000);
}

Test(keyring, is_freed_while_looking_up)
{
	static struct fact_wait w;

	fact_wait_init(&w);
	fact_get(keyring_cache(keyring), str_z(origin), NULL, 0, &w, on_fact, NULL);
	loop_stop(loop);
	loop_run(loop);
}

Test(keyring_lifetime, is_half_of_the_validity_at_most_the_maximum)
{
	cr_assert_eq(keyring_lifetime(5000, 1000, 10000), 2000);
	cr_assert_eq(keyring_lifetime(500000, 1000, 10000), 10000);
	cr_assert_eq(keyring_lifetime(1000, 1000, 10000), 0);
}

Test(keyring_younger_than, asks_at_most_once_a_minute)
{
	cr_assert_eq(keyring_younger_than(100000), 40000);
	cr_assert_eq(keyring_younger_than(5), 1);
}

/* --- the user behind a token (FD-5.2.1.2-19/-20) --- */

#define WHOAMI "{\"user_id\":\"@b/ob:test\",\"is_guest\":false}"

static struct service_conf service;
static struct proxy_conf conf;
static struct homeserver *homeserver;

static void
keep(struct snapshot *s)
{
}

static void
setup_homeserver(void)
{
	static char name[] = "test", host[] = "127.0.0.1";

	setup_with(false);
	service = (struct service_conf){ .server_name = name, .org_admin_by_homeserver = true };
	service.upstream.host = host;
	service.upstream.port = server.port;
	conf = (struct proxy_conf){ .services = &service,
		.n_services = 1,
		.accounts_max_entries = 10,
		.account_ttl = 60000,
		.negative_ttl = 30000,
		.lookups.timeout = 20000 };
	snapshot_init(&conf.snap, keep);
	homeserver = homeserver_new(loop, fetcher, &conf);
	cr_assert_not_null(homeserver);
}

static void
teardown_homeserver(void)
{
	homeserver_free(homeserver);
	cr_assert_eq(atomic_load(&conf.snap.refs), 1);
	teardown();
}

static const struct account *
account_of(const char *token)
{
	const struct account_input in = { STR("test"), str_z(token) };
	struct account_key k = account_key(in.server_name, in.token);

	wait_for(homeserver_accounts(homeserver), account_key_str(&k), &in);
	return (const struct account *)(const void *)found;
}

TestSuite(homeserver, .init = setup_homeserver, .fini = teardown_homeserver);

Test(homeserver, knows_user_role_and_display_name)
{
	const struct account *a;

	reply(0, 200, "", WHOAMI);
	reply(1, 200, "", "{\"admin\":true}");
	reply(2, 200, "", "{\"displayname\":\"Dr. B\\u00f6b\"}");
	httpd_start(&server);
	a = account_of("token");
	cr_assert_eq(a->fact.err, OK, "%s", err_name(a->fact.err));
	cr_assert_str_eq(a->user_id, "@b/ob:test");
	cr_assert(a->is_admin);
	cr_assert(a->has_displayname);
	cr_assert_str_eq(a->displayname, "Dr. B\xc3\xb6"
					 "b");
	cr_assert_not_null(strstr(server.requests[0], "Authorization: Bearer token\r\n"));
	cr_assert_not_null(
	    strstr(server.requests[1], "GET /_synapse/admin/v1/users/%40b%2Fob%3Atest/admin HTTP"));
	cr_assert_not_null(strstr(
	    server.requests[2], "GET /_matrix/client/v3/profile/%40b%2Fob%3Atest/displayname"));
}

Test(homeserver, takes_a_refusal_as_no_admin_and_a_404_as_no_name)
{
	const struct account *a;

	reply(0, 200, "", WHOAMI);
	reply(1, 403, "", "{\"errcode\":\"M_FORBIDDEN\"}");
	reply(2, 404, "", "{\"errcode\":\"M_NOT_FOUND\"}");
	httpd_start(&server);
	a = account_of("token");
	cr_assert_eq(a->fact.err, OK);
	cr_assert_not(a->is_admin);
	cr_assert_not(a->has_displayname);
}

Test(homeserver, does_not_ask_for_the_role_where_it_does_not_count)
{
	service.org_admin_by_homeserver = false;
	reply(0, 200, "", WHOAMI);
	reply(1, 200, "", "{}");
	httpd_start(&server);
	cr_assert_eq(account_of("token")->fact.err, OK);
	cr_assert_not_null(strstr(server.requests[1], "/displayname"));
}

Test(homeserver, remembers_shortly_that_a_token_is_unknown)
{
	reply(0, 401, "", "{\"errcode\":\"M_UNKNOWN_TOKEN\"}");
	httpd_start(&server);
	cr_assert_eq(account_of("token")->fact.err, ERR_NOT_FOUND);
	cr_assert_eq(account_of("token")->fact.err, ERR_NOT_FOUND);
}

Test(homeserver, is_down_when_nobody_listens)
{
	service.upstream.port = 1;
	cr_assert_eq(account_of("token")->fact.err, ERR_UPSTREAM_DOWN);
}

Test(homeserver, refuses_an_answer_without_a_user)
{
	reply(0, 200, "", "<html>");
	httpd_start(&server);
	cr_assert_eq(account_of("token")->fact.err, ERR_UPSTREAM_BAD);
}

Test(account_key, tells_services_and_tokens_apart)
{
	struct account_key a = account_key(STR("s"), STR("t")), b = account_key(STR("s"), STR("t")),
			   c = account_key(STR("s"), STR("u")), d = account_key(STR("st"), STR(""));

	cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0);
	cr_assert_neq(memcmp(&a, &c, sizeof(a)), 0);
	cr_assert_neq(memcmp(&a, &d, sizeof(a)), 0);
}

/* --- the federation list (FD-5.2.2-16/-18) --- */

static EVP_PKEY *ca_key, *signer_key;
static X509 *ca, *signer;
static X509_STORE *list_anchors;
static struct fedstore *store;
static struct fedsource *source;
static size_t changes;
static int64_t told_version, told_as_of;

static void
on_change(void *arg, const struct fedlist *list, int64_t as_of)
{
	changes++;
	told_version = fedlist_version(list);
	told_as_of = as_of;
}

static char *
signed_list(int version)
{
	char payload[128], *header = pki_list_header("ES256", signer, NULL), *jws;

	snprintf(payload, sizeof(payload),
	    "{\"version\":%d,\"domainList\":[{\"domain\":\"a.example\"}]}", version);
	jws = pki_jws(signer_key, header, str_z(payload));
	free(header);
	return jws;
}

static void
write_list(int version, time_t mtime)
{
	char *jws = signed_list(version);
	const struct timespec times[2] = { { .tv_sec = mtime }, { .tv_sec = mtime } };

	cr_assert_eq(fs_replace(path("list.jws"), str_z(jws), 0644), 0);
	cr_assert_eq(utimensat(AT_FDCWD, path("list.jws"), times, 0), 0);
	free(jws);
}

static void
setup_list(void)
{
	struct pki_certificate want = {
		.is_ca = true, .key_usage = "critical,keyCertSign", .common_name = "ca"
	};
	struct fedstore_config cfg = { .name = "test", .max_bytes = 100000, .max_entries = 100 };

	setup_with(true);
	ca_key = pki_key(PKI_P256);
	ca = pki_certificate(ca_key, &want);
	want = (struct pki_certificate){ .issuer = ca, .issuer_key = ca_key };
	signer_key = pki_key(PKI_P256);
	signer = pki_certificate(signer_key, &want);
	cfg.anchors = list_anchors = pki_store(ca);
	store = fedstore_new(&cfg);
	cr_assert_not_null(store);
}

static void
teardown_list(void)
{
	fedsource_free(source);
	fedstore_free(store);
	X509_STORE_free(list_anchors);
	X509_free(signer);
	X509_free(ca);
	EVP_PKEY_free(signer_key);
	EVP_PKEY_free(ca_key);
	teardown();
}

static void
open_source(const char *file, const char *url)
{
	/* A file is looked at often, so that a test need not wait; an answer is asked for once. */
	const clock_ms interval = file != NULL ? LOOP_TICK_MS : 3600000;
	const struct fedsource_config cfg = { .name = "test",
		.file = file,
		.url = url,
		.fetcher = fetcher,
		.store = store,
		.interval = interval,
		.timeout = 20000,
		.max_bytes = 100000,
		.on_change = on_change };

	source = fedsource_new(loop, &cfg);
	cr_assert_not_null(source);
}

static bool
has_looked(enum err error, int64_t version, int64_t as_of)
{
	struct fedsource_state st = fedsource_state(source);

	return st.looked != 0 && st.error == error && st.version == version &&
	       (as_of == 0 || st.as_of == as_of);
}

/* Runs the loop until a look has ended so.  as_of 0: any. */
static void
await(enum err error, int64_t version, int64_t as_of)
{
	UNTIL(loop, has_looked(error, version, as_of));
}

TestSuite(fedsource, .init = setup_list, .fini = teardown_list);

Test(fedsource, takes_a_file_as_of_its_modification_time)
{
	write_list(3, 1700000000);
	open_source(path("list.jws"), NULL);
	await(OK, 3, 0);
	cr_assert_eq(fedsource_state(source).count, 1);
	cr_assert_eq(told_as_of, 1700000000);
	write_list(4, 1700000001);
	await(OK, 4, 0);
	cr_assert_eq(changes, 2);
	cr_assert_eq(told_version, 4);
}

Test(fedsource, renews_the_age_when_the_file_is_touched)
{
	write_list(3, 1700000000);
	open_source(path("list.jws"), NULL);
	await(OK, 3, 1700000000);
	write_list(3, 1700000500);
	await(OK, 3, 1700000500);
	cr_assert_eq(told_as_of, 1700000500);
}

Test(fedsource, keeps_the_list_when_the_file_goes_bad)
{
	write_list(3, 1700000000);
	open_source(path("list.jws"), NULL);
	await(OK, 3, 0);
	write_list(2, 1700000001);
	await(ERR_FEDLIST_LOWER, 3, 0);
	cr_assert_eq(fs_replace(path("list.jws"), STR("garbage\n"), 0644), 0);
	await(ERR_JWS_SYNTAX, 3, 0);
	unlink(path("list.jws"));
	await(ERR_FILE, 3, 0);
	cr_assert_eq(changes, 1);
}

Test(fedsource, downloads_and_asks_again_only_for_changes)
{
	char url[64], *jws = signed_list(7);

	snprintf(url, sizeof(url), "https://test:%u/list", server.port);
	reply(0, 200, "ETag: \"7\"\r\n", jws);
	free(jws);
	httpd_start(&server);
	open_source(NULL, url);
	await(OK, 7, 0);
	cr_assert_eq(told_version, 7);
	cr_assert_null(strstr(server.requests[0], "If-None-Match"));
}

Test(fedsource, says_what_went_wrong_with_a_download)
{
	char url[64];

	snprintf(url, sizeof(url), "https://test:%u/list", server.port);
	reply(0, 403, "", "");
	httpd_start(&server);
	open_source(NULL, url);
	await(ERR_HTTP_ANSWER, -1, 0);
	cr_assert_eq(fedsource_state(source).http_status, 403);
	cr_assert_eq(changes, 0);
}
