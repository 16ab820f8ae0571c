/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/jsonput.h"

#include "lib/base/jsontext.h"

bool
jsonput_text(struct buf *out, const char *name, struct str text)
{
	char *p;

	if (!buf_printf(out, "\"%s\":", name))
		return false;
	p = buf_reserve(out, jsontext_quoted_size(text) + 1);
	if (p == NULL)
		return false;
	buf_commit(out, (size_t)(jsontext_quote(p, text) - p));
	return buf_put(out, STR(","));
}

bool
jsonput_end(struct buf *out)
{
	struct str s = buf_str(out);

	if (s.n > 0 && s.p[s.n - 1] == ',')
		out->end--;
	return buf_put(out, STR("}"));
}
