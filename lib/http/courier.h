/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier - many small requests to few servers over kept connections: HTTP/2 where the server
 * speaks it, else HTTP/1.1; by libcurl's multi interface.
 *
 * What fetch is not: connections are kept and shared by requests, many of them at the same time.
 * All requests of a courier have the same trust anchors, client certificate and way out, so
 * connections are never shared across those: one courier for each set of credentials.
 *
 * Names are resolved by our resolver (an answer counts for COURIER_NAMES_MS, and longer while the
 * name servers fail) and connections go
 * only to those addresses, unless allowed only to public ones, whatever name or redirect leads
 * there; redirects are not followed.  TLS 1.2 or later, the host verified in the certificate.  With
 * an HTTP proxy see fetch.h: the same holds here.
 *
 * A kept connection may end just when a request is sent.  libcurl sends it again on another one if
 * the server said that it did not look at it, or if nothing at all was answered (so a server may
 * get it twice); otherwise the caller is told.  After an HTTP/2 request that timed out, and after
 * COURIER_IDLE_MS or COURIER_LIFETIME_MS (courier_int.h), others get a new connection.
 *
 * One thread, the loop's.
 */
#ifndef SCHLEUSE_HTTP_COURIER_H
#define SCHLEUSE_HTTP_COURIER_H

#include "lib/http/fetch.h"

#define COURIER_NAMES_MS 60000
#define COURIER_HEADER_MAX 256 /* longer values of a header we look at count as absent */

struct courier;
struct courier_call;

struct courier_config {                        /* copied */
	struct resolver *resolver;             /* not owned */
	X509_STORE *anchors;                   /* a reference is taken */
	bool private_addresses;                /* allow addresses that are not public */
	const struct fetch_proxy *proxy;       /* NULL: none */
	const struct fetch_identity *identity; /* client certificate; NULL: none */
	size_t connections_max;                /* to one host, > 0; requests beyond wait */
	size_t streams_max; /* of one HTTP/2 connection, > 0; the server may want fewer */
	clock_ms connect_timeout;
};

struct courier *courier_new(struct loop *loop, const struct courier_config *cfg) MUST_CHECK;
void courier_free(struct courier *c); /* calls under way end without a call; NULL is allowed */
/* Idle connections are not used for further requests; those under way go on. */
void courier_renew(struct courier *c);

struct courier_request {           /* copied */
	const char *url;           /* https://… */
	const char *const *fields; /* "Name: value" each; secret ones are wiped when done */
	size_t n_fields;
	struct str body; /* POST */
	size_t answer_max;
	clock_ms timeout_ms; /* for all of it, waiting for a connection included */
};

struct courier_answer {
	enum err err; /* OK: an HTTP answer is here, whatever its status; else as struct
		       * fetch_result's */
	int status;   /* with ERR_TOO_LARGE too; else 0 */
	bool http2;
	struct str body;
	const char *retry_after; /* "" if absent */
};

/* fn is called later exactly once unless cancelled; the answer is valid during the call, in which
 * courier_free() is allowed.  NULL: out of memory or a malformed request. */
struct courier_call *courier_send(struct courier *c, const struct courier_request *req,
    void (*fn)(void *arg, const struct courier_answer *a), void *arg) MUST_CHECK;
void courier_cancel(struct courier_call *x); /* NULL is allowed */

#endif
