/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch - one small HTTP answer from elsewhere, for the control thread's look-ups.
 *
 * Names are resolved by our resolver and connections go only to those addresses; unless allowed,
 * only to public ones.  No cookies, no reuse of connections; TLS 1.2 or later; HTTP/1.1.
 *
 * With an HTTP proxy all but `local` requests go through it by CONNECT.  Then it is the proxy that
 * resolves the names of others, and must keep us from addresses it should not lead to: only
 * literals (and localhost) can be refused here.  Its own address may be any.
 *
 * libcurl appears only in the files of fetch and in curlloop.
 */
#ifndef SCHLEUSE_HTTP_FETCH_H
#define SCHLEUSE_HTTP_FETCH_H

#include <openssl/x509.h>

#include "lib/base/buf.h"
#include "lib/net/loop.h"
#include "lib/net/resolver.h"

#define FETCH_HEADER_MAX 256 /* longer values of a header we look at count as absent */
#define FETCH_MAX_ENDPOINTS 16

struct fetcher;
struct fetch;

struct fetch_proxy {
	const char *host; /* name or IP literal */
	uint16_t port;
	struct str authorization; /* value of Proxy-Authorization; n == 0: none */
};

struct fetcher_config {
	struct resolver *resolver; /* not owned */
	const char *ca_file;       /* PEM, besides or instead of the system store; NULL: none */
	bool ca_system;            /* use the system store */
	bool private_addresses;    /* allow addresses that are not public */
	const struct fetch_proxy *proxy; /* copied; NULL: none */
};

/* NULL: out of memory, or the CA file cannot be read (logged). */
struct fetcher *fetcher_new(struct loop *loop, const struct fetcher_config *cfg) MUST_CHECK;
void fetcher_free(struct fetcher *f); /* running fetches are cancelled without a call */

/* A trust store of the same kind for single requests; NULL with a line in the log. */
X509_STORE *fetch_anchors(const char *ca_file, bool ca_system) MUST_CHECK;

struct fetch_endpoint {
	const char *host; /* name or IP literal */
	uint16_t port;
};

struct fetch_identity { /* a client certificate; references are taken */
	X509 *certificate;
	STACK_OF(X509) *chain; /* of the issuers, or NULL */
	EVP_PKEY *key;
};

struct fetch_request {    /* copied */
	const char *url;  /* https://…; its host is verified in the certificate and sent as SNI */
	const char *host; /* Host field; NULL: from the URL */
	const struct fetch_endpoint
	    *via; /* where to connect, in order; n_via == 0: the URL's host and port */
	size_t n_via;
	X509_STORE *anchors; /* instead of the fetcher's; a reference is taken */
	bool plain; /* http:// is allowed too, for answers that are signed; to the same addresses */
	bool local; /* our own homeserver: http:// and any address are allowed */
	const char *unix_path;                 /* connect here; needs `local` */
	const char *bearer;                    /* access token for Authorization; wiped when done */
	const char *basic;                     /* or "user:password" for it (RFC 7617); likewise */
	const struct fetch_identity *identity; /* shown to a server that asks; NULL: none */
	const char *const *fields;             /* further ones, "Name: value" each */
	size_t n_fields;
	const char *if_none_match; /* ETag */
	struct str post;           /* p == NULL: GET */
	const char *post_type;     /* Content-Type of it; NULL: application/json */
	unsigned redirects;        /* to be followed, https only; at most 5 make sense */
	size_t max_bytes;          /* of the answer's body */
	clock_ms timeout_ms;       /* for all of it: names, connecting, redirects, answer */
};

struct fetch_result {
	enum err err; /* OK: an HTTP answer is here, whatever its status; else ERR_DNS, ERR_ADDRESS,
		       * ERR_CONNECT (the proxy refuses, too), ERR_TLS, ERR_TIMEOUT, ERR_TRUNCATED,
		       * ERR_TOO_LARGE, ERR_HTTP_ANSWER (malformed, or a redirect that is not
		       * allowed), ERR_MEMORY */
	int status;
	struct str body;
	const char *cache_control, *expires, *etag; /* "" if absent */
	const char *age, *content_type, *retry_after;
	struct buf *body_buf; /* for fetch_take_body() */
};

/* fn is called later exactly once unless cancelled; the result is valid during the call.  NULL: out
 * of memory or a malformed request, nobody is called.  The handle is invalid from the call on. */
struct fetch *fetch_start(struct fetcher *f, const struct fetch_request *req,
    void (*fn)(void *arg, const struct fetch_result *r), void *arg) MUST_CHECK;
void fetch_cancel(struct fetch *x); /* NULL is allowed */

/* During the call: moves the body, which may be large, out of the result into an uninitialised
 * buffer. */
void fetch_take_body(const struct fetch_result *r, struct buf *out);

#endif
