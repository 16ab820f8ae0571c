/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_int - what the files of fetch share; nobody else includes it.
 */
#ifndef SCHLEUSE_HTTP_FETCH_INT_H
#define SCHLEUSE_HTTP_FETCH_INT_H

#include "lib/base/buf.h"
#include "lib/http/curlloop.h"
#include "lib/http/curlopt.h"
#include "lib/http/fetch.h"

struct fetcher {
	struct loop *loop;
	struct resolver *resolver;
	struct curlloop *curl;
	X509_STORE *anchors;
	bool private_addresses;
	struct curlopt_proxy proxy;
	struct list fetches;
};

enum fetch_field {
	FETCH_CACHE_CONTROL,
	FETCH_EXPIRES,
	FETCH_ETAG,
	FETCH_AGE,
	FETCH_CONTENT_TYPE,
	FETCH_RETRY_AFTER,
	FETCH_FIELDS
};

struct fetch {
	struct list node;
	struct fetcher *fetcher;
	void (*fn)(void *arg, const struct fetch_result *r);
	void *arg;
	struct timer deadline;
	struct task task;
	struct resolver_req req;
	/* the request */
	char *url, *host, *unix_path, *etag;
	char *authorization; /* secret */
	char *post, *post_type;
	size_t post_len;
	X509_STORE *anchors;
	struct fetch_identity identity;
	char **extra; /* further fields */
	size_t n_extra;
	struct fetch_endpoint via[FETCH_MAX_ENDPOINTS];
	size_t n_via, at_via;
	bool local, plain;
	bool proxied; /* addrs are those of the proxy */
	unsigned redirects;
	/* the attempt */
	CURL *easy;
	struct curl_slist *fields, *connect_to, *proxy_fields;
	struct address addrs[RESOLVER_MAX_ANSWERS];
	size_t n_addrs, at_addr;
	bool ended;
	CURLcode code;
	bool refused_address, too_large;
	/* the answer */
	enum err err;
	long status;
	struct buf body;
	char headers[FETCH_FIELDS][FETCH_HEADER_MAX];
};

/* --- fetch_request.c --- */

bool fetch_request_copy(struct fetch *x, const struct fetch_request *req) MUST_CHECK;
/* Takes the URL over; credentials and endpoints of the first server go.  false: not one we fetch.
 */
bool fetch_request_follow(struct fetch *x, char *url) MUST_CHECK;
void fetch_request_fini(struct fetch *x);

/* --- fetch_attempt.c --- */

/* One attempt: an easy handle that goes to the address addrs[at_addr], or to unix_path; the address
 * of a proxy is told to go on to the endpoint at_via - 1.  When it is over, `code` and `ended` are
 * set and `task` is due.  false: not started, out of memory. */
bool fetch_attempt(struct fetch *x) MUST_CHECK;
void fetch_attempt_end(struct fetch *x); /* nothing of it runs any more; may be repeated */
enum err fetch_attempt_err(const struct fetch *x);
bool fetch_attempt_refused(
    const struct fetch *x); /* by the proxy: another endpoint may do better */
bool fetch_attempt_never_connected(const struct fetch *x); /* another address may do better */
void fetch_attempt_ended(void *of_handle, CURLcode code);  /* for curlloop_new() */

#endif
