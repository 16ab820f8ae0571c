/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/refusal.h"

#include "lib/base/buf.h"
#include "lib/matrix/reply.h"

#define PART_MAX 2048

/* What browsers must not make of an error text. */
#define GUARD \
	"X-Content-Type-Options: nosniff\r\n" \
	"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"

static bool
is_client_path(struct str target)
{
	return str_has_prefix(target, STR("/_matrix/client/")) ||
	       str_has_prefix(target, STR("/_matrix/media/")) ||
	       str_has_prefix(target, STR("/_synapse/")) ||
	       str_has_prefix(target, STR("/.well-known/"));
}

/* Where any method is the homeserver's to judge, only those were refused that nobody serves. */
static const char *
allowed(const struct route *route)
{
	return route != NULL && route->methods[0] != '*' ? route->methods : REFUSAL_METHODS;
}

static bool
put_fields(struct buf *out, const struct exchange *ex, const struct route *route, enum err why,
    clock_ms retry_after)
{
	unsigned wait =
	    retry_after > 0 ? (unsigned)((retry_after + 999) / 1000) : reply_retry_after(why);

	if (!buf_put(out, STR(GUARD)))
		return false;
	/* Without CORS a browser client sees only a network error (Matrix client-server API, "Web
	 * Browser Clients"). */
	if (is_client_path(ex->req.target) && !buf_put(out, STR(REFUSAL_CORS)))
		return false;
	if (why == ERR_METHOD && !buf_printf(out, "Allow: %s\r\n", allowed(route)))
		return false;
	if (why == ERR_PROXY_AUTH &&
	    !buf_put(out, STR("Proxy-Authenticate: Basic realm=\"schleuse\"\r\n"
			      "Proxy-Authenticate: Bearer\r\n")))
		return false;
	return wait == 0 || buf_printf(out, "Retry-After: %u\r\n", wait);
}

int
refusal_status(const struct exchange *ex, enum err why)
{
	return ex->head_sent ? 0 : err_rows[why].status;
}

void
refusal_answer(struct exchange *ex, const struct route *route, enum err why, struct str about,
    clock_ms retry_after)
{
	int status = refusal_status(ex, why);
	struct buf fields, body;

	if (status == 0) {
		exchange_abort(ex);
		return;
	}
	buf_init(&fields, PART_MAX);
	buf_init(&body, PART_MAX);
	if (put_fields(&fields, ex, route, why, retry_after) &&
	    reply_body(&body, why, about, retry_after))
		exchange_answer(ex, status, "application/json", buf_str(&fields), buf_str(&body));
	else
		exchange_abort(ex);
	buf_fini(&fields);
	buf_fini(&body);
}
