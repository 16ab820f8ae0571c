/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/journal_record.h"

#include <sodium.h>

#include "pushgw/queue/push_record.h"

#define HEAD_VERSION 1
#define MARK_SIZE 16
#define SUM 8
#define SUM_AT (JOURNAL_FRAME - SUM)
#define DONE_MAX ((size_t)2 * PUSH_RECORD_NUMBER_MAX)

static const char magic[2] = { '\xd5', '\x7e' };

/* --- frames --- */

static void
checksum(uint32_t segment, const char *frame, size_t n, char out[SUM])
{
	unsigned char key[crypto_shorthash_KEYBYTES] = "schleuse-push";
	unsigned char parts[2 * SUM], sum[SUM];

	memcpy(key + sizeof(key) - sizeof(segment), &segment, sizeof(segment));
	crypto_shorthash(parts, (const unsigned char *)frame, SUM_AT, key);
	crypto_shorthash(parts + SUM, (const unsigned char *)frame + JOURNAL_FRAME, n, key);
	crypto_shorthash(sum, parts, sizeof(parts), key);
	memcpy(out, sum, SUM);
}

static char *
le32_write(uint32_t v, char *out)
{
	for (unsigned i = 0; i < 4; i++)
		*out++ = (char)(v >> (8 * i));
	return out;
}

static uint32_t
le32_read(const char *p)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		v |= (uint32_t)(unsigned char)p[i] << (8 * i);
	return v;
}

/* Room for a body of up to n bytes: where it begins, or NULL. */
static char *
body_begin(struct buf *out, size_t n)
{
	char *frame = n <= JOURNAL_BODY_MAX ? buf_reserve(out, JOURNAL_FRAME + n) : NULL;

	return frame != NULL ? frame + JOURNAL_FRAME : NULL;
}

static void
body_end(struct buf *out, uint32_t segment, enum journal_what what, char *body, const char *end)
{
	char *frame = body - JOURNAL_FRAME;
	size_t n = (size_t)(end - body);

	memcpy(frame, magic, sizeof(magic));
	frame[2] = (char)what;
	le32_write((uint32_t)n, frame + 3);
	checksum(segment, frame, n, frame + SUM_AT);
	buf_commit(out, JOURNAL_FRAME + n);
}

/* --- writing --- */

bool
journal_put_head(struct buf *out, uint32_t segment, const unsigned char key[MARK_KEY])
{
	char *body = body_begin(out, 1 + MARK_KEY);

	if (body == NULL)
		return false;
	body[0] = HEAD_VERSION;
	memcpy(body + 1, key, MARK_KEY);
	body_end(out, segment, JOURNAL_HEAD, body, body + 1 + MARK_KEY);
	return true;
}

static uint64_t
time_of(int64_t t)
{
	return t > 0 ? (uint64_t)t : 0;
}

bool
journal_put_push(
    struct buf *out, struct place at, const struct place *from, const struct journal_push *p)
{
	char *body =
	    body_begin(out, (size_t)5 * PUSH_RECORD_NUMBER_MAX + push_record_size(&p->push));
	char *end = body;

	if (body == NULL)
		return false;
	if (from != NULL) {
		end = push_record_number_write(from->segment, end);
		end = push_record_number_write(from->index, end);
	}
	end = push_record_number_write(at.index, end);
	end = push_record_number_write(p->seq, end);
	end = push_record_number_write(time_of(p->due), end);
	end = push_record_write(&p->push, end);
	body_end(out, at.segment, from != NULL ? JOURNAL_MOVED : JOURNAL_ADD, body, end);
	return true;
}

static bool
put_some_done(struct buf *out, uint32_t segment, const struct place *places, size_t n)
{
	char *body = body_begin(out, n * DONE_MAX), *end = body;

	if (body == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		end = push_record_number_write(places[i].segment, end);
		end = push_record_number_write(places[i].index, end);
	}
	body_end(out, segment, JOURNAL_DONE, body, end);
	return true;
}

