/* SPDX-License-Identifier: Apache-2.0 */
/* The calls to the VZD against scripted replies: tokens in three steps, 401, what is tolerated. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "regsvc/series.h"
#include "regsvc/vzd.h"
#include "tests/unit/httpd.h"

/* its end is that of the connection */
#define JSON(text) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" text
#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"
#define FIRST JSON("{\"access_token\":\"first\",\"expires_in\":300,\"token_type\":\"bearer\"}")
#define SECOND JSON("{\"access_token\":\"two\"}")
#define OLD JSON("{\"jwt\":\"three\"}")
#define LIST "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\na.b.c"
/* its header says ES256 */
#define LIST_ES256                                                                                \
	"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"                         \
	"eyJhbGciOiJFUzI1NiJ9.e30.YQ"

#define TURNS_MAX 40000 /* of at least half a millisecond */

static struct httpd server;
static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct vzd *vzd;
static char secret_file[64], urls[3][128];
static char form[] = "mxid=matrix:u/", other_form[] = "mxid=matrix:user/";
static char *localization[] = { form, other_form };
static struct vzd_conf conf;

static struct {
	size_t calls;
	struct vzd_verdict verdict;
	int status;
	char body[64], pem[2][64];
	size_t n;
	enum vzd_place place;
	enum err err;
} got;

static void
setup(void)
{
	static const struct resolver_host hosts[] = { { "test", "127.0.0.1" } };
	const struct resolver_config rc = { .hosts = hosts, .n_hosts = 1 };
	const struct fetcher_config fc = { .private_addresses = true };
	struct fetcher_config own = fc;
	FILE *f;

	cr_assert(series_declare());
	snprintf(secret_file, sizeof(secret_file), "test_vzd.%d", (int)getpid());
	f = fopen(secret_file, "w");
	fputs("a:b c\n", f);
	fclose(f);
	httpd_open(&server, true);
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &rc);
	own.resolver = resolver;
	fetcher = fetcher_new(loop, &own);
	snprintf(urls[0], sizeof(urls[0]), "https://test:%u/token", server.port);
	snprintf(urls[1], sizeof(urls[1]), "https://test:%u/exchange", server.port);
	snprintf(urls[2], sizeof(urls[2]), "https://test:%u/services", server.port);
	conf = (struct vzd_conf){ .services_url = urls[2],
		.token_url = urls[0],
		.exchange_url = urls[1],
		.client_id = (char *)(uintptr_t) "me+",
		.secret_file = secret_file,
		.timeout = 20000,
		.token_margin = 1000,
		.answer_max = 1000,
		.list_path = (char *)(uintptr_t) "L/l.jws",
		.localization = { localization, 1 },
		.list_max = 1000,
		.anchors = server.anchors };
	vzd = vzd_new(loop);
	cr_assert(fetcher != NULL && vzd != NULL);
}

static void
teardown(void)
{
	vzd_free(vzd);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
	httpd_close(&server);
	unlink(secret_file);
	arena_drop_cache();
	buf_drop_cache();
}

TestSuite(vzd, .init = setup, .fini = teardown);

static void
serve(const char *const *replies)
{
	for (size_t i = 0; (server.replies[i] = replies[i]) != NULL; i++)
		;
	httpd_start(&server);
	vzd_adopt(vzd, &conf, fetcher);
}

static void
count_call(void)
{
	got.calls++;
}

static void
on_list(void *arg, const struct vzd_verdict *v, const struct fetch_result *answer)
{
	(void)arg;
	got.verdict = *v;
	got.status = answer != NULL ? answer->status : 0;
	if (answer != NULL)
		snprintf(got.body, sizeof(got.body), STR_FMT, STR_ARG(answer->body));
	count_call();
}

static void
run(size_t calls)
{
	for (size_t turns = 0; got.calls < calls; turns++) {
		cr_assert(turns < TURNS_MAX, "no answer");
		loop_turn(loop);
		usleep(500);
	}
}

static void
ask_for_list(int64_t version)
{
	cr_assert_not_null(vzd_list(vzd, version, on_list, NULL));
	cr_assert_eq(got.calls, 0, "called from within vzd_list()");
	run(1);
}

static bool
sent(size_t i, const char *text)
{
	return strstr(server.requests[i], text) != NULL;
}

