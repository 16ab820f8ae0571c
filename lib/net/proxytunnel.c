/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/proxytunnel.h"

/* A line break would end the field. */
static bool
is_one_line(const char *z)
{
	return z[strcspn(z, "\r\n")] == '\0';
}

bool
proxytunnel_ask(struct buf *out, const char *to, const char *authorization)
{
	if (!is_one_line(to) || (authorization != NULL && !is_one_line(authorization)))
		return false;
	return buf_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", to, to) &&
	       (authorization == NULL ||
		   buf_printf(out, "Proxy-Authorization: %s\r\n", authorization)) &&
	       buf_put(out, STR("\r\n"));
}

static bool
is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

/* "HTTP/1.1 200 Connection established" */
static bool
read_status_line(struct str line, int *status)
{
	const char *p = line.p;

	if (!str_has_prefix(line, STR("HTTP/1.")) || line.n < 12 || (p[7] != '0' && p[7] != '1') ||
	    p[8] != ' ' || (line.n > 12 && p[12] != ' ') || !is_text(line))
		return false;
	*status = 0;
	for (size_t i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*status = *status * 10 + (p[i] - '0');
	}
	return true;
}

static bool
is_name(struct str s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < s.n; i++) {
		char c = str_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    str_chr(str_z(others), c) == NULL)
			return false;
	}
	return s.n > 0;
}

static bool
is_field(struct str line)
{
	struct str name, value;

	return str_cut(line, ':', &name, &value) && is_name(name) && is_text(value);
}

enum proxytunnel_answer
proxytunnel_read(struct str got, size_t *len, int *status)
{
	const char *end = got.n > 0 ? memmem(got.p, got.n, "\r\n\r\n", 4) : NULL;
	struct str rest, line;
	bool first = true;

	if (end == NULL)
		return got.n < PROXYTUNNEL_HEAD_MAX ? PROXYTUNNEL_MORE : PROXYTUNNEL_BAD;
	*len = (size_t)(end - got.p) + 4;
	rest = str_of(got.p, *len - 2);
	while (rest.n > 0) {
		(void)str_cut(rest, '\n', &line, &rest);
		if (line.n == 0 || line.p[line.n - 1] != '\r')
			return PROXYTUNNEL_BAD;
		line.n--;
		if (!(first ? read_status_line(line, status) : is_field(line)))
			return PROXYTUNNEL_BAD;
		first = false;
	}
	return *status == 200 ? PROXYTUNNEL_OPEN : PROXYTUNNEL_REFUSED;
}
