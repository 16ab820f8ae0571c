/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a folder: values, several changes at once, crashes, damage. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/store/store_file.h"
#include "lib/store/store_record.h"
#include "tests/unit/lab.h"

static struct loop *loop;
static struct store *store;
static char folder[] = "store.XXXXXX";

static struct {
	unsigned calls, told, states;
	enum err err, state;
	char text[512];
	bool free_store;
} seen;

static void
close_store(void)
{
	store_free(store);
	store = NULL;
}

static void
ended(enum err err)
{
	seen.calls++;
	seen.err = err;
	if (seen.free_store)
		close_store();
}

static void
on_value(void *arg, enum err err, struct str value)
{
	(void)arg;
	snprintf(seen.text, sizeof(seen.text), STR_FMT, STR_ARG(value));
	ended(err);
}

static void
on_done(void *arg, enum err err)
{
	(void)arg;
	ended(err);
}

static void
on_keys(void *arg, enum err err, const struct str *keys, size_t n)
{
	char *at = seen.text;

	(void)arg;
	*at = '\0';
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, STR_FMT " ", STR_ARG(keys[i]));
	ended(err);
}

static void
on_state(void *arg, enum err why)
{
	(void)arg;
	seen.states++;
	seen.state = why;
}

static void
on_told(void *arg)
{
	(void)arg;
	seen.told++;
}

static void
open_store(void)
{
	const struct store_config c = { .value_max = 1000000, .keys_max = 10, .state = on_state };

	store = store_file_open(loop, &c, folder);
	cr_assert_not_null(store);
}

static void
reopen(void)
{
	close_store();
	open_store();
}

static void
setup(void)
{
	cr_assert_not_null(mkdtemp(folder));
	loop = loop_new(NULL);
	open_store();
}

