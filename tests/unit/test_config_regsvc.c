/* SPDX-License-Identifier: Apache-2.0 */
/* The registration service in schleuse-proxy's configuration: sources, ways to log in, secrets
 * (FD-5.2.1.2-17, CP-1.2.2-4/-5). */
#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/config.h"
#include "tests/unit/tlscert.h"

#define UUID "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
#define BASIC "client_id: me, password_file: secret"

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
	tlscert_make(&(struct tlscert){ .names = "DNS:a.example.org" }, &chain, &key);
	tlscert_write(folder, "server.pem", chain, 0644);
	tlscert_write(folder, "server.key", key, 0600);
	tlscert_write(folder, "ca.pem", strstr(chain + 1, "-----BEGIN"), 0644);
	free(chain);
	free(key);
	tlscert_make(&(struct tlscert){ .names = "DNS:b.example.org" }, &chain, &key);
	tlscert_write(folder, "other.key", key, 0600);
	free(chain);
	free(key);
	tlscert_write(folder, "secret", "pass:word\n", 0600);
	tlscert_write(folder, "open", "pass:word\n", 0644);
	tlscert_write(folder, "empty", "", 0600);
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

TestSuite(config_regsvc, .init = start, .fini = finish);

/* A configuration with these members (in braces) of a federation: regsvc, list, passport. */
static struct proxy_conf *
load(const char *regsvc, const char *list, const char *passport)
{
	char path[PATH_MAX + 16], text[8192];

	snprintf(text, sizeof(text),
	    "listeners: [{ address: \"127.0.0.1:0\" }]\n"
	    "state_dir: state\n"
	    "federations:\n"
	    "  - name: ti\n"
	    "    regsvc: { %s }\n"
	    "    list: { anchors: [ca.pem], %s }\n"
	    "    passport: { anchors: [ca.pem], %s }\n"
	    "services:\n"
	    "  - { server_name: a.example.org, certificate: server.pem, key: server.key,\n"
	    "      homeserver: \"127.0.0.1:8008\", federation: ti }\n",
	    regsvc, list, passport);
	snprintf(path, sizeof(path), "%s/p.yaml", folder);
	tlscert_write(folder, "p.yaml", text, 0644);
	buf_fini(&errors);
	return proxy_conf_load(path, &errors);
}

#define URL "url: \"https://reg.example.org:8443\", subscription: " UUID ", "

