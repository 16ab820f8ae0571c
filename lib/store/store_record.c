/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/store_record.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "lib/store/store.h"

#define SUM 32
#define SUM_HEX (2 * SUM + 1)
#define RECORD_MAGIC STR("schleuse-store 1 ")
#define JOURNAL_MAGIC STR("schleuse-journal 1\n")

static void
hash_more(crypto_generichash_state *h, struct str s)
{
	crypto_generichash_update(h, (const unsigned char *)s.p, s.n);
}

static void
hash_end(crypto_generichash_state *h, char hex[SUM_HEX])
{
	unsigned char sum[SUM];

	crypto_generichash_final(h, sum, sizeof(sum));
	sodium_bin2hex(hex, SUM_HEX, sum, sizeof(sum));
}

/* --- values --- */

static void
checksum(struct str key, struct str value, int64_t expiry, char hex[SUM_HEX])
{
	crypto_generichash_state h;
	char text[32];
	int n = snprintf(text, sizeof(text), "\n%" PRId64 "\n", expiry);

	crypto_generichash_init(&h, NULL, 0, SUM);
	hash_more(&h, key);
	hash_more(&h, str_of(text, (size_t)n));
	hash_more(&h, value);
	hash_end(&h, hex);
}

size_t
store_record_head(struct str key, struct str value, int64_t expiry, char out[STORE_RECORD_HEAD_MAX])
{
	char hex[SUM_HEX];

	checksum(key, value, expiry, hex);
	return (size_t)snprintf(out, STORE_RECORD_HEAD_MAX, STR_FMT "%" PRId64 " %zu %s\n",
	    STR_ARG(RECORD_MAGIC), expiry, value.n, hex);
}

bool
store_record_parse(struct str text, struct store_record *r)
{
	struct str line, rest, expiry, length;
	uint64_t when;

	*r = (struct store_record){ 0 };
	if (text.n > STORE_RECORD_HEAD_MAX)
		text.n = STORE_RECORD_HEAD_MAX;
	if (!str_has_prefix(text, RECORD_MAGIC) || !str_cut(text, '\n', &line, &rest))
		return false;
	r->head = line.n + 1;
	line = str_from(line, RECORD_MAGIC.n);
	if (!str_cut(line, ' ', &expiry, &rest) || !str_cut(rest, ' ', &length, &r->checksum) ||
	    r->checksum.n != SUM_HEX - 1 || !str_to_u64(expiry, INT64_MAX, &when) ||
	    !str_to_u64(length, SIZE_MAX / 2, &r->length))
		return false;
	r->expiry = (int64_t)when;
	return true;
}

bool
store_record_fits(const struct store_record *r, struct str key, struct str value)
{
	char hex[SUM_HEX];

	if (value.n != r->length)
		return false;
	checksum(key, value, r->expiry, hex);
	return str_eq(r->checksum, str_z(hex));
}

/* --- journal --- */

bool
store_journal_begin(struct buf *out)
{
	return buf_put(out, JOURNAL_MAGIC);
}

bool
store_journal_put(struct buf *out, const struct store_change *c)
{
	if (c->set)
		return buf_printf(out, "set %zu " STR_FMT "\n", c->number, STR_ARG(c->key));
	return buf_printf(out, "delete " STR_FMT "\n", STR_ARG(c->key));
}

static void
journal_sum(struct str text, char hex[SUM_HEX])
{
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, SUM);
	hash_more(&h, text);
	hash_end(&h, hex);
}

bool
store_journal_end(struct buf *out)
{
	char hex[SUM_HEX];

	journal_sum(buf_str(out), hex);
	return buf_printf(out, "end %s\n", hex);
}

static bool
parse_change(struct str line, struct store_change *c)
{
	struct str word, rest, number;
	uint64_t n = 0;

	*c = (struct store_change){ 0 };
	if (!str_cut(line, ' ', &word, &rest))
		return false;
	c->set = str_eq(word, STR("set"));
	if (c->set) {
		if (!str_cut(rest, ' ', &number, &c->key) ||
		    !str_to_u64(number, STORE_OPS_MAX - 1, &n))
			return false;
	} else if (str_eq(word, STR("delete"))) {
		c->key = rest;
	}
	c->number = (size_t)n;
	return store_key_ok(c->key);
}

bool
store_journal_next(struct str text, size_t *at, struct store_change *c)
{
	struct str line, rest;

	if (*at == 0)
		*at = JOURNAL_MAGIC.n;
	if (*at > text.n || !str_cut(str_from(text, *at), '\n', &line, &rest) ||
	    !parse_change(line, c))
		return false;
	*at += line.n + 1;
	return true;
}

bool
store_journal_ok(struct str text)
{
	char end[SUM_HEX + 8], hex[SUM_HEX];
	struct store_change c;
	size_t at = 0;

	if (!str_has_prefix(text, JOURNAL_MAGIC))
		return false;
	while (store_journal_next(text, &at, &c))
		;
	journal_sum(str_of(text.p, at), hex);
	snprintf(end, sizeof(end), "end %s\n", hex);
	return str_eq(str_from(text, at), str_z(end));
}
