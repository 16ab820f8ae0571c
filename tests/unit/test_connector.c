/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to peers on loopback (FD-5.2.1.2-9: nothing is sent to a peer that is not verified). */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/connector.h"
#include "lib/net/proxytunnel.h"
#include "lib/net/tlsclient.h"
#include "tests/unit/tlspeer.h"

static struct loop *loop;
static struct tlspeer peer;
static struct lab_end far;
static struct connector_target to;
static struct address at[3];
static int descriptors; /* open before the test */

static struct {
	int calls;
	struct stream *s;
	enum err why;
} got;

static int
count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
setup(void)
{
	loop = loop_new(NULL);
	lab_turn(loop);
	descriptors = count_descriptors();
	peer.listener = far.fd = -1;
	to = (struct connector_target){ .at = at, .n = 1, .tls_name = "a.example.org",
		.attempt_delay = 100, .timeout = 20000 };
}

static void
teardown(void)
{
	stream_close(got.s);
	lab_turn(loop);
	SSL_CTX_free(to.tls);
	lab_close(&far);
	tlspeer_close(&peer);
	cr_assert_eq(count_descriptors(), descriptors, "a socket was left open");
	loop_free(loop);
}

TestSuite(connector, .init = setup, .fini = teardown);

static void
open_peer(const struct tlscert *want)
{
	tlspeer_open(&peer, want);
	at[0] = peer.at;
	to.tls = tlsclient_context(peer.anchors);
	cr_assert_not_null(to.tls);
}

static void
on_connected(void *arg, struct stream *s, enum err why)
{
	(void)arg;
	got.calls++;
	got.s = s;
	got.why = why;
}

static struct connector *
start(void)
{
	struct connector *c = connector_start(loop, &to, on_connected, NULL);

	cr_assert_not_null(c);
	cr_assert_eq(got.calls, 0, "called from within connector_start()");
	return c;
}

static void
on_stream(void *arg, unsigned what)
{
	(void)arg;
	(void)what;
}

/* The far end takes part until the connector has come to an end. */
static void
run(void)
{
	(void)start();
	UNTIL(loop, tlspeer_accepted(&peer, &far));
	UNTIL(loop, (lab_read(&far), got.calls == 1));
}

static void
expect_open(void)
{
	cr_assert_eq(got.why, OK);
	cr_assert_not_null(got.s);
	stream_own(got.s, on_stream, NULL);
	cr_assert_eq(stream_write(got.s, STR("ping")), 4);
	UNTIL(loop, lab_got(&far, "ping"));
}

/* ... and the peer has not got a byte. */
static void
expect_refused(enum err why)
{
	cr_assert_eq(got.why, why, "%s", err_rows[got.why].name);
	cr_assert_null(got.s);
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(far.n, 0);
}

/* A port nobody listens on. */
static struct address
refusing(void)
{
	unsigned short port;

	close(lab_listen(&port));
	return tlspeer_loopback(port);
}

#define FILLERS 4

static int full, fillers[FILLERS];

/* A port whose queue is full: a connect neither succeeds nor fails. */
static struct address
silent(void)
{
	struct address a = tlspeer_loopback(0);

	full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(full, &a.sa, a.len), 0);
	cr_assert_eq(listen(full, 0), 0);
	cr_assert_eq(getsockname(full, &a.sa, &a.len), 0);
	for (size_t i = 0; i < FILLERS; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(fillers[i], &a.sa, a.len);
	}
	return a;
}

static void
close_silent(void)
{
	close(full);
	for (size_t i = 0; i < FILLERS; i++)
		close(fillers[i]);
}

/* --- which address --- */

Test(connector, hands_over_a_verified_connection)
{
	open_peer(&(struct tlscert){ 0 });
	run();
	expect_open();
	cr_assert_str_eq(SSL_get_servername(far.ssl, TLSEXT_NAMETYPE_host_name), "a.example.org");
}

Test(connector, goes_on_to_ipv4_when_ipv6_is_dead)
{
	open_peer(&(struct tlscert){ 0 });
	cr_assert(address_parse(STR("::1"), ntohs(peer.at.in.sin_port), &at[0]));
	at[1] = peer.at;
	to.n = 2;
	to.attempt_delay = 1000000; /* the failure, not the delay, starts the next one */
	run();
	expect_open();
}

