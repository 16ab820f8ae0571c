/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/push_record.h"

#define RECORD_VERSION 1
#define HEAD 2
#define LOW 0x01
#define PARTS 7 /* optional ones */

/* --- numbers --- */

size_t
push_record_number_size(uint64_t v)
{
	size_t n = 1;

	while (v >= 0x80) {
		v >>= 7;
		n++;
	}
	return n;
}

char *
push_record_number_write(uint64_t v, char *out)
{
	while (v >= 0x80) {
		*out++ = (char)(v | 0x80);
		v >>= 7;
	}
	*out++ = (char)v;
	return out;
}

bool
push_record_number_read(struct str *s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s->n && i < PUSH_RECORD_NUMBER_MAX; i++) {
		unsigned char c = (unsigned char)s->p[i];

		*v |= (uint64_t)(c & 0x7f) << (7 * i);
		if ((c & 0x80) != 0)
			continue;
		*s = str_from(*s, i + 1);
		/* one byte of ten has room for one bit; a last byte of 0 adds nothing */
		return !(i == 9 && c > 1) && !(i > 0 && c == 0);
	}
	return false;
}

/* --- parts --- */

/* In the order of their flags. */
static void
parts_of(const struct push *p, struct str parts[PARTS])
{
	const struct str all[PARTS] = { p->event_id, p->room_id, p->ephemeral, p->ciphertext,
		p->mac, p->data, p->app_id };

	memcpy(parts, all, sizeof(all));
}

static uint64_t
time_of(int64_t t)
{
	return t > 0 ? (uint64_t)t : 0;
}

static size_t
bytes_size(struct str s)
{
	return push_record_number_size(s.n) + s.n;
}

static char *
bytes_write(struct str s, char *out)
{
	return str_put(push_record_number_write(s.n, out), s);
}

static bool
bytes_read(struct str *s, struct str *part)
{
	uint64_t n;

	if (!push_record_number_read(s, &n) || n == 0 || n > s->n)
		return false;
	*part = str_of(s->p, (size_t)n);
	*s = str_from(*s, (size_t)n);
	return true;
}

static bool
time_read(struct str *s, int64_t *t)
{
	uint64_t v;

	if (!push_record_number_read(s, &v) || v > INT64_MAX)
		return false;
	*t = (int64_t)v;
	return true;
}

/* --- whole records --- */

size_t
push_record_size(const struct push *p)
{
	struct str parts[PARTS];
	size_t n = HEAD + push_record_number_size(time_of(p->accepted)) +
		   push_record_number_size(time_of(p->pushkey_ts)) + bytes_size(p->pushkey);

	parts_of(p, parts);
	for (size_t i = 0; i < PARTS; i++)
		if (parts[i].n > 0)
			n += bytes_size(parts[i]);
	return n;
}

char *
push_record_write(const struct push *p, char *out)
{
	struct str parts[PARTS];
	unsigned flags = p->prio == PUSH_LOW ? LOW : 0;

	parts_of(p, parts);
	for (size_t i = 0; i < PARTS; i++)
		if (parts[i].n > 0)
			flags |= 2U << i;
	*out++ = RECORD_VERSION;
	*out++ = (char)flags;
	out = push_record_number_write(time_of(p->accepted), out);
	out = push_record_number_write(time_of(p->pushkey_ts), out);
	out = bytes_write(p->pushkey, out);
	for (size_t i = 0; i < PARTS; i++)
		if (parts[i].n > 0)
			out = bytes_write(parts[i], out);
	return out;
}

static bool
are_in_bounds(const struct push *p)
{
	return p->app_id.n <= PUSH_APP_ID_MAX && p->pushkey.n <= PUSH_PUSHKEY_MAX &&
	       p->event_id.n <= PUSH_ID_MAX && p->room_id.n <= PUSH_ID_MAX;
}

bool
push_record_read_part(struct str s, struct push *p)
{
	struct str *parts[PARTS] = { &p->event_id, &p->room_id, &p->ephemeral, &p->ciphertext,
		&p->mac, &p->data, &p->app_id };
	unsigned flags;

	*p = (struct push){ 0 };
	if (s.n < HEAD || s.p[0] != RECORD_VERSION)
		return false;
	flags = (unsigned char)s.p[1];
	p->prio = (flags & LOW) != 0 ? PUSH_LOW : PUSH_HIGH;
	s = str_from(s, HEAD);
	if (!time_read(&s, &p->accepted) || !time_read(&s, &p->pushkey_ts) ||
	    !bytes_read(&s, &p->pushkey))
		return false;
	for (size_t i = 0; i < PARTS; i++)
		if ((flags & (2U << i)) != 0 && !bytes_read(&s, parts[i]))
			return false;
	return s.n == 0 && are_in_bounds(p);
}

bool
push_record_read(struct str s, struct push *p)
{
	return push_record_read_part(s, p) && p->app_id.n > 0;
}
