/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_conn - how a connection comes and goes: names, addresses, handshakes, bytes.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/net/tlsclient.h"
#include "lib/store/redis_int.h"
#include "lib/store/redis_sentinel.h"

#define READ_PIECE 16384
#define TURN_MAX (4u << 20) /* bytes read in one turn */

static void connect_next(struct redis *r);

void
redis_disconnect(struct redis *r)
{
	stream_close(r->stream);
	r->stream = NULL;
	if (r->reader != NULL)
		redisReaderFree(r->reader);
	r->reader = NULL;
	resolver_cancel(&r->req);
	redis_sentinel_cancel(r->asking);
	r->asking = NULL;
	timer_clear(&r->connecting);
	timer_clear(&r->ping);
	if (r->out.mem != NULL)
		sodium_memzero(r->out.mem, r->out.cap);
	buf_fini(&r->out);
}

/* false: not ready in time. */
static bool
await(const struct redis *r, short what, clock_ms until)
{
	struct pollfd p = { .fd = stream_fd(r->stream), .events = what };
	clock_ms now = clock_now();

	return now < until && poll(&p, 1, (int)(until - now)) > 0;
}

/* To close with replies unread would be a reset, after which Redis reads no further. */
void
redis_linger(struct redis *r, clock_ms patience)
{
	clock_ms until = clock_now() + patience;
	char piece[READ_PIECE];
	ssize_t n = STREAM_AGAIN;

	while (r->stage == UP && (buf_len(&r->out) > 0 || stream_unsent(r->stream)) &&
	       await(r, POLLOUT, until))
		redis_pump(r);
	if (r->stage != UP)
		return;
	stream_shut(r->stream);
	while ((n > 0 || n == STREAM_AGAIN) && await(r, POLLIN, until)) {
		stream_doubt(r->stream);
		n = stream_read(r->stream, piece, sizeof(piece));
	}
}

static void
read_replies(struct redis *r)
{
	char piece[READ_PIECE];
	size_t left = TURN_MAX;
	ssize_t n;

	while (r->stream != NULL && left >= sizeof(piece) &&
	       (n = stream_read(r->stream, piece, sizeof(piece))) != STREAM_AGAIN) {
		if (n <= 0) {
			redis_lost(r, ERR_CONNECT);
			return;
		}
		left -= (size_t)n;
		redis_take(r, piece, (size_t)n);
	}
	/* Calls again for what is left, and for what there is to write. */
	if (r->stream != NULL && left < sizeof(piece))
		stream_want(r->stream, STREAM_READ | STREAM_WRITE);
}

static enum err
why_not(const struct redis *r)
{
	SSL *ssl = stream_ssl(r->stream);

	return ssl != NULL && !SSL_in_before(ssl) ? ERR_TLS : ERR_CONNECT;
}

static void
on_stream(void *arg, unsigned what)
{
	struct redis *r = arg;

	if (r->stage == CONNECT) {
		if (!stream_open(r->stream)) {
			r->attempt = why_not(r);
			connect_next(r);
			return;
		}
		redis_login(r);
	}
	if (r->stream != NULL && (what & STREAM_READ))
		read_replies(r);
	if (r->stream != NULL && (what & STREAM_WRITE))
		redis_pump(r);
}

void
redis_too_slow(void *arg)
{
	redis_lost(arg, ERR_TIMEOUT);
}

/* Takes over fd. */
static bool
attach(struct redis *r, int fd)
{
	SSL *ssl = r->tls != NULL ? tlsclient_connect(r->tls, r->peer) : NULL;

	if (r->tls == NULL || ssl != NULL)
		r->stream = stream_new(r->loop, fd, ssl, true, on_stream, r);
	r->reader = r->stream != NULL ? redisReaderCreate() : NULL;
	r->fed = 0;
	if (r->reader != NULL) {
		stream_want(r->stream, STREAM_READ | STREAM_WRITE);
		return true;
	}
	if (r->stream == NULL) {
		SSL_free(ssl);
		close(fd);
	}
	return false;
}

static int
dial(const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	if (sa->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, sa, len) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

/* The next address, or the end of this attempt with the reason of the last one. */
static void
connect_next(struct redis *r)
{
	int fd = -1;

	stream_close(r->stream);
	r->stream = NULL;
	if (r->reader != NULL)
		redisReaderFree(r->reader);
	r->reader = NULL;
	while (fd < 0 && r->at_addr < r->n_addrs) {
		const struct address *a = &r->addrs[r->at_addr++];

		fd = dial(&a->sa, a->len);
	}
	if (fd < 0) {
		redis_lost(r, r->attempt);
		return;
	}
	if (!attach(r, fd))
		redis_lost(r, ERR_MEMORY);
}

static void
on_addrs(void *arg, enum err err, const struct address *addrs, size_t n)
{
	struct redis *r = arg;

	if (err != OK) {
		redis_lost(r, err);
		return;
	}
	memcpy(r->addrs, addrs, n * sizeof(*addrs));
	r->n_addrs = n;
	r->at_addr = 0;
	r->attempt = ERR_CONNECT;
	r->stage = CONNECT;
	connect_next(r);
}

static void
connect_unix(struct redis *r)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", r->unix_path);
	fd = dial((struct sockaddr *)&un, sizeof(un));
	r->n_addrs = r->at_addr = 0;
	r->attempt = ERR_CONNECT;
	r->stage = CONNECT;
	if (fd < 0)
		redis_lost(r, ERR_CONNECT);
	else if (!attach(r, fd))
		redis_lost(r, ERR_MEMORY);
}

static void
connect_name(struct redis *r, struct str host, uint16_t port)
{
	timer_set(r->loop, &r->connecting, r->cfg.timeout);
	snprintf(r->peer, sizeof(r->peer), STR_FMT, STR_ARG(host));
	r->stage = RESOLVE;
	if (!resolver_addrs(r->cfg.resolver, str_z(r->peer), port, &r->req, on_addrs, r))
		redis_lost(r, ERR_MEMORY);
}

static void
on_master(void *arg, enum err err, struct str host, uint16_t port, size_t which)
{
	struct redis *r = arg;
	struct redis_sentinel *asked = r->asking;

	if (err != OK) {
		redis_lost(r, err);
		return;
	}
	r->asking = NULL;
	r->at_sentinel = which;
	connect_name(r, host, port);
	redis_sentinel_cancel(asked);
}

void
redis_connect(void *arg)
{
	struct redis *r = arg;

	if (r->cfg.n_sentinels > 0) {
		r->stage = ASK;
		r->asking = redis_sentinel_ask(r->loop, &r->cfg, r->at_sentinel, on_master, r);
		if (r->asking == NULL)
			redis_lost(r, ERR_MEMORY);
	} else if (r->unix_path != NULL) {
		timer_set(r->loop, &r->connecting, r->cfg.timeout);
		connect_unix(r);
	} else {
		connect_name(r, str_z(r->host), r->cfg.port);
	}
}
