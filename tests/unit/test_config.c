/* SPDX-License-Identifier: Apache-2.0 */
/* schleuse-proxy's configuration: what one setting demands of another, files, implied values. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/config.h"
#include "tests/unit/tlscert.h"

static const char base[] = "listeners:\n"                         /* 1 */
			   "  - address: \"127.0.0.1:0\"\n"       /* 2 */
			   "state_dir: state\n"                   /* 3 */
			   "federations:\n"                       /* 4 */
			   "  - name: ti\n"                       /* 5 */
			   "    list:\n"                          /* 6 */
			   "      file: list.jws\n"               /* 7 */
			   "      anchors: [ca.pem]\n"            /* 8 */
			   "    passport:\n"                      /* 9 */
			   "      anchors: [ca.pem]\n"            /* 10 */
			   "      certificates:\n"                /* 11 */
			   "        - file: ca.pem\n"             /* 12 */
			   "services:\n"                          /* 13 */
			   "  - server_name: a.example.org\n"     /* 14 */
			   "    certificate: server.pem\n"        /* 15 */
			   "    key: server.key\n"                /* 16 */
			   "    homeserver: \"127.0.0.1:8008\"\n" /* 17 */
			   "    federation: ti\n";                /* 18 */

static char folder[PATH_MAX];
static struct buf errors;

static void
start(void)
{
	char *chain, *key, template[] = "/tmp/schleuse-config.XXXXXX";

	cr_assert(mkdtemp(template) != NULL);
	cr_assert(realpath(template, folder) != NULL);
	buf_init(&errors, 1 << 20);
	log_threshold = LOG_ERROR;
	tlscert_make(
	    &(struct tlscert){ .names = "DNS:a.example.org,DNS:b.example.org" }, &chain, &key);
	tlscert_write(folder, "server.pem", chain, 0644);
	tlscert_write(folder, "server.key", key, 0600);
	tlscert_write(folder, "ca.pem", strstr(chain + 1, "-----BEGIN"), 0644);
	free(chain);
	free(key);
}

static void
finish(void)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[PATH_MAX + 300];

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(folder);
	buf_fini(&errors);
}

TestSuite(config, .init = start, .fini = finish);

static struct proxy_conf *
load(const char *text)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/p.yaml", folder);
	tlscert_write(folder, "p.yaml", text, 0644);
	buf_fini(&errors);
	return proxy_conf_load(path, &errors);
}

static struct proxy_conf *
good(const char *text)
{
	struct proxy_conf *c = load(text);

	cr_assert(c != NULL, STR_FMT, STR_ARG(buf_str(&errors)));
	return c;
}

/* The base with `from` replaced. */
static char *
changed(const char *from, const char *to)
{
	static char out[16384];
	const char *at = strstr(base, from);

	cr_assert(at != NULL, "%s is not in the base", from);
	snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
	return out;
}

/* The base with more lines behind it. */
static char *
more(const char *lines)
{
	static char out[16384];

	snprintf(out, sizeof(out), "%s%s", base, lines);
	return out;
}

/* Exactly the fault "line:column: ..." that begins so. */
static void
refuses(const char *text, const char *fault)
{
	struct proxy_conf *c = load(text);
	struct str first, rest, shown;
	char expected[PATH_MAX + 512];

	cr_assert_null(c, "accepted, expected %s", fault);
	shown = buf_str(&errors);
	snprintf(expected, sizeof(expected), "%s/p.yaml:%s", folder, fault);
	str_cut(shown, '\n', &first, &rest);
	cr_assert(str_has_prefix(first, str_z(expected)), "expected %s\ngot " STR_FMT, expected,
	    STR_ARG(shown));
	cr_assert_eq(rest.n, 0, "more faults: " STR_FMT, STR_ARG(shown));
}

