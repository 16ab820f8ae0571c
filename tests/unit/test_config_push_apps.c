/* SPDX-License-Identifier: Apache-2.0 */
/* The apps in schleuse-pushgw's configuration: credentials, and which entry an app_id belongs to
 * (FD-5.2.3-2, ML-123618-1). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/pushconf.h"

static void
start(void)
{
	pushconf_start();
}

static void
finish(void)
{
	pushconf_finish();
}

TestSuite(config_push_apps, .init = start, .fini = finish);

static const char *
app(const char *members)
{
	static char lines[4096];

	snprintf(lines, sizeof(lines), "apps:\n  - { id: a, %s }\n", members);
	return lines;
}

#define KEY "key_file: p256.key, key_id: ABCDE12345, team_id: FGHIJ67890, topic: org.example.a"
#define APNS(more) "provider: apns, apns: { " KEY ", " more " }"
#define FCM(more) "provider: fcm, fcm: { service_account_file: fcm.json, " more " }"
#define WEBPUSH(more) "provider: webpush, webpush: { contact: \"mailto:a@example.org\", " more " }"

static const struct {
	const char *members, *fault; /* the one fault begins so; NULL: it is good */
} rows[] = {
	/* of all */
	{ "provider: mpns", "11:24: provider: 'mpns' is not known" },
	{ "provider: fcm", "11:24: provider: fcm needs fcm.service_account_file" },
	{ "provider: unifiedpush", NULL },
	{ "provider: unifiedpush, opt_in: required", "11:45: opt_in: required needs opt_in_flag" },
	{ "provider: unifiedpush, opt_in_flag: x", "11:50: opt_in_flag: is only looked at" },
	{ "provider: unifiedpush, opt_in: required, opt_in_flag: x", NULL },
	{ "provider: unifiedpush, webpush: { ttl: 1h }", "11:53: webpush: the provider of this" },
	{ "provider: unifiedpush, unifiedpush: { endpoints: [\"*.example.org\"] }", NULL },
	{ "provider: unifiedpush, unifiedpush: { endpoints: [\"https://a\"] }",
	    "11:64: endpoints: 'https://a' is not a host" },
	/* APNs by key */
	{ APNS(""), NULL },
	{ "provider: apns", "11:24: provider: apns needs apns.key_file" },
	{ "provider: apns, apns: { key_file: p256.key, key_id: ABCDE12345, team_id: FGHIJ67890 }",
	    "11:48: key_file: needs topic" },
	{ "provider: apns, apns: { key_file: p256.key, key_id: ABCDE12345, topic: a }",
	    "11:48: key_file: needs team_id" },
	{ "provider: apns, apns: { key_file: p256.key, team_id: FGHIJ67890, topic: a }",
	    "11:48: key_file: needs key_id" },
	{ "provider: apns, apns: { key_file: p256.key, key_id: A, team_id: FGHIJ67890, topic: a }",
	    "11:66: key_id: 'A' is no such ID" },
	{ "provider: apns, apns: { key_file: p384.key, key_id: ABCDE12345, team_id: FGHIJ67890, "
	  "topic: a }",
	    "11:48: key_file: the key in " },
	{ "provider: apns, apns: { key_file: open.key, key_id: ABCDE12345, team_id: FGHIJ67890, "
	  "topic: a }",
	    "11:48: key_file: " },
	{ APNS("certificate: push.pem"), "11:134: certificate and key_file are two ways" },
	{ APNS("url: \"https://127.0.0.1:2197/\""), NULL },
	{ APNS("url: \"http://127.0.0.1\""), "11:126: url: " },
	{ APNS("url: \"https://127.0.0.1/3/device\""), "11:126: url: " },
	{ APNS("payload: [aps.sound, aps.alert]"), NULL },
	{ APNS("payload: [aps..sound]"), "11:131: payload: 'aps..sound' is not a path" },
	{ APNS("payload: [event_id]"), "11:131: payload: 'event_id' names what the gateway sets" },
	{ APNS("payload: [aps.alert.loc-args]"), "11:131: payload: 'aps.alert.loc-args' names" },
	{ APNS("push_type: voip"), NULL },
	{ "provider: apns, apns: { key_file: p256.key, key_id: ABCDE12345, team_id: FGHIJ67890, "
	  "topic: a.voip }",
	    "11:106: topic: 'a.voip' is not a bundle ID" },
	/* by certificate */
	{ "provider: apns, apns: { certificate: push.pem }", "11:51: certificate: " },
	{ "provider: apns, apns: { certificate: push.pem, certificate_key: push.key, topic: a }",
	    NULL },
	{ "provider: apns, apns: { certificate: push.pem, certificate_key: other.key }",
	    "11:78: certificate_key: " },
	{ "provider: apns, apns: { certificate: p256.key }", "11:51: certificate: " },
	{ "provider: apns, apns: { certificate: push.pem, topic: a, key_id: ABCDE12345 }",
	    "11:79: key_id and team_id are only used" },
	/* FCM */
	{ FCM(""), NULL },
	{ FCM("url: \"https://127.0.0.1:1\", token_url: \"https://127.0.0.1:1/token\""), NULL },
	{ FCM("token_url: \"http://127.0.0.1:1/token\""), "11:79: token_url: " },
	{ FCM("payload: [cs]"), NULL },
	{ FCM("payload: [google.x]"), "11:78: payload: 'google.x' is a path, but" },
	{ FCM("payload: [from]"), "11:78: payload: 'from' names what FCM keeps" },
	{ "provider: fcm, fcm: { service_account_file: secret }", "11:58: service_account_file: " },
	/* Web Push */
	{ WEBPUSH("vapid_key_file: p256.key"), NULL },
	{ WEBPUSH("vapid_key_file: vapid.number"), NULL },
	{ WEBPUSH("vapid_key_file: vapid.der"), NULL },
	{ WEBPUSH("vapid_key_file: rsa.key"), "11:93: vapid_key_file: the key in " },
	{ WEBPUSH("vapid_key_file: secret"), "11:93: vapid_key_file: " },
	{ WEBPUSH(""), "11:24: provider: webpush needs webpush.vapid_key_file" },
	{ "provider: webpush, webpush: { vapid_key_file: p256.key }",
	    "11:24: provider: webpush needs webpush.contact" },
	{ "provider: webpush, webpush: { vapid_key_file: p256.key, contact: a@example.org }",
	    "11:79: contact: 'a@example.org' is neither" },
};

