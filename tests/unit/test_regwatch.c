/* SPDX-License-Identifier: Apache-2.0 */
/* The long poll (FD-5.2.1.2-13), against a server in a thread of the test. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/regwatch.h"
#include "tests/unit/httpd.h"
#include "tests/unit/pki.h"

#define SUBSCRIPTION "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
#define NEWS(version, etag) \
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" \
	"{\"federation_list\":{\"version\":" version "}," \
	"\"passport_certificates\":{\"etag\":\"" etag "\"}}"
#define NOTHING "HTTP/1.1 204 No Content\r\n\r\n"
#define BROKEN "HTTP/1.1 500 x\r\nContent-Length: 2\r\n\r\n{}"

static struct httpd server;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct regclient *client;
static struct regwatch *watch;
static struct regsvc_conf conf;
static char url[64], subscription[] = SUBSCRIPTION, name[] = "p", secret[] = "s", ca[32];

static struct {
	size_t calls;
	bool back;
	int64_t version;
	char etag[32];
} got;

static void
on_news(void *arg, const struct regnews *news)
{
	got.calls++;
	got.back = news->back;
	got.version = news->version;
	snprintf(got.etag, sizeof(got.etag), "%s", news->certificates);
}

static void
setup(void)
{
	static struct resolver_host host = { .name = "test", .address = "127.0.0.1" };

	httpd_open(&server, true);
	snprintf(ca, sizeof(ca), "regwatch.XXXXXX");
	close(mkstemp(ca));
	pki_write_pem(ca, &server.cert, 1);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &(struct resolver_config){ .hosts = &host, .n_hosts = 1 });
	fetcher = fetcher_new(loop, &(struct fetcher_config){ .resolver = resolver });
	snprintf(url, sizeof(url), "https://test:%u", server.port);
	conf = (struct regsvc_conf){ .url = url,
		.subscription = subscription,
		.auth = REGSVC_BASIC,
		.client_id = name,
		.password = str_z(secret),
		.ca_file = ca,
		.wait = 30000,
		.timeout = 10000 };
	client = regclient_new(loop, fetcher, &conf);
	cr_assert_not_null(client);
	watch = regwatch_new(loop, &(struct regwatch_config){ client, "f", on_news, NULL });
	cr_assert_not_null(watch);
}

static void
teardown(void)
{
	regwatch_free(watch);
	regclient_free(client);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	httpd_close(&server);
	unlink(ca);
}

TestSuite(regwatch, .init = setup, .fini = teardown);

static void
turn_until(size_t calls)
{
	while (got.calls < calls)
		loop_turn(loop);
	cr_assert_eq(got.calls, calls);
}

static bool
asked(size_t i, const char *what)
{
	return strstr(server.requests[i], what) != NULL;
}

Test(regwatch, what_was_heard_is_what_is_asked_about_next)
{
	server.replies[0] = NEWS("7", "e 1");
	server.replies[1] = NEWS("8", "e2");
	httpd_start(&server);
	turn_until(1);
	cr_assert_eq(got.version, 7);
	cr_assert_str_eq(got.etag, "e 1");
	cr_assert_not(got.back);
	cr_assert(regwatch_up(watch));
	turn_until(2);
	cr_assert_eq(got.version, 8);
	cr_assert(asked(0, "GET /v1/" SUBSCRIPTION "/changes?wait=30 "));
	cr_assert(asked(1, "changes?wait=30&list=7&certificates=e%201 "));
}

Test(regwatch, after_a_failure_the_first_answer_says_so)
{
	server.replies[0] = NEWS("7", "e1");
	server.replies[1] = BROKEN;
	server.replies[2] = NEWS("9999999999999999", "e2"); /* no version */
	server.replies[3] = NOTHING;
	httpd_start(&server);
	turn_until(1);
	while (regwatch_up(watch))
		loop_turn(loop);
	turn_until(2);
	cr_assert(got.back, "something may have been missed");
	cr_assert_eq(got.version, 7, "nothing of a broken answer is kept");
	cr_assert_str_eq(got.etag, "e1");
	cr_assert(asked(3, "list=7&certificates=e1 "));
}
