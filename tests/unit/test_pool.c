/* SPDX-License-Identifier: Apache-2.0 */
/* Upstream connections on loopback; the far ends are the test's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/http/pool.h"
#include "tests/unit/lab.h"

struct taker {
	struct pool_wait wait;
	struct upstream *up;
	enum err why;
	int calls;
};

static struct loop *loop;
static struct pool *pool;
static struct pool_config cfg;
static struct taker a, b, c;
static struct lab_end far;
static int listener;

static void
on_taken(void *arg, struct upstream *up, enum err why)
{
	struct taker *t = arg;

	t->up = up;
	t->why = why;
	t->calls++;
}

static void
acquire(struct taker *t, bool fresh)
{
	pool_acquire(pool, fresh, &t->wait, on_taken, t);
	cr_assert_eq(t->calls, 0, "called from within");
}

static void
ignore(void *arg, unsigned what)
{
	(void)arg;
	(void)what;
}

/* A connection in the hands of t. */
static void
take(struct taker *t)
{
	acquire(t, false);
	UNTIL(loop, t->calls == 1);
	cr_assert_not_null(t->up);
	upstream_own(t->up, ignore, NULL);
}

static void
open_pool(size_t connections_max)
{
	cfg.connections_max = connections_max;
	pool = pool_new(loop, &cfg);
	cr_assert_not_null(pool);
}

static void
setup(void)
{
	struct sockaddr_in *s = (struct sockaddr_in *)&cfg.address;
	unsigned short port;

	loop = loop_new(NULL);
	listener = lab_listen(&port);
	cfg = (struct pool_config){ .idle_max = 2, .queue_max = 2, .connect_timeout = 20000, .idle_timeout = 60000,
		.queue_timeout = 20000, .buffer_max = 65536, .address_len = sizeof(*s) };
	*s = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
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
	lab_close(&far);
	close(listener);
	loop_free(loop);
}

TestSuite(pool, .init = setup, .fini = teardown);

/* Nobody listens there any more. */
static void
refuse_connections(void)
{
	close(listener);
	listener = -1;
}

/* A port whose queue is full: a connect neither succeeds nor fails. */
static void
swallow_connections(void)
{
	struct sockaddr_in *s = (struct sockaddr_in *)&cfg.address;
	socklen_t len = sizeof(*s);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	s->sin_port = 0;
	cr_assert_eq(bind(fd, (struct sockaddr *)s, len), 0);
	cr_assert_eq(listen(fd, 0), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)s, &len), 0);
	for (int i = 0; i < 4; i++) {
		int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		(void)!connect(filler, (struct sockaddr *)s, len);
	}
}

Test(pool, hands_out_the_connection_that_was_used_last)
{
	struct upstream *first, *second;

	open_pool(4);
	take(&a);
	take(&b);
	first = a.up;
	second = b.up;
	cr_assert_not(first->reused);
	pool_release(first, true);
	pool_release(second, true);
	cr_assert_eq(pool_take(pool, false), second);
	cr_assert(second->reused);
	cr_assert_eq(pool_take(pool, false), first);
	cr_assert_null(pool_take(pool, false));
	pool_release(first, false);
	pool_release(second, false);
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool, drops_an_idle_connection_that_ends)
{
	open_pool(4);
	take(&a);
	UNTIL(loop, lab_accepted(listener, &far));
	pool_release(a.up, true);
	lab_close(&far);
	UNTIL(loop, pool_connections(pool) == 0);
	cr_assert_null(pool_take(pool, false));
}

Test(pool, drops_an_idle_connection_that_speaks_out_of_turn)
{
	open_pool(4);
	take(&a);
	UNTIL(loop, lab_accepted(listener, &far));
	pool_release(a.up, true);
	lab_say(&far, "HTTP/1.1 408 Request Timeout\r\n\r\n");
	UNTIL(loop, pool_connections(pool) == 0);
}

Test(pool, drops_an_idle_connection_in_time)
{
	cfg.idle_timeout = 100;
	open_pool(4);
	take(&a);
	pool_release(a.up, true);
	cr_assert_eq(pool_connections(pool), 1);
	UNTIL(loop, pool_connections(pool) == 0);
}

Test(pool, keeps_no_more_idle_connections_than_allowed)
{
	cfg.idle_max = 1;
	open_pool(4);
	take(&a);
	take(&b);
	pool_release(a.up, true);
	pool_release(b.up, true);
	cr_assert_eq(pool_connections(pool), 1);
}

Test(pool, keeps_no_connection_with_bytes_left_over)
{
	open_pool(4);
	take(&a);
	cr_assert(buf_put(&a.up->in, STR("surplus")));
	pool_release(a.up, true);
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool, hands_a_released_connection_to_who_waits)
{
	struct upstream *up;

	open_pool(1);
	take(&a);
	up = a.up;
	acquire(&b, false);
	cr_assert_eq(pool_waiting(pool), 1);
	pool_release(up, true);
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(b.up, up);
	cr_assert(b.up->reused);
	pool_release(b.up, true);
}

