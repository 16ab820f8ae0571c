/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - readiness, then plain socket calls or OpenSSL on a BIO of our own.
 *
 * The BIO is what makes TLS cheap here.  Reading, it remembers that the socket was emptied (a short
 * recv() without a pending hang-up), so that the last SSL_read() of a batch costs no system call.
 * Writing, it never blocks: records collect in one buffer per thread and leave in one send(); only
 * what the socket refuses is copied to the stream.
 */
#include "lib/net/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/sockios.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* 64 KiB of plaintext as records, and alerts. */
#define RECORDS_MAX (STREAM_WRITE_MAX + 16 * 1024)
#define UNSENT_MAX (4 * RECORDS_MAX)
#define EARLY_MAX (256 * 1024)
#define BULK_READ (4 * SSL3_RT_MAX_PACKET_SIZE)

enum state { CONNECTING, HANDSHAKE, OPEN, FAILED };

struct stream {
	struct loop *loop;
	struct event *ev;
	SSL *ssl;
	int fd;
	enum state state;
	unsigned want; /* directions the owner waits for */
	bool readable; /* the socket may have bytes */
	bool assumed;  /* not readable: concluded from a short read */
	bool writable; /* the socket may have room */
	bool hung_up;  /* the kernel announced the end: a short read does not mean empty */
	bool starved;  /* what OpenSSL holds is part of a record: it needs more from the socket */
	bool bulk;     /* OpenSSL reads several records at once */
	bool eof;      /* the end was read */
	bool shut;
	bool broken; /* plain: the peer takes no more, but what it sent before can be read */
	bool closed;
	struct buf unsent; /* ciphertext */
	struct buf early;  /* what came before all that the socket has */
	stream_fn *fn;
	void *arg;
	struct task again;
	struct grave grave;
};

/* Ciphertext of the operation in progress; empty between operations. */
static _Thread_local char records[RECORDS_MAX];
static _Thread_local size_t recorded;

/* What SSL_get_error() looks at must be empty before an operation.  It nearly always is, and asking
 * is much cheaper than clearing, which visits every place of the queue. */
static void
clear_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

static void
fail(struct stream *s)
{
	s->state = FAILED;
	recorded = 0;
}

/* --- socket --- */

static ssize_t
early_read(struct stream *s, char *p, size_t n)
{
	if (n > buf_len(&s->early))
		n = buf_len(&s->early);
	memcpy(p, buf_str(&s->early).p, n);
	buf_consume(&s->early, n);
	buf_release(&s->early);
	return (ssize_t)n;
}

static ssize_t
socket_read(struct stream *s, char *p, size_t n)
{
	ssize_t got;

	if (!s->readable)
		return STREAM_AGAIN;
	if (buf_len(&s->early) > 0) /* as long as it lasts, the socket counts as readable */
		return early_read(s, p, n);
	do
		got = recv(s->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		if ((size_t)got < n && !s->hung_up) {
			s->readable = false;
			s->assumed = true;
		}
		return got;
	}
	if (got == 0) {
		s->eof = true;
		return STREAM_EOF;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		s->readable = s->assumed = false;
		return STREAM_AGAIN;
	}
	return STREAM_FAILED;
}

