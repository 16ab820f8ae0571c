/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels between two scripted ends; the near sides are the splice's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/net/splice.h"
#include "tests/unit/lab.h"
#include "tests/unit/tlscert.h"

#define BUFFER 32768
#define BIG (8 * 1024 * 1024)

static struct loop *loop;
static struct lab_end client, remote;
static struct splice *tunnel;
static struct splice_config cfg;

static struct {
	int ends;
	enum err why;
	struct splice_bytes bytes;
} seen;

static void
on_end(void *arg, enum err why)
{
	cr_assert_eq(arg, &seen);
	seen.ends++;
	seen.why = why;
	seen.bytes = splice_bytes(tunnel);
	tunnel = NULL;
}

static void
on_nothing(void *arg, unsigned what)
{
	(void)arg;
	(void)what;
}

static void
start_tls(int client_fd, SSL *ssl, int remote_fd)
{
	struct stream *c = stream_new(loop, client_fd, ssl, false, on_nothing, NULL);
	struct stream *r = stream_new(loop, remote_fd, NULL, false, on_nothing, NULL);

	cr_assert(c != NULL && r != NULL);
	tunnel = splice_start(loop, c, r, &cfg, on_end, &seen);
	cr_assert_not_null(tunnel);
	cr_assert_eq(seen.ends, 0);
}

static void
start_on(int client_fd, int remote_fd)
{
	start_tls(client_fd, NULL, remote_fd);
}

static void
start(void)
{
	int fd = lab_pair(&client);

	start_on(fd, lab_pair(&remote));
}

/* A reset is a matter of TCP. */
static int
tcp_pair(struct lab_end *far)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	unsigned short port;
	int listener = lab_listen(&port), near;

	near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	cr_assert_eq(connect(near, (struct sockaddr *)&a, len), 0);
	cr_assert_eq(fcntl(near, F_SETFL, O_NONBLOCK), 0);
	cr_assert(lab_accepted(listener, far));
	close(listener);
	return near;
}

static void
reset(struct lab_end *far)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(far->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	lab_close(far);
}

static bool
was_reset(struct lab_end *far)
{
	char c;

	lab_turn(loop);
	return recv(far->fd, &c, 1, 0) < 0 && errno == ECONNRESET;
}

static void
setup(void)
{
	loop = loop_new(NULL);
	client.fd = remote.fd = -1;
	tunnel = NULL;
	memset(&seen, 0, sizeof(seen));
	cfg = (struct splice_config){ .buffer = BUFFER, .idle = 60000 };
}

static void
teardown(void)
{
	splice_cancel(tunnel);
	lab_turn(loop);
	lab_close(&client);
	lab_close(&remote);
	loop_free(loop);
	buf_drop_cache();
}

TestSuite(splice, .init = setup, .fini = teardown);

static char
pattern(size_t i)
{
	return (char)('a' + i % 23);
}

/* Sends up to n bytes of the pattern from *at on, as far as the socket takes them. */
static void
pump(struct lab_end *e, size_t *at, size_t n)
{
	char piece[16384];
	size_t len = n - *at < sizeof(piece) ? n - *at : sizeof(piece);

	for (size_t i = 0; i < len; i++)
		piece[i] = pattern(*at + i);
	*at += len > 0 ? lab_put(e, piece, len) : 0;
}

/* ... until nobody takes any more. */
static size_t
flood(struct lab_end *e)
{
	size_t sent = 0;

	for (int still = 0; still < 20;) {
		size_t before = sent;

		pump(e, &sent, BIG);
		still = sent == before ? still + 1 : 0;
		lab_turn(loop);
	}
	return sent;
}

static void
expect_pattern(const struct lab_end *e, size_t n)
{
	cr_assert_eq(e->n, n);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(e->got[i], pattern(i), "hole at %zu", i);
}

/* --- bytes --- */

Test(splice, carries_bytes_both_ways)
{
	start();
	lab_say(&client, "hello");
	UNTIL(loop, lab_got(&remote, "hello"));
	lab_say(&remote, "good day");
	UNTIL(loop, lab_got(&client, "good day"));
	lab_say(&client, " again");
	UNTIL(loop, lab_got(&remote, "hello again"));
	cr_assert_eq(splice_bytes(tunnel).to_remote, 11);
	cr_assert_eq(splice_bytes(tunnel).to_client, 8);
	cr_assert_eq(seen.ends, 0);
}

