/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import - the command, and Sygnal's settings outside of apps.
 */
#include "pushgw/import.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "lib/base/fsutil.h"
#include "pushgw/import_int.h"

#define OUT_MAX (4 << 20)
#define ARENA_MAX (64 << 20)
#define PORT "5000" /* Sygnal's, unless it says otherwise */
#define CREDENTIALS "/etc/schleuse/push-proxy.credentials"

/* --- http --- */

static void
put_listener(struct import *im, struct str address, const char *port)
{
	bool ip6;

	if (address.n == 0) /* as Twisted takes it */
		address = STR("0.0.0.0");
	else if (str_eq(address, STR("localhost")))
		address = STR("127.0.0.1");
	ip6 = str_chr(address, ':') != NULL && address.p[0] != '[';
	import_put(im, "  - address: \"%s" STR_FMT "%s:%s\"\n", ip6 ? "[" : "", STR_ARG(address),
	    ip6 ? "]" : "", port);
}

static void
take_http(struct import *im, const struct tree_node *http)
{
	static const char *const names[] = { "bind_addresses", "port", NULL };
	const struct tree_node *addresses = import_find(http, "bind_addresses");
	const struct tree_node *at_port = import_find(http, "port");
	char port[8] = PORT;
	uint64_t number;
	struct str text;

	import_put(im, "listeners:\n");
	im->comment = "  ";
	if (import_number(im, at_port, 65535, &number))
		snprintf(port, sizeof(port), "%u", (unsigned)number);
	if (addresses == NULL)
		put_listener(im, STR("127.0.0.1"), port);
	else if (addresses->kind != TREE_LIST)
		put_listener(
		    im, import_scalar(im, addresses, &text) ? text : STR("127.0.0.1"), port);
	else
		for (const struct tree_node *c = addresses->first; c != NULL; c = c->next)
			if (import_scalar(im, c, &text))
				put_listener(im, text, port);
	if (http != NULL && http->kind == TREE_MAP)
		import_check_keys(im, http, names, "http");
	im->comment = "";
}

static void
put_tls(struct import *im)
{
	import_put(im, "\n");
	import_note(im, NULL,
	    "tls: decide: Sygnal spoke plain HTTP behind a reverse proxy, this gateway speaks TLS "
	    "itself; set certificate, key and the host names in the pushers' URLs, and let the "
	    "reverse proxy pass TLS on as it is or speak https to the gateway");
	import_put(im, "tls:\n"
		       "  certificate: /etc/schleuse/pushgw.pem\n"
		       "  key: /etc/schleuse/pushgw.key\n"
		       "  hosts: [push.example.org]\n");
}

static void
put_clients(struct import *im)
{
	import_put(im, "\n");
	import_note(im, NULL,
	    "clients: decide: as with Sygnal everybody may notify; name the networks, certificates "
	    "or passwords of the homeservers if they are known");
	import_put(im, "clients: {}\n");
}

/* --- log --- */

static void
take_level(struct import *im, const struct tree_node *setup)
{
	static const char *const levels[][2] = { { "CRITICAL", "error" }, { "ERROR", "error" },
		{ "WARNING", "warn" }, { "INFO", "info" }, { "DEBUG", "debug" } };
	const struct tree_node *level = import_find(import_find(setup, "root"), "level");
	struct str text;

	if (level == NULL || !import_scalar(im, level, &text))
		return;
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		if (!str_eq(text, str_z(levels[i][0])))
			continue;
		import_put(im, "log_level: %s\n", levels[i][1]);
		return;
	}
	import_note(im, level, "level: not known, log_level is info");
}

static void
take_log(struct import *im, const struct tree_node *log)
{
	static const char *const names[] = { "setup", "access", NULL };
	const struct tree_node *setup = import_find(log, "setup");
	const struct tree_node *forwarded =
	    import_find(import_find(log, "access"), "x_forwarded_for");

	if (log == NULL || log->kind != TREE_MAP)
		return;
	take_level(im, setup);
	if (setup != NULL)
		import_note(im, setup,
		    "setup: no counterpart: the log goes to standard error, which systemd keeps; "
		    "requests are not logged, metrics count them");
	if (import_is_true(im, forwarded, false))
		import_note(im, forwarded,
		    "x_forwarded_for: no counterpart: clients.networks and limits by address see "
		    "the "
		    "address of the connection");
	import_check_keys(im, log, names, "log");
}

/* --- metrics --- */

static bool
is_loopback(struct str address)
{
	return str_has_prefix(address, STR("127.")) || str_eq(address, STR("localhost")) ||
	       str_eq(address, STR("::1"));
}

static void
take_prometheus(struct import *im, const struct tree_node *p)
{
	static const char *const names[] = { "enabled", "address", "port", NULL };
	const struct tree_node *at = import_find(p, "address");
	struct str address = STR_NONE;
	uint64_t port = 8000;

	if (!import_is_true(im, import_find(p, "enabled"), false))
		return;
	if (import_find(p, "port") != NULL &&
	    !import_number(im, import_find(p, "port"), 65535, &port))
		return;
	if (at == NULL || !import_scalar(im, at, &address) || !is_loopback(address))
		import_note(im, at != NULL ? at : p,
		    "address: only this machine may ask for metrics; scrape them here or put a "
		    "proxy "
		    "with authentication in front");
	import_put(im, "admin: \"%s:%u\"\n", str_eq(address, STR("::1")) ? "[::1]" : "127.0.0.1",
	    (unsigned)port);
	import_note(im, p, "prometheus: differs: metrics have other names, see operations.md");
	import_check_keys(im, p, names, "prometheus");
}

