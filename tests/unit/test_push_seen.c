/* SPDX-License-Identifier: Apache-2.0 */
/* What was put lately, and which pushkeys were rejected. */
#include <criterion/criterion.h>

#include "pushgw/queue/rejected.h"
#include "pushgw/queue/seen.h"

static const unsigned char key[MARK_KEY] = "0123456789abcde";

static struct mark
number(uint64_t i)
{
	/* few homes, so that they are in each other's way */
	return (struct mark){ { (i % 7) << 60 | (i % 7 == 6 ? UINT64_MAX : 0), i + 1 } };
}

static struct push
push_of(const char *app_id, const char *pushkey, const char *event_id)
{
	return (struct push){
		.app_id = str_z(app_id), .pushkey = str_z(pushkey), .event_id = str_z(event_id)
	};
}

Test(push_mark, tells_apart_what_differs)
{
	const struct push a = push_of("app", "key", "$e"), b = push_of("appk", "ey", "$e"),
			  c = push_of("app", "key", "$f");
	const unsigned char other[MARK_KEY] = "another";

	cr_assert(mark_eq(mark_of_push(key, &a), mark_of_push(key, &a)));
	cr_assert(!mark_eq(mark_of_push(key, &a), mark_of_push(key, &b)));
	cr_assert(!mark_eq(mark_of_push(key, &a), mark_of_push(key, &c)));
	cr_assert(!mark_eq(mark_of_push(key, &a), mark_of_push(other, &a)));
	cr_assert(mark_eq(mark_of_pushkey(key, &a), mark_of_pushkey(key, &c)));
	cr_assert(!mark_eq(mark_of_pushkey(key, &a), mark_of_pushkey(key, &b)));
}

Test(push_mark, tells_apart_endpoints_and_no_other_data)
{
	const struct push a = push_of("app", "key", "$e");
	struct push b = a, c = a, d = a;
	static char longest[2 * 2048];

	b.data = STR("{\"endpoint\":\"https://a.example/\"}");
	c.data = STR("{\"endpoint\":\"https://b.example/\"}");
	cr_assert(!mark_eq(mark_of_push(key, &a), mark_of_push(key, &b)));
	cr_assert(!mark_eq(mark_of_push(key, &b), mark_of_push(key, &c)));
	cr_assert(!mark_eq(mark_of_pushkey(key, &a), mark_of_pushkey(key, &b)));
	cr_assert(!mark_eq(mark_of_pushkey(key, &b), mark_of_pushkey(key, &c)));
	d.data = STR("{\"auth\":\"x\"}");
	cr_assert(mark_eq(mark_of_push(key, &a), mark_of_push(key, &d)));
	cr_assert(mark_eq(mark_of_pushkey(key, &a), mark_of_pushkey(key, &d)));
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "{\"endpoint\":\"", 13);
	d.data = str_of(longest, sizeof(longest));
	cr_assert(!mark_eq(mark_of_push(key, &a), mark_of_push(key, &d)));
}

Test(push_seen, knows_what_was_added_and_nothing_else)
{
	struct seen s;

	seen_init(&s, 1000, 100000, 0);
	for (uint64_t i = 0; i < 2000; i += 2)
		cr_assert(seen_add(&s, number(i), 0));
	for (uint64_t i = 0; i < 2000; i++)
		cr_assert_eq(seen_has(&s, number(i)), i % 2 == 0, "%d", (int)i);
	cr_assert_eq(s.count, 1000);
	cr_assert(seen_add(&s, number(0), 0));
	cr_assert_eq(s.count, 1000);
	seen_fini(&s);
}

Test(push_seen, forgets_one_and_finds_the_others)
{
	struct seen s;

	seen_init(&s, 1000, 100000, 0);
	for (uint64_t i = 0; i < 500; i++)
		cr_assert(seen_add(&s, number(i), 0));
	for (uint64_t i = 0; i < 500; i += 3)
		seen_forget(&s, number(i));
	for (uint64_t i = 0; i < 500; i++)
		cr_assert_eq(seen_has(&s, number(i)), i % 3 != 0, "%d", (int)i);
	seen_forget(&s, number(1000));
	cr_assert_eq(s.count, 333);
	seen_fini(&s);
}

