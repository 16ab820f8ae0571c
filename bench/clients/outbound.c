/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound - sends prepared requests as Synapse sends them to a forward proxy it is restricted to
 * (outbound_federation_restricted_to): a target in absolute form, Proxy-Authorization, and a
 * connection for each request, which the client closes when it has the answer.
 *
 * The requests are those of FILE, in blocks of method, target, Authorization and body, each on a
 * line of its own.  Threads begin at different places of it, so that what was sent lately is not
 * sent again soon.
 *
 * keep: a connection for each thread, for the ceiling; Synapse has no such mode.
 * SECONDS 0: every request of the file once, and no more.
 *
 * usage: outbound PORT|unix:PATH SECONDS THREADS close|keep FILE SECRET
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/clients/client.h"

#define ANSWER_MAX 16384
#define LINES 4 /* of a request in the file */

struct request {
	char *text;
	size_t n;
};

static const char *path; /* of a unix socket, or NULL */
static uint16_t port;
static unsigned seconds, threads;
static bool keep;
static struct request *requests;
static size_t n_requests;
static atomic_size_t next; /* where each is sent once */

/* --- the requests --- */

/* The order of the fields is Synapse's. */
static struct request
compose(char *const line[LINES], const char *secret)
{
	struct request r = { NULL, 0 };
	const char *authority = strstr(line[1], "://"), *how = keep ? "keep-alive" : "close";
	size_t body = strlen(line[3]);
	FILE *out = open_memstream(&r.text, &r.n);

	if (authority == NULL || out == NULL)
		exit(1);
	authority += 3;
	fprintf(out, "%s %s HTTP/1.1\r\nConnection: %s\r\n", line[0], line[1], how);
	if (body > 0)
		fprintf(out, "Content-Length: %zu\r\n", body);
	fprintf(out, "User-Agent: Synapse/1.160.0\r\n");
	if (body > 0)
		fprintf(out, "Content-Type: application/json\r\n");
	fprintf(out, "Authorization: %s\r\nProxy-Authorization: Bearer %s\r\nHost: %.*s\r\n\r\n%s",
	    line[2], secret, (int)strcspn(authority, "/"), authority, line[3]);
	if (fclose(out) != 0)
		exit(1);
	return r;
}

static void
load(const char *name, const char *secret)
{
	FILE *in = fopen(name, "r");
	char *line[LINES] = { NULL };
	size_t room[LINES] = { 0 };
	unsigned at = 0;
	ssize_t n;

	while (in != NULL && (n = getline(&line[at], &room[at], in)) > 0) {
		line[at][n - 1] = '\0';
		at = (at + 1) % LINES;
		if (at != 0)
			continue;
		requests = reallocarray(requests, n_requests + 1, sizeof(*requests));
		if (requests == NULL)
			exit(1);
		requests[n_requests++] = compose(line, secret);
	}
	if (in == NULL || n_requests == 0 || at != 0) {
		fprintf(stderr, "outbound: cannot use %s\n", name);
		exit(1);
	}
	for (unsigned i = 0; i < LINES; i++)
		free(line[i]);
	fclose(in);
}

/* --- one of them --- */

/* Reads an answer with Content-Length.  false: broken. */
static bool
read_answer(int fd, struct tally *t)
{
	char in[ANSWER_MAX + 1], *end = NULL;
	uint64_t length = 0;
	size_t n = 0;

	while (end == NULL || n < (size_t)(end + 4 - in) + length) {
		ssize_t got = n < ANSWER_MAX ? read(fd, in + n, ANSWER_MAX - n) : 0;

		if (got <= 0)
			return false;
		n += (size_t)got;
		in[n] = '\0';
		if (end != NULL || (end = strstr(in, "\r\n\r\n")) == NULL)
			continue;
		t->bad_status += !client_is_status(in, "200");
		if (!client_length(in, end, &length))
			return false;
	}
	t->bytes += n;
	return true;
}

/* Sends it on a connection, *fd, of which -1 is none yet. */
static void
one(int *fd, unsigned number, const struct request *r, struct tally *t)
{
	uint64_t began = now_us();
	bool ok;

	if (*fd < 0)
		*fd = path != NULL ? client_connect_unix(path) : client_connect(port, number);
	ok = *fd >= 0 && client_send(*fd, r->text, r->n) && read_answer(*fd, t);
	if (ok) {
		t->requests++;
		tally_latency(t, now_us() - began);
	} else {
		t->broken++;
	}
	if (*fd >= 0 && (!keep || !ok)) {
		close(*fd);
		*fd = -1;
	}
}

static void
work(unsigned number, struct tally *t)
{
	uint64_t until = now_us() + (uint64_t)seconds * 1000000;
	size_t at = n_requests / threads * number;
	int fd = -1;

	if (seconds == 0)
		while ((at = atomic_fetch_add(&next, 1)) < n_requests)
			one(&fd, number, &requests[at], t);
	else
		for (unsigned n = number; now_us() < until; n += threads)
			one(&fd, n, &requests[at++ % n_requests], t);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	int status;

	if (argc != 7 || (strcmp(argv[4], "close") != 0 && strcmp(argv[4], "keep") != 0)) {
		fprintf(stderr, "usage: outbound PORT|unix:PATH SECONDS THREADS close|keep FILE "
				"SECRET\n");
		return 2;
	}
	if (strncmp(argv[1], "unix:", 5) == 0)
		path = argv[1] + 5;
	else
		port = (uint16_t)argument(argv[1], "PORT", 1, 65535);
	seconds = (unsigned)argument(argv[2], "SECONDS", 0, 600);
	threads = (unsigned)argument(argv[3], "THREADS", 1, 1024);
	keep = strcmp(argv[4], "keep") == 0;
	load(argv[5], argv[6]);
	signal(SIGPIPE, SIG_IGN);
	status = run_threads(threads, work);
	for (size_t i = 0; i < n_requests; i++)
		free(requests[i].text);
	free(requests);
	return status;
}
