/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "proxy/invites.h"

#define DAY ((clock_ms)86400000)

static char dir[] = "invites.XXXXXX";
static struct loop *loop;
static struct invites *invites;

static const char *
path(const char *name)
{
	static char p[PATH_MAX];

	snprintf(p, sizeof(p), "%s/%s", dir, name);
	return p;
}

static void
open_with(size_t max, clock_ms ttl)
{
	const struct invites_config cfg = { .state_dir = dir, .max = max, .ttl = ttl };

	cr_assert_eq(invites_open(loop, &cfg, &invites), OK);
}

static void
setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	loop = loop_new(NULL);
	open_with(5000, DAY);
}

static void
teardown(void)
{
	invites_close(invites);
	loop_free(loop);
	unlink(path("invites.key"));
	unlink(path("invites.log"));
	unlink(path("invites.lock"));
	rmdir(dir);
}

static struct invite_digest
digest(unsigned n)
{
	char room[32];

	snprintf(room, sizeof(room), "!%u:a.example", n);
	return invite_digest(invites_key(invites), STR("b.example"), str_z(room),
	    STR("@a:a.example"), STR("@b:b.example"));
}

static void
note(unsigned n)
{
	struct invite_digest d = digest(n);

	cr_assert_eq(invites_note(invites, &d), OK);
}

static bool
has(unsigned n)
{
	struct invite_digest d = digest(n);

	return invites_has(invites, &d);
}

static off_t
log_size(void)
{
	struct stat st;

	cr_assert_eq(stat(path("invites.log"), &st), 0);
	return st.st_size;
}

static void
restart(void)
{
	invites_close(invites);
	open_with(5000, DAY);
}

TestSuite(invites, .init = setup, .fini = teardown);

/* FD-5.2.1.2-15 */
Test(invites, knows_only_what_was_noted)
{
	note(1);
	cr_assert(has(1));
	cr_assert_not(has(2));
	cr_assert_eq(invites_count(invites), 1);
}

Test(invites, tells_all_four_parts_apart)
{
	const struct invite_key *k = invites_key(invites);
	struct invite_digest d = invite_digest(k, STR("s"), STR("r"), STR("ab"), STR("c"));
	struct invite_digest e = invite_digest(k, STR("s"), STR("r"), STR("a"), STR("bc"));
	struct invite_digest f = invite_digest(k, STR("r"), STR("s"), STR("ab"), STR("c"));

	cr_assert_neq(memcmp(&d, &e, sizeof(d)), 0);
	cr_assert_neq(memcmp(&d, &f, sizeof(d)), 0);
}

Test(invites, remembers_across_a_restart)
{
	note(1);
	note(2);
	restart();
	cr_assert(has(1));
	cr_assert(has(2));
	cr_assert_eq(invites_count(invites), 2);
}

Test(invites, keeps_its_key_to_itself)
{
	cr_assert_eq(fs_is_private(path("invites.key")), 1);
}

Test(invites, drops_a_torn_last_record_and_goes_on)
{
	note(1);
	note(2);
	invites_close(invites);
	cr_assert_eq(truncate(path("invites.log"), log_size() - 5), 0);
	open_with(5000, DAY);
	cr_assert(has(1));
	cr_assert_not(has(2));
	note(3);
	restart();
	cr_assert(has(1));
	cr_assert(has(3));
}

Test(invites, does_not_believe_a_changed_record)
{
	int fd;

	note(1);
	invites_close(invites);
	fd = open(path("invites.log"), O_WRONLY);
	cr_assert_eq(pwrite(fd, "x", 1, 20), 1);
	close(fd);
	open_with(5000, DAY);
	cr_assert_eq(invites_count(invites), 0);
}

Test(invites, forgets_the_oldest_beyond_the_maximum)
{
	invites_close(invites);
	open_with(2, DAY);
	note(1);
	note(2);
	note(1); /* renewed */
	note(3);
	cr_assert(has(1));
	cr_assert_not(has(2));
	cr_assert(has(3));
}

Test(invites, forgets_after_its_lifetime)
{
	note(1);
	invites_set_limits(invites, 5000, 0);
	cr_assert_not(has(1));
	cr_assert_eq(invites_count(invites), 0);
}

Test(invites, keeps_the_log_in_proportion)
{
	for (unsigned i = 0; i < 5000; i++)
		note(i % 10);
	cr_assert_leq(log_size(), 1024 * 32);
	restart();
	cr_assert_eq(invites_count(invites), 10);
}

Test(invites, starts_anew_when_the_key_was_lost)
{
	note(1);
	invites_close(invites);
	unlink(path("invites.key"));
	open_with(5000, DAY);
	cr_assert_eq(invites_count(invites), 0);
	note(2);
	restart();
	cr_assert(has(2));
}

/* As during a hand-over. */
Test(invites, two_processes_find_what_the_other_one_noted)
{
	struct invites *old = invites, *new;

	note(1);
	open_with(5000, DAY);
	new = invites;
	cr_assert(has(1));
	note(2);
	invites = old;
	cr_assert(has(2));
	note(3);
	for (unsigned i = 0; i < 3000; i++) /* would be written anew if it were alone */
		note(3);
	invites = new;
	cr_assert(has(3));
	invites_close(old);
	for (unsigned i = 0; i < 3000; i++)
		note(4);
	cr_assert_leq(log_size(), 1024 * 32);
	restart();
	for (unsigned i = 1; i <= 4; i++)
		cr_assert(has(i), "%u", i);
}

Test(invites, works_without_a_state_directory)
{
	const struct invites_config cfg = { .max = 10, .ttl = DAY };
	struct invites *v;
	struct invite_digest d;

	cr_assert_eq(invites_open(loop, &cfg, &v), OK);
	d = invite_digest(invites_key(v), STR("s"), STR("r"), STR("a"), STR("b"));
	cr_assert_eq(invites_note(v, &d), OK);
	cr_assert(invites_has(v, &d));
	invites_close(v);
}
