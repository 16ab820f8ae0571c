/* SPDX-License-Identifier: Apache-2.0 */
/* schleuse-pushgw's configuration: what one setting demands of another, without those of apps. */
#include <criterion/criterion.h>

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

TestSuite(config_push, .init = start, .fini = finish);

Test(config_push, fills_in_what_is_implied)
{
	struct pushgw_conf *c = pushconf_good("");
	const struct service_conf *s = &c->service;

	cr_assert(s->tls.certificate_pem.n > 0 && s->tls.not_after > clock_wall_s());
	cr_assert(str_has_suffix(str_z(s->admin.unix_path), STR("/state/admin.sock")));
	cr_assert_eq(c->queue.delay_max, 10000);
	cr_assert_eq(c->queue.fsync, FSYNC_ALWAYS);
	cr_assert_eq(c->rejected.lifetime, UINT64_C(30) * 86400000);
	cr_assert_eq(c->n_apps, 1);
	cr_assert_null(c->proxy);
	cr_assert_eq(c->clients.from.n, 0);
	snapshot_drop(&c->service.snap);
}

/* ML-123618-3: the delay is not for the operator to choose. */
Test(config_push, shortens_the_delay_in_test_mode_only)
{
	struct pushgw_conf *c = pushconf_good("test_mode: true\nqueue: { delay_max: 0 }\n");

	cr_assert_eq(c->queue.delay_max, 0);
	snapshot_drop(&c->service.snap);
	pushconf_refuses("queue: { delay_max: 9999ms }\n", "10:21: delay_max: every push");
	pushconf_refuses("queue: { delay_max: 11s }\n", "10:21: delay_max: out of range");
}

static const struct {
	const char *lines, *fault; /* the one fault begins so; NULL: it is good */
} rows[] = {
	/* queue and delivery */
	{ "queue: { age_max: 10s }\n", "10:19: age_max must be longer" },
	{ "limits: { body_max: 513k }\n", "10:21: request_memory must be at least twice" },
	{ "limits: { body_max: 513k, request_memory: 1026k }\n", NULL },
	{ "queue: { visibility: 29s }\n", "10:22: visibility must be at least" },
	{ "queue: { visibility: 30s }\n", NULL },
	{ "delivery: { request_timeout: 41s }\n", "10:30: visibility must be at least" },
	{ "delivery: { retry_min: 6m }\n", "10:24: retry_min must not be above" },
	{ "delivery: { retry_max: 100ms }\n", "10:24: retry_min must not be above" },
	{ "delivery: { connect_timeout: 21s }\n", "10:30: connect_timeout must not" },
	/* clients */
	{ "clients: { networks: [192.0.2.0/24, \"::1\"] }\n", NULL },
	{ "clients: { networks: [192.0.2.1/24] }\n", "10:23: networks: '192.0.2.1/24' is not" },
	{ "clients: { certificates: [\"*\"] }\n", "10:26: certificates: nobody is asked" },
	{ "clients: { token_keys: [token.pub] }\n", "10:24: token_keys: needs token_issuer" },
	{ "clients: { token_issuer: a }\n", "10:26: token_issuer and token_audience" },
	{ "clients: { token_audience: a }\n", "10:28: token_issuer and token_audience" },
	{ "clients: { token_issuer: a, token_keys: [token.pub] }\n", NULL },
	{ "clients: { token_issuer: a, token_keys: [rsa.pub] }\n",
	    "10:42: token_keys: the key in " },
	{ "clients: { token_issuer: a, token_keys: [p256.key] }\n", "10:42: token_keys: " },
	{ "clients: { basic: [{ name: a, password_file: secret }] }\n", NULL },
	{ "clients: { basic: [{ name: \"a:b\", password_file: secret }] }\n",
	    "10:28: name: 'a:b' has a colon" },
	{ "clients: { basic: [{ name: a, password_file: secret },\n"
	  "  { name: a, password_file: secret }] }\n",
	    "11:11: name: 'a' appears twice" },
	{ "clients: { basic: [{ name: a, password_file: open }] }\n", "10:46: password_file: " },
	{ "clients: { basic: [{ name: a, password_file: newline }] }\n", "10:46: password_file: " },
	/* the way out */
	{ "proxy: \"proxy.example.org:3128\"\n", NULL },
	{ "proxy: \"proxy.example.org\"\n", "10:8: proxy: " },
	{ "proxy: \"me:pass@proxy.example.org:3128\"\n", "10:8: proxy: no user or password" },
	{ "proxy: \"http://proxy.example.org:3128\"\n",
	    "10:8: proxy: 'http://proxy.example.org:3128': expected host:port, without http" },
	{ "proxy_credentials_file: secret\n", "10:25: proxy_credentials_file: is only" },
	{ "proxy: \"a:1\"\nproxy_credentials_file: open\n", "11:25: proxy_credentials_file: " },
	{ "proxy: \"a:1\"\nproxy_credentials_file: newline\n", "11:25: proxy_credentials_file: " },
};