static ssize_t
socket_write(struct stream *s, const char *p, size_t n)
{
	ssize_t put;

	if (!s->writable)
		return 0;
	do
		put = send(s->fd, p, n, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return STREAM_FAILED;
	if (put < 0)
		put = 0;
	if ((size_t)put < n)
		s->writable = false;
	return put;
}

/* --- BIO --- */

/* A read that fills OpenSSL's buffer is one of many: from the next time on, the buffer holds
 * several records, which saves system calls and the acknowledgement that follows each.  A peer that
 * sends little gets the small buffer back.  There is none at all while nothing is in it. */
static void
suit_buffer(struct stream *s, bool filled)
{
	if (filled != s->bulk)
		SSL_set_default_read_buffer_len(s->ssl, filled ? BULK_READ : 0);
	s->bulk = filled;
}

static int
bio_read(BIO *b, char *p, size_t n, size_t *got)
{
	struct stream *s = BIO_get_data(b);
	ssize_t r = socket_read(s, p, n);

	BIO_clear_retry_flags(b);
	if (r == STREAM_AGAIN)
		BIO_set_retry_read(b);
	else if (r > 0)
		suit_buffer(s, (size_t)r == n);
	*got = r > 0 ? (size_t)r : 0;
	return r > 0;
}

static int
bio_write(BIO *b, const char *p, size_t n, size_t *put)
{
	struct stream *s = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (n > sizeof(records) - recorded) {
		if (!buf_put(&s->unsent, str_of(records, recorded)) ||
		    !buf_put(&s->unsent, str_of(p, n)))
			return 0;
		recorded = 0;
	} else {
		memcpy(records + recorded, p, n);
		recorded += n;
	}
	*put = n;
	return 1;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	struct stream *s = BIO_get_data(b);

	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return s->eof;
	default:
		return 0;
	}
}

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void
make_bio_method(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "schleuse stream");
	if (bio_method == NULL)
		return;
	BIO_meth_set_read_ex(bio_method, bio_read);
	BIO_meth_set_write_ex(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

/* Sends what earlier operations left and what the last one recorded.  false: the stream failed. */
static bool
flush(struct stream *s)
{
	ssize_t n;

	if (buf_len(&s->unsent) > 0) {
		if (recorded > 0 && !buf_put(&s->unsent, str_of(records, recorded)))
			goto failed;
		recorded = 0;
		n = socket_write(s, buf_str(&s->unsent).p, buf_len(&s->unsent));
		if (n < 0)
			goto failed;
		buf_consume(&s->unsent, (size_t)n);
		buf_release(&s->unsent);
		return true;
	}
	if (recorded == 0)
		return true;
	n = socket_write(s, records, recorded);
	if (n < 0 || ((size_t)n < recorded &&
			 !buf_put(&s->unsent, str_of(records + n, recorded - (size_t)n))))
		goto failed;
	recorded = 0;
	return true;
failed:
	fail(s);
	return false;
}

static void
send_fin(struct stream *s)
{
	if (s->state == OPEN && buf_len(&s->unsent) == 0)
		shutdown(s->fd, SHUT_WR);
}

/* --- events --- */

static void
empty_key(EVP_PKEY *key)
{
	/* A new type drops what the key held.  Of all types this is the one whose functions expect
	 * an empty key. */
	EVP_PKEY_set_type(key, EVP_PKEY_X25519);
	EVP_PKEY_free(key);
}

/* Both ephemeral keys have done their work, but OpenSSL keeps them as long as the connection: 4 KB
 * with P-256, and a secret that nothing needs any more. */
static void
forget_ephemeral_keys(SSL *ssl)
{
	EVP_PKEY *key;

	if (SSL_get_tmp_key(ssl, &key) == 1)
		empty_key(key);
	if (SSL_get_peer_tmp_key(ssl, &key) == 1)
		empty_key(key);
}

static void
handshake(struct stream *s)
{
	int r, e;

	clear_errors();
	r = SSL_do_handshake(s->ssl);
	e = SSL_get_error(s->ssl, r);
	if (!flush(s))
		return;
	if (r == 1) {
		forget_ephemeral_keys(s->ssl);
		s->state = OPEN;
	} else if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
		fail(s);
	}
}

static void
connected(struct stream *s)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0)
		fail(s);
	else
		s->state = s->ssl != NULL ? HANDSHAKE : OPEN;
}

static unsigned
ready(const struct stream *s)
{
	unsigned what = 0;

	if (s->state == FAILED)
		return STREAM_READ | STREAM_WRITE;
	if (s->state != OPEN)
		return 0;
	if (s->readable || s->eof || (s->ssl != NULL && !s->starved && SSL_has_pending(s->ssl)))
		what |= STREAM_READ;
	if (s->broken || (s->writable && buf_len(&s->unsent) == 0))
		what |= STREAM_WRITE;
	return what;
}

