/* SPDX-License-Identifier: Apache-2.0 */
/* The way out in schleuse-proxy's configuration: listeners, secrets, destinations besides the
 * federation, the CA of tunnels (FD-5.2.1.2-4/-7, ML-123615, O-13). */
#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/net/minter.h"
#include "proxy/config.h"
#include "tests/unit/tlscert.h"

#define SECRET_A "aaaaaaaaaaaaaaaa" /* 16 bytes: the least */
#define SECRET_B "bbbbbbbbbbbbbbbbbbbbbbbb"

#define OUT "  - { address: \"unix:out.sock\", serves: [outbound] }\n"
#define A "outbound: { secret_file: a.secret }"
#define B "outbound: { secret_file: b.secret }"

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
	tlscert_write(folder, "a.secret", SECRET_A "\n", 0600);
	tlscert_write(folder, "b.secret", SECRET_B, 0600);
	tlscert_write(folder, "again.secret", SECRET_A, 0600);
	tlscert_write(folder, "open.secret", SECRET_A "\n", 0644);
	tlscert_write(folder, "short.secret", "aaaaaaaaaaaaaaa\n", 0600);
	tlscert_write(folder, "blank.secret", "aaaaaaaa aaaaaaaa\n", 0600);
	tlscert_write(folder, "lines.secret", SECRET_A "\n" SECRET_B "\n", 0600);
	tlscert_write(folder, "proxy.secret", "Aladdin:open-sesame\n", 0600);
}

static void
empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[PATH_MAX + 300];

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

static void
finish(void)
{
	char made[PATH_MAX + 16];

	snprintf(made, sizeof(made), "%s/made", folder);
	empty(made);
	empty(folder);
	buf_fini(&errors);
}

TestSuite(config_outbound, .init = start, .fini = finish);

struct parts {
	const char *listener; /* lines: further listeners; line 3 is the first */
	const char *a, *b;    /* members of the services, in the last lines but two and but one */
	const char *more;     /* last line */
};

static struct proxy_conf *
load(const struct parts *p)
{
	char path[PATH_MAX + 16], text[8192];

	snprintf(text, sizeof(text),
	    "listeners:\n"
	    "  - { address: \"127.0.0.1:0\" }\n"
	    "%s"
	    "state_dir: state\n"
	    "federations:\n"
	    "  - { name: ti, list: { anchors: [ca.pem], file: l.jws } }\n"
	    "services:\n"
	    "  - { server_name: a.example.org, certificate: server.pem, key: server.key,\n"
	    "      homeserver: \"unix:hs.sock\", federation: ti, invites: {passport: off},\n"
	    "      %s }\n"
	    "  - { server_name: b.example.org, certificate: server.pem, key: server.key,\n"
	    "      homeserver: \"127.0.0.1:8009\", federation: ti, invites: {passport: off},\n"
	    "      %s }\n"
	    "%s\n",
	    p->listener != NULL ? p->listener : OUT, p->a != NULL ? p->a : A,
	    p->b != NULL ? p->b : "", p->more != NULL ? p->more : "");
	snprintf(path, sizeof(path), "%s/p.yaml", folder);
	tlscert_write(folder, "p.yaml", text, 0644);
	buf_fini(&errors);
	return proxy_conf_load(path, &errors);
}

static struct proxy_conf *
good(const struct parts *p)
{
	struct proxy_conf *c = load(p);

	cr_assert(c != NULL, STR_FMT, STR_ARG(buf_str(&errors)));
	return c;
}

#define ACCEPTS(...) snapshot_drop(&good(&(struct parts){ __VA_ARGS__ })->snap)
#define REFUSES(fault, ...) refuses(fault, &(struct parts){ __VA_ARGS__ })

