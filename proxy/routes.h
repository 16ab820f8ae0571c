/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes - the catalogue of endpoints and the way a request finds its row.
 *
 * Paths are matched segment by segment, each percent-decoded once.  Paths that two servers could
 * read differently are refused before any row is looked at (design: "path rules").
 */
#ifndef SCHLEUSE_PROXY_ROUTES_H
#define SCHLEUSE_PROXY_ROUTES_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/http/h1.h"

enum route_api {
	API_CLIENT,     /* homeserver's client side: CORS on our own errors */
	API_FEDERATION, /* X-Matrix and membership unless open */
	API_KEYS,       /* /_matrix/key: no authentication (T-10) */
	API_ADMIN,      /* administrative: refused unless configured */
	API_INTERNAL,   /* of the homeserver's own processes: never served */
	API_OUTBOUND, /* no row has it: what our homeserver asks others, for the log and metrics */
	API_NONE
};

enum route_body { BODY_STREAM, BODY_INSPECT };

/* The rules beyond authentication that a route needs. */
enum route_rule {
	RULE_NONE,
	RULE_INVITE,             /* body of PUT invite v2: {event, invite_room_state} */
	RULE_INVITE_V1,          /* body is the event */
	RULE_EXCHANGE,           /* body is the event: a user of the server that is asked invites */
	RULE_TRANSACTION,        /* PUT send: invites among the PDUs */
	RULE_EVENT,              /* body is an event that is no invite; outbound its domains count */
	RULE_UNKNOWN_FEDERATION, /* unknown to us; others may find invites in it */
	RULE_PROFILE_NAME,       /* writes the display name */
	RULE_PROFILE_KEY,        /* writes the profile key named by the last segment */
	RULE_MEMBER_STATE,       /* PUT state/m.room.member/{user} */
	RULE_JOIN,               /* join/{room}: the body becomes member content */
	RULE_CREATE_ROOM,        /* initial_state may carry member events */
	RULE_UNKNOWN_CLIENT,     /* unknown to us; others may find a display name in it */
	RULE_SESSION_END         /* tokens may end: what is known of them is forgotten */
};

/* What asking often could gain: passwords, names, mails in others' name. */
enum route_cost { COST_NONE, COST_LOGIN, COST_REGISTER, COST_PASSWORD };
/* How long the homeserver may take: each has a time-out of its own. */
enum route_pace {
	PACE_ORDINARY,
	PACE_POLL, /* held until something happens, at most for the query's `timeout` */
	PACE_SLOW, /* a long computation */
	PACE_MEDIA /* files go up or down, perhaps fetched from another server first */
};

/* Which paths outside of the federation API the homeserver may ask other servers for. */
enum route_out { OUT_NONE, OUT_MEDIA, OUT_WELL_KNOWN };

enum route_open { ROUTE_AUTH, OPEN_VERSION, OPEN_OPENID };

/* Documents the proxy may serve by itself (services.well_known). */
enum route_document { DOCUMENT_NONE, DOCUMENT_SERVER, DOCUMENT_CLIENT, DOCUMENT_SUPPORT };
#define ROUTE_DOCUMENTS (DOCUMENT_SUPPORT + 1)

struct route {
	const char *methods; /* "GET", "GET,POST"; "*": any */
	const char *path;    /* "{x}" one segment, "<v>" any version, a trailing "**" the rest */
	enum route_api api;
	enum route_body body;
	enum route_rule rule;
	enum route_pace pace;
	enum route_open open; /* federation paths that may be open */
	enum route_document document;
	enum route_cost cost;
	enum route_out out;
};

#define ROUTE_SEGMENTS_MAX 32

struct segments {
	struct str raw[ROUTE_SEGMENTS_MAX];
	struct str text[ROUTE_SEGMENTS_MAX]; /* decoded */
	size_t n;
	struct str query; /* without '?'; p == NULL: none */
};

/* Builds the matcher; once at start-up, on the main thread.  false: out of memory. */
bool routes_init(void) MUST_CHECK;
void routes_fini(void);

/* Splits a target.  ERR_PATH: a dot segment (also an escaped one), an empty segment before the last
 * one, a malformed escape, NUL or backslash in any form, too many segments.  Decoded text lives in
 * the arena. */
enum err route_split(struct arena *a, struct str target, struct segments *out) MUST_CHECK;

/* *out = the row.  ERR_PATH: a literal segment was written with escapes.  ERR_METHOD: the path is
 * known, the method is not (on federation and key paths, and where no wildcard takes it; the client
 * side is the homeserver's).
 * ERR_UNRECOGNIZED: nothing we serve; unknown client and federation paths have rows. */
enum err route_find(
    const struct segments *s, struct str method, const struct route **out) MUST_CHECK;

/* For tests and the conformance report. */
const struct route *routes_table(size_t *n);

#endif