static void
tell(struct stream *s, unsigned what)
{
	what &= s->want;
	if (what != 0 && !s->closed)
		s->fn(s->arg, what);
}

static void
on_again(void *arg)
{
	struct stream *s = arg;

	tell(s, ready(s));
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	if (s->closed)
		return;
	if (what & EV_CLOSED)
		s->hung_up = true;
	if (what & (EV_READ | EV_CLOSED))
		s->readable = true;
	if (what & EV_WRITE)
		s->writable = true;
	if (s->state == CONNECTING && (what & EV_WRITE))
		connected(s);
	if (s->state == HANDSHAKE) {
		handshake(s);
		if (s->state != HANDSHAKE)
			tell(s, STREAM_READ | STREAM_WRITE);
		return;
	}
	if (s->state == OPEN && s->writable && buf_len(&s->unsent) > 0 && flush(s) && s->shut)
		send_fin(s); /* a failure is state, told below */
	tell(s, ready(s));
}

/* --- public --- */

static bool
attach_tls(struct stream *s, SSL *ssl)
{
	BIO *bio;

	pthread_once(&bio_once, make_bio_method);
	bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
	if (bio == NULL)
		return false;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_read_ahead(ssl, 1);
	s->ssl = ssl;
	return true;
}

struct stream *
stream_new(struct loop *loop, int fd, SSL *ssl, bool connecting, stream_fn *fn, void *arg)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->fd = fd;
	s->fn = fn;
	s->arg = arg;
	s->state = connecting ? CONNECTING : ssl != NULL ? HANDSHAKE : OPEN;
	s->readable = s->writable = !connecting;
	buf_init(&s->unsent, UNSENT_MAX);
	buf_init(&s->early, EARLY_MAX);
	task_init(&s->again, on_again, s);
	s->ev = event_new(
	    loop_base(loop), fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_event, s);
	if (s->ev == NULL || (ssl != NULL && !attach_tls(s, ssl)) || event_add(s->ev, NULL) != 0) {
		if (s->ev != NULL)
			event_free(s->ev);
		free(s);
		return NULL;
	}
	return s;
}

static void
stream_free(void *arg)
{
	struct stream *s = arg;

	SSL_free(s->ssl);
	buf_fini(&s->unsent);
	buf_fini(&s->early);
	free(s);
}

bool
stream_preload(struct stream *s, struct str early)
{
	return buf_put(&s->early, early);
}

static void
say_goodbye(struct stream *s)
{
	if (s->ssl == NULL || s->state != OPEN)
		return;
	clear_errors();
	SSL_shutdown(s->ssl);
	(void)flush(s); /* best effort */
}

void
stream_shut(struct stream *s)
{
	if (s->closed || s->shut)
		return;
	s->shut = true;
	say_goodbye(s);
	send_fin(s); /* or when the last of it has left */
}

void
stream_cut(struct stream *s)
{
	s->shut = true;
}

static void
bury(struct stream *s)
{
	s->closed = true;
	task_cancel(&s->again);
	event_free(s->ev);
	loop_bury(s->loop, &s->grave, stream_free, s);
}

void
stream_close(struct stream *s)
{
	if (s == NULL || s->closed)
		return;
	if (!s->shut && buf_len(&s->unsent) == 0)
		say_goodbye(s); /* the FIN comes with the end of the descriptor */
	recorded = 0;
	bury(s);
	close(s->fd);
}

int
stream_release(struct stream *s, struct buf *rest)
{
	if (s->closed || s->ssl != NULL || s->state != OPEN || s->broken ||
	    !buf_put(rest, buf_str(&s->early)))
		return -1;
	bury(s);
	return s->fd;
}

void
stream_own(struct stream *s, stream_fn *fn, void *arg)
{
	s->fn = fn;
	s->arg = arg;
}

