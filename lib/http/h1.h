/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1 - HTTP/1.1 messages (RFC 9112): a strict parser and the writer's helpers.  No I/O.
 *
 * The parser refuses whatever two servers could read differently.  A head is parsed when it is
 * complete: h1_head_end() finds its end incrementally, the caller copies the bytes to the
 * exchange's arena, h1_parse_request()/h1_parse_response() then fill slices into that copy.  Bodies
 * are decoded by a small state machine that says which bytes of the input are body.
 */
#ifndef SCHLEUSE_HTTP_H1_H
#define SCHLEUSE_HTTP_H1_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

enum h1_method {
	H1_OTHER,
	H1_GET,
	H1_HEAD,
	H1_POST,
	H1_PUT,
	H1_DELETE,
	H1_OPTIONS,
	H1_PATCH,
	H1_CONNECT,
	H1_TRACE
};

/* Whether asking twice is the same as asking once (RFC 9110 9.2.2). */
static inline bool
h1_is_idempotent(enum h1_method m)
{
	return m == H1_GET || m == H1_HEAD || m == H1_OPTIONS || m == H1_PUT || m == H1_DELETE;
}

/* Fields the code asks for by name get a number when parsed, so nobody compares names twice. */
enum h1_field_id {
	H1_F_OTHER,
	H1_F_HOST,
	H1_F_CONTENT_LENGTH,
	H1_F_TRANSFER_ENCODING,
	H1_F_CONNECTION,
	H1_F_KEEP_ALIVE,
	H1_F_TE,
	H1_F_TRAILER,
	H1_F_UPGRADE,
	H1_F_EXPECT,
	H1_F_PROXY_AUTHORIZATION,
	H1_F_PROXY_AUTHENTICATE,
	H1_F_PROXY_CONNECTION,
	H1_F_FORWARDED,
	H1_F_X_FORWARDED, /* any name beginning with X-Forwarded- */
	H1_F_X_REAL_IP,
	H1_F_METHOD_OVERRIDE, /* X-HTTP-Method-Override, X-HTTP-Method, X-Method-Override */
	H1_F_AUTHORIZATION,
	H1_F_CONTENT_TYPE,
	H1_F_DATE,
	H1_F_SERVER,
	H1_F_RETRY_AFTER,
	H1_F_USER_AGENT,
	H1_F_ACCESS_CONTROL, /* any name beginning with Access-Control- */
	H1_F_X_REQUEST_ID,
	H1_F_ACCEPT,
	H1_F_ACCEPT_ENCODING,
	H1_F_COOKIE,
	H1_F_ORIGIN,
	H1_F_REFERER,
	H1_F_ETAG,
	H1_F_CACHE_CONTROL,
	H1_F_TRANSPORT_SECURITY /* Strict-Transport-Security */
};

struct h1_field {
	struct str name;  /* as received */
	struct str value; /* without blanks at both ends */
	enum h1_field_id id;
	bool hop; /* hop-by-hop: of that kind, or named in Connection; not forwarded, invisible to
		     rules */
};

enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_UNTIL_CLOSE };

/* What an absolute-form target begins with. */
enum h1_scheme { H1_NO_SCHEME, H1_HTTP, H1_HTTPS, H1_MATRIX_FEDERATION };

struct h1_head {
	/* request */
	enum h1_method method;
	struct str method_text;
	struct str target; /* origin-form (path and query) as received, or "*"; for absolute-form
			      the part behind the authority, "/" if empty */
	enum h1_scheme scheme; /* of an absolute-form target */
	struct str authority;  /* of an absolute-form target or of CONNECT; n == 0 otherwise */
	struct str host;       /* value of Host */
	bool expect_continue;
	/* response */
	int status;
	struct str reason;
	/* both */
	int minor; /* HTTP/1.minor: 0 or 1 */
	struct h1_field *fields;
	size_t n_fields;
	size_t room; /* for so many more behind them */
	enum h1_framing framing;
	uint64_t length; /* of H1_LENGTH */
	bool keep_alive; /* as far as the message's own version and Connection say */
};

#define H1_FIELDS_CEILING 256