Test(config, fills_in_what_is_implied)
{
	struct proxy_conf *c = good(base);
	struct service_conf *s = &c->services[0];
	char path[PATH_MAX + 64];

	cr_assert_eq(s->hosts.n, 1);
	cr_assert_str_eq(s->hosts.v[0], "a.example.org");
	cr_assert(s->is_default);
	cr_assert_eq(s->invite_rule, RULE_ENFORCE);
	snprintf(path, sizeof(path), "%s/state/admin.sock", folder);
	cr_assert_str_eq(c->admin.unix_path, path);
	snprintf(path, sizeof(path), "%s/server.pem", folder);
	cr_assert_str_eq(s->certificate, path);
	cr_assert(s->certificate_pem.n > 0 && s->key_pem.n > 0);
	cr_assert(s->certificate_not_after > clock_wall_s());
	cr_assert_eq(c->listeners[0].kind, LISTEN_BOTH);
	cr_assert(c->federations[0].anchors != NULL);
	cr_assert(c->federations[0].passports != NULL);
	cr_assert_eq(c->head_max, 16384);
	cr_assert_eq(c->federation_body_max, 13107200);
	cr_assert_eq(c->invites_ttl, UINT64_C(30) * 86400000);
	snapshot_drop(&c->snap);
}

Test(config, finds_services_by_host_and_their_federation)
{
	struct proxy_conf *c = good(changed("    federation: ti\n",
	    "    federation: ti\n    hosts: [B.example.org]\n    "
	    "display_names: {org_admins: [\"@x:a.example.org\"]}\n"));

	cr_assert_eq(proxy_conf_service_by_host(c, STR("a.example.org")), &c->services[0]);
	cr_assert_eq(proxy_conf_service_by_host(c, STR("b.example.org")), &c->services[0]);
	cr_assert_null(proxy_conf_service_by_host(c, STR("c.example.org")));
	cr_assert_eq(proxy_conf_federation(c, &c->services[0]), &c->federations[0]);
	snapshot_drop(&c->snap);
}

Test(config, checks_load_balancers)
{
	struct proxy_conf *c = good(changed("127.0.0.1:0\"\n",
	    "127.0.0.1:0\"\n    proxy_protocol: required\n"
	    "    proxy_protocol_from: [192.0.2.7, \"2001:db8::/32\"]\n"));

	cr_assert(c->listeners[0].proxied);
	cr_assert_eq(c->listeners[0].proxies.n, 2);
	cr_assert_eq(c->listeners[0].proxies.v[1].bits, 32);
	snapshot_drop(&c->snap);
	refuses(changed("127.0.0.1:0\"\n", "127.0.0.1:0\"\n    proxy_protocol: required\n"),
	    "3:21: proxy_protocol: required, but proxy_protocol_from names no load balancer");
	refuses(changed("127.0.0.1:0\"\n", "127.0.0.1:0\"\n    proxy_protocol_from: [192.0.2.7]\n"),
	    "3:26: proxy_protocol_from: has no meaning while proxy_protocol is off");
	refuses(changed("127.0.0.1:0\"\n",
		    "127.0.0.1:0\"\n    proxy_protocol: required\n    proxy_protocol_from: [lb]\n"),
	    "4:27: proxy_protocol_from: 'lb' is not a network");
	refuses(changed("127.0.0.1:0\"\n",
		    "127.0.0.1:0\"\n    proxy_protocol: required\n    proxy_protocol_from: [0.0.0.0/0]\n"),
	    "4:26: proxy_protocol_from: every address is in it");
}

Test(config, checks_exempt_networks)
{
	struct proxy_conf *c = good(more("limits: {exempt: [10.0.0.0/8]}\n"));

	cr_assert_eq(c->exempt.n, 1);
	cr_assert_eq(c->exempt.v[0].bits, 8);
	snapshot_drop(&c->snap);
	refuses(more("limits: {exempt: [10.0.0.1/8]}\n"), "19:19: exempt: '10.0.0.1/8' is not a network");
}

Test(config, limits_of_rates_are_off_by_default)
{
	struct proxy_conf *c = good(base);

	for (int i = 0; i < RATE_LIMITS; i++)
		cr_assert(c->rates[i].per_minute == 0 && c->rates[i].burst > 0);
	snapshot_drop(&c->snap);
	c = good(more("limits: {rates: {password: {per_minute: 7, burst: 9}}}\n"));
	cr_assert_eq(c->rates[RATE_PASSWORD].per_minute, 7);
	cr_assert_eq(c->rates[RATE_PASSWORD].burst, 9);
	cr_assert_eq(c->rates[RATE_LOGIN].per_minute, 0);
	snapshot_drop(&c->snap);
}

Test(config, normalises_the_server_name)
{
	struct proxy_conf *c =
	    good(changed("server_name: a.example.org", "server_name: \"A.Example.org:8448\""));

	cr_assert_str_eq(c->services[0].server_name, "a.example.org:8448");
	cr_assert_str_eq(c->services[0].hosts.v[0], "a.example.org");
	snapshot_drop(&c->snap);
}