void
stream_want(struct stream *s, unsigned what)
{
	s->want = what;
	if (what != 0 && (ready(s) & what) != 0)
		task_defer(s->loop, &s->again);
}

void
stream_doubt(struct stream *s)
{
	if (s->assumed)
		s->readable = true;
	s->assumed = false;
}

static ssize_t
tls_read(struct stream *s, char *p, size_t n)
{
	size_t got = 0;
	int r, e;

	/* Nothing here and nothing to come: OpenSSL would take a buffer to find out. */
	if (!s->readable && (s->starved || !SSL_has_pending(s->ssl)))
		return STREAM_AGAIN;
	clear_errors();
	r = SSL_read_ex(s->ssl, p, n, &got);
	if (recorded > 0 && !flush(s))
		return STREAM_FAILED;
	s->starved = false;
	if (r == 1)
		return (ssize_t)got;
	e = SSL_get_error(s->ssl, r);
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
		s->starved = e == SSL_ERROR_WANT_READ;
		return STREAM_AGAIN;
	}
	/* A peer that ends the connection without close_notify is as gone as one that says so: HTTP
	 * framing, not TLS, tells whether a message is complete. */
	if (e == SSL_ERROR_ZERO_RETURN || s->eof) {
		s->eof = true;
		return STREAM_EOF;
	}
	fail(s);
	return STREAM_FAILED;
}

ssize_t
stream_read(struct stream *s, char *p, size_t n)
{
	ssize_t got;

	if (s->state == FAILED)
		return STREAM_FAILED;
	if (s->state != OPEN)
		return STREAM_AGAIN;
	if (s->ssl != NULL)
		return tls_read(s, p, n);
	got = socket_read(s, p, n);
	if (got == STREAM_FAILED)
		fail(s);
	return got;
}

bool
stream_quiet(struct stream *s)
{
	char byte;

	s->readable = true;
	s->assumed = false;
	return stream_read(s, &byte, 1) == STREAM_AGAIN;
}

/* SSL_MODE_RELEASE_BUFFERS does so after each record, but not after a ticket: 33 KB, 16 of them for
 * writing although nothing was written. */
void
stream_rest(struct stream *s)
{
	if (s->ssl != NULL)
		(void)SSL_free_buffers(s->ssl); /* what is not empty stays */
}

ssize_t
stream_write(struct stream *s, struct str data)
{
	size_t put = 0;
	ssize_t n;

	if (s->state == FAILED || s->broken)
		return STREAM_FAILED;
	if (s->state != OPEN || data.n == 0 || s->shut)
		return 0;
	if (s->ssl == NULL) {
		n = socket_write(s, data.p, data.n);
		if (n == STREAM_FAILED)
			s->broken = s->readable = s->hung_up =
			    true; /* an early answer may wait; if not, reading tells */
		return n;
	}
	if (buf_len(&s->unsent) > 0 || !s->writable)
		return 0;
	if (data.n > STREAM_WRITE_MAX)
		data.n = STREAM_WRITE_MAX;
	clear_errors();
	while (put < data.n) {
		size_t piece = 0;

		if (SSL_write_ex(s->ssl, data.p + put, data.n - put, &piece) != 1) {
			fail(s);
			return STREAM_FAILED;
		}
		put += piece;
	}
	return flush(s) ? (ssize_t)put : STREAM_FAILED;
}

bool
stream_unsent(const struct stream *s)
{
	return buf_len(&s->unsent) > 0;
}

size_t
stream_backlog(const struct stream *s)
{
	int held = 0;

	return ioctl(s->fd, SIOCOUTQ, &held) == 0 && held > 0 ? buf_len(&s->unsent) + (size_t)held
							      : buf_len(&s->unsent);
}

bool
stream_open(const struct stream *s)
{
	return s->state == OPEN;
}

bool
stream_failed(const struct stream *s)
{
	return s->state == FAILED || s->broken;
}

SSL *
stream_ssl(const struct stream *s)
{
	return s->ssl;
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}
