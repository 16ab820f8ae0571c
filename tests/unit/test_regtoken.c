/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens (CP-1.2.3), against a server in a thread of the test. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proxy/regtoken.h"
#include "tests/unit/httpd.h"

#define TOKEN(name, type, seconds) \
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" \
	"{\"access_token\":\"" name "\",\"token_type\":\"" type "\",\"expires_in\":" seconds "}"
#define DENIED "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}"

static struct httpd server;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct regtoken *token;
static struct regsvc_conf conf;
static char url[64], client[] = "a b", secret[] = "s&=+";
static struct regtoken_wait waits[3];

static struct {
	size_t calls;
	enum err err;
	int status;
} got;

static void
setup(void)
{
	static struct resolver_host host = { .name = "test", .address = "127.0.0.1" };

	httpd_open(&server, true);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &(struct resolver_config){ .hosts = &host, .n_hosts = 1 });
	fetcher = fetcher_new(loop, &(struct fetcher_config){ .resolver = resolver });
	snprintf(url, sizeof(url), "https://test:%u", server.port);
	conf = (struct regsvc_conf){
		.url = url, .client_id = client, .password = str_z(secret), .timeout = 10000
	};
	token = regtoken_new(loop, &(struct regtoken_config){ fetcher, server.anchors, &conf });
	cr_assert_not_null(token);
}

static void
teardown(void)
{
	regtoken_free(token);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	httpd_close(&server);
}

TestSuite(regtoken, .init = setup, .fini = teardown);

static void
on_token(void *arg, enum err err, int status)
{
	got.calls++;
	got.err = err;
	got.status = status;
}

static void
turn_until(size_t calls)
{
	while (got.calls < calls)
		loop_turn(loop);
	cr_assert_eq(got.calls, calls);
}

static void
get(size_t i)
{
	cr_assert(regtoken_get(token, &waits[i], on_token, NULL));
}

Test(regtoken, one_question_for_all_who_wait)
{
	server.replies[0] = TOKEN("t1", "Bearer", "3600");
	httpd_start(&server);
	for (size_t i = 0; i < 3; i++)
		get(i);
	cr_assert_eq(got.calls, 0, "called from within regtoken_get()");
	regtoken_cancel(&waits[1]);
	turn_until(2);
	cr_assert_eq(got.err, OK);
	cr_assert_str_eq(regtoken_now(token), "t1");
	cr_assert_not_null(strstr(server.requests[0], "POST /token "));
	cr_assert_not_null(strstr(server.requests[0],
	    "grant_type=client_credentials&client_id=a%20b&client_secret=s%26%3D%2B"));
}

Test(regtoken, a_refused_one_is_forgotten_and_asked_for_anew)
{
	server.replies[0] = TOKEN("t1", "bearer", "3600");
	server.replies[1] = TOKEN("t2", "bearer", "3600");
	httpd_start(&server);
	get(0);
	turn_until(1);
	regtoken_refused(token);
	cr_assert_null(regtoken_now(token));
	get(0);
	turn_until(2);
	cr_assert_str_eq(regtoken_now(token), "t2");
}

Test(regtoken, whoever_waits_is_told_why_there_is_none)
{
	server.replies[0] = DENIED;
	server.replies[1] = DENIED;
	httpd_start(&server);
	get(0);
	get(1);
	turn_until(2);
	cr_assert_eq(got.err, ERR_HTTP_ANSWER);
	cr_assert_eq(got.status, 401);
	cr_assert_null(regtoken_now(token));
	get(0);
	turn_until(3);
	cr_assert_eq(got.status, 401, "asked again, not answered from memory");
}

static void
refuses(const char *reply)
{
	server.replies[0] = reply;
	httpd_start(&server);
	get(0);
	turn_until(1);
	cr_assert_eq(got.err, ERR_HTTP_ANSWER, "%s", reply);
	cr_assert_null(regtoken_now(token));
}

Test(regtoken, of_another_type)
{
	refuses(TOKEN("t1", "mac", "3600"));
}

Test(regtoken, without_lifetime)
{
	refuses(TOKEN("t1", "Bearer", "0"));
}

Test(regtoken, that_would_break_a_field)
{
	refuses(TOKEN("t1\\r\\nX: y", "Bearer", "3600"));
}
