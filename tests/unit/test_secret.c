/* SPDX-License-Identifier: Apache-2.0 */
/* Where the client secret comes from (ML-123622). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "regsvc/secret.h"

static struct buf out;
static char file[64]; /* tests run beside each other */

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static void
setup(void)
{
	buf_init(&out, SECRET_MAX);
	snprintf(file, sizeof(file), "test_secret.%d", (int)getpid());
}

static void
teardown(void)
{
	secret_wipe(&out);
	unlink(file);
	buf_drop_cache();
}

TestSuite(secret, .init = setup, .fini = teardown);

static enum err
read_from(struct secret_source from)
{
	return secret_read(&from, &out);
}

Test(secret, a_file_without_its_line_break)
{
	write_file(file, " s e\n\r\n");
	cr_assert_eq(read_from((struct secret_source){ .file = file }), OK);
	cr_assert(str_eq(buf_str(&out), STR(" s e")));
}

Test(secret, nothing_is_no_secret)
{
	write_file(file, "\n");
	cr_assert_eq(read_from((struct secret_source){ .file = file }), ERR_SECRET);
	cr_assert_eq(read_from((struct secret_source){ .file = "none" }), ERR_SECRET);
}

Test(secret, a_systemd_credential)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	write_file(file, "s");
	cr_assert_eq(read_from((struct secret_source){ .credential = file }), ERR_SECRET);
	setenv("CREDENTIALS_DIRECTORY", ".", 1);
	cr_assert_eq(read_from((struct secret_source){ .credential = file }), OK);
	cr_assert(str_eq(buf_str(&out), STR("s")));
}

Test(secret, a_module_that_is_not_there)
{
	cr_assert_eq(read_from((struct secret_source){
			 .pkcs11_uri = "pkcs11:token=t", .pkcs11_module = "/nonexistent.so" }),
	    ERR_SECRET);
}

Test(secret, uris)
{
	cr_assert_null(secret_uri_fault("pkcs11:token=vzd;object=secret;type=data"));
	cr_assert_not_null(secret_uri_fault("file:secret"));
	cr_assert_not_null(secret_uri_fault("pkcs11:token=vzd;colour=blue"));
	cr_assert_not_null(secret_uri_fault("pkcs11:token=vzd?pin-value=1234"));
}
