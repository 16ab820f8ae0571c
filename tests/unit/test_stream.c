/* SPDX-License-Identifier: Apache-2.0 */
/* Streams on socket pairs, plain and TLS; the far end is the test's. */
#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/net/stream.h"
#include "tests/unit/lab.h"
#include "tests/unit/tlscert.h"

static struct loop *loop;
static struct stream *s;
static struct lab_end far;

static struct {
	unsigned want;
	int calls;
	bool close;      /* in the callback */
	char *got;
	size_t n;
	ssize_t last;    /* of stream_read() */
	bool writable;
} near;

static void
on_stream(void *arg, unsigned what)
{
	static char piece[65536];
	ssize_t n;

	(void)arg;
	near.calls++;
	if (near.close) {
		stream_close(s);
		s = NULL;
		return;
	}
	if (what & STREAM_WRITE)
		near.writable = true;
	while ((what & STREAM_READ) && (n = near.last = stream_read(s, piece, sizeof(piece))) > 0) {
		near.got = realloc(near.got, near.n + (size_t)n);
		memcpy(near.got + near.n, piece, (size_t)n);
		near.n += (size_t)n;
	}
	if ((what & STREAM_READ) && (near.last == STREAM_EOF || near.last == STREAM_FAILED))
		near.want &= ~(unsigned)STREAM_READ;
	if (what & STREAM_WRITE)
		near.want &= ~(unsigned)STREAM_WRITE;
	stream_want(s, near.want);
}

static void
open_stream(bool with_tls)
{
	int fd = lab_pair(&far);

	s = stream_new(loop, fd, with_tls ? tlscert_accept() : NULL, false, on_stream, NULL);
	cr_assert_not_null(s);
	near.want = STREAM_READ;
	stream_want(s, near.want);
	if (!with_tls)
		return;
	far.ssl = lab_client_tls("a.example.org");
	SSL_set_fd(far.ssl, far.fd);
	UNTIL(loop, SSL_do_handshake(far.ssl) == 1 && stream_open(s));
}

static void
setup(void)
{
	loop = loop_new(NULL);
	far.fd = -1;
	memset(&near, 0, sizeof(near));
}

static void
teardown(void)
{
	stream_close(s);
	lab_turn(loop);
	lab_close(&far);
	loop_free(loop);
	free(near.got);
	buf_drop_cache();
}

TestSuite(stream, .init = setup, .fini = teardown);

static char
pattern(size_t i)
{
	return (char)('a' + i % 23);
}

static void
write_some(size_t *at, size_t n)
{
	static char piece[100000];
	size_t len = n - *at < sizeof(piece) ? n - *at : sizeof(piece);
	ssize_t put;

	for (size_t i = 0; i < len; i++)
		piece[i] = pattern(*at + i);
	put = len > 0 ? stream_write(s, str_of(piece, len)) : 0;
	cr_assert_geq(put, 0);
	cr_assert(stream_ssl(s) == NULL || put <= STREAM_WRITE_MAX);
	*at += (size_t)put;
}

static void
carries_much_both_ways(bool with_tls)
{
	const size_t size = 3000000;
	static char piece[50000];
	size_t down = 0, up = 0;

	open_stream(with_tls);
	UNTIL(loop, (write_some(&down, size), lab_read(&far), far.n == size));
	for (size_t i = 0; i < size; i++)
		cr_assert_eq(far.got[i], pattern(i));
	while (near.n < size) {
		size_t len = size - up < sizeof(piece) ? size - up : sizeof(piece);

		for (size_t i = 0; i < len; i++)
			piece[i] = pattern(up + i);
		if (len > 0)
			up += lab_put(&far, piece, len);
		lab_turn(loop);
	}
	for (size_t i = 0; i < size; i++)
		cr_assert_eq(near.got[i], pattern(i));
}

Test(stream, carries_much_both_ways_plain)
{
	carries_much_both_ways(false);
}

Test(stream, carries_much_both_ways_tls)
{
	carries_much_both_ways(true);
}

static void
stops_and_goes_on(bool with_tls)
{
	size_t at = 0, before = 1;

	open_stream(with_tls);
	while (at != before) {
		before = at;
		write_some(&at, SIZE_MAX);
	}
	near.want = STREAM_READ | STREAM_WRITE;
	stream_want(s, near.want);
	for (int i = 0; i < 20; i++)
		lab_turn(loop);
	cr_assert_not(near.writable, "there is no room");
	UNTIL(loop, (lab_read(&far), near.writable));
	cr_assert_not(stream_unsent(s));
	UNTIL(loop, (lab_read(&far), far.n == at));
}

Test(stream, stops_when_the_peer_takes_nothing_and_goes_on_plain)
{
	stops_and_goes_on(false);
}

Test(stream, stops_when_the_peer_takes_nothing_and_goes_on_tls)
{
	stops_and_goes_on(true);
}