/* ML-123615: plain HTTP must not leave the machine, in test mode neither. */
Test(config, keeps_plain_http_on_the_machine)
{
	refuses(changed("127.0.0.1:8008", "10.0.0.1:8008"),
	    "17:17: homeserver: '10.0.0.1:8008' is not a loopback address");
	refuses(changed("127.0.0.1:8008", "localhost:8008"),
	    "17:17: homeserver: 'localhost:8008' is not a loopback address");
	refuses(changed("127.0.0.1:8008\"\n    federation: ti\n",
		    "10.0.0.1:8008\"\n    federation: ti\ntest_mode: true\n"),
	    "17:17: homeserver: '10.0.0.1:8008' is not a loopback address");
	refuses(changed("127.0.0.1:8008", "127.0.0.1:0"), "17:17: homeserver: port 0");
	refuses(more("admin: \"0.0.0.0:9443\"\n"),
	    "19:8: admin: '0.0.0.0:9443' can be reached from other machines");
	snapshot_drop(&good(changed("127.0.0.1:8008", "[::1]:8008"))->snap);
	snapshot_drop(&good(changed("127.0.0.1:8008", "unix:hs.sock"))->snap);
}

Test(config, checks_listeners)
{
	refuses(changed("127.0.0.1:0", "localhost:443"),
	    "2:14: address: 'localhost:443' is not an IP address");
	refuses(changed("127.0.0.1:0", "unix:x"),
	    "2:14: address: a unix socket is only possible with serves: [outbound]");
	refuses(changed("127.0.0.1:0\"\n", "127.0.0.1:443\"\n  - address: \"127.0.0.1:443\"\n"),
	    "3:14: address: '127.0.0.1:443' appears twice");
	refuses(changed("127.0.0.1:0\"\n", "127.0.0.1:0\"\n    serves: [federation]\n"),
	    "2:3: listeners: none serves clients");
	refuses(
	    changed("  - address: \"127.0.0.1:0\"\n", "  []\n"), "2:3: listeners has 0 entries");
}

Test(config, checks_names)
{
	refuses(changed("server_name: a.example.org", "server_name: \"a_b.example.org\""),
	    "14:18: server_name: 'a_b.example.org' is not a Matrix server name");
	refuses(more("    hosts: [\"https://b.example.org\"]\n"),
	    "19:13: hosts: 'https://b.example.org' is not a host name");
	refuses(more("    hosts: [\"b.example.org:443\"]\n"),
	    "19:13: hosts: 'b.example.org:443' is not a host name");
	refuses(more("    hosts: [b.example.org, B.example.org]\n"),
	    "19:12: hosts: 'b.example.org' appears twice");
	refuses(more("    display_names: {org_admins: [verwaltung]}\n"),
	    "19:34: org_admins: not a Matrix user ID");
	refuses(more("    display_names: {org_admins: [\"@x:b.example.org\"]}\n"),
	    "19:34: org_admins: not a user of a.example.org");
}

#define SECOND_SERVICE(name) \
	"  - server_name: " name "\n    certificate: server.pem\n    key: server.key\n" \
	"    homeserver: \"127.0.0.1:8009\"\n    federation: ti\n"

Test(config, keeps_services_apart)
{
	struct proxy_conf *c = good(more(SECOND_SERVICE("b.example.org")));

	cr_assert_not(c->services[0].is_default);
	cr_assert_not(c->services[1].is_default);
	snapshot_drop(&c->snap);
	refuses(more(SECOND_SERVICE("A.example.org")),
	    "19:18: server_name: 'a.example.org' is already that of");
	refuses(more(SECOND_SERVICE("b.example.org") "    hosts: [a.example.org]\n"),
	    "24:12: hosts: 'a.example.org' already belongs to service 'a.example.org'");
	refuses(more("    default: true\n" SECOND_SERVICE("b.example.org") "    default: true\n"),
	    "25:14: default: a second default service");
}