static const struct {
	const char *regsvc, *list, *passport;
	const char *fault; /* what the one fault says; NULL: it is good */
} rows[] = {
	{ URL BASIC, "source: regsvc", "source: regsvc", NULL },
	{ URL "auth: oauth, " BASIC, "source: regsvc", "source: regsvc", NULL },
	{ URL "auth: mtls, certificate: server.pem, key: server.key", "source: regsvc", "source: regsvc", NULL },
	{ URL BASIC, "source: regsvc", "certificates: [{ file: ca.pem }]", NULL },
	{ URL BASIC, "source: file, file: l.jws", "source: regsvc", NULL },
	{ URL BASIC, "url: \"https://a.example/l\"", "source: regsvc, certificates: [{ file: ca.pem }]", NULL },
	{ "", "file: l.jws", "certificates: [{ file: ca.pem }]", NULL },
	/* sources */
	{ "", "source: regsvc", "certificates: [{ file: ca.pem }]", "6:40: source: regsvc, but regsvc.url" },
	{ "", "file: l.jws", "source: regsvc", "7:44: source: regsvc, but regsvc.url" },
	{ URL BASIC, "source: regsvc, file: l.jws", "source: regsvc", "6:54: file: is not used with this source" },
	{ URL BASIC, "source: file, url: \"https://a.example/l\", file: l.jws", "source: regsvc",
	  "6:51: url: is not used" },
	{ URL BASIC, "source: file", "source: regsvc", "6:40: source: file, but no file" },
	{ URL BASIC, "source: url", "source: regsvc", "6:40: source: url, but no url" },
	{ URL BASIC, "source: ldap", "source: regsvc", "6:40: source: 'ldap' is not known" },
	/* TLS only */
	{ "url: \"http://reg.example.org\", subscription: " UUID ", " BASIC, "source: regsvc", "source: regsvc",
	  "5:20: url: must be https://host:port" },
	{ "url: \"https://me:pw@reg.example.org\", subscription: " UUID ", " BASIC, "source: regsvc", "source: regsvc",
	  "5:20: url: must be https://host:port" },
	{ "url: \"https://reg.example.org/?a=b\", subscription: " UUID ", " BASIC, "source: regsvc", "source: regsvc",
	  "5:20: url: must be https://host:port" },
	/* who we are */
	{ "url: \"https://reg.example.org\", " BASIC, "source: regsvc", "source: regsvc", "5:20: url: needs subscription" },
	{ "url: \"https://reg.example.org\", subscription: abc, " BASIC, "source: regsvc", "source: regsvc",
	  "5:61: subscription: not a UUID" },
	{ URL "password_file: secret", "source: regsvc", "source: regsvc", "5:5: auth: basic needs client_id" },
	{ URL "auth: oauth, client_id: me", "source: regsvc", "source: regsvc", "auth: oauth needs password_file" },
	{ URL "client_id: \"a:b\", password_file: secret", "source: regsvc", "source: regsvc", "client_id: only printable" },
	{ URL "auth: mtls, key: server.key", "source: regsvc", "source: regsvc", "auth: mtls needs certificate" },
	{ URL "auth: mtls, certificate: server.pem, key: server.key, client_id: me", "source: regsvc", "source: regsvc",
	  "client_id: is not used with auth: mtls" },
	{ URL BASIC ", certificate: server.pem", "source: regsvc", "source: regsvc", "certificate: is only used with" },
	/* files */
	{ URL "client_id: me, password_file: none", "source: regsvc", "source: regsvc", "cannot be read" },
	{ URL "client_id: me, password_file: empty", "source: regsvc", "source: regsvc", "is empty" },
	{ URL "client_id: me, password_file: open", "source: regsvc", "source: regsvc", "can be read by others" },
	{ URL BASIC ", ca_file: server.key", "source: regsvc", "source: regsvc", "ca_file: " },
	{ URL "auth: mtls, certificate: server.pem, key: other.key", "source: regsvc", "source: regsvc",
	  "is not the key of" },
	{ URL "auth: mtls, certificate: server.pem, key: ca.pem", "source: regsvc", "source: regsvc", "key: " },
};

Test(config_regsvc, tells_each_fault_with_its_place)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct proxy_conf *c = load(rows[i].regsvc, rows[i].list, rows[i].passport);
		struct str shown = buf_str(&errors);
		char text[4096];

		snprintf(text, sizeof(text), STR_FMT, STR_ARG(shown));
		cr_expect((c != NULL) == (rows[i].fault == NULL), "row %zu: %s", i, text);
		if (rows[i].fault != NULL) {
			cr_expect(strstr(text, rows[i].fault) != NULL, "row %zu: %s", i, text);
			cr_expect(strstr(text, "pass:word") == NULL, "row %zu: a secret is shown", i);
		}
		if (c != NULL)
			snapshot_drop(&c->snap);
	}
}

Test(config_regsvc, holds_what_is_needed_to_ask)
{
	struct proxy_conf *c = load("url: \"https://reg.example.org/\", subscription: " UUID ", " BASIC,
	    "source: regsvc", "source: regsvc");
	const struct federation_conf *f;
	struct buf shown;

	cr_assert_not_null(c);
	f = &c->federations[0];
	cr_assert_eq(f->list_source, LIST_REGSVC);
	cr_assert_str_eq(f->regsvc.url, "https://reg.example.org", "without the slash");
	cr_assert(str_eq(f->regsvc.password, STR("pass:word")));
	cr_assert_not_null(f->passport_anchor_store);
	cr_assert_null(f->passports);
	buf_init(&shown, 1 << 20);
	cr_assert(proxy_conf_print(c, &shown) && buf_put(&shown, str_of("", 1)));
	cr_assert_null(strstr(buf_str(&shown).p, "pass:word"));
	buf_fini(&shown);
	snapshot_drop(&c->snap);
}

Test(config_regsvc, existing_configurations_mean_what_they_meant)
{
	struct proxy_conf *c = load("", "file: l.jws", "certificates: [{ file: ca.pem }]");

	cr_assert_not_null(c);
	cr_assert_eq(c->federations[0].list_source, LIST_FILE);
	snapshot_drop(&c->snap);
	c = load("", "url: \"https://a.example/l\"", "certificates: [{ file: ca.pem }]");
	cr_assert_not_null(c);
	cr_assert_eq(c->federations[0].list_source, LIST_URL);
	snapshot_drop(&c->snap);
}