Test(stream, puts_records_together_that_come_byte_by_byte)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl = lab_client_tls("a.example.org");
	char c, piece[4096];
	ssize_t n;
	int r = 0;

	s = stream_new(loop, lab_pair(&far), tlscert_accept(), false, on_stream, NULL);
	near.want = STREAM_READ;
	stream_want(s, near.want);
	SSL_set_bio(ssl, in, out);
	while (r != 1) {
		r = SSL_do_handshake(ssl);
		while (BIO_read(out, &c, 1) == 1) {
			cr_assert_eq(send(far.fd, &c, 1, 0), 1);
			lab_turn(loop);
		}
		while ((n = recv(far.fd, piece, sizeof(piece), 0)) > 0)
			BIO_write(in, piece, (int)n);
		lab_turn(loop);
	}
	cr_assert_eq(SSL_write(ssl, "hello", 5), 5);
	cr_assert_eq(SSL_write(ssl, " and more", 9), 9);
	while (BIO_read(out, &c, 1) == 1) {
		cr_assert_eq(send(far.fd, &c, 1, 0), 1);
		lab_turn(loop);
	}
	UNTIL(loop, near.n == 14);
	cr_assert_arr_eq(near.got, "hello and more", 14);
	SSL_free(ssl);
}

Test(stream, reads_several_records_that_came_together)
{
	open_stream(true);
	for (int i = 0; i < 100; i++)
		lab_say(&far, "0123456789");
	UNTIL(loop, near.n == 1000);
}

/* --- the end --- */

static void
goes_on_after_a_half_close(bool with_tls)
{
	size_t at = 0;

	open_stream(with_tls);
	lab_say(&far, "last words");
	if (with_tls)
		SSL_shutdown(far.ssl);
	shutdown(far.fd, SHUT_WR);
	UNTIL(loop, near.n == 10 && near.last == STREAM_EOF);
	write_some(&at, 1000);
	cr_assert_eq(at, 1000);
	if (!with_tls) /* who sent close_notify reads no more from OpenSSL */
		UNTIL(loop, (lab_read(&far), far.n == 1000));
	cr_assert_not(stream_failed(s));
}

Test(stream, goes_on_writing_after_the_peers_half_close_plain)
{
	goes_on_after_a_half_close(false);
}

Test(stream, goes_on_writing_after_the_peers_half_close_tls)
{
	goes_on_after_a_half_close(true);
}

static void
reads_on_after_shut(bool with_tls)
{
	open_stream(with_tls);
	stream_shut(s);
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(stream_write(s, STR("x")), 0);
	cr_assert_eq(send(far.fd, "", 0, MSG_NOSIGNAL), 0);
	lab_say(&far, "still here");
	UNTIL(loop, near.n == 10);
}

Test(stream, reads_on_after_it_shut_plain)
{
	reads_on_after_shut(false);
}

Test(stream, reads_on_after_it_shut_tls)
{
	reads_on_after_shut(true);
}

Test(stream, shuts_when_the_last_ciphertext_has_left)
{
	size_t at = 0, before = 1;

	open_stream(true);
	while (at != before) {
		before = at;
		write_some(&at, SIZE_MAX);
	}
	cr_assert(stream_unsent(s));
	stream_shut(s);
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(far.n, at);
}

Test(stream, takes_an_end_without_close_notify_for_an_end)
{
	open_stream(true);
	shutdown(far.fd, SHUT_WR);
	UNTIL(loop, near.last == STREAM_EOF && near.calls > 0);
}

