/* SPDX-License-Identifier: Apache-2.0 */
/* Pools of connections to other servers, over TLS. */
#include <criterion/criterion.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/http/pool.h"
#include "lib/net/tlsclient.h"
#include "tests/unit/tlspeer.h"

struct taker {
	struct pool_wait wait;
	struct upstream *up;
	enum err why;
	int calls;
};

static struct loop *loop;
static struct pool *pool;
static struct pool_config cfg;
static struct connector_target to;
static struct tlspeer peer;
static struct taker a, b, c;
static struct lab_end far;
static int counted[POOL_COUNTS];

static void
on_count(enum pool_count what, int n)
{
	counted[what] += n;
}

static void
setup(void)
{
	loop = loop_new(NULL);
	tlspeer_open(&peer, &(struct tlscert){ 0 });
	to = (struct connector_target){ .at = &peer.at, .n = 1, .tls_name = "a.example.org",
		.tls = tlsclient_context(peer.anchors), .attempt_delay = 250, .timeout = 20000 };
	cfg = (struct pool_config){ .to = &to, .connections_max = 4, .idle_max = 4, .queue_max = 2,
		.idle_timeout = 60000, .queue_timeout = 20000, .buffer_max = 65536,
		.count = on_count };
	pool_wait_init(&a.wait);
	pool_wait_init(&b.wait);
	pool_wait_init(&c.wait);
	far.fd = -1;
}

static void
teardown(void)
{
	pool_free(pool);
	lab_turn(loop);
	cr_assert_eq(counted[POOL_BUSY], 0);
	cr_assert_eq(counted[POOL_IDLE], 0);
	cr_assert_eq(counted[POOL_QUEUED], 0);
	SSL_CTX_free(to.tls);
	lab_close(&far);
	tlspeer_close(&peer);
	loop_free(loop);
}

TestSuite(pool_remote, .init = setup, .fini = teardown);

static void
on_taken(void *arg, struct upstream *up, enum err why)
{
	struct taker *t = arg;

	t->up = up;
	t->why = why;
	t->calls++;
}

static void
ignore(void *arg, unsigned what)
{
	(void)arg;
	(void)what;
}

static void
open_pool(void)
{
	pool = pool_new(loop, &cfg);
	cr_assert_not_null(pool);
}

static void
acquire_from(struct pool *p, struct taker *t)
{
	pool_acquire(p, false, &t->wait, on_taken, t);
	cr_assert_eq(t->calls, 0, "called from within");
}

static void
take_from(struct pool *p, struct taker *t)
{
	acquire_from(p, t);
	UNTIL(loop, tlspeer_accepted(&peer, &far));
	UNTIL(loop, (lab_read(&far), t->calls == 1));
	cr_assert_eq(t->why, OK);
	upstream_own(t->up, ignore, NULL);
}

/* An idle connection whose far end is `far`. */
static struct upstream *
leave_idle(void)
{
	open_pool();
	take_from(pool, &a);
	pool_release(a.up, true);
	lab_turn(loop);
	lab_turn(loop);
	cr_assert_eq(pool_connections(pool), 1);
	return a.up;
}

/* Until `n` bytes are in the socket of an idle connection, of which the loop has heard nothing. */
static void
await_bytes(struct upstream *up, int n)
{
	const clock_ms begin = clock_now();
	int held = 0;

	while (held < n) {
		cr_assert_eq(ioctl(stream_fd(up->stream), FIONREAD, &held), 0);
		cr_assert_lt(clock_now() - begin, LAB_PATIENCE_MS);
	}
}

/* ... and how many the far end has sent since it had sent `before`. */
static int
sent(int before)
{
	return (int)BIO_number_written(SSL_get_wbio(far.ssl)) - before;
}

static void
expect_usable(struct upstream *up)
{
	cr_assert_eq(stream_write(up->stream, STR("ping")), 4);
	UNTIL(loop, lab_has(&far, "ping"));
	pool_release(up, false);
}