static void
take_metrics(struct import *im, const struct tree_node *metrics)
{
	static const char *const names[] = { "prometheus", "opentracing", "sentry", NULL };
	const struct tree_node *n = import_find(metrics, "prometheus");

	if (n != NULL)
		take_prometheus(im, n);
	for (size_t i = 1; i <= 2; i++) {
		n = import_find(metrics, names[i]);
		if (import_is_true(im, import_find(n, "enabled"), false))
			import_note(im, n, "%s: no counterpart", names[i]);
	}
	if (metrics != NULL && metrics->kind == TREE_MAP)
		import_check_keys(im, metrics, names, "metrics");
}

/* --- the way out --- */

static void
put_proxy(struct import *im, const struct tree_node *at, struct str host)
{
	struct str credentials, rest;

	while (str_has_suffix(host, STR("/")))
		host.n--;
	if (str_cut(host, '@', &credentials, &rest)) {
		import_note(im, at,
		    "proxy: decide: user and password belong in a file: write them as "
		    "user:password, "
		    "not percent-encoded, to " CREDENTIALS " with mode 0600");
		host = rest;
	}
	if (str_chr(host, ':') == NULL)
		import_put(im, "proxy: \"" STR_FMT ":80\"\n", STR_ARG(host));
	else
		import_text(im, "proxy: ", host);
	if (rest.n > 0)
		import_put(im, "proxy_credentials_file: " CREDENTIALS "\n");
}

static void
take_proxy(struct import *im, const struct tree_node *n)
{
	struct str url;

	import_put(im, "\n");
	if (n == NULL)
		import_note(im, NULL,
		    "proxy: differs: the environment variable HTTPS_PROXY is not looked at; set "
		    "proxy "
		    "if Sygnal had it");
	else if (import_scalar(im, n, &url) && str_has_prefix(url, STR("http://")))
		put_proxy(im, n, str_from(url, STR("http://").n));
	else
		import_note(im, n,
		    "proxy: no counterpart: only http:// proxies that know CONNECT can be used");
}

/* --- all of it --- */

static void
convert(struct import *im, const struct tree_node *root)
{
	static const char *const names[] = { "log", "http", "proxy", "metrics", "apps", "database",
		NULL };
	const struct tree_node *database = import_find(root, "database");

	import_put(im,
	    "# schleuse-pushgw, converted from Sygnal's configuration.\n"
	    "# Reference: schleuse-pushgw.yaml(5).  Check it with: schleuse-pushgw --config FILE "
	    "--check-config\n");
	import_note(im, NULL,
	    "differs: pushes wait for a random time of up to 10 s and tell the device room ID and "
	    "event ID only: no counts, senders, names and contents, and of default_payload what "
	    "an app's payload allows");
	import_put(im, "\n");
	take_http(im, import_find(root, "http"));
	take_metrics(im, import_find(root, "metrics"));
	import_put(im, "state_dir: /var/lib/schleuse-pushgw\n");
	take_log(im, import_find(root, "log"));
	if (database != NULL)
		import_note(im, database, "database: not needed, nor by Sygnal since 0.10");
	import_check_keys(im, root, names, "Sygnal");
	put_tls(im);
	put_clients(im);
	take_proxy(im, import_find(root, "proxy"));
	import_apps(im, import_find(root, "apps"));
}

bool
import_sygnal(const char *path, struct str text, struct buf *out, struct buf *notes)
{
	struct import im = { .notes = { .path = path, .out = notes }, .out = out, .comment = "" };
	const struct tree_node *root;
	bool good = false;

	arena_init(&im.arena, ARENA_MAX);
	root = tree_parse(&im.arena, text, &im.notes);
	if (root != NULL && root->kind != TREE_MAP)
		tree_fault(&im.notes, root->at, "not a configuration of Sygnal; expected a map");
	if (root != NULL && im.notes.count == 0) {
		convert(&im, root);
		good = !im.full;
	}
	arena_fini(&im.arena);
	return good;
}

/* --- the command --- */

static int
import(const struct program_call *call)
{
	const char *path = call->values[0].text;
	struct buf text, out, notes;
	bool good;

	buf_init(&text, TREE_TEXT_MAX);
	buf_init(&out, OUT_MAX);
	buf_init(&notes, OUT_MAX);
	good = fs_read(path, &text) == 0;
	if (!good)
		fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
	good = good && import_sygnal(path, buf_str(&text), &out, &notes);
	if (good)
		fwrite(buf_str(&out).p, 1, buf_len(&out), stdout);
	fprintf(stderr, STR_FMT, STR_ARG(buf_str(&notes)));
	if (fflush(stdout) != 0)
		good = false;
	if (text.mem != NULL) /* a proxy's password may be in it */
		OPENSSL_cleanse(text.mem, text.cap);
	buf_fini(&text);
	buf_fini(&out);
	buf_fini(&notes);
	return good ? 0 : 1;
}

const struct program_option import_options[] = {
	{ "import-sygnal", "FILE",
	    "print Sygnal's configuration as one of ours, and what to decide, exit", import },
	{ NULL, NULL, NULL, NULL },
};