Test(vzd, three_steps) /* FD-5.2.2-7, -12 */
{
	serve((const char *const[]){ FIRST, SECOND, LIST, NULL });
	ask_for_list(7);
	cr_assert_eq(got.verdict.err, OK);
	cr_assert_str_eq(got.body, "a.b.c");
	cr_assert(sent(0, "POST /token"));
	/* "me%2B:a%3Ab%20c", as RFC 6749 2.3.1 wants it */
	cr_assert(sent(0, "Authorization: Basic bWUlMkI6YSUzQWIlMjBj\r\n"));
	cr_assert(sent(0, "\r\n\r\ngrant_type=client_credentials"));
	cr_assert(sent(1, "GET /exchange") && sent(1, "Authorization: Bearer first\r\n"));
	cr_assert(sent(2, "GET /services/L/l.jws?version=7 "));
	cr_assert(sent(2, "Authorization: Bearer two\r\n"));
}

Test(vzd, credentials_in_the_form_and_the_algorithm_in_the_query)
{
	conf.client_auth = VZD_AUTH_FORM;
	conf.scope = (char *)(uintptr_t) "a b";
	conf.sig_alg = VZD_ALG_ES256;
	serve((const char *const[]){ FIRST, OLD, LIST_ES256, NULL });
	ask_for_list(-1);
	cr_assert_eq(got.verdict.err, OK);
	cr_assert(!sent(0, "Authorization"));
	cr_assert(sent(0, "&scope=a%20b&client_id=me%2B&client_secret=a%3Ab%20c"));
	cr_assert(sent(2, "l.jws?sigAlg=ES256 ") && sent(2, "Bearer three\r\n"));
}

Test(vzd, a_list_of_another_algorithm_than_asked_for_is_refused)
{
	conf.sig_alg = VZD_ALG_BP256R1;
	serve((const char *const[]){ FIRST, SECOND, LIST_ES256, NULL });
	ask_for_list(-1);
	cr_assert_eq(got.verdict.err, ERR_JWS_ALG);
}

Test(vzd, one_step_without_exchange)
{
	conf.exchange_url = NULL;
	serve((const char *const[]){ FIRST, LIST, NULL });
	ask_for_list(-1);
	cr_assert_eq(got.verdict.err, OK);
	cr_assert(sent(1, "Bearer first\r\n"));
}

Test(vzd, tokens_are_kept_and_one_flight_serves_all)
{
	serve((const char *const[]){ FIRST, SECOND, LIST, LIST, LIST, NULL });
	for (int i = 0; i < 3; i++)
		cr_assert_not_null(vzd_list(vzd, -1, on_list, NULL));
	run(3);
	cr_assert(sent(2, "/L/l.jws") && sent(3, "/L/l.jws") && sent(4, "/L/l.jws"));
}

Test(vzd, a_401_renews_by_step_2_then_step_1_and_repeats_once)
{
	serve((const char *const[]){
	    FIRST, SECOND, STATUS("401 No"), STATUS("401 No"), FIRST, OLD, LIST, NULL });
	ask_for_list(-1);
	cr_assert_eq(got.verdict.err, OK);
	cr_assert(sent(3, "GET /exchange") && sent(4, "POST /token") && sent(5, "GET /exchange"));
	cr_assert(sent(6, "Bearer three\r\n"));
}

Test(vzd, a_second_401_is_the_answer)
{
	serve(
	    (const char *const[]){ FIRST, SECOND, STATUS("401 No"), OLD, STATUS("401 No"), NULL });
	ask_for_list(-1);
	cr_assert_eq(got.verdict.err, ERR_VZD_LOGIN);
	cr_assert_eq(got.verdict.outcome, VZD_REFUSED);
}

Test(vzd, each_step_can_refuse)
{
	static const struct {
		const char *replies[4];
		enum err err;
		enum vzd_outcome outcome;
		enum vzd_step step;
	} cases[] = {
		{ { STATUS("400 No"), NULL }, ERR_VZD_LOGIN, VZD_REFUSED, VZD_TOKEN },
		{ { STATUS("503 No"), NULL }, ERR_HTTP_ANSWER, VZD_FAILED, VZD_TOKEN },
		{ { JSON("{}"), NULL }, ERR_VZD_ANSWER, VZD_UNUSABLE, VZD_TOKEN },
		{ { FIRST, STATUS("403 No"), NULL }, ERR_VZD_FORBIDDEN, VZD_REFUSED, VZD_EXCHANGE },
		{ { STATUS("404 No"), NULL }, ERR_NOT_FOUND, VZD_REFUSED, VZD_EXCHANGE },
	};

	server.replies[0] = NULL;
	for (size_t i = 0, at = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t k = 0; cases[i].replies[k] != NULL; k++, server.replies[at] = NULL)
			server.replies[at++] = cases[i].replies[k];
	httpd_start(&server);
	vzd_adopt(vzd, &conf, fetcher);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		got.calls = 0;
		ask_for_list(-1);
		cr_assert_eq(
		    got.verdict.err, cases[i].err, "%zu: %s", i, err_name(got.verdict.err));
		cr_assert_eq(got.verdict.outcome, cases[i].outcome, "%zu", i);
		cr_assert_eq(got.verdict.step, cases[i].step, "%zu", i);
	}
}