Test(pool, gives_a_used_connection_to_nobody_who_needs_a_fresh_one)
{
	open_pool(1);
	take(&a);
	acquire(&b, true);
	pool_release(a.up, true);
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(b.why, OK);
	cr_assert_not(b.up->reused);
	cr_assert_eq(pool_connections(pool), 1);
	pool_release(b.up, true);
}

Test(pool, makes_room_for_a_fresh_connection_at_the_bound)
{
	open_pool(1);
	take(&a);
	pool_release(a.up, true);
	acquire(&b, true);
	UNTIL(loop, b.calls == 1);
	cr_assert_not(b.up->reused);
	cr_assert_eq(pool_connections(pool), 1);
	pool_release(b.up, false);
}

Test(pool, serves_the_queue_when_a_connection_is_closed)
{
	open_pool(1);
	take(&a);
	acquire(&b, false);
	pool_release(a.up, false);
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(b.why, OK);
	pool_release(b.up, false);
}

Test(pool, refuses_what_the_queue_does_not_hold)
{
	cfg.queue_max = 1;
	open_pool(1);
	take(&a);
	acquire(&b, false);
	acquire(&c, false);
	UNTIL(loop, c.calls == 1);
	cr_assert_eq(c.why, ERR_UPSTREAM_BUSY);
	cr_assert_eq(b.calls, 0);
	pool_release(a.up, false);
	UNTIL(loop, b.calls == 1);
	pool_release(b.up, false);
}

Test(pool, refuses_who_waited_too_long)
{
	cfg.queue_timeout = 100;
	open_pool(1);
	take(&a);
	acquire(&b, false);
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(b.why, ERR_UPSTREAM_BUSY);
	cr_assert_eq(pool_waiting(pool), 0);
	pool_release(a.up, false);
}

Test(pool, tells_all_when_nobody_listens)
{
	refuse_connections();
	open_pool(1);
	acquire(&a, false);
	acquire(&b, false);
	acquire(&c, false);
	UNTIL(loop, a.calls == 1 && b.calls == 1 && c.calls == 1);
	cr_assert_eq(a.why, ERR_UPSTREAM_DOWN);
	cr_assert_eq(b.why, ERR_UPSTREAM_DOWN);
	cr_assert_eq(c.why, ERR_UPSTREAM_DOWN);
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool, lets_the_next_try_when_connecting_takes_too_long)
{
	swallow_connections();
	cfg.connect_timeout = 100;
	open_pool(1);
	acquire(&a, false);
	acquire(&b, false);
	UNTIL(loop, a.calls == 1);
	cr_assert_eq(a.why, ERR_UPSTREAM_SLOW);
	cr_assert_eq(pool_waiting(pool), 0, "the place was not passed on");
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(b.why, ERR_UPSTREAM_SLOW);
	cr_assert_eq(pool_connections(pool), 0);
}

Test(pool, lets_the_next_try_when_one_gives_up)
{
	swallow_connections();
	open_pool(1);
	acquire(&a, false);
	acquire(&b, false);
	pool_cancel(&a.wait);
	cr_assert_eq(pool_waiting(pool), 0);
	cr_assert_eq(pool_connections(pool), 1);
	pool_cancel(&b.wait);
	cr_assert_eq(pool_connections(pool), 0);
	cr_assert_eq(a.calls + b.calls, 0);
}

Test(pool, can_be_cancelled_in_every_state)
{
	open_pool(1);
	pool_cancel(&a.wait); /* never asked */
	take(&a);
	pool_cancel(&a.wait); /* already answered */
	acquire(&b, false);
	pool_cancel(&b.wait); /* queued */
	pool_cancel(&b.wait);
	cr_assert_eq(pool_waiting(pool), 0);
	acquire(&c, false);
	pool_release(a.up, true);
	pool_cancel(&c.wait); /* about to be handed a released connection */
	cr_assert_eq(pool_connections(pool), 0);
	cr_assert_eq(b.calls + c.calls, 0);
}

Test(pool, freed_refuses_who_is_queued_and_waits_for_those_in_use)
{
	open_pool(1);
	take(&a);
	acquire(&b, false);
	pool_free(pool);
	pool = NULL;
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(b.why, ERR_UPSTREAM_DOWN);
	UNTIL(loop, lab_accepted(listener, &far));
	pool_release(a.up, true);
	UNTIL(loop, lab_ended(&far));
}

Test(pool, freed_while_connecting_tells_the_end)
{
	refuse_connections();
	open_pool(1);
	acquire(&a, false);
	pool_free(pool);
	pool = NULL;
	UNTIL(loop, a.calls == 1);
	cr_assert_eq(a.why, ERR_UPSTREAM_DOWN);
}

Test(pool, keeps_its_address_when_limits_change)
{
	struct pool_config other = { .connections_max = 2, .idle_max = 1, .connect_timeout = 20000,
		.queue_timeout = 20000, .idle_timeout = 1000, .buffer_max = 65536 };

	open_pool(1);
	take(&a);
	acquire(&b, false);
	pool_set_limits(pool, &other);
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(b.why, OK, "who waits profits from higher limits");
	pool_release(a.up, true);
	other.connections_max = 1;
	pool_set_limits(pool, &other);
	pool_release(b.up, true);
	cr_assert_eq(pool_connections(pool), 1);
}

