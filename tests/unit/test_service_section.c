/* SPDX-License-Identifier: Apache-2.0 */
/* The settings that daemons with one loop have in common, as one of them has them. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/daemon/service_section.h"
#include "tests/unit/tlscert.h"

struct daemon {
	struct service_conf service;
	uint64_t waiters;
	clock_ms wait;
};

#define DAEMON(m) CONF_FIELD(struct daemon, m)

/* clang-format off */
static const struct conf_option limit_rows[] = {
	SERVICE_LIMIT_ROWS(struct daemon, service, "64k", "7"),
	{ "waiters", CONF_COUNT, DAEMON(waiters), "3", 1, 9, CONF_RELOAD, "requests that wait" },
	CONF_END
};
static const struct conf_option timeout_rows[] = {
	SERVICE_TIMEOUT_ROWS(struct daemon, service),
	{ "wait", CONF_DURATION, DAEMON(wait), "5m", 0, 3600000, CONF_RELOAD, "for which they do" },
	SERVICE_DRAIN_ROW(struct daemon, service),
	CONF_END
};
static const struct conf_option rows[] = {
	SERVICE_ROWS(struct daemon, service),
	{ "limits", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits", .rows = limit_rows },
	{ "timeouts", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "times", .rows = timeout_rows },
	CONF_END
};
/* clang-format on */

#define HEAD "listeners:\n" /* 1 */ "  - address: \"127.0.0.1:0\"\n"                      /* 2 */
#define STATE "state_dir: state\n"                                                        /* 3 */
#define TLS "tls: { certificate: server.pem, key: server.key, hosts: [a.example.org] }\n" /* 4 */
#define LEAST HEAD STATE TLS

static char folder[PATH_MAX];
static struct arena arena;
static struct buf errors;
static struct daemon got;

static void
start(void)
{
	char *chain, *key, template[] = "/tmp/schleuse-service.XXXXXX";

	cr_assert(mkdtemp(template) != NULL);
	cr_assert(realpath(template, folder) != NULL);
	arena_init(&arena, 1 << 20);
	buf_init(&errors, 1 << 16);
	log_threshold = LOG_ERROR;
	tlscert_make(&(struct tlscert){ .names = NULL }, &chain, &key);
	tlscert_write(folder, "server.pem", chain, 0644);
	tlscert_write(folder, "server.key", key, 0600);
	tlscert_write(folder, "open.key", key, 0644);
	tlscert_write(folder, "ca.pem", strstr(chain + 1, "-----BEGIN"), 0644);
	free(chain);
	free(key);
	tlscert_make(&(struct tlscert){ .names = NULL }, &chain, &key);
	tlscert_write(folder, "other.key", key, 0600);
	free(chain);
	free(key);
}

static void
finish(void)
{
	static const char *const files[] = { "server.pem", "server.key", "open.key", "other.key",
		"ca.pem" };
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
	buf_fini(&errors);
	arena_fini(&arena);
}

TestSuite(service_section, .init = start, .fini = finish);

static bool
load(const char *text)
{
	char path[PATH_MAX + 16];
	struct load l;
	bool good;

	snprintf(path, sizeof(path), "%s/c", folder);
	got = (struct daemon){ .service.path = path };
	buf_fini(&errors);
	load_init(&l, path, &arena, &errors);
	(void)!load_text(&l, str_z(text), rows, &got);
	service_check(&l, &got.service);
	service_files(&l, &got.service);
	good = load_ok(&l);
	load_fini(&l);
	return good;
}

/* Exactly the fault "line:column: ..." that begins so. */
static void
refuses(const char *text, const char *fault)
{
	char expected[PATH_MAX + 512];
	struct str first, rest;

	cr_assert_not(load(text), "accepted, expected %s", fault);
	service_files_fini(&got.service);
	snprintf(expected, sizeof(expected), "%s/c:%s", folder, fault);
	str_cut(buf_str(&errors), '\n', &first, &rest);
	cr_assert(str_has_prefix(first, str_z(expected)), "expected %s\ngot " STR_FMT, expected,
	    STR_ARG(buf_str(&errors)));
	cr_assert_eq(rest.n, 0, "more faults: " STR_FMT, STR_ARG(buf_str(&errors)));
}

Test(service_section, a_daemon_has_defaults_and_settings_of_its_own)
{
	const struct service_conf *c = &got.service;
	char path[PATH_MAX + 64];

	cr_assert(load(LEAST), STR_FMT, STR_ARG(buf_str(&errors)));
	cr_assert_eq(c->limits.body_max, 64 << 10);
	cr_assert_eq(c->limits.connections_per_address, 7);
	cr_assert_eq(got.waiters, 3);
	cr_assert_eq(got.wait, 300000);
	cr_assert_eq(c->timeouts.idle, 75000);
	cr_assert_eq(c->timeouts.drain, 20000);
	cr_assert_eq(c->n_listeners, 1);
	snprintf(path, sizeof(path), "%s/state/admin.sock", folder);
	cr_assert_str_eq(c->admin.unix_path, path);
	cr_assert_gt(c->tls.not_after, clock_wall_s());
	cr_assert_null(c->tls.client_anchors);
	service_files_fini(&got.service);
}

Test(service_section, clients_may_show_certificates_of_a_ca)
{
	cr_assert(load(HEAD STATE "tls: { certificate: server.pem, key: server.key, hosts: "
				  "[A.Example.ORG], client_ca: [ca.pem] }\n"),
	    STR_FMT, STR_ARG(buf_str(&errors)));
	cr_assert_str_eq(got.service.tls.hosts.v[0], "a.example.org");
	cr_assert_not_null(got.service.tls.client_anchors);
	service_files_fini(&got.service);
	refuses(HEAD STATE "tls: { certificate: server.pem, key: server.key, hosts: "
			   "[a.example.org], client_ca: [server.key] }\n",
	    "4:86: anchors: ");
}

Test(service_section, where_it_listens)
{
	refuses("listeners: [ { address: \"localhost:1\" } ]\n" STATE TLS,
	    "1:25: address: 'localhost:1' is not an IP address; write 0.0.0.0");
	refuses("listeners:\n  - address: \"[::1]:1\"\n  - address: \"[::1]:1\"\n" STATE TLS,
	    "3:14: address: '[::1]:1' appears twice");
	cr_assert(
	    load("listeners: [ { address: \"[::1]:0\" }, { address: \"[::1]:0\" } ]\n" STATE TLS),
	    "any port twice: " STR_FMT, STR_ARG(buf_str(&errors)));
	service_files_fini(&got.service);
	refuses(LEAST "admin: \"0.0.0.0:9\"\n", "5:8: admin: '0.0.0.0:9' can be reached");
}

Test(service_section, limits_fit_each_other)
{
	refuses(LEAST "limits: { head_max: 8k }\n", "5:21: target_max must be below head_max");
	refuses(LEAST "limits: { target_max: 16k }\n", "5:23: target_max must be below head_max");
	refuses(LEAST "limits: { head_max: 1 }\n", "5:21: head_max: out of range");
}

Test(service_section, certificate_and_key_are_judged)
{
	refuses(HEAD STATE
	    "tls: { certificate: server.pem, key: open.key, hosts: [a.example.org] }\n",
	    "4:38: key: ");
	refuses(HEAD STATE
	    "tls: { certificate: server.pem, key: server.key, hosts: [b.example.org] }\n",
	    "4:58: certificate: ");
	refuses(HEAD STATE
	    "tls: { certificate: server.pem, key: other.key, hosts: [a.example.org] }\n",
	    "4:38: key: ");
	refuses(HEAD STATE
	    "tls: { certificate: none.pem, key: server.key, hosts: [a.example.org] }\n",
	    "4:21: certificate: ");
	refuses(HEAD STATE
	    "tls: { certificate: server.pem, key: server.key, hosts: [\"https://a\"] }\n",
	    "4:58: hosts: 'https://a' is not a host name");
	cr_assert(load(LEAST "test_mode: true\n"));
	service_files_fini(&got.service);
	cr_assert(load(HEAD STATE "tls: { certificate: server.pem, key: open.key, hosts: "
				  "[a.example.org] }\ntest_mode: true\n"),
	    "in test mode: " STR_FMT, STR_ARG(buf_str(&errors)));
	service_files_fini(&got.service);
}
