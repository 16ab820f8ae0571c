/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_request - the copy of what was asked for, and what a redirect makes of it.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/http/fetch_int.h"

static void
wipe_authorization(struct fetch *x)
{
	curlopt_wipe_text(x->authorization);
	x->authorization = NULL;
}

/* --- where to --- */

static bool
add_endpoint(struct fetch *x, const char *host, uint16_t port)
{
	if (x->n_via == FETCH_MAX_ENDPOINTS)
		return true; /* surplus is ignored */
	x->via[x->n_via].host = strdup(host);
	x->via[x->n_via].port = port;
	return x->via[x->n_via++].host != NULL;
}

static void
clear_endpoints(struct fetch *x)
{
	for (size_t i = 0; i < x->n_via; i++)
		free((void *)(uintptr_t)x->via[i].host);
	x->n_via = x->at_via = 0;
}

/* The URL's own host and port as the endpoint; false: not a URL we fetch. */
static bool
endpoint_of_url(struct fetch *x)
{
	char *host;
	uint16_t port;
	bool ok = curlopt_place(x->url, x->local || x->plain, &host, &port);

	if (ok && x->n_via == 0)
		ok = add_endpoint(x, host, port);
	free(host);
	return ok;
}

/* --- copying --- */

static bool
copy_text(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return from == NULL || *to != NULL;
}

static bool
copy_bearer(struct fetch *x, const char *token)
{
	size_t n = token != NULL ? strlen(token) + sizeof("Bearer ") : 0;

	if (token == NULL)
		return true;
	/* A line break would end the field. */
	if (strpbrk(token, "\r\n") != NULL || (x->authorization = malloc(n)) == NULL)
		return false;
	snprintf(x->authorization, n, "Bearer %s", token);
	return true;
}

static bool
copy_basic(struct fetch *x, const char *credentials)
{
	static const char scheme[] = "Basic ";
	size_t n = credentials != NULL ? strlen(credentials) : 0;
	size_t room = sizeof(scheme) + sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);

	if (credentials == NULL)
		return true;
	if (x->authorization != NULL || (x->authorization = malloc(room)) == NULL)
		return false;
	memcpy(x->authorization, scheme, sizeof(scheme));
	sodium_bin2base64(x->authorization + sizeof(scheme) - 1, room - sizeof(scheme) + 1,
	    (const unsigned char *)credentials, n, sodium_base64_VARIANT_ORIGINAL);
	return true;
}

static bool
copy_fields(struct fetch *x, const struct fetch_request *req)
{
	x->extra = calloc(req->n_fields + 1, sizeof(*x->extra));
	for (size_t i = 0; x->extra != NULL && i < req->n_fields; i++) {
		/* A line break would begin another field. */
		if (strpbrk(req->fields[i], "\r\n") != NULL ||
		    !copy_text(&x->extra[i], req->fields[i]))
			return false;
		x->n_extra++;
	}
	return x->extra != NULL;
}

bool
fetch_request_copy(struct fetch *x, const struct fetch_request *req)
{
	if (!copy_text(&x->url, req->url) || !copy_text(&x->host, req->host) ||
	    !copy_text(&x->unix_path, req->unix_path) || !copy_text(&x->etag, req->if_none_match) ||
	    !copy_bearer(x, req->bearer) || !copy_basic(x, req->basic) ||
	    !curlopt_identity_copy(&x->identity, req->identity) || !copy_fields(x, req))
		return false;
	if (!copy_text(&x->post_type, req->post_type != NULL ? req->post_type : "application/json"))
		return false;
	x->local = req->local;
	x->plain = req->plain;
	x->proxied = x->fetcher->proxy.host != NULL && !x->local;
	x->redirects = req->redirects;
	x->anchors = req->anchors != NULL ? req->anchors : x->fetcher->anchors;
	X509_STORE_up_ref(x->anchors);
	if (req->post.p != NULL) {
		x->post = malloc(req->post.n + 1);
		if (x->post == NULL)
			return false;
		memcpy(x->post, req->post.p, req->post.n);
		x->post_len = req->post.n;
	}
	for (size_t i = 0; i < req->n_via; i++)
		if (!add_endpoint(x, req->via[i].host, req->via[i].port))
			return false;
	return (x->unix_path == NULL || x->local) && endpoint_of_url(x);
}

/* --- redirects, the end --- */

bool
fetch_request_follow(struct fetch *x, char *url)
{
	wipe_authorization(x);               /* was meant for the first server only */
	curlopt_identity_fini(&x->identity); /* likewise */
	free(x->url);
	x->url = url;
	free(x->host);
	x->host = NULL; /* it named the first server */
	clear_endpoints(x);
	return endpoint_of_url(x);
}

void
fetch_request_fini(struct fetch *x)
{
	clear_endpoints(x);
	wipe_authorization(x);
	curlopt_identity_fini(&x->identity);
	for (size_t i = 0; i < x->n_extra; i++)
		free(x->extra[i]);
	free(x->extra);
	X509_STORE_free(x->anchors);
	free(x->url);
	free(x->host);
	free(x->unix_path);
	free(x->etag);
	if (x->post != NULL)
		sodium_memzero(x->post, x->post_len); /* it may hold a secret */
	free(x->post);
	free(x->post_type);
}
