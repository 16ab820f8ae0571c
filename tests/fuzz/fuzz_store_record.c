/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_store_record - files of a store in a folder, damaged in any way.
 *
 * What is believed is exactly what would be written for it: a value's line, a journal's changes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/store/store.h"
#include "lib/store/store_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

static void
check_value(struct str in)
{
	struct store_record r;
	char again[STORE_RECORD_HEAD_MAX];
	struct str value;
	size_t n;

	if (!store_record_parse(in, &r))
		return;
	check(r.head <= in.n && r.head <= STORE_RECORD_HEAD_MAX && r.expiry >= 0);
	value = str_from(in, r.head);
	if (!store_record_fits(&r, STR("k"), value))
		return;
	check(r.length == value.n);
	n = store_record_head(STR("k"), value, r.expiry, again);
	check(n <= STORE_RECORD_HEAD_MAX);
	check(!store_record_fits(&r, STR("other"), value));
}

static void
check_journal(struct str in)
{
	struct store_change c;
	struct buf again;
	size_t at = 0;

	if (!store_journal_ok(in))
		return;
	buf_init(&again, in.n + 1024);
	check(store_journal_begin(&again));
	while (store_journal_next(in, &at, &c)) {
		check(store_key_ok(c.key) && c.number < STORE_OPS_MAX);
		check(store_journal_put(&again, &c));
	}
	check(store_journal_end(&again));
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);

	check_value(in);
	check_journal(in);
	return 0;
}
