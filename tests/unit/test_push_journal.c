/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal after crashes and damage: what was answered is there, what can be read is delivered,
 * and segments that are not needed go.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "pushgw/queue/journal_record.h"
#include "tests/unit/queuelab.h"

TestSuite(push_journal, .init = queuelab_setup, .fini = queuelab_teardown);

#define PUSHES 4 /* of most tests: $0 to $3, each with a pushkey of its own */

static const char *
event_of(unsigned i)
{
	static char text[16];

	snprintf(text, sizeof(text), "$%u", i);
	return text;
}

static void
put_some(void)
{
	for (unsigned i = 0; i < PUSHES; i++) {
		cr_assert_eq(queuelab_put("a", event_of(i), event_of(i)), OK);
		cr_assert_eq(qlab.of[0], DELAYQ_QUEUED);
	}
}

/* The first segment, while the queue is closed. */
static struct str
segment(void)
{
	static char room[65536];
	struct buf b;

	buf_init(&b, sizeof(room));
	cr_assert_eq(fs_read(queuelab_path(queuelab_segment(0)), &b), 0);
	memcpy(room, buf_str(&b).p, buf_len(&b));
	struct str s = str_of(room, buf_len(&b));
	buf_fini(&b);
	return s;
}

static void
replace_segment(struct str content)
{
	cr_assert_eq(fs_replace(queuelab_path(queuelab_segment(0)), content, 0600), 0);
}

static void
remove_segments(void)
{
	while (queuelab_segment(0)[0] != '\0')
		cr_assert_eq(unlink(queuelab_path(queuelab_segment(0))), 0);
}

/* Where the records of the pushes are. */
static void
find_pushes(struct str s, struct journal_record at[PUSHES])
{
	struct journal_record r;
	size_t pos = 0, n = 0;

	while (journal_next(s, 1, &pos, &r))
		if (r.what == JOURNAL_ADD)
			at[n++] = r;
	cr_assert_eq(n, PUSHES);
}

/* Those with a bit are handed out, once each, and no others. */
static void
expect(unsigned bits)
{
	unsigned seen = 0;

	lab_pass(qlab.loop, LOOP_TICK_MS);
	LIST_FOR(node, &qlab.jobs) {
		const struct push *p = &LIST_ENTRY(node, struct delayq_job, node)->push;
		unsigned bit;

		cr_assert(str_eq(p->event_id, p->pushkey) && p->event_id.n == 2);
		bit = 1U << (p->event_id.p[1] - '0');
		cr_assert_eq(seen & bit, 0);
		seen |= bit;
	}
	cr_assert_eq(seen, bits, "%x instead of %x", seen, bits);
}

/* --- crash points --- */

Test(push_journal, a_torn_tail_is_cut_off_at_whatever_byte)
{
	struct journal_record at[PUSHES];
	struct str whole;
	struct stat st;
	char name[64];

	put_some();
	queuelab_close();
	whole = segment();
	find_pushes(whole, at);
	snprintf(name, sizeof(name), "%s", queuelab_segment(0));
	for (size_t n = at[PUSHES - 2].at; n < whole.n; n++) {
		unsigned bits = n < at[2].end ? 3 : n < at[3].end ? 7 : 15;

		replace_segment(str_of(whole.p, n));
		queuelab_open();
		cr_assert_eq(queuelab_gauges().count, (uint64_t)__builtin_popcount(bits), "%zu", n);
		cr_assert_eq(stat(queuelab_path(name), &st), 0);
		cr_assert_eq((size_t)st.st_size, n < at[2].end   ? at[1].end
						 : n < at[3].end ? at[2].end
								 : n);
		queuelab_close();
	}
	replace_segment(whole);
	queuelab_open();
	expect(15);
}

