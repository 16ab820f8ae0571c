/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/clients/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 8192
#define DROP (256 << 10) /* of a body, read at once */
#define LATENCIES (1 << 20)
#define PATIENCE_S 20
#define SOURCES 200 /* 127.0.1.1 to 127.0.1.200 */

uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

long
argument(const char *text, const char *what, long min, long max)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*end != '\0' || end == text || v < min || v > max) {
		fprintf(stderr, "%s must be a number from %ld to %ld, not \"%s\"\n", what, min, max,
		    text);
		exit(2);
	}
	return v;
}

static int
trust_all(X509_STORE_CTX *store, void *arg)
{
	return 1;
}

SSL_CTX *
client_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1) {
		fprintf(stderr, "no TLS context\n");
		exit(1);
	}
	SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_cert_verify_callback(ctx, trust_all, NULL);
	return ctx;
}

/* Takes the socket over. */
static int
connect_to(int fd, const struct sockaddr *to, socklen_t n)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, to, n) == 0)
		return fd;
	close(fd);
	return -1;
}

int
client_connect(uint16_t port, unsigned n)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	from.sin_addr.s_addr = htonl(0x7f000101 + n % SOURCES);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(port);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0)
		return connect_to(fd, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return -1;
}

int
client_connect_unix(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	return connect_to(fd, (struct sockaddr *)&to, sizeof(to));
}

bool
client_send(int fd, const void *data, size_t n)
{
	return send(fd, data, n, MSG_NOSIGNAL) == (ssize_t)n;
}

SSL *
client_shake(SSL_CTX *ctx, int fd, const char *host, SSL_SESSION *session, struct tally *t)
{
	SSL *ssl = fd >= 0 ? SSL_new(ctx) : NULL;

	/* OpenSSL's macro casts const away */
	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 &&
	    SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)host) &&
	    (session == NULL || SSL_set_session(ssl, session) == 1)) {
		SSL_set_app_data(ssl, t);
		if (SSL_connect(ssl) == 1)
			return ssl;
	}
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
	t->broken++;
	return NULL;
}

SSL *
client_open(SSL_CTX *ctx, uint16_t port, unsigned n, SSL_SESSION *session, struct tally *t)
{
	return client_shake(ctx, client_connect(port, n), "localhost", session, t);
}

