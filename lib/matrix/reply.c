/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/matrix/reply.h"

#include <stdio.h>

#include "lib/base/jsontext.h"
#include "lib/matrix/name.h"

unsigned
reply_retry_after(enum err why)
{
	switch (why) {
	case ERR_MEMORY:
	case ERR_OVERLOAD:
	case ERR_DRAINING:
	case ERR_CHANGES_OPEN:
	case ERR_UPSTREAM_BUSY:
	case ERR_REMOTE_BUSY:
		return 1;
	case ERR_CHANGES_FULL:
	case ERR_AUTH_CLIENTS:
	case ERR_TOKEN_KEY:
	case ERR_QUEUE_FULL:
	case ERR_QUEUE_DOWN:
	case ERR_LOOKUP:
	case ERR_UPSTREAM_DOWN:
	case ERR_UPSTREAM_SLOW:
	case ERR_UPSTREAM_TOTAL:
		return 5;
	case ERR_FEDLIST_MISSING:
	case ERR_FEDLIST_STALE:
		return 300;
	default:
		return 0;
	}
}

static char *
put(char *out, struct str s)
{
	memcpy(out, s.p, s.n);
	return out + s.n;
}

#define TEXT_MAX 512

/* Who is not found takes the place of the text's first word. */
static struct str
text_of(enum err why, struct str text, struct str about, char out[TEXT_MAX])
{
	struct str first, rest;

	if ((why != ERR_DESTINATION_UNLISTED && why != ERR_DOMAIN_UNLISTED) || about.n == 0 ||
	    about.n > NAME_MAX_LEN)
		return text;
	str_cut(text, ' ', &first, &rest);
	return str_of(out,
	    (size_t)snprintf(out, TEXT_MAX, STR_FMT " " STR_FMT, STR_ARG(about), STR_ARG(rest)));
}

/* Reasons that are no peer's business look like an internal error. */
bool
reply_body(struct buf *out, enum err why, struct str about, clock_ms retry_after)
{
	const struct err_row *row = &err_rows[why];
	struct str open = STR("{\"errcode\":"), middle = STR(",\"error\":"), errcode, text;
	char wait[48] = "", named[TEXT_MAX];
	size_t n;
	char *p;

	if (row->errcode[0] == '\0')
		row = &err_rows[ERR_INTERNAL];
	errcode = str_z(row->errcode);
	text = text_of(why, str_z(row->text), about, named);
	if (retry_after > 0)
		snprintf(wait, sizeof(wait), ",\"retry_after_ms\":%llu",
		    (unsigned long long)retry_after);
	n = open.n + jsontext_quoted_size(errcode) + middle.n + jsontext_quoted_size(text) +
	    strlen(wait) + 1;
	p = buf_reserve(out, n);
	if (p == NULL)
		return false;
	p = jsontext_quote(put(p, open), errcode);
	p = put(jsontext_quote(put(p, middle), text), str_z(wait));
	*p = '}';
	buf_commit(out, n);
	return true;
}
