/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_int - what the files of courier share; nobody else includes it.
 *
 * A host (name and port) has a curlloop of its own: its connections, and what libcurl knows of its
 * addresses.  A retired one is no longer found: it takes no further calls and is freed with the
 * last one it has, its connections with it.
 */
#ifndef SCHLEUSE_HTTP_COURIER_INT_H
#define SCHLEUSE_HTTP_COURIER_INT_H

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "lib/http/courier.h"
#include "lib/http/curlloop.h"
#include "lib/http/curlopt.h"

#define COURIER_IDLE_MS (10 * 60000)     /* connections unused for so long are closed */
#define COURIER_LIFETIME_MS (60 * 60000) /* ... and so old are not used again */
#define COURIER_IDLE_HOSTS 64            /* with connections kept */
#define COURIER_SILENCE_MS 20000         /* of a peer that should acknowledge what we sent */

struct courier {
	struct loop *loop;
	struct resolver *resolver;
	X509_STORE *anchors;
	bool private_addresses;
	struct curlopt_proxy proxy;
	struct fetch_identity identity;
	size_t connections_max, streams_max;
	clock_ms connect_timeout;
	struct hash table; /* of hosts that are not retired */
	struct list hosts; /* of all of them */
	struct list done;  /* calls that are to be told */
	struct list idle;  /* without calls, that for longest first */
	size_t n_idle;
	struct timer sweep; /* set while `idle` is not empty */
};

struct courier_host {
	struct list node, idle_node;
	struct hash_node by_name;
	struct courier *courier;
	char *name;
	uint16_t port;
	bool retired;
	clock_ms idle_since;
	struct task tidy; /* due when the last call has gone */
	struct curlloop *curl;
	int *sockets; /* open ones of `curl` */
	size_t n_sockets;
	struct list waiting, running; /* calls: not yet, and with libcurl */
	size_t n_calls, n_running;
	/* A connection was made and nothing was answered yet: one call goes ahead, so that the
	 * others know what the server allows (some let in one stream until it has proved who we
	 * are).  Not with HTTP/1.1, where every call may need a new connection. */
	bool proving, h1;
	/* The addresses: of the host, or of the proxy that leads there */
	struct resolver_req req;
	bool asking;
	clock_ms asked; /* when the addresses came; 0: never */
	struct address addrs[RESOLVER_MAX_ANSWERS];
	size_t n_addrs;
};

struct courier_call {
	struct list node; /* host->waiting or ->running, courier->done */
	struct courier_host *host;
	void (*fn)(void *arg, const struct courier_answer *a);
	void *arg;
	struct timer deadline;
	struct task task; /* ended, or to be told */
	/* the request */
	char *url;
	struct curl_slist *fields;
	char *body;
	size_t body_len;
	/* under way */
	CURL *easy; /* NULL: waiting, or over */
	struct curl_slist *resolve, *proxy_fields;
	CURLcode code;
	bool ended;
	bool refused_address, too_large;
	/* the answer */
	enum err err;
	int status;
	bool http2;
	struct buf answer;
	char retry_after[COURIER_HEADER_MAX];
};

/* --- courier_host.c --- */

/* The one to which calls to this place go; made if there is none.  One whose kept connections were
 * closed by the server is replaced: libcurl may not see it.  NULL: out of memory. */
struct courier_host *courier_host_of(struct courier *c, const char *name, uint16_t port) MUST_CHECK;
/* Starts what may be started of the waiting calls. */
void courier_host_pump(struct courier_host *h);
/* A call of it has ended. */
void courier_host_left(struct courier_host *h);
/* Calls that wait go to its successor; those that run go on. */
void courier_host_retire(struct courier_host *h);
void courier_host_free(struct courier_host *h);                      /* has no calls */
bool courier_host_opened(struct courier_host *h, int fd) MUST_CHECK; /* false: out of memory */
int courier_host_close(void *host, curl_socket_t fd);                /* libcurl's callback */
void courier_hosts_sweep(void *courier); /* frees those that have been idle for too long */

/* --- courier_call.c --- */

/* Copies and checks the request; *host is freed with free(). */
bool courier_call_copy(struct courier_call *x, const struct courier_request *req, char **host,
    uint16_t *port) MUST_CHECK;
void courier_call_free(struct courier_call *x);             /* wherever it is */
bool courier_call_start(struct courier_call *x) MUST_CHECK; /* gives it to libcurl */
/* Ends it with this result, which is told later. */
void courier_call_finish(struct courier_call *x, enum err err);
void courier_call_ended(void *of_handle, CURLcode code); /* for curlloop_new() */
void courier_call_on_task(void *call);
void courier_call_on_deadline(void *call);

#endif