static void
fail(enum err why)
{
	acquire_from(pool, &a);
	while (a.calls == 0) {
		lab_turn(loop);
		if (far.fd >= 0 || tlspeer_accepted(&peer, &far))
			lab_read(&far);
	}
	cr_assert_eq(a.why, why, "%s", err_rows[a.why].name);
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool_remote, hands_out_a_verified_connection_again)
{
	struct upstream *up = leave_idle();

	cr_assert(up->reused);
	cr_assert_eq(pool_take(pool, false), up);
	expect_usable(up);
}

/* --- idle ones --- */

Test(pool_remote, keeps_an_idle_connection_that_gets_session_tickets)
{
	struct upstream *up = leave_idle();

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(SSL_new_session_ticket(far.ssl), 1);
		cr_assert_eq(SSL_do_handshake(far.ssl), 1);
		lab_turn(loop);
		lab_turn(loop);
		cr_assert_eq(pool_connections(pool), 1, "dropped");
	}
	cr_assert_eq(pool_take(pool, true), up);
	expect_usable(up);
}

Test(pool_remote, looks_through_a_session_ticket_that_has_just_come)
{
	struct upstream *up;
	int before;

	SSL_CTX_set_num_tickets(peer.ctx, 0);
	up = leave_idle();
	before = sent(0);
	cr_assert_eq(SSL_new_session_ticket(far.ssl), 1);
	cr_assert_eq(SSL_do_handshake(far.ssl), 1);
	await_bytes(up, sent(before));
	cr_assert_eq(pool_take(pool, true), up);
	expect_usable(up);
}