Test(stream, fails_on_what_is_no_record)
{
	open_stream(true);
	cr_assert_eq(send(far.fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	UNTIL(loop, near.last == STREAM_FAILED && near.calls > 0);
	cr_assert(stream_failed(s));
	cr_assert_eq(stream_write(s, STR("x")), STREAM_FAILED);
}

Test(stream, tells_that_a_handshake_failed)
{
	s = stream_new(loop, lab_pair(&far), tlscert_accept(), false, on_stream, NULL);
	stream_want(s, near.want = STREAM_READ);
	lab_say(&far, "GET / HTTP/1.1\r\n\r\n");
	UNTIL(loop, near.calls > 0);
	cr_assert(stream_failed(s));
}

Test(stream, reads_what_a_peer_sent_before_it_closed)
{
	size_t at = 0;

	open_stream(false);
	near.want = 0;
	near.last = STREAM_AGAIN;
	stream_want(s, 0);
	write_some(&at, 1000);
	lab_say(&far, "early answer");
	lab_close(&far);
	UNTIL(loop, stream_write(s, STR("x")) == STREAM_FAILED);
	cr_assert_eq(near.calls, 0);
	near.want = STREAM_READ;
	stream_want(s, near.want);
	UNTIL(loop, near.last == STREAM_EOF || near.last == STREAM_FAILED);
	cr_assert_eq(near.n, 12);
}

/* --- wanting --- */

Test(stream, calls_nobody_who_wants_nothing)
{
	open_stream(false);
	stream_want(s, 0);
	lab_say(&far, "x");
	for (int i = 0; i < 20; i++)
		lab_turn(loop);
	cr_assert_eq(near.calls, 0);
	near.want = STREAM_READ;
	stream_want(s, near.want); /* the edge is long over */
	UNTIL(loop, near.n == 1);
}

Test(stream, forgets_the_ephemeral_keys_of_the_handshake)
{
	EVP_PKEY *own, *peers;

	open_stream(true);
	cr_assert_eq(SSL_get_tmp_key(stream_ssl(s), &own), 1);
	cr_assert_eq(SSL_get_peer_tmp_key(stream_ssl(s), &peers), 1);
	cr_assert_not(EVP_PKEY_is_a(own, "EC"));
	cr_assert_not(EVP_PKEY_is_a(peers, "EC"));
	EVP_PKEY_free(own);
	EVP_PKEY_free(peers);
	cr_assert_eq(stream_write(s, STR("hello")), 5);
	UNTIL(loop, lab_got(&far, "hello"));
	lab_say(&far, "hello");
	UNTIL(loop, near.n == 5);
}

Test(stream, may_be_closed_in_its_callback)
{
	open_stream(true);
	near.calls = 0;
	near.close = true;
	lab_say(&far, "x");
	UNTIL(loop, s == NULL);
	UNTIL(loop, lab_ended(&far));
	cr_assert_eq(near.calls, 1);
}

Test(stream, tells_the_end_of_connecting)
{
	unsigned short port;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int listener = lab_listen(&port);
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	cr_assert_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	close(listener); /* nobody listens */
	(void)!connect(fd, (struct sockaddr *)&a, len);
	s = stream_new(loop, fd, NULL, true, on_stream, NULL);
	stream_want(s, near.want = STREAM_WRITE);
	UNTIL(loop, near.calls > 0);
	cr_assert(stream_failed(s));
}

/* --- bytes read before --- */

static void
adopt(int fd, const char *early, SSL *ssl)
{
	s = stream_new(loop, fd, ssl, false, on_stream, NULL);
	cr_assert_not_null(s);
	cr_assert(stream_preload(s, str_z(early)));
}

Test(stream, reads_what_came_early_before_what_the_socket_has)
{
	char some[2];

	adopt(lab_pair(&far), "abcd", NULL);
	lab_say(&far, "ef");
	cr_assert_eq(stream_read(s, some, 1), 1);
	cr_assert_eq(some[0], 'a');
	near.want = STREAM_READ;
	stream_want(s, near.want);
	UNTIL(loop, near.n == 5);
	cr_assert_arr_eq(near.got, "bcdef", 5);
	lab_say(&far, "g");
	UNTIL(loop, near.n == 6);
	shutdown(far.fd, SHUT_WR);
	UNTIL(loop, near.last == STREAM_EOF);
}

static void
shakes_hands_after(size_t n)
{
	int fd = lab_pair(&far);
	char hello[2048];
	ssize_t got;

	far.ssl = lab_client_tls("a.example.org");
	SSL_set_fd(far.ssl, far.fd);
	cr_assert_lt(SSL_do_handshake(far.ssl), 1);
	got = recv(fd, hello, n < sizeof(hello) ? n : sizeof(hello), 0);
	cr_assert_gt(got, 0);
	s = stream_new(loop, fd, tlscert_accept(), false, on_stream, NULL);
	cr_assert_not_null(s);
	cr_assert(stream_preload(s, str_of(hello, (size_t)got)));
	near.want = STREAM_READ;
	stream_want(s, near.want);
	UNTIL(loop, SSL_do_handshake(far.ssl) == 1 && stream_open(s));
	lab_say(&far, "abc");
	UNTIL(loop, near.n == 3);
}

Test(stream, shakes_hands_though_the_client_hello_was_read_before)
{
	shakes_hands_after(SIZE_MAX);
}

Test(stream, shakes_hands_though_part_of_the_client_hello_was_read_before)
{
	shakes_hands_after(7);
}

Test(stream, lets_go_of_a_plain_socket_and_of_what_was_not_read)
{
	struct buf rest;
	char some[8];
	int fd = lab_pair(&far), released;

	buf_init(&rest, 1024);
	cr_assert(buf_put(&rest, STR("a")));
	adopt(fd, "bcd", NULL);
	lab_say(&far, "e");
	cr_assert_eq(stream_read(s, some, 1), 1);
	released = stream_release(s, &rest);
	cr_assert_eq(released, fd);
	cr_assert_eq(stream_release(s, &rest), -1, "once");
	stream_close(s); /* as good as closed */
	s = NULL;
	lab_turn(loop);
	cr_assert(str_eq(buf_str(&rest), STR("acd")));
	cr_assert_eq(recv(released, some, sizeof(some), 0), 1);
	cr_assert_eq(send(released, "f", 1, 0), 1);
	UNTIL(loop, lab_got(&far, "f"));
	cr_assert_not(lab_ended(&far));
	buf_fini(&rest);
	close(released);
	cr_assert_eq(near.calls, 0);
}

Test(stream, does_not_let_go_of_a_socket_with_tls)
{
	struct buf rest;

	buf_init(&rest, 1024);
	open_stream(true);
	cr_assert_eq(stream_release(s, &rest), -1);
	lab_say(&far, "abc");
	UNTIL(loop, near.n == 3);
}
