/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations of Sygnal become ours, and nothing is left out without a word. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/base/fsutil.h"
#include "pushgw/import.h"
#include "tests/unit/pushconf.h"

#define CASES TEST_SRCDIR "/tests/unit/cases/sygnal/"

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

TestSuite(push_import, .init = start, .fini = finish);

static void
read_case(struct buf *b, const char *name, const char *suffix)
{
	char path[4096];

	snprintf(path, sizeof(path), CASES "%s%s", name, suffix);
	buf_init(b, 1 << 20);
	cr_assert_eq(fs_read(path, b), 0, "%s cannot be read", path);
}

static void
is_said(const char *name, const char *suffix, const struct buf *got)
{
	struct buf expected;

	read_case(&expected, name, suffix);
	cr_assert(str_eq(buf_str(&expected), buf_str(got)), "%s%s:\n" STR_FMT, name, suffix,
	    STR_ARG(buf_str(got)));
	buf_fini(&expected);
}

/* The result, which the caller frees. */
static struct buf
import(const char *name)
{
	struct buf text, out, notes;
	char path[64];

	read_case(&text, name, ".yaml");
	buf_init(&out, 1 << 20);
	buf_init(&notes, 1 << 20);
	snprintf(path, sizeof(path), "%s.yaml", name);
	cr_assert(import_sygnal(path, buf_str(&text), &out, &notes));
	is_said(name, ".expected", &out);
	is_said(name, ".notes", &notes);
	buf_fini(&notes);
	buf_fini(&text);
	return out;
}

/* With the files of the test in the place of those that an operator still has to put there. */
static struct pushgw_conf *
load(const struct buf *yaml)
{
	static const char *const files[][2] = { { "/etc/schleuse/pushgw.pem", "server.pem" },
		{ "/etc/schleuse/pushgw.key", "server.key" },
		{ "/var/lib/schleuse-pushgw", "state" }, { "push.example.org", "a.example.org" },
		{ "/etc/schleuse/service-account.json", "fcm.json" },
		{ "/etc/schleuse/push-proxy.credentials", "secret" } };
	char text[16384];
	size_t n = 0;

	for (struct str rest = buf_str(yaml); rest.n > 0;) {
		size_t i = 0;

		while (i < 6 && !str_has_prefix(rest, str_z(files[i][0])))
			i++;
		cr_assert(n + 100 < sizeof(text));
		n += (size_t)sprintf(
		    text + n, "%.*s", i < 6 ? 100 : 1, i < 6 ? files[i][1] : rest.p);
		rest = str_from(rest, i < 6 ? strlen(files[i][0]) : 1);
	}
	pushconf_write("p.yaml", text, 0644);
	return pushconf_load_file();
}

Test(push_import, apns)
{
	struct buf out = import("apns");
	struct pushgw_conf *c = load(&out);
	const struct app_conf *a = c->apps;

	cr_assert_eq(c->n_apps, 2);
	cr_assert_eq(c->service.n_listeners, 2);
	cr_assert_str_eq(c->service.listeners[1].address.host, "::1");
	cr_assert_eq(c->service.admin.port, 8000);
	cr_assert_eq(c->service.log_level, LOG_WARN);
	cr_assert_str_eq(a[0].id, "org.example.messenger.ios.prod");
	cr_assert(a[0].apns.leaf != NULL && !a[0].apns.sandbox);
	cr_assert_eq(a[0].concurrency, 512);
	cr_assert_eq(a[0].apns.token, APNS_TOKEN_BASE64);
	cr_assert(a[1].apns.leaf == NULL && a[1].apns.sandbox);
	cr_assert_eq(a[1].apns.token, APNS_TOKEN_HEX);
	cr_assert_str_eq(a[1].apns.topic, "org.example.messenger.dev");
	snapshot_drop(&c->service.snap);
	buf_fini(&out);
}

Test(push_import, fcm_through_a_proxy)
{
	struct buf out = import("fcm");
	struct pushgw_conf *c = load(&out);

	cr_assert_eq(c->n_apps, 2);
	cr_assert_str_eq(c->proxy_address.host, "proxy.example.org");
	cr_assert_eq(c->proxy_address.port, 3128);
	cr_assert(c->proxy_authorization.n > 0);
	cr_assert_eq(c->apps[0].provider, APP_FCM);
	cr_assert_eq(c->apps[0].concurrency, 40);
	cr_assert_str_eq(c->apps[1].id, "org.example.old.*");
	snapshot_drop(&c->service.snap);
	buf_fini(&out);
}

Test(push_import, webpush)
{
	struct buf out = import("webpush");
	struct pushgw_conf *c = load(&out);
	const struct webpush_conf *w = &c->apps[0].webpush;

	cr_assert_eq(c->n_apps, 2);
	cr_assert_eq(w->endpoints.n, 3);
	cr_assert_str_eq(w->endpoints.v[2], "*.notify.windows.com");
	cr_assert_str_eq(w->contact, "mailto:push@example.org");
	cr_assert_eq(w->ttl, 900 * 1000);
	cr_assert_eq(c->apps[1].webpush.ttl, 60 * 1000);
	cr_assert_str_eq(c->apps[1].webpush.contact, "mailto:push@example.org");
	snapshot_drop(&c->service.snap);
	buf_fini(&out);
}

/* What has no counterpart, and what should not be in the file. */
Test(push_import, tells_everything_that_it_leaves_out)
{
	struct buf out = import("odd");

	buf_fini(&out);
	out = import("minimal");
	buf_fini(&out);
}

static void
refuses(const char *text, const char *why)
{
	struct buf out, notes;

	buf_init(&out, 1 << 20);
	buf_init(&notes, 1 << 20);
	cr_assert_not(import_sygnal("s.yaml", str_z(text), &out, &notes));
	cr_assert(str_has_prefix(buf_str(&notes), str_z(why)), STR_FMT, STR_ARG(buf_str(&notes)));
	cr_assert_eq(buf_len(&out), 0);
	buf_fini(&out);
	buf_fini(&notes);
}

Test(push_import, refuses_what_is_not_plain_yaml)
{
	refuses("apps:\n  a: &common\n    type: gcm\n  b: *common\n", "s.yaml:2:6: anchors");
	refuses("apps:\n  a: !tag b\n", "s.yaml:2:6: ");
	refuses("- apps\n", "s.yaml:1:1: not a configuration of Sygnal");
	refuses("apps: {\n", "s.yaml:2:1: ");
}

Test(push_import, fails_when_it_does_not_fit)
{
	struct buf out, notes;

	buf_init(&out, 100);
	buf_init(&notes, 1 << 20);
	cr_assert_not(import_sygnal("s.yaml", STR("apps: {}\n"), &out, &notes));
	buf_fini(&out);
	buf_fini(&notes);
}