Test(push_journal, what_was_put_after_a_torn_tail_is_kept)
{
	struct journal_record at[PUSHES];
	struct str whole;

	put_some();
	queuelab_close();
	whole = segment();
	find_pushes(whole, at);
	replace_segment(str_of(whole.p, at[3].end - 1));
	queuelab_open();
	cr_assert_eq(queuelab_put("a", "$3", "$3"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_QUEUED, "it was not answered, so it is put again");
	queuelab_reopen();
	expect(15);
}

/* --- damage --- */

Test(push_journal, a_flipped_byte_costs_one_record)
{
	struct journal_record at[PUSHES];
	struct str whole;
	char *copy;

	put_some();
	queuelab_close();
	whole = segment();
	find_pushes(whole, at);
	copy = malloc(whole.n);
	for (size_t i = at[1].at; i < at[1].end; i++) {
		memcpy(copy, whole.p, whole.n);
		copy[i] ^= 0x10;
		replace_segment(str_of(copy, whole.n));
		queuelab_open();
		cr_assert_eq(queuelab_gauges().count, 3, "byte %zu", i);
		if (i % 16 == 0)
			expect(13);
		queuelab_close();
	}
	free(copy);
	queuelab_open();
}

Test(push_journal, reads_on_after_a_hole)
{
	struct journal_record at[PUSHES];
	struct str whole;
	char *copy;

	put_some();
	queuelab_close();
	whole = segment();
	find_pushes(whole, at);
	copy = calloc(1, whole.n);
	memcpy(copy + at[2].at, whole.p + at[2].at, whole.n - at[2].at); /* the head is gone, too */
	replace_segment(str_of(copy, whole.n));
	free(copy);
	queuelab_open();
	expect(12);
}

Test(push_journal, a_segment_with_another_name_is_not_believed)
{
	char other[300];

	put_some();
	queuelab_close();
	snprintf(other, sizeof(other), "%s/00000009.pushes", qlab.folder);
	cr_assert_eq(rename(queuelab_path(queuelab_segment(0)), other), 0);
	queuelab_open();
	expect(0);
}

/* --- segments --- */

static void
keep(clock_ms ms)
{
	qlab.cfg.limits.duplicates = ms;
	cr_assert(delayq_adopt(qlab.q, &qlab.cfg));
}

static void
deliver_all(unsigned n)
{
	UNTIL(qlab.loop, qlab.n_jobs == n);
	while (!list_empty(&qlab.jobs)) {
		struct delayq_job *job =
		    LIST_ENTRY(list_first(&qlab.jobs), struct delayq_job, node);

		list_remove(&job->node);
		queuelab_finish(job);
	}
}

Test(push_journal, what_is_done_with_goes_from_the_disk)
{
	put_some();
	cr_assert_gt(queuelab_gauges().disk, 0);
	keep(0);
	deliver_all(PUSHES);
	UNTIL(qlab.loop, queuelab_gauges().disk == 0);
	cr_assert_str_empty(queuelab_segment(0));
	lab_pass(qlab.loop, 10); /* they are no repeated ones any more */
	put_some();
	queuelab_reopen();
	expect(15);
}

Test(push_journal, what_is_put_off_for_long_does_not_pin_what_was_put_with_it)
{
	static char bulk[100000];
	struct push p = queuelab_push("a", "long", "$long");
	struct delayq_job *job;
	char first[64];

	keep(0);
	queuelab_begin(&p, 1);
	job = queuelab_next("$long");
	snprintf(first, sizeof(first), "%s", queuelab_segment(0));
	delayq_later(qlab.q, job, 1000000);
	qlab.n_jobs = 0;
	memset(bulk, 'c', sizeof(bulk));
	for (unsigned i = 0; i < 400; i++) { /* 40 MB */
		p = queuelab_push("a", "short", event_of(i));
		p.ciphertext = str_of(bulk, sizeof(bulk));
		queuelab_begin(&p, 1);
		queuelab_deliver(event_of(i));
	}
	UNTIL(qlab.loop, access(queuelab_path(first), F_OK) != 0);
	cr_assert_lt(queuelab_gauges().disk, 40000000);
	qlab.n_jobs = 0;
	queuelab_reopen();
	job = queuelab_next("$long");
	cr_assert(str_eq(job->push.pushkey, STR("long")));
	queuelab_nothing();
}

Test(push_journal, keeps_the_order_of_what_was_written_again)
{
	static char bulk[100000];
	struct push p;
	char segment[64];

	qlab.room[1] = 0;
	cr_assert_eq(queuelab_put("b", "key", "$first"), OK);
	snprintf(segment, sizeof(segment), "%s", queuelab_segment(0));
	memset(bulk, 'c', sizeof(bulk));
	for (unsigned i = 0; queuelab_segment(1)[0] == '\0'; i++) {
		p = queuelab_push("a", "short", event_of(i));
		p.ciphertext = str_of(bulk, sizeof(bulk));
		queuelab_begin(&p, 1);
		queuelab_deliver(event_of(i));
	}
	cr_assert_eq(queuelab_put("b", "key", "$second"), OK);
	keep(0);
	cr_assert_eq(queuelab_put("b", "key", "$third"), OK); /* with it goes $first */
	UNTIL(qlab.loop, access(queuelab_path(segment), F_OK) != 0);
	qlab.room[1] = 1;
	queuelab_reopen();
	queuelab_deliver("$first");
	queuelab_deliver("$second");
	queuelab_deliver("$third");
}

Test(push_journal, rejected_pushkeys_outlive_their_segment)
{
	char first[64];

	keep(0);
	cr_assert_eq(queuelab_put("a", "dead", "$1"), OK);
	snprintf(first, sizeof(first), "%s", queuelab_segment(0));
	cr_assert_eq(delayq_finish(qlab.q, queuelab_next("$1"), true), 0);
	queuelab_reopen();
	cr_assert_eq(queuelab_put("a", "other", "$1"), OK); /* begins another segment */
	UNTIL(qlab.loop, access(queuelab_path(first), F_OK) != 0);
	queuelab_reopen();
	cr_assert_eq(queuelab_put("a", "dead", "$2"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_REJECTED);
}

Test(push_journal, forgets_rejected_pushkeys_with_its_files)
{
	cr_assert_eq(queuelab_put("a", "dead", "$1"), OK);
	cr_assert_eq(delayq_finish(qlab.q, queuelab_next("$1"), true), 0);
	queuelab_close();
	remove_segments();
	queuelab_open();
	cr_assert_eq(queuelab_put("a", "dead", "$2"), OK);
	cr_assert_eq(qlab.of[0], DELAYQ_QUEUED);
}

/* --- a disk that does not keep what it took --- */

static void
set_sync(enum fsync_policy policy)
{
	qlab.conf.fsync = policy;
	qlab.conf.fsync_interval = 1;
	delayq_file_set_sync(qlab.q, &qlab.conf);
}

Test(push_journal, answers_nothing_that_could_not_be_synced)
{
	set_sync(FSYNC_ALWAYS);
	cr_assert_eq(queuelab_put("a", "$0", "$0"), OK);
	queuelab_sync_fails = true;
	cr_assert_eq(queuelab_put("a", "$1", "$1"), ERR_FILE);
	cr_assert_eq(queuelab_put("a", "$2", "$2"), ERR_FILE);
	queuelab_sync_fails = false;
	UNTIL(qlab.loop, qlab.state == OK);
	cr_assert_eq(queuelab_put("a", "$3", "$3"), OK);
	queuelab_reopen();
	expect(9);
}

Test(push_journal, writes_again_what_the_disk_may_have_lost)
{
	char first[64];

	set_sync(FSYNC_INTERVAL);
	put_some();
	snprintf(first, sizeof(first), "%s", queuelab_segment(0));
	queuelab_sync_fails = true;
	cr_assert_eq(queuelab_put("b", "4", "$4"), OK);
	lab_pass(qlab.loop, 4 * LOOP_TICK_MS); /* it is synced meanwhile, in vain */
	queuelab_sync_fails = false;
	cr_assert_eq(queuelab_put("b", "5", "$5"), OK);
	UNTIL(qlab.loop, queuelab_gauges().in_hand == 6);
	lab_pass(qlab.loop, 4 * LOOP_TICK_MS);
	queuelab_close();
	cr_assert_eq(truncate(queuelab_path(first), 0), 0); /* as it might be after a power cut */
	queuelab_open();
	cr_assert_eq(queuelab_gauges().count, 6);
}

/* --- somebody removes its files --- */

Test(push_journal, accepts_nothing_into_a_file_that_was_removed)
{
	put_some();
	remove_segments();
	cr_assert_eq(queuelab_put("a", "$4", "$4"), ERR_FILE);
	UNTIL(qlab.loop, qlab.state == OK);
	lab_pass(qlab.loop, 4 * LOOP_TICK_MS); /* the others are written again */
	cr_assert_eq(queuelab_put("a", "$5", "$5"), OK);
	queuelab_reopen();
	expect(0x2f);
}

Test(push_journal, makes_a_folder_that_was_removed_again)
{
	put_some();
	remove_segments();
	cr_assert_eq(unlink(queuelab_path(".lock")), 0);
	cr_assert_eq(rmdir(qlab.folder), 0);
	cr_assert_eq(queuelab_put("a", "$4", "$4"), ERR_FILE);
	UNTIL(qlab.loop, qlab.state == OK);
	lab_pass(qlab.loop, 4 * LOOP_TICK_MS);
	cr_assert_eq(queuelab_put("a", "$5", "$5"), OK);
	cr_assert_null(delayq_file_open(qlab.loop, qlab.folder, &qlab.conf, &qlab.cfg));
	queuelab_reopen();
	expect(0x2f);
}