Test(config_push, checks_what_settings_demand_of_each_other)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].fault != NULL)
			pushconf_refuses(rows[i].lines, rows[i].fault);
		else
			snapshot_drop(&pushconf_good(rows[i].lines)->service.snap);
	}
}

Test(config_push, brings_names_and_fingerprints_of_certificates_into_one_form)
{
	struct pushgw_conf *c = pushconf_good(
	    "clients: { certificates: [\"*\", Matrix.Example.org,\n"
	    "  "
	    "\"AB:CD:EF:01:AB:CD:EF:01:AB:CD:EF:01:AB:CD:EF:01:AB:CD:EF:01:AB:CD:EF:01:AB:CD:EF:01:"
	    "AB:CD:EF:01\"] }\n"
	    "tls: { certificate: server.pem, key: server.key, hosts: [a.example.org],\n"
	    "  client_ca: [ca.pem] }\n");
	const struct conf_list *l = &c->clients.certificates;

	cr_assert_str_eq(l->v[0], "*");
	cr_assert_str_eq(l->v[1], "matrix.example.org");
	cr_assert_str_eq(
	    l->v[2], "abcdef01abcdef01abcdef01abcdef01abcdef01abcdef01abcdef01abcdef01");
	cr_assert(c->service.tls.client_anchors != NULL);
	snapshot_drop(&c->service.snap);
}

Test(config_push, refuses_a_client_ca_by_which_nobody_is_let_in)
{
	pushconf_refuses(
	    "tls: { certificate: server.pem, key: server.key, hosts: [a.example.org],\n"
	    "  client_ca: [ca.pem] }\n",
	    "11:14: client_ca: certificates are asked for");
	pushconf_refuses(
	    "clients: { certificates: [\"not a name\"] }\n"
	    "tls: { certificate: server.pem, key: server.key, hosts: [a.example.org],\n"
	    "  client_ca: [ca.pem] }\n",
	    "10:27: certificates: 'not a name' is neither");
}

Test(config_push, takes_the_issuer_of_tokens_for_their_audience)
{
	struct pushgw_conf *c =
	    pushconf_good("clients: { token_issuer: a, token_keys: [token.pub] }\n");

	cr_assert_str_eq(c->clients.token_audience, "a");
	cr_assert(c->clients.keys[0].key != NULL && c->clients.keys[1].key == NULL);
	snapshot_drop(&c->service.snap);
}

Test(config_push, reads_passwords_without_their_line_break)
{
	struct pushgw_conf *c =
	    pushconf_good("clients: { basic: [{ name: a, password_file: secret }] }\n"
			  "proxy: \"[2001:db8::1]:3128\"\nproxy_credentials_file: secret\n");

	cr_assert(str_eq(c->clients.basic[0].password, STR("user:password")));
	cr_assert(str_eq(c->proxy_authorization, STR("Basic dXNlcjpwYXNzd29yZA==")));
	cr_assert_str_eq(c->proxy_address.host, "2001:db8::1");
	cr_assert_eq(c->proxy_address.port, 3128);
	snapshot_drop(&c->service.snap);
}

Test(config_push, lets_others_read_secrets_in_test_mode)
{
	struct pushgw_conf *c = pushconf_good(
	    "test_mode: true\nclients: { basic: [{ name: a, password_file: open }] }\n");

	snapshot_drop(&c->service.snap);
}

Test(config_push, prints_names_of_files_and_no_secret)
{
	struct pushgw_conf *c =
	    pushconf_good("clients: { basic: [{ name: a, password_file: secret }] }\n"
			  "proxy: \"a:1\"\nproxy_credentials_file: secret\n");
	struct str text;
	struct buf out;

	buf_init(&out, 1 << 20);
	cr_assert(pushgw_conf_print(c, &out));
	text = buf_str(&out);
	cr_assert(memmem(text.p, text.n, "/secret\"", 8) != NULL);
	cr_assert(memmem(text.p, text.n, "/fcm.json\"", 10) != NULL);
	cr_assert_null(memmem(text.p, text.n, "user:password", 13));
	cr_assert_null(memmem(text.p, text.n, "dXNlcjpwYXNzd29yZA", 18));
	cr_assert_null(memmem(text.p, text.n, "PRIVATE KEY", 11));
	buf_fini(&out);
	snapshot_drop(&c->service.snap);
}

Test(config_push, names_what_only_a_restart_changes)
{
	struct pushgw_conf *a = pushconf_good(""),
			   *b = pushconf_good("addresses_file: x\nqueue: { age_max: 2h }\n");
	struct buf what;

	buf_init(&what, 1000);
	cr_assert(pushgw_conf_needs_restart(a, b, &what));
	cr_assert(str_eq(buf_str(&what), STR("addresses_file")), STR_FMT, STR_ARG(buf_str(&what)));
	buf_fini(&what);
	snapshot_drop(&a->service.snap);
	snapshot_drop(&b->service.snap);
}