void
client_close(SSL *ssl)
{
	int fd;

	if (ssl == NULL)
		return;
	fd = SSL_get_fd(ssl);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

bool
client_write(SSL *ssl, const void *data, size_t n)
{
	size_t written;

	return SSL_write_ex(ssl, data, n, &written) == 1 && written == n;
}

/* Drops the rest of a body, of which `have` bytes are read already. */
static bool
drop_body(SSL *ssl, uint64_t length, uint64_t have, uint64_t *bytes, uint64_t until)
{
	static __thread char drop[DROP];

	while (have < length) {
		size_t want = length - have < DROP ? (size_t)(length - have) : DROP, got;

		if (SSL_read_ex(ssl, drop, want, &got) != 1)
			return false;
		have += got;
		if (bytes != NULL)
			*bytes += got;
		if (until != 0 && now_us() >= until)
			return true;
	}
	return have == length;
}

bool
client_is_status(const char *head, const char *status)
{
	return strncmp(head, "HTTP/1.1 ", 9) == 0 && strncmp(head + 9, status, 3) == 0;
}

bool
client_length(const char *head, const char *end, uint64_t *length)
{
	const char *field = strcasestr(head, "\ncontent-length:");

	if (field == NULL || field > end)
		return false;
	*length = strtoull(field + 16, NULL, 10);
	return true;
}

bool
client_response(SSL *ssl, struct tally *t, const char *status, uint64_t *bytes, uint64_t until)
{
	char head[HEAD_MAX + 1], *end = NULL;
	uint64_t length;
	size_t n = 0, got;

	while (end == NULL) {
		if (n == HEAD_MAX || SSL_read_ex(ssl, head + n, HEAD_MAX - n, &got) != 1)
			return false;
		n += got;
		head[n] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	t->bad_status += !client_is_status(head, status);
	if (!client_length(head, end, &length))
		return false;
	got = n - (size_t)(end + 4 - head);
	if (bytes != NULL)
		*bytes += got;
	return drop_body(ssl, length, got, bytes, until);
}

bool
client_get(SSL *ssl, struct tally *t, const char *status)
{
	static const char get[] =
	    "GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\n\r\n";

	if (client_write(ssl, get, sizeof(get) - 1) && client_response(ssl, t, status, NULL, 0))
		return true;
	t->broken++;
	return false;
}

void
tally_latency(struct tally *t, uint64_t us)
{
	if (t->latency_us == NULL)
		t->latency_us = calloc(LATENCIES, sizeof(*t->latency_us));
	if (t->latency_us != NULL && t->n_latency < LATENCIES)
		t->latency_us[t->n_latency++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* -- threads -- */

struct worker {
	pthread_t thread;
	unsigned number;
	struct tally tally;
	void (*work)(unsigned number, struct tally *t);
};

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	w->work(w->number, &w->tally);
	return NULL;
}

static int
ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
add(struct tally *sum, const struct tally *t)
{
	sum->requests += t->requests;
	sum->bytes += t->bytes;
	sum->bad_status += t->bad_status;
	sum->broken += t->broken;
	sum->resumed += t->resumed;
	sum->tickets += t->tickets;
	sum->n_latency += t->n_latency;
}

/* The latencies of all threads in order; NULL: none, or no memory. */
static uint32_t *
all_latencies(const struct worker *w, unsigned threads, size_t total)
{
	uint32_t *all = total > 0 ? calloc(total, sizeof(*all)) : NULL;
	size_t n = 0;

	for (unsigned i = 0; all != NULL && i < threads; i++) {
		if (w[i].tally.n_latency > 0)
			memcpy(all + n, w[i].tally.latency_us, w[i].tally.n_latency * sizeof(*all));
		n += w[i].tally.n_latency;
	}
	if (all != NULL)
		qsort(all, total, sizeof(*all), ascending);
	return all;
}

static void
report(const struct worker *w, unsigned threads, uint64_t took_us)
{
	struct tally sum = { 0 };
	uint32_t *all;
	size_t n;

	for (unsigned i = 0; i < threads; i++)
		add(&sum, &w[i].tally);
	n = sum.n_latency;
	all = all_latencies(w, threads, n);
	printf(
	    "RESULT {\"requests\": %llu, \"seconds\": %.6f, \"bytes\": %llu, \"bad_status\": %llu, "
	    "\"broken\": %llu, \"resumed\": %llu, \"tickets\": %llu",
	    (unsigned long long)sum.requests, (double)took_us / 1e6, (unsigned long long)sum.bytes,
	    (unsigned long long)sum.bad_status, (unsigned long long)sum.broken,
	    (unsigned long long)sum.resumed, (unsigned long long)sum.tickets);
	if (all != NULL)
		printf(", \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u", all[n / 2],
		    all[n * 99 / 100], all[n - 1]);
	printf("}\n");
	free(all);
}

int
run_threads(unsigned threads, void (*work)(unsigned number, struct tally *t))
{
	struct worker *w = calloc(threads, sizeof(*w));
	uint64_t began = now_us();
	unsigned started = 0;

	if (w == NULL)
		return 1;
	for (; started < threads; started++) {
		w[started].number = started;
		w[started].work = work;
		if (pthread_create(&w[started].thread, NULL, worker_main, &w[started]) != 0)
			break;
	}
	for (unsigned i = 0; i < started; i++)
		pthread_join(w[i].thread, NULL);
	report(w, started, now_us() - began);
	for (unsigned i = 0; i < started; i++)
		free(w[i].tally.latency_us);
	free(w);
	return started == threads ? 0 : 1;
}
