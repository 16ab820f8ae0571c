/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_int - what the files of the API share.  Nobody else includes it.
 *
 * One struct call is one request from its head to the end of its answer.  It lives in the arena of
 * its exchange and so ends with it: whatever may still come back is cancelled by call_stop() first.
 */
#ifndef SCHLEUSE_REGSVC_API_INT_H
#define SCHLEUSE_REGSVC_API_INT_H

#include "lib/base/hash.h"
#include "regsvc/api.h"
#include "regsvc/api_endpoint.h"
#include "regsvc/api_etag.h"
#include "regsvc/api_target.h"
#include "regsvc/auth.h"

struct call;
struct lists_view;

#define API_BODY_MAX 4096

struct api_route {
	enum api_endpoint endpoint;
	enum h1_method method;           /* H1_GET stands for HEAD as well */
	const char *path;                /* "{…}": one segment */
	unsigned scopes;                 /* any of them will do; 0: anybody may ask */
	const char *params;              /* query parameters it knows, "," between them */
	void (*handler)(struct call *c); /* NULL: the token endpoint, see auth_token() */
};

extern const struct api_route api_routes[];
extern const size_t api_n_routes;
const char *api_endpoint_name(enum api_endpoint e);

/* The row for a request.  ERR_UNRECOGNIZED; ERR_METHOD: *allowed is the value of Allow. */
enum err api_route_find(const struct target *t, enum h1_method method, const struct api_route **out,
    const char **allowed) MUST_CHECK;

/* A request that waits for something new. */
struct waiter {
	struct list node;           /* of api->waiters */
	struct hash_node of_client; /* of api->clients */
	struct timer timer;
	bool waits;
	uint64_t seen;            /* api->news when it was looked at last */
	bool lists, certificates; /* what it waits for */
	uint64_t version;         /* of the list it has; 0: none */
	const char *status;       /* of the list as it was told last, or NULL */
	struct str etag;          /* of the certificates it has, without quotes */
};

/* The bytes of a large answer, which are nobody's copy. */
struct call_text {
	struct snapshot *held; /* one reference */
	struct str bytes;
	bool base64url; /* what it decodes to is sent */
	size_t size;    /* of the answer */
	size_t sent;
};

struct call {
	struct api *api;
	struct exchange *ex;
	const struct api_route *route; /* NULL: none was found */
	const char *allowed;           /* methods, where only the method is wrong */
	struct target target;
	struct principal who;
	bool known; /* who asks */
	struct auth_call *auth;
	struct lists_call *check; /* whether the list is current; then checked() */
	void (*checked)(struct call *c, const struct lists_view *v);
	bool has_version;
	uint64_t version; /* of the list that the client has */
	struct vzd_call *question;
	struct buf body; /* of the request */
	struct call_text text;
	struct task more;
	bool *gone; /* set when it ends while it sends */
	struct waiter waiter;
};

struct api {
	struct loop *loop;
	const struct parts *parts;
	struct list waiters; /* those looked at longest ago first */
	struct hash clients; /* the same waiters by the name of their client */
	size_t n_waiters;
	uint64_t news; /* how often something changed */
	struct task tell;
	struct lists_watch *lists_watch;
	struct certs_watch *certs_watch;
	bool draining;
};

/* --- answers: each ends the exchange and the call --- */

#define FIELDS_PRIVATE "Cache-Control: private, no-cache\r\n"

/* `fields`: complete header lines besides Retry-After and Allow. */
void call_refuse(struct call *c, enum err why, struct str fields);
/* An answer of a few kilobytes. */
void call_answer(struct call *c, int status, const char *type, struct str fields, struct str body);
/* A large one: the bytes are sent as the client takes them.  Takes over the reference. */
void call_stream(struct call *c, const char *type, struct str fields, const struct call_text *text);
void call_on_room(void *arg); /* of the exchange */
void call_pump(void *arg);    /* c->more */

/* Cancels whatever the call waits for and lets go what it holds. */
void call_stop(struct call *c);
/* The client went away before its answer was complete. */
void call_gone(void *arg, enum err why);

/* --- bodies of requests --- */

bool call_has_body(const struct call *c);
/* Reads it to c->body, then calls the handler of the route. */
void call_read_body(struct call *c);

/* --- handlers --- */

void api_list_jws(struct call *c);
void api_list_json(struct call *c);
void api_list_status(struct call *c);
void api_domain(struct call *c);
void api_where_is(struct call *c);
void api_certificates(struct call *c);
void api_certificate(struct call *c);
void api_changes(struct call *c);

/* --- the list --- */

struct lists_view api_list_view(const struct api *a);
/* Has the VZD asked, then goes on with a list that is not outdated, or refuses the call. */
void api_list_check(struct call *c, void (*then)(struct call *c, const struct lists_view *v));
const char *api_list_state(const struct api *a); /* of lists_status_names */
uint64_t api_list_version(const struct api *a);  /* 0: there is none */
/* {"version":…,"status":…}; returns out. */
char *api_list_news(const struct api *a, char *out, size_t cap);

/* --- changes --- */

bool changes_init(struct api *a) MUST_CHECK;
void changes_fini(struct api *a);
void changes_begin(struct call *c);  /* before anything else */
void changes_forget(struct call *c); /* may be called any time */
void changes_answer_all(struct api *a);

#endif