Test(pool, looks_twice_at_a_connection_for_what_cannot_be_repeated)
{
	open_pool(4);
	take(&a);
	UNTIL(loop, lab_accepted(listener, &far));
	pool_release(a.up, true);
	lab_turn(loop);
	lab_close(&far); /* and the loop has not turned since */
	cr_assert_null(pool_take(pool, true));
	cr_assert_eq(pool_connections(pool), 0);
	take(&b);
	pool_release(b.up, true);
	cr_assert_eq(pool_take(pool, true), b.up);
	pool_release(b.up, true);
}

/* --- counting --- */

static int counted[POOL_CONNECT_TIMEOUT + 1];

static void
on_count(enum pool_count what, int n)
{
	counted[what] += n;
}

Test(pool, counts_connections_and_what_is_refused)
{
	cfg.count = on_count;
	cfg.queue_max = 1;
	open_pool(1);
	take(&a);
	cr_assert_eq(counted[POOL_BUSY], 1);
	acquire(&b, false);
	acquire(&c, false);
	cr_assert_eq(counted[POOL_QUEUED], 1);
	UNTIL(loop, c.calls == 1);
	cr_assert_eq(counted[POOL_QUEUE_FULL], 1);
	pool_release(a.up, true);
	UNTIL(loop, b.calls == 1);
	cr_assert_eq(counted[POOL_QUEUED], 0);
	pool_release(b.up, true);
	cr_assert_eq(counted[POOL_BUSY], 0);
	cr_assert_eq(counted[POOL_IDLE], 1);
	pool_free(pool);
	pool = NULL;
	cr_assert_eq(counted[POOL_BUSY], 0);
	cr_assert_eq(counted[POOL_IDLE], 0);
}

Test(pool, counts_what_cannot_be_connected_to)
{
	cfg.count = on_count;
	cfg.queue_timeout = 100;
	refuse_connections();
	open_pool(1);
	acquire(&a, false);
	UNTIL(loop, a.calls == 1);
	cr_assert_eq(counted[POOL_CONNECT_FAILED], 1);
	cr_assert_eq(counted[POOL_BUSY], 0);
}

/* --- unix sockets --- */

static char unix_path[] = "/tmp/schleuse-pool.XXXXXX";
static int fillers[3];

/* A unix socket whose listen queue is full: connect() says EAGAIN. */
static void
open_stuffed(void)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&cfg.address;
	bool full = false;

	cr_assert_not_null(mkdtemp(unix_path));
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(un->sun_path, sizeof(un->sun_path), "%s/s", unix_path);
	cfg.address_len = sizeof(*un);
	close(listener);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)un, sizeof(*un)), 0);
	cr_assert_eq(listen(listener, 0), 0);
	for (size_t i = 0; i < 3; i++) {
		fillers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		full = connect(fillers[i], (struct sockaddr *)un, sizeof(*un)) < 0 && errno == EAGAIN;
	}
	cr_assert(full);
	open_pool(2);
}

static void
remove_socket(void)
{
	unlink(((struct sockaddr_un *)&cfg.address)->sun_path);
	rmdir(unix_path);
	for (size_t i = 0; i < 3; i++)
		close(fillers[i]);
}

/* Takes what waits in the listen queue, as a homeserver that has time again. */
static void
accept_all(void)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0)
		close(fd);
}

Test(pool, waits_for_a_place_in_a_full_listen_queue)
{
	open_stuffed();
	acquire(&a, false);
	acquire(&b, true);
	lab_pass(loop, 4 * LOOP_TICK_MS);
	cr_assert_eq(a.calls + b.calls, 0);
	cr_assert_eq(pool_waiting(pool), 2);
	accept_all();
	UNTIL(loop, (accept_all(), a.calls == 1 && b.calls == 1));
	cr_assert_eq(a.why, OK);
	cr_assert_eq(b.why, OK);
	pool_release(a.up, false);
	pool_release(b.up, false);
	remove_socket();
}

Test(pool, gives_up_a_full_listen_queue_in_time)
{
	cfg.connect_timeout = 150;
	cfg.count = on_count;
	open_stuffed();
	acquire(&a, false);
	UNTIL(loop, a.calls == 1);
	cr_assert_eq(a.why, ERR_UPSTREAM_SLOW);
	cr_assert_eq(counted[POOL_CONNECT_TIMEOUT], 1);
	cr_assert_eq(counted[POOL_QUEUED], 0);
	acquire(&b, false);
	pool_cancel(&b.wait);
	cr_assert_eq(pool_waiting(pool), 0);
	remove_socket();
}

Test(pool, freed_with_a_full_listen_queue_tells_the_end)
{
	open_stuffed();
	acquire(&a, false);
	pool_free(pool);
	pool = NULL;
	UNTIL(loop, a.calls == 1);
	cr_assert_eq(a.why, ERR_UPSTREAM_DOWN);
	lab_pass(loop, 3 * LOOP_TICK_MS);
	remove_socket();
}
