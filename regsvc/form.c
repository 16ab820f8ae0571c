/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/form.h"

#include "lib/http/credentials.h"

enum err
form_decode(struct arena *a, struct str in, struct str *out)
{
	char *mem = arena_bytes(a, in.n + 1);
	size_t n = 0;

	if (mem == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == '%') {
			if (in.n - i < 3 || str_hex(in.p[i + 1]) < 0 || str_hex(in.p[i + 2]) < 0)
				return ERR_AUTH_SYNTAX;
			c = (char)(str_hex(in.p[i + 1]) << 4 | str_hex(in.p[i + 2]));
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		mem[n++] = c;
	}
	*out = str_of(mem, n);
	return credentials_is_text(*out) ? OK : ERR_AUTH_SYNTAX;
}

static struct str *
member_of(struct form *f, struct str name)
{
	if (str_eq(name, STR("grant_type")))
		return &f->grant_type;
	if (str_eq(name, STR("client_id")))
		return &f->client_id;
	if (str_eq(name, STR("client_secret")))
		return &f->client_secret;
	return str_eq(name, STR("scope")) ? &f->scope : NULL;
}

enum err
form_parse(struct arena *a, struct str body, struct form *out)
{
	struct str pair, name, value;

	*out = (struct form){ 0 };
	while (body.n > 0) {
		struct str *member;
		enum err err;

		str_cut(body, '&', &pair, &body);
		str_cut(pair, '=', &name, &value);
		if ((err = form_decode(a, name, &name)) != OK ||
		    (err = form_decode(a, value, &value)) != OK)
			return err;
		member = member_of(out, name);
		if (member == NULL || value.n == 0)
			continue;
		if (member->p != NULL)
			return ERR_AUTH_SYNTAX;
		*member = value;
	}
	return OK;
}