Test(push_seen, remembers_for_its_span_and_little_more)
{
	struct seen s;

	seen_init(&s, 1000, 100000, 5000);
	cr_assert(seen_add(&s, number(0), 0));
	seen_pass(&s, 4999); /* a loop's time is that of its turn */
	cr_assert(seen_has(&s, number(0)));
	seen_pass(&s, 5240);
	cr_assert(seen_add(&s, number(1), 0));
	for (clock_ms now = 5240; now <= 6240; now += 10) {
		seen_pass(&s, now);
		cr_assert(seen_has(&s, number(1)), "at %d", (int)now);
	}
	seen_pass(&s, 6600);
	cr_assert(!seen_has(&s, number(1)));
	cr_assert_eq(s.count, 0);
	seen_pass(&s, 1000000); /* a long time without anything */
	cr_assert(seen_add(&s, number(2), 0));
	seen_pass(&s, 1000900);
	cr_assert(seen_has(&s, number(2)));
	seen_fini(&s);
}

Test(push_seen, takes_what_was_put_before_at_its_age)
{
	struct seen s;

	seen_init(&s, 1000, 100000, 5000);
	cr_assert(seen_add(&s, number(1), 900));
	cr_assert(seen_add(&s, number(2), 10000));
	cr_assert(seen_has(&s, number(1)));
	cr_assert(!seen_has(&s, number(2)));
	seen_pass(&s, 5100);
	cr_assert(seen_has(&s, number(1)));
	seen_pass(&s, 5600);
	cr_assert(!seen_has(&s, number(1)));
	seen_fini(&s);
}

Test(push_seen, is_bounded)
{
	struct seen s;

	seen_init(&s, 1000, 100, 0);
	for (uint64_t i = 0; i < 1000; i++) {
		cr_assert(seen_add(&s, number(i), 0));
		cr_assert_leq(s.count, 100);
		cr_assert(seen_has(&s, number(i)));
	}
	seen_fini(&s);
}

Test(push_rejected, holds_until_its_time_is_over)
{
	struct rejected r;

	rejected_init(&r, 60000, 10);
	cr_assert_not_null(rejected_add(&r, number(1), 1000));
	cr_assert(rejected_has(&r, number(1), 0));
	cr_assert(!rejected_has(&r, number(2), 0));
	rejected_pass(&r, 1060);
	cr_assert(rejected_has(&r, number(1), 0));
	rejected_pass(&r, 1061);
	cr_assert(!rejected_has(&r, number(1), 0));
	cr_assert_eq(rejected_count(&r), 0);
	rejected_fini(&r);
}

Test(push_rejected, ends_when_the_pushkey_is_set_again)
{
	struct rejected r;

	rejected_init(&r, 60000, 10);
	cr_assert_not_null(rejected_add(&r, number(1), 1000));
	cr_assert(rejected_has(&r, number(1), 999));
	cr_assert(rejected_has(&r, number(1), 1000));
	cr_assert(!rejected_has(&r, number(1), 1001));
	cr_assert(!rejected_has(&r, number(1), 999), "it stays alive");
	rejected_fini(&r);
}

Test(push_rejected, is_bounded_and_keeps_the_latest)
{
	struct rejected r;

	rejected_init(&r, 60000, 3);
	for (uint64_t i = 0; i < 4; i++)
		cr_assert_not_null(rejected_add(&r, number(i), 1000));
	cr_assert(!rejected_has(&r, number(0), 0));
	cr_assert_not_null(rejected_add(&r, number(1), 1001)); /* again: now it is the latest */
	cr_assert_not_null(rejected_add(&r, number(5), 1001));
	cr_assert(rejected_has(&r, number(1), 0) && !rejected_has(&r, number(2), 0));
	rejected_limit(&r, 60000, 1);
	cr_assert_eq(rejected_count(&r), 1);
	rejected_limit(&r, 60000, 0);
	cr_assert_null(rejected_add(&r, number(6), 1001));
	rejected_fini(&r);
}