Test(splice, carries_much_both_ways_at_once)
{
	size_t up = 0, down = 0;

	start();
	UNTIL(loop, (pump(&client, &up, BIG), pump(&remote, &down, BIG), lab_read(&client),
	    lab_read(&remote), client.n == BIG && remote.n == BIG));
	expect_pattern(&client, BIG);
	expect_pattern(&remote, BIG);
	cr_assert_eq(splice_bytes(tunnel).to_remote, BIG);
	cr_assert_eq(splice_bytes(tunnel).to_client, BIG);
}

Test(splice, says_first_what_is_to_be_said_first)
{
	cfg.to_client = STR("HTTP/1.1 200 OK\r\n\r\n");
	cfg.to_remote = STR("hel");
	start();
	lab_say(&client, "lo");
	lab_say(&remote, "good day");
	UNTIL(loop, lab_got(&remote, "hello"));
	UNTIL(loop, lab_got(&client, "HTTP/1.1 200 OK\r\n\r\ngood day"));
	cr_assert_eq(splice_bytes(tunnel).to_remote, 5);
}

Test(splice, says_first_even_what_is_more_than_the_buffer)
{
	static char much[3 * BUFFER];
	size_t at = sizeof(much);

	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = pattern(i);
	cfg.to_remote = str_of(much, sizeof(much));
	start();
	memset(much, 0, sizeof(much)); /* it has been copied */
	UNTIL(loop, (pump(&client, &at, 2 * sizeof(much)), lab_read(&remote), remote.n == 2 * sizeof(much)));
	expect_pattern(&remote, 2 * sizeof(much));
}

Test(splice, takes_no_more_than_the_other_side_does)
{
	size_t sent;

	start();
	sent = flood(&client);
	cr_assert_lt(sent, BIG);
	lab_say(&remote, "the other way is free");
	UNTIL(loop, lab_got(&client, "the other way is free"));
	UNTIL(loop, (pump(&client, &sent, BIG), lab_read(&remote), remote.n == BIG));
	expect_pattern(&remote, BIG);
}

/* --- ends --- */

static void
passes_on_the_end_of(struct lab_end *first, struct lab_end *second)
{
	lab_say(first, "question");
	shutdown(first->fd, SHUT_WR);
	UNTIL(loop, lab_ended(second));
	cr_assert(lab_got(second, "question"));
	lab_say(second, "ans");
	UNTIL(loop, lab_got(first, "ans"));
	lab_say(second, "wer");
	UNTIL(loop, lab_got(first, "answer"));
	cr_assert_not(lab_ended(first));
	cr_assert_eq(seen.ends, 0);
	shutdown(second->fd, SHUT_WR);
	UNTIL(loop, seen.ends == 1);
	cr_assert_eq(seen.why, OK);
	UNTIL(loop, lab_ended(first));
}

Test(splice, passes_on_the_end_of_the_client_and_goes_on)
{
	start();
	passes_on_the_end_of(&client, &remote);
	cr_assert_eq(seen.bytes.to_remote, 8);
	cr_assert_eq(seen.bytes.to_client, 6);
}

Test(splice, passes_on_the_end_of_the_remote_and_goes_on)
{
	start();
	passes_on_the_end_of(&remote, &client);
	cr_assert_eq(seen.bytes.to_client, 8);
	cr_assert_eq(seen.bytes.to_remote, 6);
}

Test(splice, passes_on_the_end_behind_the_last_byte)
{
	size_t sent;

	start();
	sent = flood(&remote);
	shutdown(remote.fd, SHUT_WR);
	lab_turn(loop);
	UNTIL(loop, lab_ended(&client));
	expect_pattern(&client, sent);
	cr_assert_eq(seen.ends, 0);
	lab_close(&client);
	UNTIL(loop, seen.ends == 1);
	cr_assert_eq(seen.why, OK);
}

/* What waits as ciphertext is not yet said. */
Test(splice, closes_a_stream_with_tls_when_all_has_left)
{
	int fd = lab_pair(&client), small = 4096; /* less than a record */
	size_t sent;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	start_tls(fd, tlscert_accept(), lab_pair(&remote));
	client.ssl = lab_client_tls("a.example.org");
	SSL_set_fd(client.ssl, client.fd);
	UNTIL(loop, SSL_do_handshake(client.ssl) == 1);
	sent = flood(&remote);
	lab_close(&remote);
	SSL_shutdown(client.ssl);
	shutdown(client.fd, SHUT_WR);
	lab_pass(loop, 100);
	UNTIL(loop, lab_ended(&client));
	expect_pattern(&client, sent);
	UNTIL(loop, seen.ends == 1);
	cr_assert_eq(seen.why, OK);
}