Test(config, checks_federations)
{
	refuses(changed("federation: ti", "federation: tj"),
	    "18:17: federation: 'tj' is not the name of a federation");
	refuses(
	    changed("services:", "  - {name: ../x, list: {file: l, anchors: [ca.pem]}}\nservices:"),
	    "13:12: name: only letters");
	refuses(changed("file: list.jws", "url: \"http://x.example.org/l\""),
	    "7:12: url: must be https://host/path");
	refuses(changed("file: list.jws", "url: \"https://u:p@x.example.org/l\""),
	    "7:12: url: must be https://host/path");
	refuses(changed("file: list.jws", "url: \"https://x.example.org/l\"\n      file: l"),
	    "7:12: list: both file and url are set");
	refuses(changed("      file: list.jws\n", ""), "6:5: list: neither file nor url is set");
	refuses(
	    changed("services:", "  - {name: ti, list: {file: l, anchors: [ca.pem]}}\nservices:"),
	    "13:12: name: 'ti' appears twice");
}

Test(config, needs_passport_trust_where_invites_are_judged)
{
	static const char passport[] =
	    "    passport:\n      anchors: [ca.pem]\n      certificates:\n        - file: ca.pem\n";
	char without[2048];

	refuses(changed(passport, ""), "14:17: federation: 'ti' has no passport.anchors");
	snprintf(
	    without, sizeof(without), "%s    invites: {passport: log}\n", changed(passport, ""));
	refuses(without, "14:17: federation: 'ti' has no passport.anchors");
	snprintf(
	    without, sizeof(without), "%s    invites: {passport: off}\n", changed(passport, ""));
	snapshot_drop(&good(without)->snap);
}

Test(config, checks_limits_against_each_other)
{
	refuses(more("limits: {head_max: 8k}\n"), "19:20: target_max must be below head_max");
	refuses(more("limits: {target_max: 16k}\n"), "19:22: target_max must be below head_max");
	refuses(more("limits: {request_memory: 1M}\n"),
	    "19:26: federation_body_max must not be above request_memory");
	refuses(more("limits: {upstream_idle_max: 513}\n"),
	    "19:29: upstream_idle_max must not be above upstream_connections_max");
	refuses(
	    more("timeouts: {upstream: 11m}\n"), "19:22: upstream must not be above upstream_slow");
	refuses(more("lookups: {negative_ttl_max: 1s}\n"),
	    "19:29: negative_ttl must not be above negative_ttl_max");
}

#define FED "    federation: ti\n"
#define SYNC FED "    upstreams:\n      - {name: sync, addresses: [\"127.0.0.1:8083\"]}\n"

Test(config, checks_upstreams)
{
	refuses(changed(FED, FED "    upstreams:\n      - {name: a b, addresses: [\"127.0.0.1:1\"]}\n"),
	    "20:16: name: 'a b' has more than letters");
	refuses(changed(FED, FED "    upstreams:\n      - {name: homeserver, addresses: [\"127.0.0.1:1\"]}\n"),
	    "20:16: name: 'homeserver' is the one of");
	refuses(changed(FED, SYNC "      - {name: sync, addresses: [\"127.0.0.1:1\"]}\n"),
	    "21:16: name: 'sync' is already that of");
	refuses(changed(FED, FED "    upstreams:\n      - {name: a, addresses: [\"10.0.0.1:1\"]}\n"),
	    "20:31: addresses: '10.0.0.1:1' is not a loopback address");
	refuses(changed(FED, FED "    upstreams:\n      - {name: a, addresses: [\"127.0.0.1:1\", nonsense]}\n"),
	    "20:46: addresses: 'nonsense': the port is missing");
	refuses(changed(FED, FED "    upstreams:\n      - {name: a, addresses: [\"127.0.0.1:0\"]}\n"),
	    "20:31: addresses: port 0");
	refuses(changed(FED, FED "    upstreams:\n      - {name: a, addresses: [\"unix:s\", \"unix:s\"]}\n"),
	    "20:41: addresses: 'unix:s' appears twice");
	refuses(changed(FED, FED "    upstreams:\n      - {name: a, addresses: [\"unix:s\"], health: {path: x}}\n"),
	    "20:57: path: must begin with /");
	refuses(changed(FED, FED "    upstreams:\n      - {name: a, addresses: [\"unix:s\"], health: {retry: 1m}}\n"),
	    "20:58: retry must not be above retry_max");
}

