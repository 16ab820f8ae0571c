/* SPDX-License-Identifier: Apache-2.0 */
/* Connections through an HTTP proxy on loopback. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "lib/net/proxytunnel.h"
#include "tests/unit/connlab.h"

TestSuite(connector_proxy, .init = connlab_setup, .fini = connlab_teardown);

#define ASKED "CONNECT a.example.org:8448 HTTP/1.1\r\nHost: a.example.org:8448\r\n"

/* The proxy has been asked. */
static struct connector *
ask_proxy(void)
{
	struct connector *c;

	connlab_open_peer(&(struct tlscert){ 0 });
	connlab.to.through = "a.example.org:8448";
	c = connlab_start();
	UNTIL(connlab.loop, lab_accepted(connlab.peer.listener, &connlab.far));
	UNTIL(connlab.loop, lab_has(&connlab.far, "\r\n\r\n"));
	return c;
}

static void
expect_no_way(void)
{
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, ERR_REMOTE_PROXY);
	cr_assert_null(connlab.s);
}

Test(connector_proxy, goes_through_a_proxy)
{
	(void)ask_proxy();
	cr_assert(lab_got(&connlab.far, ASKED "\r\n"));
	lab_forget(&connlab.far);
	lab_say(&connlab.far, "HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n");
	tlspeer_secure(&connlab.peer, &connlab.far);
	UNTIL(connlab.loop, (lab_read(&connlab.far), connlab.calls == 1));
	connlab_expect_open();
}

Test(connector_proxy, shows_the_proxy_its_credentials)
{
	connlab.to.through_authorization = "Basic dTpw";
	(void)ask_proxy();
	cr_assert(lab_got(&connlab.far, ASKED "Proxy-Authorization: Basic dTpw\r\n\r\n"));
	lab_close(&connlab.far);
	expect_no_way();
}

Test(connector_proxy, puts_the_answer_of_a_proxy_together)
{
	static const char answer[] = "HTTP/1.0 200\r\nVia: 1.1 p\r\n\r\n";

	(void)ask_proxy();
	lab_forget(&connlab.far);
	for (size_t i = 0; i < sizeof(answer) - 1; i++) {
		cr_assert_eq(lab_put(&connlab.far, &answer[i], 1), 1);
		lab_turn(connlab.loop);
	}
	tlspeer_secure(&connlab.peer, &connlab.far);
	UNTIL(connlab.loop, (lab_read(&connlab.far), connlab.calls == 1));
	connlab_expect_open();
}

Test(connector_proxy, leaves_what_follows_the_answer_of_a_proxy_to_the_tunnel)
{
	char p[4];

	connlab_open_peer(&(struct tlscert){ 0 });
	connlab.to.through = "a.example.org:8448";
	connlab.to.tls = (SSL_CTX_free(connlab.to.tls), NULL);
	(void)connlab_start();
	UNTIL(connlab.loop, lab_accepted(connlab.peer.listener, &connlab.far));
	lab_say(&connlab.far, "HTTP/1.1 200 OK\r\n\r\npong");
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, OK);
	cr_assert_eq(stream_read(connlab.s, p, 4), 4);
	cr_assert_arr_eq(p, "pong", 4);
}

Test(connector_proxy, verifies_the_target_behind_a_proxy)
{
	connlab.to.tls_name = "b.example.org";
	(void)ask_proxy();
	lab_forget(&connlab.far);
	lab_say(&connlab.far, "HTTP/1.1 200 OK\r\n\r\n");
	tlspeer_secure(&connlab.peer, &connlab.far);
	UNTIL(connlab.loop, (lab_read(&connlab.far), connlab.calls == 1));
	connlab_expect_refused(ERR_REMOTE_TLS_NAME);
}

static void
answer(const char *text)
{
	(void)ask_proxy();
	lab_say(&connlab.far, text);
	expect_no_way();
}

Test(connector_proxy, tells_when_the_proxy_wants_credentials)
{
	answer("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
}

Test(connector_proxy, tells_when_the_proxy_refuses)
{
	answer("HTTP/1.1 403 Forbidden\r\n\r\n");
}

Test(connector_proxy, takes_no_other_success_of_a_proxy)
{
	answer("HTTP/1.1 204 No Content\r\n\r\n");
}

Test(connector_proxy, tells_when_the_proxy_answers_garbage)
{
	answer("SSH-2.0-OpenSSH_9.2p1\r\n\r\n");
}

Test(connector_proxy, tells_when_the_answer_of_a_proxy_has_no_end)
{
	char *line = malloc(PROXYTUNNEL_HEAD_MAX + 1);

	memset(line, 'x', PROXYTUNNEL_HEAD_MAX);
	line[PROXYTUNNEL_HEAD_MAX] = '\0';
	memcpy(line, "HTTP/1.1 200 OK\r\nX: ", 20);
	answer(line);
	free(line);
}

Test(connector_proxy, tells_when_the_proxy_hangs_up)
{
	(void)ask_proxy();
	lab_close(&connlab.far);
	expect_no_way();
}

Test(connector_proxy, tells_when_the_proxy_hangs_up_in_mid_answer)
{
	(void)ask_proxy();
	lab_say(&connlab.far, "HTTP/1.1 200 OK\r\n");
	lab_turn(connlab.loop);
	lab_close(&connlab.far);
	expect_no_way();
}

Test(connector_proxy, tells_when_the_proxy_cannot_be_connected_to)
{
	connlab.at[0] = connlab_refusing();
	connlab.to.through = "a.example.org:8448";
	(void)connlab_start();
	expect_no_way();
}

Test(connector_proxy, gives_up_a_slow_proxy)
{
	connlab.to.timeout = 300;
	(void)ask_proxy();
	lab_say(&connlab.far, "HTTP/1.1 200 OK\r\nVia:");
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, ERR_REMOTE_TIMEOUT);
}

Test(connector_proxy, can_be_cancelled_while_the_proxy_thinks)
{
	connector_cancel(ask_proxy());
	UNTIL(connlab.loop, lab_ended(&connlab.far));
	cr_assert_eq(connlab.calls, 0);
}

Test(connector_proxy, tells_a_proxy_no_more_than_one_line)
{
	connlab.at[0] = connlab_refusing();
	connlab.to.through = "a.example.org:8448";
	connlab.to.through_authorization = "Basic x\r\nHost: b";
	cr_assert_null(connlab_begin());
	lab_turn(connlab.loop);
	cr_assert_eq(connlab.calls, 0);
}
