/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/base/err.h"

Test(err, gives_every_reason_a_name_of_its_own)
{
	for (int a = 0; a < ERR_COUNT; a++) {
		const char *name = err_name((enum err)a);

		/* Names are metrics labels. */
		cr_expect_gt(strlen(name), 0);
		cr_expect_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name),
		    "%s", name);
		for (int b = 0; b < a; b++)
			cr_expect_str_neq(name, err_name((enum err)b));
	}
}

Test(err, has_an_errcode_and_a_text_for_every_answer)
{
	for (int e = OK + 1; e < ERR_COUNT; e++) {
		const struct err_row *r = &err_rows[e];

		cr_expect_gt(strlen(r->text), 0, "%s", r->name);
		/* The text stands in JSON as it is. */
		cr_expect_eq(strcspn(r->text, "\"\\\n"), strlen(r->text), "%s", r->name);
		if (r->status == 0) {
			cr_expect_str_empty(r->errcode, "%s", r->name);
			continue;
		}
		cr_expect(r->status >= 400 && r->status <= 599, "%s", r->name);
		cr_expect_eq(strncmp(r->errcode, "M_", 2), 0, "%s", r->name);
		/* A client that sees this one logs its user out. */
		cr_expect_str_neq(r->errcode, "M_UNKNOWN_TOKEN", "%s", r->name);
	}
}