Test(config, checks_paths)
{
	refuses(changed(FED, SYNC "    paths:\n      - {path: /x, upstream: snyc}\n"),
	    "22:30: upstream: 'snyc' is not the name of an upstream");
	refuses(changed(FED, SYNC "    paths:\n      - {path: /x/**/y, upstream: sync}\n"),
	    "22:16: path: '/x/**/y': \"**\" can only be the last segment");
	refuses(changed(FED, SYNC "    paths:\n      - {path: /x, upstream: sync}\n      - {path: /x, upstream: "
			     "homeserver}\n"),
	    "23:16: path: '/x': this path and method are mapped already");
	refuses(changed(FED, SYNC "    paths:\n      - {path: /x, methods: [GTE], upstream: sync}\n"),
	    "22:30: methods: 'GTE' is not known");
	refuses(changed(FED, FED "    upstreams:\n      - {name: r, addresses: [\"unix:s\"], balance: room}\n"
			     "    paths:\n      - {path: \"/x/{id}\", upstream: r}\n"),
	    "22:16: path: upstream 'r' is balanced by room");
}

Test(config, numbers_addresses_over_all_services)
{
	struct proxy_conf *c = good(changed(FED, SYNC "      - {name: b, addresses: [\"unix:s\", \"[::1]:2\"]}\n"
					    "    paths:\n      - {path: /x, upstream: b}\n      - {path: /x/y, "
					    "upstream: homeserver}\n"));
	const struct service_conf *s = &c->services[0];

	cr_assert_eq(c->n_addresses, 4);
	cr_assert_eq(service_upstream(s, 0)->first, 0);
	cr_assert_eq(service_upstream(s, 1)->first, 1);
	cr_assert_eq(service_upstream(s, 2)->first, 2);
	cr_assert_not(s->homeserver.checked);
	cr_assert_not(s->upstreams[0].checked, "one address: no checks of itself");
	cr_assert(s->upstreams[1].checked);
	cr_assert_not_null(s->map);
	snapshot_drop(&c->snap);
}

Test(config, checks_lookups)
{
	refuses(more("lookups: {nameservers: [dns.example.org]}\n"),
	    "19:25: nameservers: 'dns.example.org' is not an IP");
	refuses(more("lookups: {hosts: {x.example.org: y.example.org}}\n"),
	    "19:34: hosts: 'y.example.org' is not an IP");
	refuses(more("lookups: {hosts: {\"x y\": 192.0.2.1}}\n"),
	    "19:19: hosts: 'x y' is not a host name");
	refuses(more("lookups: {notaries: [\"a b\"]}\n"),
	    "19:22: notaries: 'a b' is not a Matrix server name");
	refuses(
	    more("lookups: {ca_system: false}\n"), "19:22: ca_system: false leaves no CA at all");
	snapshot_drop(
	    &good(more("lookups: {nameservers: [\"127.0.0.1:53\", \"::1\", \"[::1]:53\"], "
		       "hosts: {x.example.org: 192.0.2.1}}\n"))
		 ->snap);
}

Test(config, checks_redis)
{
	static const struct {
		const char *text, *fault;
	} bad[] = {
		{ "  address: \"10.0.0.1:6379\"\n",
		    "20:12: address: '10.0.0.1:6379' is another machine" },
		{ "  address: \"redis://10.0.0.1:6379\"\n",
		    "20:12: address: '10.0.0.1:6379' is another machine" },
		{ "  address: \"rediss://a:b@10.0.0.1:6379\"\n",
		    "20:12: address: no user or password belongs here" },
		{ "  address: \"127.0.0.1:0\"\n", "20:12: address: '127.0.0.1:0': port 0" },
		{ "  address: nonsense\n", "20:12: address: 'nonsense': the port is missing" },
		{ "  address: \"unix:/s\"\n  tls: true\n", "21:8: tls: a unix socket has none" },
		{ "  sentinels: [\"127.0.0.1:26379\"]\n", "20:14: master_name: goes together" },
		{ "  master_name: m\n", "20:16: master_name: goes together" },
		{ "  sentinels: [\"10.0.0.1:26379\"]\n  master_name: m\n",
		    "20:15: sentinels: '10.0.0.1:26379' is another machine" },
		{ "  sentinels: [\"unix:/s\"]\n  master_name: m\n",
		    "20:15: sentinels: 'unix:/s' has no port" },
		{ "  sentinels: [\"127.0.0.1:1\"]\n  master_name: m\n  address: \"127.0.0.1:1\"\n",
		    "22:12: address: sentinels are set too" },
		{ "  address: \"127.0.0.1:1\"\n  user: u\n", "21:9: user: without password_file" },
	};
	struct proxy_conf *c = good(more("redis:\n  address: \"rediss://r.example.org:6379/\"\n"));

	cr_assert(redis_section_on(&c->redis) && c->redis.tls);
	cr_assert_str_eq(c->redis.where.host, "r.example.org");
	cr_assert_eq(c->redis.where.port, 6379);
	snapshot_drop(&c->snap);
	c = good(more("redis:\n  sentinels: [\"127.0.0.1:1\", \"[::1]:2\"]\n  master_name: m\n"));
	cr_assert(redis_section_on(&c->redis) && c->redis.n_nodes == 2);
	cr_assert_str_eq(c->redis.nodes[1].host, "::1");
	snapshot_drop(&c->snap);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[300];

		snprintf(text, sizeof(text), "redis:\n%s", bad[i].text);
		refuses(more(text), bad[i].fault);
	}
}

