/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_push_journal - a segment of the journal of pushes, damaged in any way.
 *
 * Its records follow each other, and what one says of a push, or of a rejected pushkey, is what
 * would be written for it.  So that the fuzzer gets past the checksums, each input is read as a
 * segment, and framed as the body of every kind of record.
 */
#include <stdint.h>
#include <stdlib.h>

#include "pushgw/queue/journal_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

static void
is_what_is_written(const struct journal_record *r, const struct buf *out)
{
	check(str_eq(r->body, str_from(buf_str(out), JOURNAL_FRAME)));
}

static void
check_record(const struct journal_record *r)
{
	unsigned char key[MARK_KEY];
	struct journal_push p;
	struct place from, at = { 1, 0 };
	struct mark mark;
	struct buf out;
	int64_t since;
	size_t pos = 0;

	buf_init(&out, r->body.n + 4096);
	if (journal_get_push(r, &from, &at.index, &p)) {
		check(journal_put_push(&out, at, r->what == JOURNAL_MOVED ? &from : NULL, &p));
		is_what_is_written(r, &out);
	} else if (journal_get_rejected(r, &mark, &since)) {
		check(journal_put_rejected(&out, 1, mark, since));
		is_what_is_written(r, &out);
	} else if (journal_get_head(r, key)) {
		check(journal_put_head(&out, 1, key));
		is_what_is_written(r, &out);
	}
	while (journal_get_done(r, &pos, &at))
		check(pos <= r->body.n);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);
	struct journal_record r;
	size_t at = 0, end = 0;

	while (journal_next(in, 1, &at, &r)) {
		check(r.at >= end && r.end > r.at && r.end <= in.n && at == r.end);
		end = r.end;
		check_record(&r);
	}
	for (int what = JOURNAL_HEAD; what <= JOURNAL_REJECTED; what++)
		check_record(&(struct journal_record){ (enum journal_what)what, 0, in.n, in });
	return 0;
}