Test(connector, tries_the_next_address_beside_one_that_is_silent)
{
	open_peer(&(struct tlscert){ 0 });
	at[0] = silent();
	at[1] = peer.at;
	to.n = 2;
	run();
	expect_open();
	close_silent();
}

Test(connector, waits_for_a_slow_address_when_the_next_one_fails)
{
	struct lab_end filler;

	open_peer(&(struct tlscert){ 0 });
	at[0] = silent();
	at[1] = refusing();
	to.n = 2;
	to.tls = (SSL_CTX_free(to.tls), NULL);
	(void)start();
	lab_pass(loop, 4 * LOOP_TICK_MS);
	cr_assert_eq(got.calls, 0);
	/* Room in the queue: the first address answers when the kernel asks it again. */
	cr_assert_eq(listen(full, 16), 0);
	while (got.calls == 0) {
		if (lab_accepted(full, &filler))
			lab_close(&filler);
		lab_turn(loop);
	}
	cr_assert_eq(got.why, OK);
	close_silent();
}

Test(connector, tells_when_all_addresses_refuse)
{
	for (size_t i = 0; i < 3; i++)
		at[i] = refusing();
	to.n = 3;
	to.attempt_delay = 1000000;
	(void)start();
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, ERR_REMOTE_CONNECT);
}

Test(connector, tells_when_there_is_no_address)
{
	to.n = 0;
	(void)start();
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, ERR_REMOTE_CONNECT);
}

Test(connector, gives_up_an_address_that_stays_silent)
{
	at[0] = silent();
	to.timeout = 150;
	(void)start();
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, ERR_REMOTE_TIMEOUT);
	close_silent();
}

Test(connector, gives_up_a_peer_that_is_silent_in_the_handshake)
{
	open_peer(&(struct tlscert){ 0 });
	to.timeout = 150;
	(void)start();
	UNTIL(loop, tlspeer_accepted(&peer, &far));
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, ERR_REMOTE_TIMEOUT);
}

Test(connector, needs_no_tls)
{
	open_peer(&(struct tlscert){ 0 });
	to.tls = (SSL_CTX_free(to.tls), NULL);
	(void)start();
	UNTIL(loop, got.calls == 1);
	UNTIL(loop, lab_accepted(peer.listener, &far));
	expect_open();
}

/* --- who it is --- */

Test(connector, takes_the_certificate_of_an_address)
{
	open_peer(&(struct tlscert){ .names = "IP:192.0.2.7,IP:2001:db8::7" });
	to.tls_name = "2001:db8::7";
	run();
	expect_open();
	cr_assert_null(SSL_get_servername(far.ssl, TLSEXT_NAMETYPE_host_name));
}

Test(connector, refuses_the_certificate_of_another_address)
{
	open_peer(&(struct tlscert){ .names = "IP:192.0.2.8,DNS:192.0.2.7" });
	to.tls_name = "192.0.2.7";
	run();
	expect_refused(ERR_REMOTE_TLS_NAME);
}

Test(connector, takes_a_wildcard_for_one_label)
{
	open_peer(&(struct tlscert){ .names = "DNS:*.example.org" });
	run();
	expect_open();
}

Test(connector, refuses_a_wildcard_for_two_labels)
{
	open_peer(&(struct tlscert){ .names = "DNS:*.example.org" });
	to.tls_name = "b.a.example.org";
	run();
	expect_refused(ERR_REMOTE_TLS_NAME);
}

Test(connector, refuses_another_name)
{
	open_peer(&(struct tlscert){ .names = "DNS:b.example.org" });
	run();
	expect_refused(ERR_REMOTE_TLS_NAME);
}

Test(connector, refuses_what_has_expired)
{
	open_peer(&(struct tlscert){ .from_days = -9, .to_days = -1 });
	run();
	expect_refused(ERR_REMOTE_TLS_EXPIRED);
}

Test(connector, refuses_what_is_not_yet_valid)
{
	open_peer(&(struct tlscert){ .from_days = 1 });
	run();
	expect_refused(ERR_REMOTE_TLS_EXPIRED);
}

Test(connector, refuses_the_self_signed)
{
	open_peer(&(struct tlscert){ .self_signed = true });
	run();
	expect_refused(ERR_REMOTE_TLS_CHAIN);
}