bool
journal_put_done(struct buf *out, uint32_t segment, const struct place *places, size_t n)
{
	bool ok = true;

	for (size_t at = 0, some; at < n && ok; at += some) {
		some = n - at < 4096 ? n - at : 4096;
		ok = put_some_done(out, segment, places + at, some);
	}
	return ok;
}

bool
journal_put_rejected(struct buf *out, uint32_t segment, struct mark mark, int64_t since)
{
	char *body = body_begin(out, MARK_SIZE + PUSH_RECORD_NUMBER_MAX);

	if (body == NULL)
		return false;
	memcpy(body, &mark, MARK_SIZE);
	body_end(out, segment, JOURNAL_REJECTED, body,
	    push_record_number_write(time_of(since), body + MARK_SIZE));
	return true;
}

/* --- reading --- */

static bool
read_frame(struct str s, uint32_t number, size_t at, struct journal_record *r)
{
	const char *frame = s.p + at;
	char sum[SUM];
	uint32_t n;

	if (s.n - at < JOURNAL_FRAME || memcmp(frame, magic, sizeof(magic)) != 0)
		return false;
	n = le32_read(frame + 3);
	if (n > JOURNAL_BODY_MAX || n > s.n - at - JOURNAL_FRAME)
		return false;
	checksum(number, frame, n, sum);
	if (memcmp(sum, frame + SUM_AT, SUM) != 0)
		return false;
	*r = (struct journal_record){ .what = (enum journal_what)(unsigned char)frame[2],
		.at = at,
		.end = at + JOURNAL_FRAME + n,
		.body = str_of(frame + JOURNAL_FRAME, n) };
	return true;
}

bool
journal_next(struct str segment, uint32_t number, size_t *at, struct journal_record *r)
{
	const char *p;

	for (size_t from = *at; from < segment.n; from++) {
		p = memchr(segment.p + from, magic[0], segment.n - from);
		if (p == NULL)
			return false;
		from = (size_t)(p - segment.p);
		if (read_frame(segment, number, from, r)) {
			*at = r->end;
			return true;
		}
	}
	return false;
}

bool
journal_get_head(const struct journal_record *r, unsigned char key[MARK_KEY])
{
	if (r->what != JOURNAL_HEAD || r->body.n != 1 + MARK_KEY || r->body.p[0] != HEAD_VERSION)
		return false;
	memcpy(key, r->body.p + 1, MARK_KEY);
	return true;
}

static bool
read_u32(struct str *s, uint32_t *v)
{
	uint64_t wide;

	if (!push_record_number_read(s, &wide) || wide > UINT32_MAX)
		return false;
	*v = (uint32_t)wide;
	return true;
}

static bool
read_time(struct str *s, int64_t *t)
{
	uint64_t v;

	if (!push_record_number_read(s, &v) || v > INT64_MAX)
		return false;
	*t = (int64_t)v;
	return true;
}

bool
journal_get_push(
    const struct journal_record *r, struct place *from, uint32_t *index, struct journal_push *p)
{
	struct str s = r->body;

	*from = (struct place){ 0, 0 };
	if (r->what != JOURNAL_ADD && r->what != JOURNAL_MOVED)
		return false;
	if (r->what == JOURNAL_MOVED &&
	    (!read_u32(&s, &from->segment) || !read_u32(&s, &from->index)))
		return false;
	return read_u32(&s, index) && push_record_number_read(&s, &p->seq) &&
	       read_time(&s, &p->due) && push_record_read(s, &p->push);
}

bool
journal_get_done(const struct journal_record *r, size_t *at, struct place *place)
{
	struct str s = str_from(r->body, *at);

	if (r->what != JOURNAL_DONE || !read_u32(&s, &place->segment) ||
	    !read_u32(&s, &place->index))
		return false;
	*at = r->body.n - s.n;
	return true;
}

bool
journal_get_rejected(const struct journal_record *r, struct mark *mark, int64_t *since)
{
	struct str s = r->body;

	if (r->what != JOURNAL_REJECTED || s.n < MARK_SIZE)
		return false;
	memcpy(mark, s.p, MARK_SIZE);
	s = str_from(s, MARK_SIZE);
	return read_time(&s, since) && s.n == 0;
}