Test(config_push_apps, checks_what_each_provider_needs)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].fault != NULL)
			pushconf_refuses(app(rows[i].members), rows[i].fault);
		else
			snapshot_drop(&pushconf_good(app(rows[i].members))->service.snap);
	}
}

Test(config_push_apps, takes_apns_servers_from_the_environment)
{
	struct pushgw_conf *c = pushconf_good(app(APNS("")));

	cr_assert_str_eq(c->apps[0].apns.url, "https://api.push.apple.com");
	cr_assert(c->apps[0].apns.key != NULL && c->apps[0].apns.leaf == NULL);
	cr_assert_eq(c->apps[0].apns.payload.n, 8);
	snapshot_drop(&c->service.snap);
	c = pushconf_good(app(APNS("environment: sandbox")));
	cr_assert_str_eq(c->apps[0].apns.url, "https://api.sandbox.push.apple.com");
	snapshot_drop(&c->service.snap);
	c = pushconf_good(app(APNS("environment: sandbox, url: \"https://127.0.0.1:2197/\"")));
	cr_assert_str_eq(c->apps[0].apns.url, "https://127.0.0.1:2197");
	snapshot_drop(&c->service.snap);
}

Test(config_push_apps, reads_a_certificate_with_chain_and_key_of_one_file)
{
	struct pushgw_conf *c =
	    pushconf_good(app("provider: apns, apns: { certificate: push.pem, topic: a }"));
	const struct apns_conf *a = &c->apps[0].apns;

	cr_assert(a->leaf != NULL && a->key != NULL);
	cr_assert_eq(X509_check_private_key(a->leaf, a->key), 1);
	cr_assert_eq(sk_X509_num(a->chain), 1);
	cr_assert(a->not_after > clock_wall_s());
	snapshot_drop(&c->service.snap);
}

Test(config_push_apps, takes_the_topic_from_the_certificate)
{
	struct pushgw_conf *c;

	pushconf_write_named("named.pem", "org.example.named");
	c = pushconf_good("test_mode: true\napps: [{ id: a, provider: apns, apns: { "
			  "certificate: named.pem } }]\n");
	cr_assert_str_eq(c->apps[0].apns.topic, "org.example.named");
	cr_assert_eq(sk_X509_num(c->apps[0].apns.chain), 0);
	snapshot_drop(&c->service.snap);
}

Test(config_push_apps, reads_a_service_account)
{
	struct pushgw_conf *c = pushconf_good(app(FCM("")));
	const struct fcm_conf *f = &c->apps[0].fcm;

	cr_assert_str_eq(f->project_id, "messenger-1");
	cr_assert_str_eq(f->client_email, "push@messenger-1.iam.gserviceaccount.com");
	cr_assert_str_eq(f->key_id, "0123abcd");
	cr_assert_str_eq(f->token_url, "https://oauth2.googleapis.com/token");
	cr_assert_str_eq(f->url, "https://fcm.googleapis.com");
	cr_assert_eq(EVP_PKEY_get_base_id(f->key), EVP_PKEY_RSA);
	snapshot_drop(&c->service.snap);
	c = pushconf_good(app(FCM("project_id: other, token_url: \"https://a.example.org/t\"")));
	cr_assert_str_eq(c->apps[0].fcm.project_id, "other");
	cr_assert_str_eq(c->apps[0].fcm.token_url, "https://a.example.org/t");
	snapshot_drop(&c->service.snap);
}