/* Exactly the fault that begins so, behind the path. */
static void
refuses(const char *fault, const struct parts *p)
{
	struct proxy_conf *c = load(p);
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

/* The fault just seen. */
static void
says(const char *text)
{
	struct str shown = buf_str(&errors);

	cr_assert(memmem(shown.p, shown.n, text, strlen(text)) != NULL, "expected %s\ngot " STR_FMT,
	    text, STR_ARG(shown));
}

Test(config_outbound, is_off_unless_asked_for)
{
	struct proxy_conf *c = good(&(struct parts){ .listener = "", .a = "" });

	cr_assert_null(c->services[0].way_out.secret_file);
	cr_assert_eq(c->services[0].way_out.secret.n, 0);
	cr_assert_eq(c->services[0].way_out.signature, RULE_ENFORCE);
	cr_assert_eq(c->services[0].way_out.invites, RULE_ENFORCE);
	cr_assert_eq(c->services[0].way_out.domains, RULE_LOG);
	cr_assert_null(c->forward.anchors);
	cr_assert_null(c->forward.ca);
	cr_assert_null(proxy_conf_service_by_secret(c, STR("")));
	snapshot_drop(&c->snap);
}

Test(config_outbound, finds_the_service_by_its_secret)
{
	struct proxy_conf *c = good(&(struct parts){ .b = B });

	cr_assert_eq(proxy_conf_service_by_secret(c, STR(SECRET_A)), &c->services[0]);
	cr_assert_eq(proxy_conf_service_by_secret(c, STR(SECRET_B)), &c->services[1]);
	cr_assert_null(proxy_conf_service_by_secret(c, STR("")));
	cr_assert_null(proxy_conf_service_by_secret(c, STR(SECRET_A "a")));
	cr_assert_null(proxy_conf_service_by_secret(c, STR("aaaaaaaaaaaaaaa")));
	cr_assert_not_null(c->forward.anchors);
	snapshot_drop(&c->snap);
}

Test(config_outbound, takes_a_unix_socket_and_its_mode)
{
	struct proxy_conf *c = good(&(struct parts){
	    .listener =
		"  - { address: \"unix:o.sock\", serves: [outbound], service: A.example.org,\n"
		"      socket_mode: 660 }\n" });
	const struct listener_conf *l = &c->listeners[1];

	cr_assert_eq(l->kind, LISTEN_OUTBOUND);
	cr_assert_eq(l->only, &c->services[0]);
	cr_assert_eq(l->mode, 0660);
	snapshot_drop(&c->snap);
	c = good(&(struct parts){ .listener = OUT });
	cr_assert_null(c->listeners[1].only);
	cr_assert_eq(c->listeners[1].mode, 0666);
	snapshot_drop(&c->snap);
}

#define LISTENER(members) .listener = "  - { serves: [outbound], " members " }\n"

/* ML-123615: what the homeserver says without TLS stays on the machine. */
Test(config_outbound, keeps_its_listeners_on_the_machine)
{
	ACCEPTS(LISTENER("address: \"127.0.0.1:3128\""));
	ACCEPTS(LISTENER("address: \"[::1]:3128\""));
	REFUSES("3:36: address: '10.0.0.1:3128' can be reached from other machines",
	    LISTENER("address: \"10.0.0.1:3128\""));
	REFUSES("3:36: address: '0.0.0.0:3128' can be reached from other machines",
	    LISTENER("address: \"0.0.0.0:3128\""));
	REFUSES("3:36: address: '[::]:3128' can be reached from other machines",
	    .more = "test_mode: true", LISTENER("address: \"[::]:3128\""));
	REFUSES("3:36: address: 'localhost:3128' is not an IP address; write 127.0.0.1",
	    LISTENER("address: \"localhost:3128\""));
}

Test(config_outbound, has_listeners_of_its_own)
{
	REFUSES("3:50: serves: outbound stands alone",
	    .listener = "  - { address: \"127.0.0.1:1\", serves: [outbound, clients] }\n");
	REFUSES("4:16: address: a unix socket is only possible with serves: [outbound]",
	    .listener = OUT "  - { address: \"unix:c.sock\" }\n");
	REFUSES("4:40: service: is only used with serves: [outbound]",
	    .listener = OUT "  - { address: \"127.0.0.1:1\", service: a.example.org }\n");
	REFUSES("4:44: socket_mode: is only used with serves: [outbound]",
	    .listener = OUT "  - { address: \"127.0.0.1:1\", socket_mode: 600 }\n");
	REFUSES("3:64: socket_mode: only a unix socket has one",
	    LISTENER("address: \"127.0.0.1:1\", socket_mode: 600"));
	REFUSES("3:64: socket_mode: '68' is not the mode of a file",
	    LISTENER("address: \"unix:o.sock\", socket_mode: 68"));
	REFUSES("3:64: socket_mode: '1666' is not the mode of a file",
	    LISTENER("address: \"unix:o.sock\", socket_mode: 1666"));
	REFUSES("3:64: socket_mode: '0' is not the mode of a file",
	    LISTENER("address: \"unix:o.sock\", socket_mode: 0"));
	REFUSES("3:67: proxy_protocol: has no meaning where the homeserver connects",
	    LISTENER("address: \"unix:o.sock\", proxy_protocol: required,\n"
		     "      proxy_protocol_from: [192.0.2.7]"));
}

/* Binding replaces the socket file. */
Test(config_outbound, takes_no_socket_that_is_somebody_elses)
{
	REFUSES("4:16: address: 'unix:out.sock' appears twice",
	    .listener = OUT "  - { address: \"unix:out.sock\", serves: [outbound] }\n");
	REFUSES("3:36: address: 'unix:state/admin.sock' is that of admin",
	    LISTENER("address: \"unix:state/admin.sock\""));
	REFUSES("3:36: address: 'unix:hs.sock' is that of a homeserver",
	    LISTENER("address: \"unix:hs.sock\""));
	REFUSES("3:36: address: 'unix:w.sock' is that of a homeserver",
	    LISTENER("address: \"unix:w.sock\""),
	    .b = "upstreams: [{ name: w, addresses: [\"127.0.0.1:1\", \"unix:w.sock\"] }],\n"
		 "      paths: [{ path: /x, upstream: w }]");
}

Test(config_outbound, serves_somebody)
{
	REFUSES("3:60: service: 'c.example.org' is not the server_name of a service",
	    LISTENER("address: \"unix:o.sock\", service: c.example.org"));
	REFUSES("3:60: service: 'b.example.org' has no outbound.secret_file",
	    LISTENER("address: \"unix:o.sock\", service: b.example.org"));
	REFUSES("3:42: serves: outbound, but no service has outbound.secret_file", .a = "");
	/* one that nobody serves is warned about: the listener may come later */
	ACCEPTS(.listener = "");
	ACCEPTS(.b = B, LISTENER("address: \"unix:o.sock\", service: a.example.org"));
}

#define SECRET(file) .a = "outbound: { secret_file: " file " }"

Test(config_outbound, wants_secrets_that_are_some)
{
	REFUSES("10:32: secret_file: ", SECRET("none.secret"));
	says("cannot be read");
	REFUSES("10:32: secret_file: ", SECRET("open.secret"));
	says("can be read by others");
	ACCEPTS(SECRET("open.secret"), .more = "test_mode: true");
	REFUSES("10:32: secret_file: ", SECRET("short.secret"));
	says("holds less than 16 bytes");
	REFUSES("10:32: secret_file: ", SECRET("short.secret"), .more = "test_mode: true");
	REFUSES("10:32: secret_file: ", SECRET("blank.secret"));
	says("must be one line");
	REFUSES("10:32: secret_file: ", SECRET("lines.secret"));
	says("must be one line");
}

Test(config_outbound, tells_services_apart_by_their_secrets)
{
	struct str shown;

	REFUSES("13:32: secret_file: ", .b = "outbound: { secret_file: again.secret }");
	says("/again.secret holds the same as ");
	says("/a.secret of service 'a.example.org'");
	shown = buf_str(&errors);
	cr_assert_null(memmem(shown.p, shown.n, SECRET_A, 16), "a fault shows a secret");
}

#define ALLOW(entries) .a = "outbound: { secret_file: a.secret,\n      allow: [" entries "] }"

Test(config_outbound, allows_hosts_and_ports)
{
	struct proxy_conf *c = good(&(struct parts){ ALLOW(
	    "{host: Push.Example.ORG}, {host: \"*.example.net\", port: 8443}, "
	    "{host: 192.0.2.7}, {host: \"2001:DB8:0:0::1\"}, {host: push.example.org, port: 1}") });
	const struct way_out_conf *w = &c->services[0].way_out;

	cr_assert_eq(w->n_allow, 5);
	cr_assert_str_eq(w->allow[0].host, "push.example.org");
	cr_assert_eq(w->allow[0].port, 443);
	cr_assert_not(w->allow[0].inspect);
	cr_assert_str_eq(w->allow[1].host, "*.example.net");
	cr_assert_eq(w->allow[1].port, 8443);
	cr_assert_str_eq(w->allow[3].host, "2001:db8::1");
	snapshot_drop(&c->snap);
}

Test(config_outbound, allows_nothing_by_accident)
{
	static const char *const bad[] = { "https://x.example.org", "x.example.org:443",
		"x.example.org/a", "*", "*.", "*x.example.org", "x.*.org", "*.*.org",
		"[2001:db8::1]", "*.2001:db8::1", "*.192.0.2.7", "a_b", "x..org" };
	char a[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(a, sizeof(a),
		    "outbound: { secret_file: a.secret, allow: [{ host: \"%s\" }] }", bad[i]);
		REFUSES("10:58: host: '", .a = a);
	}
	REFUSES("11:23: host: '*.org' is too much", ALLOW("{ host: \"*.org\" }"));
	REFUSES("11:36: port: ", ALLOW("{ host: x.org, port: 0 }"));
	REFUSES("11:36: port: ", ALLOW("{ host: x.org, port: 65536 }"));
	REFUSES("11:40: host: 'x.org' with port 443 appears twice",
	    ALLOW("{ host: x.org }, { host: X.org, port: 443 }"));
	REFUSES("11:39: inspect: needs outbound.ca_certificate",
	    ALLOW("{ host: x.org, inspect: true }"));
	REFUSES("9:26: allow: has no effect without outbound.secret_file", .listener = "",
	    .a = "outbound: { allow: [{ host: x.org }] }");
}

Test(config_outbound, wants_the_ca_with_its_key)
{
	REFUSES("14:29: ca_certificate: goes together with ca_key",
	    .more = "outbound: { ca_certificate: ca.pem }");
	REFUSES("14:21: ca_key: goes together with ca_certificate",
	    .more = "outbound: { ca_key: server.key }");
	REFUSES("14:29: ca_certificate: ",
	    .more = "outbound: { ca_certificate: none.pem, ca_key: server.key }");
	says("none.pem cannot be read");
}

#define CA "ca_certificate: made/ca.pem, ca_key: "

static void
make_ca(void)
{
	const char *const not_own[] = { "a.example.org" };
	const struct minter_ca_request r = { .excluded = not_own, .n_excluded = 1, .days = 31 };
	char made[PATH_MAX + 16], why[256];

	snprintf(made, sizeof(made), "%s/made", folder);
	cr_assert_eq(mkdir(made, 0700), 0);
	cr_assert(minter_ca_make(made, &r, why, sizeof(why)), "%s", why);
}

Test(config_outbound, takes_only_a_ca_that_was_made_for_this)
{
	struct proxy_conf *c;
	char key[PATH_MAX + 32];

	make_ca();
	c = good(&(struct parts){
	    ALLOW("{ host: x.org, inspect: true }"), .more = "outbound: { " CA "made/ca.key }" });
	cr_assert_not_null(c->forward.ca);
	cr_assert(c->services[0].way_out.allow[0].inspect);
	snapshot_drop(&c->snap);
	/* that of a server, another one's key, a key for everybody */
	REFUSES("14:29: ca_certificate: ",
	    .more = "outbound: { ca_certificate: server.pem, ca_key: server.key }");
	says("server.pem: the certificate is not one of a CA");
	REFUSES("14:29: ca_certificate: ", .more = "outbound: { " CA "server.key }");
	says("the key is not the one of the certificate");
	snprintf(key, sizeof(key), "%s/made/ca.key", folder);
	cr_assert_eq(chmod(key, 0644), 0);
	REFUSES("14:50: ca_key: ", .more = "outbound: { " CA "made/ca.key }");
	says("can be read by others");
	ACCEPTS(.more = "outbound: { " CA "made/ca.key }\ntest_mode: true");
}

Test(config_outbound, reads_the_credentials_for_a_proxy)
{
	struct proxy_conf *c = good(&(struct parts){
	    .more = "outbound: { proxy: \"proxy.example.org:3128\", proxy_credentials_file: "
		    "proxy.secret }" });

	cr_assert(
	    str_eq(c->forward.proxy_authorization, STR("Basic QWxhZGRpbjpvcGVuLXNlc2FtZQ==")));
	snapshot_drop(&c->snap);
	ACCEPTS(.more = "outbound: { proxy: \"[2001:db8::1]:3128\" }");
	REFUSES("14:20: proxy: 'proxy.example.org': the port is missing",
	    .more = "outbound: { proxy: proxy.example.org }");
	REFUSES("14:20: proxy: 'proxy.example.org:0': expected host:port",
	    .more = "outbound: { proxy: \"proxy.example.org:0\" }");
	REFUSES("14:20: proxy: 'unix:x': expected host:port",
	    .more = "outbound: { proxy: \"unix:x\" }");
	REFUSES("14:37: proxy_credentials_file: is only used with outbound.proxy",
	    .more = "outbound: { proxy_credentials_file: proxy.secret }");
	REFUSES("14:63: proxy_credentials_file: ",
	    .more = "outbound: { proxy: \"p.example.org:1\", proxy_credentials_file: a.secret }");
}

Test(config_outbound, checks_limits_against_each_other)
{
	REFUSES("14:23: outbound.idle_max must not be above outbound.connections_max",
	    .more = "outbound: { idle_max: 33 }");
	REFUSES("14:34: outbound.timeouts.attempt_delay must be below outbound.timeouts.connect",
	    .more = "outbound: { timeouts: { connect: 250ms } }");
}

Test(config_outbound, prints_no_secrets)
{
	struct proxy_conf *c = good(&(struct parts){ .b = B });
	struct buf out;

	buf_init(&out, 1 << 20);
	cr_assert(proxy_conf_print(c, &out));
	cr_assert(memmem(buf_str(&out).p, buf_len(&out), "a.secret", 8) != NULL);
	cr_assert_null(memmem(buf_str(&out).p, buf_len(&out), SECRET_A, 16));
	snapshot_drop(&c->snap);
	buf_fini(&out);
}