static char *
path_of(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
teardown(void)
{
	DIR *dir;
	struct dirent *e;

	close_store();
	dir = opendir(folder);
	while ((e = readdir(dir)) != NULL)
		unlink(path_of(e->d_name));
	closedir(dir);
	rmdir(folder);
	loop_free(loop);
}

TestSuite(store_file, .init = setup, .fini = teardown);

static enum err
until_done(void)
{
	unsigned before = seen.calls;

	UNTIL(loop, seen.calls > before);
	return seen.err;
}

static enum err
get(const char *key)
{
	cr_assert_not_null(store_get(store, str_z(key), on_value, NULL));
	return until_done();
}

static void
expect(const char *key, const char *value)
{
	cr_assert_eq(get(key), OK, "%s: %s", key, err_name(seen.err));
	cr_assert_str_eq(seen.text, value);
}

static enum err
apply(const struct store_op *ops, size_t n)
{
	unsigned before = seen.calls;

	cr_assert_not_null(store_apply(store, ops, n, STR_NONE, on_done, NULL));
	cr_assert_eq(seen.calls, before, "nobody is called before it returns");
	return until_done();
}

static enum err
set(const char *key, const char *value)
{
	return apply(&(struct store_op){ str_z(key), str_z(value), 0 }, 1);
}

/* --- values --- */

Test(store_file, keeps_values)
{
	cr_assert_eq(get("a"), ERR_NOT_FOUND);
	cr_assert_eq(set("a", "one"), OK);
	expect("a", "one");
	cr_assert_eq(set("a", "two"), OK);
	reopen();
	expect("a", "two");
	cr_assert_eq(set("a", ""), OK);
	cr_assert_eq(get("a"), ERR_NOT_FOUND);
	cr_assert_eq(set("a", ""), OK, "what is not there may be deleted");
}

Test(store_file, keeps_any_bytes_and_many)
{
	size_t n = 1000000;
	char *big = malloc(n + 1);
	const struct store_op op = { STR("big"), { big, n }, 0 };
	const struct store_op bigger = { STR("big"), { big, n + 1 }, 0 };

	for (size_t i = 0; i <= n; i++)
		big[i] = (char)(i * 7);
	cr_assert_eq(apply(&op, 1), OK);
	cr_assert_eq(get("big"), OK);
	cr_assert_null(store_apply(store, &bigger, 1, STR_NONE, on_done, NULL));
	free(big);
}

Test(store_file, takes_plain_names_only)
{
	static const char *const bad[] = { "", ".", "..", ".journal", "a/b", "a b", "../a", "a*", "-a",
		"\xc3\xa4" };
	char longest[STORE_KEY_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_not(store_key_ok(str_z(bad[i])), "%s", bad[i]);
		cr_expect_null(store_get(store, str_z(bad[i]), on_value, NULL));
	}
	memset(longest, 'k', sizeof(longest));
	cr_assert(store_key_ok(str_of(longest, STORE_KEY_MAX)));
	cr_assert_not(store_key_ok(str_of(longest, STORE_KEY_MAX + 1)));
	longest[STORE_KEY_MAX] = '\0';
	cr_assert_eq(set(longest, "x"), OK);
	expect(longest, "x");
}

Test(store_file, lists_keys_in_order)
{
	const struct store_op ops[] = { { STR("client:b"), STR("1"), 0 },
		{ STR("client:a"), STR("1"), 0 }, { STR("list:current"), STR("1"), 0 } };

	cr_assert_eq(apply(ops, 3), OK);
	cr_assert_not_null(store_list(store, STR("client:"), on_keys, NULL));
	cr_assert_eq(until_done(), OK);
	cr_assert_str_eq(seen.text, "client:a client:b ");
	cr_assert_not_null(store_list(store, STR_NONE, on_keys, NULL));
	cr_assert_eq(until_done(), OK);
	cr_assert_str_eq(seen.text, "client:a client:b list:current ");
}

Test(store_file, a_list_is_bounded)
{
	char key[16];

	for (int i = 0; i < 11; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(set(key, "x"), OK);
	}
	cr_assert_not_null(store_list(store, STR("k"), on_keys, NULL));
	cr_assert_eq(until_done(), ERR_TOO_LARGE);
}

Test(store_file, forgets_what_has_expired)
{
	const struct store_op ops[] = { { STR("short"), STR("1"), 1 },
		{ STR("long"), STR("1"), 1000000 } };

	cr_assert_eq(apply(ops, 2), OK);
	lab_pass(loop, 2 * LOOP_TICK_MS);
	cr_assert_eq(get("short"), ERR_NOT_FOUND);
	expect("long", "1");
	reopen();
	cr_assert_neq(access(path_of("short"), F_OK), 0, "and its file goes");
	expect("long", "1");
}

Test(store_file, calls_are_carried_out_in_order)
{
	const struct store_op one = { STR("k"), STR("1"), 0 }, two = { STR("k"), STR("2"), 0 };
	unsigned before = seen.calls;

	cr_assert_not_null(store_apply(store, &one, 1, STR_NONE, on_done, NULL));
	cr_assert_not_null(store_get(store, STR("k"), on_value, NULL));
	cr_assert_not_null(store_apply(store, &two, 1, STR_NONE, on_done, NULL));
	UNTIL(loop, seen.calls == before + 3);
	cr_assert_str_eq(seen.text, "1");
	expect("k", "2");
}

Test(store_file, a_cancelled_call_is_not_told)
{
	struct store_call *c = store_get(store, STR("k"), on_value, NULL);

	store_cancel(c);
	c = store_get(store, STR("k"), on_value, NULL);
	lab_turn(loop); /* under way */
	store_cancel(c);
	cr_assert_eq(set("k", "x"), OK);
	cr_assert_eq(seen.calls, 1);
}

Test(store_file, a_callback_may_free_it)
{
	seen.free_store = true;
	cr_assert_not_null(store_get(store, STR("k"), on_value, NULL));
	cr_assert_not_null(store_get(store, STR("k"), on_value, NULL));
	UNTIL(loop, store == NULL);
	lab_pass(loop, 2 * LOOP_TICK_MS);
	cr_assert_eq(seen.calls, 1);
}

Test(store_file, is_open_once)
{
	const struct store_config c = { .value_max = 1, .keys_max = 1 };

	cr_assert_null(store_file_open(loop, &c, folder));
	cr_assert_eq(store_hold(store), store);
	store_free(store);
	cr_assert_null(store_file_open(loop, &c, folder), "somebody still has it");
	close_store();
	store = store_file_open(loop, &c, folder);
	cr_assert_not_null(store);
}

/* --- watchers, claims --- */

Test(store_file, watchers_are_told)
{
	const struct store_op op = { STR("k"), STR("1"), 0 };
	struct store_watch *w = store_watch(store, STR("lists"), on_told, NULL);
	struct store_watch *other = store_watch(store, STR("others"), on_told, NULL);

	cr_assert(w != NULL && other != NULL);
	UNTIL(loop, seen.told == 2); /* at the beginning */
	cr_assert_not_null(store_apply(store, &op, 1, STR("lists"), on_done, NULL));
	UNTIL(loop, seen.told == 3);
	cr_assert_eq(set("k", "2"), OK);
	store_unwatch(other);
	store_unwatch(w);
	cr_assert_not_null(store_apply(store, &op, 1, STR("lists"), on_done, NULL));
	cr_assert_eq(until_done(), OK);
	lab_turn(loop);
	cr_assert_eq(seen.told, 3);
}

static void
on_held(void *arg, bool held)
{
	*(int *)arg = held ? 1 : -1;
}

Test(store_file, a_claim_is_granted)
{
	int held = 0;
	struct store_claim *c = store_claim(store, STR("fetch"), 1000, on_held, &held);

	cr_assert_not(store_claim_held(c));
	UNTIL(loop, held != 0);
	cr_assert(held == 1 && store_claim_held(c));
	store_claim_release(c);
}

/* --- crashes: what they leave is put there by hand --- */

static void
put_file(const char *name, struct str content)
{
	cr_assert_eq(fs_replace(path_of(name), content, 0600), 0);
}

static void
move(const char *from, const char *to)
{
	char path[300];

	snprintf(path, sizeof(path), "%s", path_of(from));
	cr_assert_eq(rename(path, path_of(to)), 0);
}

static void
put_new(size_t number, const char *key, const char *value)
{
	char head[STORE_RECORD_HEAD_MAX], name[32], text[512];

	head[store_record_head(str_z(key), str_z(value), 0, head)] = '\0';
	snprintf(name, sizeof(name), ".new-%zu", number);
	snprintf(text, sizeof(text), "%s%s", head, value);
	put_file(name, str_z(text));
}

/* set a (0), delete b, set c (2) */
static void
put_journal(const char *name, size_t cut)
{
	struct buf b;
	struct str all;

	buf_init(&b, 4096);
	cr_assert(store_journal_begin(&b) &&
		  store_journal_put(&b, &(struct store_change){ STR("a"), 0, true }) &&
		  store_journal_put(&b, &(struct store_change){ STR("b"), 1, false }) &&
		  store_journal_put(&b, &(struct store_change){ STR("c"), 2, true }) &&
		  store_journal_end(&b));
	all = buf_str(&b);
	cr_assert_lt(cut, all.n);
	all.n -= cut;
	put_file(name, all);
	buf_fini(&b);
}

static void
before_the_crash(void)
{
	cr_assert_eq(set("a", "old"), OK);
	cr_assert_eq(set("b", "old"), OK);
	close_store();
	put_new(0, "a", "new");
	put_new(2, "c", "new");
}

static void
expect_old(void)
{
	open_store();
	expect("a", "old");
	expect("b", "old");
	cr_assert_eq(get("c"), ERR_NOT_FOUND);
}

static void
expect_new(void)
{
	open_store();
	expect("a", "new");
	cr_assert_eq(get("b"), ERR_NOT_FOUND);
	expect("c", "new");
	cr_assert_neq(access(path_of(".journal"), F_OK), 0);
}

static void
expect_clean(void)
{
	cr_assert_neq(access(path_of(".new-0"), F_OK), 0);
	cr_assert_neq(access(path_of(".new-2"), F_OK), 0);
	cr_assert_neq(access(path_of(".new-journal"), F_OK), 0);
	reopen();
}

Test(store_file, a_crash_before_the_journal_leaves_the_old)
{
	before_the_crash();
	put_file(".new-1", STR("half a rec"));
	expect_old();
	expect_clean();
	expect("a", "old");
}

Test(store_file, a_crash_while_the_journal_is_written_leaves_the_old)
{
	before_the_crash();
	put_journal(".new-journal", 20);
	expect_old();
	expect_clean();
}

Test(store_file, a_crash_after_the_journal_brings_the_new)
{
	before_the_crash();
	put_journal(".journal", 0);
	expect_new();
	expect_clean();
	expect("c", "new");
}

Test(store_file, a_crash_amid_the_changes_brings_the_new)
{
	before_the_crash();
	put_journal(".journal", 0);
	move(".new-0", "a");
	expect_new();
	expect_clean();
}

Test(store_file, a_crash_after_the_changes_changes_nothing)
{
	before_the_crash();
	put_journal(".journal", 0);
	open_store();
	close_store();
	put_journal(".journal", 0); /* as if it had not been removed */
	expect_new();
	expect_clean();
}

Test(store_file, a_damaged_journal_is_not_believed)
{
	for (size_t cut = 1; cut < 60; cut += 7) {
		before_the_crash();
		put_journal(".journal", cut);
		expect_old();
		cr_assert_eq(access(path_of(".journal-damaged"), F_OK), 0, "kept to be looked at");
		expect_clean();
	}
}

/* --- damage and failures --- */

static void
spoil(const char *name, off_t at)
{
	int fd = open(path_of(name), O_RDWR);
	char c;

	cr_assert_eq(pread(fd, &c, 1, at), 1);
	c ^= 1;
	cr_assert_eq(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

Test(store_file, a_damaged_value_is_not_believed)
{
	struct stat st;

	cr_assert_eq(set("k", "value"), OK);
	cr_assert_eq(stat(path_of("k"), &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		spoil("k", at);
		cr_assert_eq(get("k"), ERR_STORE_DAMAGED, "byte %ld", (long)at);
		cr_assert_str_empty(seen.text);
		cr_assert_not_null(store_list(store, STR_NONE, on_keys, NULL));
		cr_assert_eq(until_done(), OK);
		cr_assert_str_eq(seen.text, "k ", "nor removed as expired");
		spoil("k", at);
	}
	expect("k", "value");
	cr_assert_eq(truncate(path_of("k"), st.st_size - 1), 0);
	cr_assert_eq(get("k"), ERR_STORE_DAMAGED);
	cr_assert_eq(set("k", "again"), OK);
	expect("k", "again");
	cr_assert_eq(store_state(store), OK, "one file is not the folder");
}

Test(store_file, a_value_under_another_key_is_not_believed)
{
	cr_assert_eq(set("k", "value"), OK);
	move("k", "other");
	cr_assert_eq(get("other"), ERR_STORE_DAMAGED);
}

Test(store_file, a_folder_that_cannot_be_written_is_a_state)
{
	cr_assert_eq(set("k", "old"), OK);
	cr_assert_eq(mkdir(path_of(".new-0"), 0700), 0); /* where the new value goes first */
	cr_assert_eq(set("k", "new"), ERR_FILE);
	UNTIL(loop, seen.state == ERR_FILE);
	expect("k", "old");
	cr_assert_eq(store_state(store), ERR_FILE, "reading does not end it");
	cr_assert_eq(rmdir(path_of(".new-0")), 0);
	UNTIL(loop, seen.state == OK); /* by itself */
	cr_assert_eq(set("k", "new"), OK);
}

Test(store_file, a_decided_change_is_finished_before_anything_is_read)
{
	const struct store_op ops[] = { { STR("a"), STR("new"), 0 }, { STR("b"), STR("new"), 0 } };

	/* A folder in place of b: the second change cannot be made. */
	cr_assert_eq(mkdir(path_of("b"), 0700), 0);
	cr_assert_eq(apply(ops, 2), ERR_FILE);
	cr_assert_eq(get("a"), ERR_FILE, "half of it is not shown");
	cr_assert_eq(store_state(store), ERR_FILE);
	cr_assert_eq(rmdir(path_of("b")), 0);
	expect("a", "new");
	expect("b", "new");
	UNTIL(loop, store_state(store) == OK);
}
