/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_credentials - values of Authorization, forms of token requests, client records.
 *
 * What is accepted lies in what was sent or decoded, without control characters; a record that is
 * read is written and read as the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/utf8.h"
#include "lib/http/credentials.h"
#include "regsvc/client.h"
#include "regsvc/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

static void
check_text(struct str s)
{
	check(utf8_valid(s));
	for (size_t i = 0; i < s.n; i++)
		check((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f);
}

static void
check_record(struct str in)
{
	struct client one, two;
	struct buf text;

	if (!client_read(in, &one))
		return;
	buf_init(&text, 1 << 16);
	check(client_write(&one, &text));
	check(client_read(buf_str(&text), &two));
	one.mark = two.mark;
	check(memcmp(&one, &two, sizeof(one)) == 0);
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);
	struct credentials c;
	struct form f;
	struct arena a;

	arena_init(&a, 1 << 22);
	if (credentials_parse(&a, in, &c) == OK) {
		check(c.kind != CREDENTIALS_NONE);
		check_text(c.id);
		check_text(c.secret);
		check(c.kind != CREDENTIALS_BASIC || (c.id.n > 0 && str_chr(c.id, ':') == NULL));
		check(c.kind != CREDENTIALS_BEARER || c.token.n > 0);
	}
	if (form_parse(&a, in, &f) == OK) {
		check_text(f.grant_type);
		check_text(f.client_secret);
	}
	(void)credentials_in_query(in);
	check_record(in);
	arena_fini(&a);
	return 0;
}
