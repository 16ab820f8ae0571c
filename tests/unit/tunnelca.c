/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tunnelca.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fsutil.h"

char tunnelca_folder[] = "/tmp/tunnelca-XXXXXX";
char tunnelca_why[512];

void
tunnelca_open(void)
{
	cr_assert_not_null(mkdtemp(tunnelca_folder));
}

void
tunnelca_wipe(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/ca.pem", tunnelca_folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/ca.key", tunnelca_folder);
	unlink(path);
}

void
tunnelca_close(void)
{
	tunnelca_wipe();
	rmdir(tunnelca_folder);
}

struct str
tunnelca_file(const char *name)
{
	char path[128];
	struct buf b;
	struct str copy;

	snprintf(path, sizeof(path), "%s/%s", tunnelca_folder, name);
	buf_init(&b, 1 << 20);
	cr_assert(fs_read(path, &b) == 0);
	copy = str_z(strndup(buf_str(&b).p, buf_len(&b)));
	buf_fini(&b);
	return copy;
}

struct minter_ca *
tunnelca_load(struct str cert, struct str key)
{
	struct minter_ca *c = minter_ca_load(cert, key, tunnelca_why, sizeof(tunnelca_why));

	free((void *)(uintptr_t)cert.p);
	free((void *)(uintptr_t)key.p);
	return c;
}

struct minter_ca *
tunnelca_make(const struct minter_ca_request *r)
{
	struct minter_ca *c;

	tunnelca_wipe();
	cr_assert(minter_ca_make(tunnelca_folder, r, tunnelca_why, sizeof(tunnelca_why)), "%s",
	    tunnelca_why);
	c = tunnelca_load(tunnelca_file("ca.pem"), tunnelca_file("ca.key"));
	cr_assert_not_null(c, "%s", tunnelca_why);
	return c;
}

struct minter_ca *
tunnelca_usual(void)
{
	return tunnelca_make(&(struct minter_ca_request){
	    .excluded = NAMES("own.example.org", "192.0.2.7"), .n_excluded = 2, .days = 400 });
}
