/* SPDX-License-Identifier: Apache-2.0 */
/* A push as bytes: what was written is read, and nothing else is. */
#include <criterion/criterion.h>

#include "pushgw/queue/push_record.h"

static const struct push full = {
	.app_id = { "com.example.app.android", 23 },
	.pushkey = { "a-token", 7 },
	.pushkey_ts = 1795302244,
	.event_id = { "$event", 6 },
	.room_id = { "!room:hs.example", 16 },
	.prio = PUSH_LOW,
	.ephemeral = { "eph", 3 },
	.ciphertext = { "\0\xff\n", 3 },
	.mac = { "mac", 3 },
	.data = { "{\"x\":1}", 7 },
	.accepted = 1795302244123,
};

static const struct push least = {
	.app_id = { "a", 1 },
	.pushkey = { "k", 1 },
};

static struct str
record_of(const struct push *p, char *out, size_t room)
{
	size_t n = push_record_size(p);

	cr_assert_leq(n, room);
	cr_assert_eq(push_record_write(p, out), out + n);
	return str_of(out, n);
}

static void
is_same(const struct push *a, const struct push *b)
{
	cr_assert(str_eq(a->app_id, b->app_id) && str_eq(a->pushkey, b->pushkey) &&
		  str_eq(a->event_id, b->event_id) && str_eq(a->room_id, b->room_id) &&
		  str_eq(a->ephemeral, b->ephemeral) && str_eq(a->ciphertext, b->ciphertext) &&
		  str_eq(a->mac, b->mac) && str_eq(a->data, b->data));
	cr_assert(
	    a->prio == b->prio && a->pushkey_ts == b->pushkey_ts && a->accepted == b->accepted);
}

Test(push_record, gives_back_what_was_written)
{
	const struct push *pushes[] = { &full, &least };
	char room[256];
	struct push back;

	for (size_t i = 0; i < 2; i++) {
		cr_assert(push_record_read(record_of(pushes[i], room, sizeof(room)), &back));
		is_same(&back, pushes[i]);
	}
}

Test(push_record, is_read_whole_or_not_at_all)
{
	char room[256];
	struct str s = record_of(&full, room, sizeof(room) - 1);
	struct push back;

	for (size_t n = 0; n < s.n; n++)
		cr_assert(!push_record_read(str_of(s.p, n), &back), "%zu bytes", n);
	room[s.n] = 0;
	cr_assert(!push_record_read(str_of(s.p, s.n + 1), &back));
}

Test(push_record, of_another_version_is_not_read)
{
	char room[256];
	struct str s = record_of(&full, room, sizeof(room));
	struct push back;

	room[0] = 2;
	cr_assert(!push_record_read(s, &back));
}

Test(push_record, has_bounds)
{
	static char many[PUSH_PUSHKEY_MAX + 1], room[2 * sizeof(many)];
	struct push p = least, back;

	p.pushkey = str_of(many, PUSH_PUSHKEY_MAX);
	cr_assert(push_record_read(record_of(&p, room, sizeof(room)), &back));
	p.pushkey.n++;
	cr_assert(!push_record_read(record_of(&p, room, sizeof(room)), &back));
	p = least;
	p.event_id = str_of(many, PUSH_ID_MAX + 1);
	cr_assert(!push_record_read(record_of(&p, room, sizeof(room)), &back));
}

Test(push_record, may_leave_the_app_to_its_keeper)
{
	struct push p = full, back;
	char room[256];
	struct str s;

	p.app_id = STR_NONE;
	s = record_of(&p, room, sizeof(room));
	cr_assert(push_record_read_part(s, &back));
	is_same(&back, &p);
	cr_assert(!push_record_read(s, &back));
}

Test(push_record, numbers_have_one_form)
{
	const uint64_t values[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX,
		UINT64_MAX };
	const char *refused[] = { "", "\x80", "\x80\x00",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" };
	const size_t lengths[] = { 0, 1, 2, 10, 11 };
	char room[PUSH_RECORD_NUMBER_MAX];
	uint64_t v;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		size_t n = push_record_number_size(values[i]);
		struct str s = str_of(room, n);

		cr_assert_eq(push_record_number_write(values[i], room), room + n);
		cr_assert(push_record_number_read(&s, &v));
		cr_assert(v == values[i] && s.n == 0);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct str s = str_of(refused[i], lengths[i]);

		cr_assert(!push_record_number_read(&s, &v), "form %zu", i);
	}
}
