/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fsutil.h"

static char folder[64], path[128];

static void
setup(void)
{
	snprintf(folder, sizeof(folder), "%s", "/tmp/fsutil.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static size_t
files(void)
{
	DIR *dir = opendir(folder);
	size_t n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

static void
teardown(void)
{
	unlink(path);
	rmdir(path);
	cr_assert_eq(rmdir(folder), 0, "something was left behind");
}

static void
expect_content(struct str content)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	cr_assert_eq(fs_read(path, &b), 0);
	cr_assert(str_eq(buf_str(&b), content));
	buf_fini(&b);
}

TestSuite(fsutil, .init = setup, .fini = teardown);

Test(fsutil, replaces_a_file_as_a_whole)
{
	struct stat st;
	char big[100000];

	memset(big, 'x', sizeof(big));
	cr_assert_eq(fs_replace(path, STR("old"), 0600), 0);
	expect_content(STR("old"));
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(fs_replace(path, str_of(big, sizeof(big)), 0640), 0);
	expect_content(str_of(big, sizeof(big)));
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0640);
	cr_assert_eq(fs_replace(path, STR_NONE, 0600), 0);
	expect_content(STR(""));
	cr_assert_eq(files(), 1);
}

Test(fsutil, leaves_the_old_state_when_it_cannot_replace)
{
	char deep[200];

	cr_assert_eq(mkdir(path, 0700), 0); /* a folder cannot be replaced by a file */
	cr_assert_eq(fs_replace(path, STR("new"), 0600), -1);
	cr_assert_eq(errno, EISDIR);
	cr_assert_eq(files(), 1);
	snprintf(deep, sizeof(deep), "%s/none/file", folder);
	cr_assert_eq(fs_replace(deep, STR("new"), 0600), -1);
	cr_assert_eq(errno, ENOENT);
}

Test(fsutil, leaves_the_old_file_when_writing_fails)
{
	/* No byte may be written beyond this size: stands for a full disk. */
	cr_assert_eq(fs_replace(path, STR("old"), 0600), 0);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4, 4 }), 0);
	cr_assert_eq(fs_replace(path, STR("new and longer"), 0600), -1);
	cr_assert_eq(errno, EFBIG);
	expect_content(STR("old"));
	cr_assert_eq(files(), 1);
}

Test(fsutil, reads_up_to_the_ceiling)
{
	struct buf b;

	cr_assert_eq(fs_replace(path, STR("0123456789"), 0600), 0);
	buf_init(&b, 10);
	cr_assert_eq(fs_read(path, &b), 0);
	cr_assert(str_eq(buf_str(&b), STR("0123456789")));
	buf_fini(&b);
	buf_init(&b, 9);
	cr_assert_eq(fs_read(path, &b), -1);
	cr_assert_eq(errno, EFBIG);
	buf_fini(&b);
}

Test(fsutil, says_why_it_cannot_read)
{
	struct buf b;

	buf_init(&b, 10);
	cr_assert_eq(fs_read(path, &b), -1);
	cr_assert_eq(errno, ENOENT);
	cr_assert_eq(fs_read(folder, &b), -1);
	cr_assert_eq(errno, EISDIR);
	buf_fini(&b);
}

Test(fsutil, knows_which_files_are_private)
{
	static const struct {
		mode_t mode;
		int private;
	} rows[] = { { 0600, 1 }, { 0400, 1 }, { 0640, 1 }, { 0660, 0 }, { 0604, 0 }, { 0644, 0 },
		{ 0602, 0 } };

	cr_assert_eq(fs_is_private(path), -1);
	cr_assert_eq(fs_replace(path, STR("x"), 0600), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(chmod(path, rows[i].mode), 0);
		cr_assert_eq(fs_is_private(path), rows[i].private, "%o", (unsigned)rows[i].mode);
	}
}