static void
refuses_account(const char *json, const char *fault)
{
	struct str said;

	pushconf_write("fcm.json", json, 0600);
	pushconf_refuses(app(FCM("")), "11:58: service_account_file: ");
	said = pushconf_faults();
	cr_assert(memmem(said.p, said.n, fault, strlen(fault)) != NULL, "%s: " STR_FMT, fault,
	    STR_ARG(said));
	cr_assert_null(memmem(said.p, said.n, "hush", 4), "secret shown: " STR_FMT, STR_ARG(said));
}

Test(config_push_apps, says_what_is_wrong_with_a_service_account)
{
#define ACCOUNT \
	"\"type\":\"service_account\",\"private_key_id\":\"k\",\"client_email\":\"a@b\"," \
	"\"token_uri\":\"https://a/t\""
	refuses_account("[]", "is not the JSON of");
	refuses_account("{" ACCOUNT, "is not the JSON of");
	refuses_account("{" ACCOUNT ",\"client_email\":\"c\"}", "is not the JSON of");
	refuses_account("{\"type\":\"authorized_user\"}", "is of another type");
	refuses_account("{" ACCOUNT "}", "has no usable member project_id");
	refuses_account("{" ACCOUNT ",\"project_id\":\"p q\"}", "has no usable member project_id");
	refuses_account("{" ACCOUNT ",\"project_id\":\"p\"}", "has no member private_key");
	refuses_account("{" ACCOUNT ",\"project_id\":\"p\",\"private_key\":\"hush\"}",
	    "has no RSA key of 2048 bits");
	refuses_account(
	    "{" ACCOUNT ",\"project_id\":\"p/q\",\"private_key\":\"hush\"}", "fcm.json");
}

Test(config_push_apps, reads_the_same_vapid_key_in_every_form)
{
	static const char *const files[] = { "p256.key", "vapid.number", "vapid.der" };
	struct pushgw_conf *c[3];
	char members[200];

	for (size_t i = 0; i < 3; i++) {
		snprintf(members, sizeof(members), WEBPUSH("vapid_key_file: %s"), files[i]);
		c[i] = pushconf_good(app(members));
		cr_assert_eq(EVP_PKEY_eq(c[i]->apps[0].webpush.key, c[0]->apps[0].webpush.key), 1);
	}
	for (size_t i = 0; i < 3; i++)
		snapshot_drop(&c[i]->service.snap);
}

Test(config_push_apps, refuses_an_id_twice)
{
	pushconf_refuses("apps: [{ id: a, provider: unifiedpush },\n"
			 "  { id: a, provider: unifiedpush }]\n",
	    "11:9: id: 'a' appears twice");
}

/* --- which app --- */

static void
finds(const struct pushgw_conf *c, struct str app_id, enum app_match match, size_t at)
{
	size_t index = SIZE_MAX;

	cr_assert_eq(pushgw_conf_app(c, app_id, &index), match, STR_FMT, STR_ARG(app_id));
	if (match == APP_FOUND)
		cr_assert_eq(index, at, STR_FMT ": %zu", STR_ARG(app_id), index);
}

/* FD-5.2.3-2; as Sygnal: the exact entry, else the only glob. */
Test(config_push_apps, finds_the_entry_of_an_app_id)
{
	struct pushgw_conf *c =
	    pushconf_good("apps: [{ id: \"org.example.*\", provider: unifiedpush },\n"
			  "  { id: org.example.one, provider: unifiedpush },\n"
			  "  { id: \"*.two\", provider: unifiedpush },\n"
			  "  { id: \"a.?\", provider: unifiedpush }]\n");

	finds(c, STR("org.example.one"), APP_FOUND, 1);
	finds(c, STR("org.example.three"), APP_FOUND, 0);
	finds(c, STR("org.example.two"), APP_AMBIGUOUS, 0);
	finds(c, STR("net.two"), APP_FOUND, 2);
	finds(c, STR("a.b"), APP_FOUND, 3);
	finds(c, STR("a.bc"), APP_UNKNOWN, 0);
	finds(c, STR("Org.Example.one"), APP_UNKNOWN, 0);
	finds(c, STR("a.?"), APP_FOUND, 3);
	finds(c, STR(""), APP_UNKNOWN, 0);
	snapshot_drop(&c->service.snap);
}
