/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curlopt - what fetch and courier have in common of what libcurl is told, and of what it says.
 *
 * TLS 1.2 or later, the certificate judged by anchors of ours alone, no redirects, no .netrc, no
 * proxy of the environment.  Nobody else includes it.
 */
#ifndef SCHLEUSE_HTTP_CURLOPT_H
#define SCHLEUSE_HTTP_CURLOPT_H

#include <curl/curl.h>

#include "lib/http/fetch.h"

/* Options that every request has.  false: out of memory, or a libcurl that lacks one. */
bool curlopt_basics(CURL *easy) MUST_CHECK;

/* Host and port of an https:// URL (`plain`: or http://) without user information; *host is freed
 * with free().  false: another URL, or out of memory. */
bool curlopt_place(const char *url, bool plain, char **host, uint16_t *port) MUST_CHECK;

/* For the SSL_CTX callback. */
CURLcode curlopt_ssl_ctx(void *ctx, X509_STORE *anchors, const struct fetch_identity *identity);

/* The next two append to a list, which is as it was when they fail. */
bool curlopt_line(struct curl_slist **to, const char *line) MUST_CHECK;
bool curlopt_field(struct curl_slist **to, const char *name, const char *value) MUST_CHECK;
void curlopt_wipe(struct curl_slist *l); /* and free */
void curlopt_wipe_text(char *text);      /* likewise; NULL is allowed */

/* If the line of a head is a field of this name: its value, unless it is too long. */
void curlopt_header(struct str line, const char *name, char value[FETCH_HEADER_MAX]);

bool curlopt_proxy_refused(CURL *easy); /* the proxy answered CONNECT otherwise than with 2xx */

/* too_large, refused_address: what our callbacks had against it. */
enum err curlopt_err(CURLcode code, bool too_large, bool refused_address);

/* --- copies --- */

struct curlopt_proxy {
	char *host; /* NULL: none */
	uint16_t port;
	char *authorization; /* secret, or NULL */
};

bool curlopt_proxy_copy(struct curlopt_proxy *to, const struct fetch_proxy *p) MUST_CHECK;
/* Tells it to tunnel through the proxy at `host` (a name or a literal in brackets) and its
 * credentials, by a list that is the caller's. */
bool curlopt_proxy_use(CURL *easy, const struct curlopt_proxy *p, const char *host, uint16_t port,
    struct curl_slist **fields) MUST_CHECK;
void curlopt_proxy_fini(struct curlopt_proxy *p);

bool curlopt_identity_copy(
    struct fetch_identity *to, const struct fetch_identity *from) MUST_CHECK; /* or NULL */
void curlopt_identity_fini(struct fetch_identity *id);

#endif
