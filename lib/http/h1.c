/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1 - heads of HTTP/1.1 messages: where they end, their first line, and how long the body is.
 */
#include "lib/http/h1_int.h"

/* A bare LF ends the head too: what precedes it can only be refused, so nothing is gained by
 * waiting. */
size_t
h1_head_end(struct str in, size_t *scanned)
{
	const char *lf;
	size_t at = *scanned;

	while (at < in.n && (lf = memchr(in.p + at, '\n', in.n - at)) != NULL) {
		at = (size_t)(lf - in.p) + 1;
		if (at < 2 || lf[-1] != '\r' || (at >= 4 && lf[-2] == '\n')) {
			*scanned = at;
			return at;
		}
	}
	*scanned = in.n;
	return 0;
}

static struct str
skip_empty_line(struct str in)
{
	return str_has_prefix(in, STR("\r\n")) ? str_from(in, 2) : in;
}

enum err
h1_head_early(struct str in, const struct h1_limits *lim)
{
	size_t total = in.n, n = 0;
	const char *space;

	if (str_eq(in, STR("\r")))
		return OK;
	in = skip_empty_line(in);
	while (n < in.n && n <= H1_METHOD_MAX && h1_is(in.p[n], H1_C_TOKEN))
		n++;
	if (n > H1_METHOD_MAX || (n < in.n && (n == 0 || in.p[n] != ' ')) ||
	    str_has_prefix(in, STR("PRI *")))
		return ERR_HTTP_LINE;
	if (n < in.n) {
		in = str_from(in, n + 1);
		space = str_chr(in, ' ');
		n = space != NULL ? (size_t)(space - in.p) : in.n;
		/* The line end stands for the blank in a line that has no version. */
		if (n > lim->target_max && memchr(in.p, '\n', lim->target_max + 1) == NULL)
			return ERR_HTTP_TARGET_SIZE;
	}
	return total > lim->head_max ? ERR_HTTP_HEAD_SIZE : OK;
}

static bool
has_sentinel(struct str head)
{
	return str_has_suffix(head, STR("\r\n\r\n"));
}