Test(pool_remote, keeps_an_idle_connection_that_changes_keys)
{
	struct upstream *up = leave_idle();

	cr_assert_eq(SSL_key_update(far.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	cr_assert_eq(SSL_do_handshake(far.ssl), 1);
	lab_turn(loop);
	lab_turn(loop);
	cr_assert_eq(pool_take(pool, true), up);
	expect_usable(up);
}

Test(pool_remote, drops_an_idle_connection_at_close_notify)
{
	(void)leave_idle();
	SSL_shutdown(far.ssl);
	UNTIL(loop, pool_connections(pool) == 0);
}

Test(pool_remote, drops_an_idle_connection_that_ends)
{
	(void)leave_idle();
	lab_close(&far);
	UNTIL(loop, pool_connections(pool) == 0);
}

Test(pool_remote, drops_an_idle_connection_that_speaks_out_of_turn)
{
	(void)leave_idle();
	lab_say(&far, "HTTP/1.1 408 Request Timeout\r\n\r\n");
	UNTIL(loop, pool_connections(pool) == 0);
}

Test(pool_remote, looks_twice_for_close_notify_behind_a_ticket)
{
	struct upstream *up;
	int before;

	SSL_CTX_set_num_tickets(peer.ctx, 0);
	up = leave_idle();
	before = sent(0);
	cr_assert_eq(SSL_new_session_ticket(far.ssl), 1);
	cr_assert_eq(SSL_do_handshake(far.ssl), 1);
	SSL_shutdown(far.ssl);
	await_bytes(up, sent(before));
	cr_assert_null(pool_take(pool, true));
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool_remote, looks_twice_for_words_out_of_turn)
{
	struct upstream *up;
	int before;

	SSL_CTX_set_num_tickets(peer.ctx, 0);
	up = leave_idle();
	before = sent(0);
	lab_say(&far, "HTTP/1.1 408 Request Timeout\r\n\r\n");
	await_bytes(up, sent(before));
	cr_assert_null(pool_take(pool, true));
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool_remote, drops_at_once_what_lower_limits_do_not_keep)
{
	(void)leave_idle();
	cfg.idle_max = 0;
	pool_set_limits(pool, &cfg);
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool_remote, shares_a_bound_of_idle_connections_with_other_pools)
{
	struct pool_shared shared;
	struct lab_end other;
	struct pool *second;

	pool_shared_init(&shared, 1);
	cfg.shared = &shared;
	open_pool();
	second = pool_new(loop, &cfg);
	take_from(pool, &a);
	other = far;
	take_from(second, &b);
	pool_release(a.up, true);
	cr_assert_eq(pool_connections(pool), 1);
	pool_release(b.up, true);
	cr_assert_eq(pool_connections(pool), 0, "the one used longest ago goes");
	cr_assert_eq(pool_connections(second), 1);
	pool_shared_set(&shared, 0);
	cr_assert_eq(pool_connections(second), 0);
	take_from(second, (lab_close(&far), &c));
	pool_release(c.up, true);
	cr_assert_eq(pool_connections(second), 0);
	pool_free(second);
	lab_close(&other);
}

/* --- what fails --- */

Test(pool_remote, tells_why_a_certificate_did_not_pass)
{
	to.tls_name = "b.example.org";
	open_pool();
	fail(ERR_REMOTE_TLS_NAME);
	cr_assert_eq(counted[POOL_CONNECT_TLS_NAME], 1);
}

Test(pool_remote, tells_that_nobody_listens)
{
	close(peer.listener);
	peer.listener = -1;
	open_pool();
	fail(ERR_REMOTE_CONNECT);
	cr_assert_eq(counted[POOL_CONNECT_FAILED], 1);
}

Test(pool_remote, tells_that_the_peer_is_silent)
{
	to.timeout = 150;
	open_pool();
	acquire_from(pool, &a);
	UNTIL(loop, a.calls == 1);
	cr_assert_eq(a.why, ERR_REMOTE_TIMEOUT);
	cr_assert_eq(counted[POOL_CONNECT_TIMEOUT], 1);
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool_remote, lets_who_waits_try_when_a_connection_fails)
{
	cfg.connections_max = 1;
	close(peer.listener);
	peer.listener = -1;
	open_pool();
	acquire_from(pool, &a);
	acquire_from(pool, &b);
	acquire_from(pool, &c);
	UNTIL(loop, a.calls == 1 && b.calls == 1 && c.calls == 1);
	cr_assert_eq(b.why, ERR_REMOTE_CONNECT);
	cr_assert_eq(c.why, ERR_REMOTE_CONNECT);
	cr_assert_eq(counted[POOL_CONNECT_FAILED], 3);
}

Test(pool_remote, does_not_count_waiting_in_the_queue_as_connecting)
{
	cfg.connections_max = 1;
	cfg.queue_timeout = 300;
	to.timeout = 20000;
	open_pool();
	take_from(pool, &a);
	acquire_from(pool, &b);
	pool_release(a.up, false); /* b's connector begins; the queue's clock no longer runs */
	lab_pass(loop, 600);
	cr_assert_eq(b.calls, 0);
	lab_close(&far);
	UNTIL(loop, tlspeer_accepted(&peer, &far));
	UNTIL(loop, (lab_read(&far), b.calls == 1));
	cr_assert_eq(b.why, OK);
	pool_release(b.up, false);
}

Test(pool_remote, refuses_what_the_queue_does_not_hold)
{
	cfg.connections_max = cfg.queue_max = 1;
	cfg.queue_timeout = 100;
	open_pool();
	take_from(pool, &a);
	acquire_from(pool, &b);
	acquire_from(pool, &c);
	UNTIL(loop, b.calls == 1 && c.calls == 1);
	cr_assert_eq(b.why, ERR_REMOTE_BUSY);
	cr_assert_eq(c.why, ERR_REMOTE_BUSY);
	pool_release(a.up, false);
}

Test(pool_remote, freed_refuses_who_is_queued)
{
	cfg.connections_max = 1;
	open_pool();
	take_from(pool, &a);
	acquire_from(pool, &b);
	pool_free(pool);
	pool = NULL;
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(b.why, ERR_REMOTE_CONNECT);
	pool_release(a.up, true);
	UNTIL(loop, lab_ended(&far));
}

Test(pool_remote, can_be_cancelled_while_connecting)
{
	open_pool();
	acquire_from(pool, &a);
	UNTIL(loop, tlspeer_accepted(&peer, &far));
	pool_cancel(&a.wait);
	cr_assert_eq(pool_connections(pool), 0);
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(a.calls, 0);
}