struct h1_limits {
	size_t head_max;   /* bytes of request/status line and fields together */
	size_t target_max; /* bytes of the request target */
	size_t fields_max; /* fields; more than H1_FIELDS_CEILING are never taken */
	/* Requests are for a forward proxy (RFC 9112 3.2.2): matrix-federation:// is a scheme, Host
	 * is not compared with the target, HTTP/1.0 may leave it out, and the target of CONNECT is
	 * what h1_connect_target() takes. */
	bool proxy;
};

/* Looks for the blank line that ends a head.  *scanned: where the last call stopped, 0 at first.
 * Returns the length of the head including the blank line, or 0: need more.  Leading empty lines
 * (CRLF) before a request line are part of the head as long as there is at most one. */
size_t h1_head_end(struct str in, size_t *scanned);

/* `head` is what h1_head_end() delimited; out->fields come from the arena.  ERR_HTTP_*; ERR_MEMORY.
 * Requests: bare CR/LF, NUL, obs-fold, blank before colon, bad token characters, duplicate or
 * malformed Content-Length, Content-Length with Transfer-Encoding, Transfer-Encoding other than
 * exactly "chunked" (or in HTTP/1.0), a body of CONNECT, missing or repeated Host, absolute-form
 * whose authority is not Host, fragments, non-visible characters in the target, versions. */
enum err h1_parse_request(
    struct arena *a, struct str head, const struct h1_limits *lim, struct h1_head *out) MUST_CHECK;

/* `to`: the method of the request this answers (HEAD and CONNECT change the framing).  Errors are
 * ERR_UPSTREAM_BAD. */
enum err h1_parse_response(struct arena *a, struct str head, const struct h1_limits *lim,
    enum h1_method to, struct h1_head *out) MUST_CHECK;

/* Cheap checks while a head is still incomplete: ERR_HTTP_LINE for bytes that can never begin a
 * request (binary, TLS, "PRI"), ERR_HTTP_TARGET_SIZE / ERR_HTTP_HEAD_SIZE when a limit is already
 * passed, else OK. */
enum err h1_head_early(struct str in, const struct h1_limits *lim) MUST_CHECK;

/* The host and port of CONNECT: brackets around IPv6 may be missing, the last colon counts.
 * `host` is without them.  false: not that. */
bool h1_connect_target(struct str authority, struct str *host, uint16_t *port) MUST_CHECK;

/* The only field with this id, hop-by-hop ones included; NULL: none, or several. */
const struct h1_field *h1_only(const struct h1_head *h, enum h1_field_id id);

/* First end-to-end field with this id (hop == false), or NULL; h1_next() continues. */
const struct h1_field *h1_find(const struct h1_head *h, enum h1_field_id id);
const struct h1_field *h1_next(const struct h1_head *h, const struct h1_field *f);

/* --- bodies --- */

struct h1_body {
	enum h1_framing framing;
	int state;
	uint64_t left;  /* bytes left of the body or of the chunk */
	uint64_t total; /* body bytes delivered so far */
	uint64_t max;   /* ERR_BODY_SIZE beyond; UINT64_MAX: none */
	size_t meta;    /* bytes of chunk extensions, later of trailers, seen; bounded */
	size_t line;    /* bytes of the size, the extension or the trailer name being read */
	char name[24];  /* beginning of the trailer name being read */
};

void h1_body_init(struct h1_body *b, const struct h1_head *h, uint64_t max);

/* Decodes a prefix of `in`: consumes *used bytes of which `data` (a slice of in, possibly empty) is
 * body.  Call again with the rest while *used > 0.  Trailer fields are checked and dropped.  OK,
 * ERR_HTTP_CHUNK, ERR_BODY_SIZE. */
enum err h1_body_decode(
    struct h1_body *b, struct str in, size_t *used, struct str *data) MUST_CHECK;
bool h1_body_done(const struct h1_body *b);
/* The stream ended: true if that is a proper end (H1_UNTIL_CLOSE, or done before). */
bool h1_body_eof(struct h1_body *b);

/* --- writing --- */

/* Writes a chunk header for n bytes ("1f4\r\n"); returns its length (at most 18). */
size_t h1_chunk_head(char out[20], uint64_t n);

const char *h1_reason(int status); /* "Forbidden"; "" if unknown */

#endif