enum h1_method
h1_method_of(struct str m)
{
	static const struct {
		struct str text;
		enum h1_method method;
	} methods[] = {
		{ { "GET", 3 }, H1_GET },
		{ { "PUT", 3 }, H1_PUT },
		{ { "POST", 4 }, H1_POST },
		{ { "HEAD", 4 }, H1_HEAD },
		{ { "OPTIONS", 7 }, H1_OPTIONS },
		{ { "DELETE", 6 }, H1_DELETE },
		{ { "PATCH", 5 }, H1_PATCH },
		{ { "CONNECT", 7 }, H1_CONNECT },
		{ { "TRACE", 5 }, H1_TRACE },
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (str_eq(methods[i].text, m))
			return methods[i].method;
	return H1_OTHER;
}

/* "HTTP/1.1"; eight bytes can be read at p. */
static enum err
version(const char *p, int *minor)
{
	if (memcmp(p, "HTTP/", 5) != 0 || !h1_is_digit(p[5]) || p[6] != '.' || !h1_is_digit(p[7]))
		return ERR_HTTP_LINE;
	if (p[5] != '1' || p[7] > '1')
		return ERR_HTTP_VERSION;
	*minor = p[7] - '0';
	return OK;
}

static enum err
request_line(const char **at, const char *end, const struct h1_limits *lim, struct h1_head *out)
{
	const char *p = *at, *start = p;
	enum err err;

	while (h1_is(*p, H1_C_TOKEN))
		p++;
	if (p == start || p - start > H1_METHOD_MAX || *p != ' ')
		return ERR_HTTP_LINE;
	out->method_text = str_of(start, (size_t)(p - start));
	out->method = h1_method_of(out->method_text);

	start = ++p;
	while (h1_is(*p, H1_C_TARGET))
		p++;
	out->target = str_of(start, (size_t)(p - start));
	if (out->target.n > lim->target_max)
		return ERR_HTTP_TARGET_SIZE;
	if (*p != ' ')
		return p[0] == '\r' && p[1] == '\n' ? ERR_HTTP_LINE : ERR_HTTP_TARGET;
	p++;
	/* What a good head has left: version, CR LF, CR LF. */
	if (out->target.n == 0 || end - p < 12)
		return ERR_HTTP_LINE;
	err = version(p, &out->minor);
	if (p[8] != '\r' || p[9] != '\n')
		return ERR_HTTP_LINE;
	*at = p + 10;
	return err;
}

/* How long the message says it is; whoever finds no length decides what that means. */
static bool
framing(struct h1_head *out, const struct h1_seen *seen)
{
	if (seen->lengths + seen->codings > 1 || seen->length_bad || seen->coding_bad)
		return false;
	if (seen->codings > 0 && out->minor == 0)
		return false;
	if (seen->codings > 0)
		out->framing = H1_CHUNKED;
	else if (seen->lengths > 0)
		out->framing = H1_LENGTH;
	out->keep_alive = !seen->close && (out->minor == 1 || seen->keep);
	return true;
}

static enum err
request_judge(
    struct arena *a, const struct h1_limits *lim, struct h1_head *out, const struct h1_seen *seen)
{
	bool may_lack_host = lim->proxy && out->minor == 0;

	/* What follows a CONNECT may be a tunnel's already (RFC 9110 9.3.6). */
	if (!framing(out, seen) || (out->method == H1_CONNECT && out->framing != H1_NO_BODY))
		return ERR_HTTP_FRAMING;
	if (seen->hosts == 0 ? !may_lack_host
			     : seen->hosts > 1 || !h1_is_authority(out->host, false))
		return ERR_HTTP_HOST;
	if (out->minor == 1 && seen->expect_bad)
		return ERR_HTTP_EXPECT;
	out->expect_continue = out->minor == 1 && seen->expect;
	return h1_target_parse(a, lim->proxy, out);
}

enum err
h1_parse_request(struct arena *a, struct str head, const struct h1_limits *lim, struct h1_head *out)
{
	struct h1_seen seen = { 0 };
	const char *p, *end, *lf;
	enum err err;

	*out = (struct h1_head){ 0 };
	head = skip_empty_line(head);
	if (!has_sentinel(head)) { /* ended by a bare LF: in the first line or in a later one? */
		lf = str_chr(head, '\n');
		return lf == NULL || lf == head.p + head.n - 1 ? ERR_HTTP_LINE : ERR_HTTP_FIELD;
	}
	p = head.p;
	end = head.p + head.n;
	err = request_line(&p, end, lim, out);
	if (err != OK)
		return err;
	if (head.n > lim->head_max)
		return ERR_HTTP_HEAD_SIZE;
	err = h1_fields_parse(a, p, end, lim, out, &seen);
	return err != OK ? err : request_judge(a, lim, out, &seen);
}

static enum err
status_line(const char **at, const char *end, struct h1_head *out)
{
	const char *p = *at, *start;

	if (end - p < 16 || version(p, &out->minor) != OK || p[8] != ' ')
		return ERR_UPSTREAM_BAD;
	p += 9;
	for (int i = 0; i < 3; i++, p++) {
		if (!h1_is_digit(*p))
			return ERR_UPSTREAM_BAD;
		out->status = out->status * 10 + *p - '0';
	}
	if (out->status < 100 || out->status > 599)
		return ERR_UPSTREAM_BAD;
	if (*p == ' ')
		p++;
	else if (*p != '\r')
		return ERR_UPSTREAM_BAD;
	start = p;
	while (h1_is(*p, H1_C_VALUE))
		p++;
	if (p[0] != '\r' || p[1] != '\n')
		return ERR_UPSTREAM_BAD;
	out->reason = str_of(start, (size_t)(p - start));
	*at = p + 2;
	return OK;
}

/* A length of what has none (RFC 9110 8.6): somebody behind us could wait for it. */
static void
drop_length(struct h1_head *out)
{
	for (size_t i = 0; i < out->n_fields; i++)
		if (out->fields[i].id == H1_F_CONTENT_LENGTH)
			out->fields[i].hop = true;
}

static enum err
response_judge(struct h1_head *out, const struct h1_seen *seen, enum h1_method to)
{
	bool tunnel = to == H1_CONNECT && out->status / 100 == 2;
	bool bare = out->status / 100 == 1 || out->status == 204; /* never framed */

	/* Upgrade is never passed on, so nobody asked for another protocol. */
	if (!framing(out, seen) || (bare && seen->codings > 0) || out->status == 101)
		return ERR_UPSTREAM_BAD;
	if (bare)
		drop_length(out);
	if (bare || out->status == 304 || to == H1_HEAD || tunnel) {
		out->framing = H1_NO_BODY;
	} else if (out->framing == H1_NO_BODY) {
		out->framing = H1_UNTIL_CLOSE;
		out->keep_alive = false;
	}
	return OK;
}

enum err
h1_parse_response(struct arena *a, struct str head, const struct h1_limits *lim, enum h1_method to,
    struct h1_head *out)
{
	struct h1_seen seen = { 0 };
	const char *p = head.p, *end = head.p + head.n;
	enum err err;

	*out = (struct h1_head){ 0 };
	if (!has_sentinel(head) || head.n > lim->head_max)
		return ERR_UPSTREAM_BAD;
	err = status_line(&p, end, out);
	if (err != OK)
		return err;
	err = h1_fields_parse(a, p, end, lim, out, &seen);
	if (err != OK)
		return err == ERR_MEMORY ? err : ERR_UPSTREAM_BAD;
	return response_judge(out, &seen, to);
}