Test(config, refuses_keys_that_others_can_read)
{
	char path[PATH_MAX + 16], text[2048];

	snprintf(path, sizeof(path), "%s/server.key", folder);
	cr_assert(chmod(path, 0644) == 0);
	refuses(base, "16:10: key: ");
	snprintf(text, sizeof(text), "%stest_mode: true\n", base);
	snapshot_drop(&good(text)->snap);
}

Test(config, names_the_file_that_is_missing_or_wrong)
{
	refuses(
	    changed("certificate: server.pem", "certificate: none.pem"), "15:18: certificate: ");
	refuses(
	    changed("certificate: server.pem", "certificate: server.key"), "15:18: certificate: ");
	refuses(changed("key: server.key", "key: none.key"), "16:10: key: ");
	refuses(
	    changed("anchors: [ca.pem]\n    passport", "anchors: [ca.pem, none.pem]\n    passport"),
	    "8:25: anchors: ");
	refuses(changed("- file: ca.pem", "- file: none.pem"), "12:17: file: ");
	refuses(more("    ocsp_file: ca.pem\n"), "19:16: ocsp_file: ");
	refuses(more("lookups: {ca_file: none.pem}\n"), "19:20: ca_file: ");
}

Test(config, wants_the_certificate_to_cover_every_host)
{
	refuses(more("    hosts: [c.example.org]\n"), "19:13: certificate: ");
	refuses(changed("server_name: a.example.org", "server_name: c.example.org"),
	    "15:18: certificate: ");
}

Test(config, shows_all_faults_at_once)
{
	struct proxy_conf *c =
	    load(changed("homeserver: \"127.0.0.1:8008\"", "homesrver: x\n    admin_paths: maybe"));

	cr_assert_null(c);
	cr_assert(memmem(buf_str(&errors).p, buf_len(&errors),
		      ":17:5: unknown key 'homesrver'; did you mean 'homeserver'?", 57) != NULL);
	cr_assert(memmem(buf_str(&errors).p, buf_len(&errors),
		      ":18:18: admin_paths: 'maybe' is not known", 41) != NULL);
	cr_assert(memmem(buf_str(&errors).p, buf_len(&errors), ":14:5: 'homeserver' is missing",
		      30) != NULL);
}

Test(config, says_what_needs_a_restart)
{
	struct proxy_conf *a = good(base),
			  *b = good(more("log_level: debug\ntls: {tls13: false}\n"));
	struct buf what;

	buf_init(&what, 1024);
	cr_assert_not(proxy_conf_needs_restart(a, b, &what));
	snapshot_drop(&b->snap);
	b = good(changed("state_dir: state\n", "state_dir: other\nworkers: 3\n"));
	cr_assert(proxy_conf_needs_restart(a, b, &what));
	cr_assert(str_eq(buf_str(&what), STR("workers, state_dir")), STR_FMT,
	    STR_ARG(buf_str(&what)));
	snapshot_drop(&b->snap);
	buf_fini(&what);
	b = good(changed("127.0.0.1:0", "127.0.0.1:1"));
	cr_assert_not(proxy_conf_needs_restart(a, b, &what));
	snapshot_drop(&b->snap);
	snapshot_drop(&a->snap);
	buf_fini(&what);
}

Test(config, prints_no_secrets)
{
	struct proxy_conf *c = good(base);
	struct buf out;

	buf_init(&out, 1 << 20);
	cr_assert(proxy_conf_print(c, &out));
	cr_assert(memmem(buf_str(&out).p, buf_len(&out), "server.key", 10) != NULL);
	cr_assert_null(memmem(buf_str(&out).p, buf_len(&out), "PRIVATE", 7));
	snapshot_drop(&c->snap);
	buf_fini(&out);
}