Test(splice, passes_on_an_end_that_came_before_it_began)
{
	int fd = lab_pair(&client), remote_fd = lab_pair(&remote);

	lab_say(&client, "all");
	shutdown(client.fd, SHUT_WR);
	lab_close(&remote);
	start_on(fd, remote_fd);
	UNTIL(loop, seen.ends == 1);
	cr_assert_neq(seen.why, ERR_TUNNEL_IDLE);
}

Test(splice, passes_on_a_reset_of_the_client)
{
	int fd = tcp_pair(&client);

	start_on(fd, tcp_pair(&remote));
	lab_say(&client, "part of");
	UNTIL(loop, lab_got(&remote, "part of"));
	reset(&client);
	UNTIL(loop, was_reset(&remote));
	cr_assert_eq(seen.ends, 1);
	cr_assert_eq(seen.why, ERR_CLIENT_GONE);
	cr_assert_eq(seen.bytes.to_remote, 7);
}

Test(splice, passes_on_a_reset_of_the_remote)
{
	int fd = tcp_pair(&client);

	start_on(fd, tcp_pair(&remote));
	lab_say(&remote, "part of");
	UNTIL(loop, lab_got(&client, "part of"));
	reset(&remote);
	UNTIL(loop, was_reset(&client));
	cr_assert_eq(seen.ends, 1);
	cr_assert_eq(seen.why, ERR_REMOTE_BROKE);
}

/* Both are announced as one. */
Test(splice, passes_on_what_was_said_before_a_reset)
{
	int fd = lab_pair(&client);

	start_on(fd, tcp_pair(&remote));
	lab_turn(loop);
	lab_say(&remote, "bye");
	reset(&remote);
	UNTIL(loop, lab_ended(&client));
	cr_assert(lab_got(&client, "bye"));
	cr_assert_eq(seen.why, ERR_REMOTE_BROKE);
}

/* A server may answer and close before it has read all of an upload. */
Test(splice, passes_on_an_early_answer)
{
	int fd = lab_pair(&client);
	size_t sent;

	start_on(fd, lab_pair(&remote));
	sent = flood(&client);
	lab_say(&remote, "too much");
	lab_close(&remote);
	UNTIL(loop, (pump(&client, &sent, BIG), lab_ended(&client)));
	cr_assert(lab_got(&client, "too much"));
	UNTIL(loop, (pump(&client, &sent, BIG), seen.ends == 1));
	cr_assert_eq(seen.why, ERR_REMOTE_BROKE);
}

Test(splice, does_not_go_on_for_long_when_the_client_left)
{
	size_t sent = 0;

	start();
	UNTIL(loop, (pump(&remote, &sent, SIZE_MAX), lab_read(&client), client.n > 0));
	lab_close(&client);
	UNTIL(loop, (pump(&remote, &sent, SIZE_MAX), seen.ends == 1));
	cr_assert_eq(seen.why, ERR_CLIENT_GONE);
	UNTIL(loop, lab_ended(&remote));
}

/* --- time --- */

Test(splice, ends_when_nothing_goes_through)
{
	cfg.idle = 100;
	start();
	UNTIL(loop, seen.ends == 1);
	cr_assert_eq(seen.why, ERR_TUNNEL_IDLE);
	UNTIL(loop, lab_ended(&client) && lab_ended(&remote));
}

Test(splice, ends_when_a_side_takes_nothing)
{
	cfg.idle = 300;
	start();
	flood(&remote);
	UNTIL(loop, seen.ends == 1);
	cr_assert_eq(seen.why, ERR_TUNNEL_IDLE);
}

Test(splice, lives_as_long_as_something_goes_either_way)
{
	cfg.idle = 2000;
	start();
	for (int i = 0; i < 14; i++) {
		lab_pass(loop, 200);
		lab_say(i % 2 == 0 ? &client : &remote, "x");
	}
	cr_assert_eq(seen.ends, 0);
	UNTIL(loop, seen.ends == 1);
	cr_assert_eq(seen.why, ERR_TUNNEL_IDLE);
}

/* --- cancelled --- */

Test(splice, can_be_cancelled_before_anything_happens)
{
	cfg.to_client = STR("never said");
	start();
	splice_cancel(tunnel);
	tunnel = NULL;
	UNTIL(loop, lab_ended(&client) && lab_ended(&remote));
	cr_assert(lab_got(&client, ""));
	cr_assert_eq(seen.ends, 0);
}

Test(splice, can_be_cancelled_with_bytes_on_their_way)
{
	start();
	flood(&client);
	flood(&remote);
	splice_cancel(tunnel);
	tunnel = NULL;
	UNTIL(loop, lab_ended(&client) && lab_ended(&remote));
	lab_pass(loop, 100);
	cr_assert_eq(seen.ends, 0);
	splice_cancel(NULL);
}
