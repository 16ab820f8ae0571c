/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to one of several addresses on loopback: which one, and until when. */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/tlsclient.h"
#include "tests/unit/connlab.h"

TestSuite(connector, .init = connlab_setup, .fini = connlab_teardown);

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
	connlab_open_peer(&(struct tlscert){ 0 });
	connlab_run();
	connlab_expect_open();
	cr_assert_str_eq(
	    SSL_get_servername(connlab.far.ssl, TLSEXT_NAMETYPE_host_name), "a.example.org");
}

Test(connector, goes_on_to_ipv4_when_ipv6_is_dead)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	cr_assert(address_parse(STR("::1"), ntohs(connlab.peer.at.in.sin_port), &connlab.at[0]));
	connlab.at[1] = connlab.peer.at;
	connlab.to.n = 2;
	connlab.to.attempt_delay = 1000000; /* the failure, not the delay, starts the next one */
	connlab_run();
	connlab_expect_open();
}

Test(connector, tries_the_next_address_beside_one_that_is_silent)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	connlab.at[0] = silent();
	connlab.at[1] = connlab.peer.at;
	connlab.to.n = 2;
	connlab_run();
	connlab_expect_open();
	close_silent();
}

Test(connector, waits_for_a_slow_address_when_the_next_one_fails)
{
	struct lab_end filler;

	connlab_open_peer(&(struct tlscert){ 0 });
	connlab.at[0] = silent();
	connlab.at[1] = connlab_refusing();
	connlab.to.n = 2;
	connlab.to.tls = (SSL_CTX_free(connlab.to.tls), NULL);
	(void)connlab_start();
	lab_pass(connlab.loop, 4 * LOOP_TICK_MS);
	cr_assert_eq(connlab.calls, 0);
	/* Room in the queue: the first address answers when the kernel asks it again. */
	cr_assert_eq(listen(full, 16), 0);
	while (connlab.calls == 0) {
		if (lab_accepted(full, &filler))
			lab_close(&filler);
		lab_turn(connlab.loop);
	}
	cr_assert_eq(connlab.why, OK);
	close_silent();
}

Test(connector, tells_when_all_addresses_refuse)
{
	for (size_t i = 0; i < 3; i++)
		connlab.at[i] = connlab_refusing();
	connlab.to.n = 3;
	connlab.to.attempt_delay = 1000000;
	(void)connlab_start();
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, ERR_REMOTE_CONNECT);
}

Test(connector, tells_when_there_is_no_address)
{
	connlab.to.n = 0;
	(void)connlab_start();
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, ERR_REMOTE_CONNECT);
}

Test(connector, gives_up_an_address_that_stays_silent)
{
	connlab.at[0] = silent();
	connlab.to.timeout = 150;
	(void)connlab_start();
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, ERR_REMOTE_TIMEOUT);
	close_silent();
}

Test(connector, gives_up_a_peer_that_is_silent_in_the_handshake)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	connlab.to.timeout = 150;
	(void)connlab_start();
	UNTIL(connlab.loop, tlspeer_accepted(&connlab.peer, &connlab.far));
	UNTIL(connlab.loop, connlab.calls == 1);
	cr_assert_eq(connlab.why, ERR_REMOTE_TIMEOUT);
}

Test(connector, needs_no_tls)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	connlab.to.tls = (SSL_CTX_free(connlab.to.tls), NULL);
	(void)connlab_start();
	UNTIL(connlab.loop, connlab.calls == 1);
	UNTIL(connlab.loop, lab_accepted(connlab.peer.listener, &connlab.far));
	connlab_expect_open();
}

/* --- giving up --- */

Test(connector, can_be_cancelled_at_every_step)
{
	connlab_open_peer(&(struct tlscert){ 0 });
	connector_cancel(NULL);
	connector_cancel(connlab_start()); /* nothing has begun */
	for (int turns = 1; turns < 12; turns++) {
		struct connector *c = connlab_start();

		for (int i = 0; i < turns && connlab.calls == 0; i++) {
			lab_turn(connlab.loop);
			if (connlab.far.fd >= 0 || tlspeer_accepted(&connlab.peer, &connlab.far))
				lab_read(&connlab.far);
		}
		if (connlab.calls == 0)
			connector_cancel(c);
		stream_close(connlab.s);
		connlab.s = NULL;
		connlab.calls = 0;
		lab_turn(connlab.loop);
		lab_close(&connlab.far);
		while (lab_accepted(connlab.peer.listener, &connlab.far))
			lab_close(&connlab.far);
	}
}

Test(connector, closes_all_attempts_when_cancelled)
{
	struct connector *c;

	connlab.at[0] = connlab.at[1] = connlab.at[2] = silent();
	connlab.to.n = 3;
	c = connlab_start();
	lab_pass(connlab.loop, 400);
	connector_cancel(c);
	cr_assert_eq(connlab.calls, 0);
	close_silent();
}