Test(connector, refuses_an_unknown_issuer)
{
	X509_STORE *nobody = X509_STORE_new();

	open_peer(&(struct tlscert){ 0 });
	SSL_CTX_free(to.tls);
	to.tls = tlsclient_context(nobody);
	X509_STORE_free(nobody);
	run();
	expect_refused(ERR_REMOTE_TLS_CHAIN);
}

Test(connector, refuses_a_peer_that_knows_only_tls_1_1)
{
	open_peer(&(struct tlscert){ 0 });
	cr_assert_eq(SSL_CTX_set_min_proto_version(peer.ctx, TLS1_VERSION), 1);
	cr_assert_eq(SSL_CTX_set_max_proto_version(peer.ctx, TLS1_1_VERSION), 1);
	cr_assert_eq(SSL_CTX_set_cipher_list(peer.ctx, "ALL:@SECLEVEL=0"), 1);
	run();
	expect_refused(ERR_REMOTE_TLS);
}

Test(connector, takes_tls_1_2)
{
	open_peer(&(struct tlscert){ 0 });
	cr_assert_eq(SSL_CTX_set_max_proto_version(peer.ctx, TLS1_2_VERSION), 1);
	run();
	expect_open();
}

Test(connector, tells_when_the_peer_speaks_no_tls)
{
	open_peer(&(struct tlscert){ 0 });
	(void)start();
	UNTIL(loop, lab_accepted(peer.listener, &far));
	lab_say(&far, "HTTP/1.1 400 Bad Request\r\n\r\n");
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, ERR_REMOTE_TLS);
}

Test(connector, tells_when_the_peer_hangs_up_in_the_handshake)
{
	open_peer(&(struct tlscert){ 0 });
	(void)start();
	UNTIL(loop, lab_accepted(peer.listener, &far));
	lab_close(&far);
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, ERR_REMOTE_TLS);
}

/* --- giving up --- */

Test(connector, can_be_cancelled_at_every_step)
{
	open_peer(&(struct tlscert){ 0 });
	connector_cancel(NULL);
	connector_cancel(start()); /* nothing has begun */
	for (int turns = 1; turns < 12; turns++) {
		struct connector *c = start();

		for (int i = 0; i < turns && got.calls == 0; i++) {
			lab_turn(loop);
			if (far.fd >= 0 || tlspeer_accepted(&peer, &far))
				lab_read(&far);
		}
		if (got.calls == 0)
			connector_cancel(c);
		stream_close(got.s);
		got.s = NULL;
		got.calls = 0;
		lab_turn(loop);
		lab_close(&far);
		while (lab_accepted(peer.listener, &far))
			lab_close(&far);
	}
}

Test(connector, closes_all_attempts_when_cancelled)
{
	struct connector *c;

	at[0] = at[1] = at[2] = silent();
	to.n = 3;
	c = start();
	lab_pass(loop, 400);
	connector_cancel(c);
	cr_assert_eq(got.calls, 0);
	close_silent();
}

/* --- an HTTP proxy in between --- */

#define ASKED "CONNECT a.example.org:8448 HTTP/1.1\r\nHost: a.example.org:8448\r\n"

/* The proxy has been asked. */
static struct connector *
ask_proxy(void)
{
	struct connector *c;

	open_peer(&(struct tlscert){ 0 });
	to.through = "a.example.org:8448";
	c = start();
	UNTIL(loop, lab_accepted(peer.listener, &far));
	UNTIL(loop, lab_has(&far, "\r\n\r\n"));
	return c;
}

static void
expect_no_way(void)
{
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, ERR_REMOTE_PROXY);
	cr_assert_null(got.s);
}

Test(connector, goes_through_a_proxy)
{
	(void)ask_proxy();
	cr_assert(lab_got(&far, ASKED "\r\n"));
	lab_forget(&far);
	lab_say(&far, "HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n");
	tlspeer_secure(&peer, &far);
	UNTIL(loop, (lab_read(&far), got.calls == 1));
	expect_open();
}

Test(connector, shows_the_proxy_its_credentials)
{
	to.through_authorization = "Basic dTpw";
	(void)ask_proxy();
	cr_assert(lab_got(&far, ASKED "Proxy-Authorization: Basic dTpw\r\n\r\n"));
	lab_close(&far);
	expect_no_way();
}