Test(vzd, no_newer_list_needs_a_version)
{
	serve((const char *const[]){ FIRST, SECOND, STATUS("204 None"), STATUS("204 None"), NULL });
	ask_for_list(7);
	cr_assert(got.verdict.err == OK && got.status == 204);
	got.calls = 0;
	ask_for_list(-1);
	cr_assert_eq(got.verdict.err, ERR_VZD_ANSWER);
}

Test(vzd, without_a_secret_nobody_is_asked) /* ML-123622-2 */
{
	unlink(secret_file);
	serve((const char *const[]){ NULL });
	ask_for_list(-1);
	cr_assert_eq(got.verdict.err, ERR_SECRET);
}

Test(vzd, none_configured)
{
	conf.services_url = NULL;
	serve((const char *const[]){ NULL });
	ask_for_list(-1);
	cr_assert_eq(got.verdict.err, ERR_VZD_OFF);
}

Test(vzd, a_reload_begins_again_and_keeps_tokens)
{
	serve((const char *const[]){ FIRST, SECOND, LIST, LIST, NULL });
	ask_for_list(-1);
	got.calls = 0;
	cr_assert_not_null(vzd_list(vzd, -1, on_list, NULL));
	vzd_adopt(vzd, &conf, fetcher);
	run(1);
	cr_assert_eq(got.verdict.err, OK);
	cr_assert(sent(3, "Bearer two\r\n"));
}

static void
on_certificates(void *arg, const struct vzd_verdict *v, const struct str *pem, size_t n)
{
	(void)arg;
	got.verdict = *v;
	got.n = n;
	for (size_t i = 0; i < n && i < 2; i++)
		snprintf(got.pem[i], sizeof(got.pem[i]), STR_FMT, STR_ARG(pem[i]));
	count_call();
}

Test(vzd, certificates_by_the_old_name_when_the_new_one_is_unknown) /* FD-5.2.2-20 */
{
	serve((const char *const[]){ FIRST, SECOND, STATUS("404 No"),
	    JSON("{\"passportSigningCertificate\":\"a\\nb\"}"), NULL });
	cr_assert_not_null(vzd_certificates(vzd, on_certificates, NULL));
	run(1);
	cr_assert(sent(2, "GET /services/PASSporTCertificates "));
	cr_assert(sent(3, "GET /services/PASSporTCertificate "));
	cr_assert(got.verdict.err == OK && got.n == 1);
	cr_assert_str_eq(got.pem[0], "a\nb");
}

static void
on_place(void *arg, enum err err, enum vzd_place place)
{
	(void)arg;
	got.err = err;
	got.place = place;
	count_call();
}

Test(vzd, where_a_user_is)
{
	conf.localization.n = 2;
	serve((const char *const[]){ FIRST, SECOND, STATUS("400 No"), JSON("\"orgPract\""), NULL });
	cr_assert_not_null(vzd_localize(vzd, STR("@a/b:x.example"), on_place, NULL));
	run(1);
	cr_assert(sent(2, "/services/localization?mxid=matrix%3Au%2Fa%2Fb%3Ax.example "));
	cr_assert(sent(3, "localization?mxid=matrix%3Auser%2Fa%2Fb%3Ax.example "));
	cr_assert(got.err == OK && got.place == VZD_ORG_PRACT);
}

Test(vzd, an_unknown_user_is_nowhere)
{
	serve((const char *const[]){ FIRST, SECOND, STATUS("404 No"), NULL });
	cr_assert_null(vzd_localize(vzd, STR("no user"), on_place, NULL));
	cr_assert_not_null(vzd_localize(vzd, STR("@a:x.example"), on_place, NULL));
	run(1);
	cr_assert(got.err == OK && got.place == VZD_NONE);
}

Test(vzd, a_cancelled_call_is_silent)
{
	struct vzd_call *c;

	serve((const char *const[]){ FIRST, SECOND, LIST, NULL });
	c = vzd_list(vzd, -1, on_list, &got);
	vzd_cancel(c);
	vzd_cancel(NULL);
	ask_for_list(-1);
}