Test(connector, puts_the_answer_of_a_proxy_together)
{
	static const char answer[] = "HTTP/1.0 200\r\nVia: 1.1 p\r\n\r\n";

	(void)ask_proxy();
	lab_forget(&far);
	for (size_t i = 0; i < sizeof(answer) - 1; i++) {
		cr_assert_eq(lab_put(&far, &answer[i], 1), 1);
		lab_turn(loop);
	}
	tlspeer_secure(&peer, &far);
	UNTIL(loop, (lab_read(&far), got.calls == 1));
	expect_open();
}

Test(connector, leaves_what_follows_the_answer_of_a_proxy_to_the_tunnel)
{
	char p[4];

	open_peer(&(struct tlscert){ 0 });
	to.through = "a.example.org:8448";
	to.tls = (SSL_CTX_free(to.tls), NULL);
	(void)start();
	UNTIL(loop, lab_accepted(peer.listener, &far));
	lab_say(&far, "HTTP/1.1 200 OK\r\n\r\npong");
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, OK);
	stream_own(got.s, on_stream, NULL);
	cr_assert_eq(stream_read(got.s, p, 4), 4);
	cr_assert_arr_eq(p, "pong", 4);
}

Test(connector, verifies_the_target_behind_a_proxy)
{
	to.tls_name = "b.example.org";
	(void)ask_proxy();
	lab_forget(&far);
	lab_say(&far, "HTTP/1.1 200 OK\r\n\r\n");
	tlspeer_secure(&peer, &far);
	UNTIL(loop, (lab_read(&far), got.calls == 1));
	expect_refused(ERR_REMOTE_TLS_NAME);
}

static void
answer(const char *text)
{
	(void)ask_proxy();
	lab_say(&far, text);
	expect_no_way();
}

Test(connector, tells_when_the_proxy_wants_credentials)
{
	answer("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
}

Test(connector, tells_when_the_proxy_refuses)
{
	answer("HTTP/1.1 403 Forbidden\r\n\r\n");
}

Test(connector, takes_no_other_success_of_a_proxy)
{
	answer("HTTP/1.1 204 No Content\r\n\r\n");
}

Test(connector, tells_when_the_proxy_answers_garbage)
{
	answer("SSH-2.0-OpenSSH_9.2p1\r\n\r\n");
}

Test(connector, tells_when_the_answer_of_a_proxy_has_no_end)
{
	char *line = malloc(PROXYTUNNEL_HEAD_MAX + 1);

	memset(line, 'x', PROXYTUNNEL_HEAD_MAX);
	line[PROXYTUNNEL_HEAD_MAX] = '\0';
	memcpy(line, "HTTP/1.1 200 OK\r\nX: ", 20);
	answer(line);
	free(line);
}

Test(connector, tells_when_the_proxy_hangs_up)
{
	(void)ask_proxy();
	lab_close(&far);
	expect_no_way();
}

Test(connector, tells_when_the_proxy_hangs_up_in_mid_answer)
{
	(void)ask_proxy();
	lab_say(&far, "HTTP/1.1 200 OK\r\n");
	lab_turn(loop);
	lab_close(&far);
	expect_no_way();
}

Test(connector, tells_when_the_proxy_cannot_be_connected_to)
{
	at[0] = refusing();
	to.through = "a.example.org:8448";
	(void)start();
	expect_no_way();
}

Test(connector, gives_up_a_slow_proxy)
{
	to.timeout = 300;
	(void)ask_proxy();
	lab_say(&far, "HTTP/1.1 200 OK\r\nVia:");
	UNTIL(loop, got.calls == 1);
	cr_assert_eq(got.why, ERR_REMOTE_TIMEOUT);
}

Test(connector, can_be_cancelled_while_the_proxy_thinks)
{
	connector_cancel(ask_proxy());
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(got.calls, 0);
}

Test(connector, tells_a_proxy_no_more_than_one_line)
{
	at[0] = refusing();
	to.through = "a.example.org:8448";
	to.through_authorization = "Basic x\r\nHost: b";
	cr_assert_null(connector_start(loop, &to, on_connected, NULL));
	lab_turn(loop);
	cr_assert_eq(got.calls, 0);
}
