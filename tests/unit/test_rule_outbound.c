/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-8, MSC3383, O-13 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#include "tests/unit/judge.h"

static enum err
open_request(struct request *r, const char *target, const char *text)
{
	unsigned char sig[64] = { 1 };
	char encoded[128];
	const struct macro macros[] = { { "$SIG", encoded } };
	char *fields;
	enum err err;

	sodium_bin2base64(encoded, sizeof(encoded), sig, sizeof(sig), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	fields = expand(text, macros, 1);
	err = request_init(r, "GET", "/_matrix/federation/v1/event/e", fields, "");
	r->j.outbound = true;
	r->j.destination = str_z(target);
	r->j.origin = r->j.signed_for = STR_NONE;
	free(fields);
	return err;
}

static const char *
verdict(const char *const *field)
{
	struct request r;
	enum err err = open_request(&r, field[0], field[1]);

	if (err == OK)
		err = rule_outbound(&r.j);
	if (err == OK) {
		cr_assert(str_eq(r.j.origin, STR(US)));
		cr_assert(rule_same_server(r.j.destination, r.j.signed_for));
	}
	request_fini(&r);
	return err_name(err);
}

Test(rule_outbound, judges_every_case)
{
	judge_cases("outbound", verdict);
}

#define SIGNED(destination)                                                                        \
	"Authorization: X-Matrix origin=" US ",destination=" destination ",key=ed25519:1,sig=$SIG"

/* What is contacted is what the target says, what was signed is what the header says. */
Test(rule_outbound, keeps_both_spellings_of_the_destination)
{
	struct request r;

	cr_assert_eq(open_request(&r, THEM, SIGNED("THEM.Example")), OK);
	cr_assert_eq(rule_outbound(&r.j), OK);
	cr_assert(str_eq(r.j.destination, STR(THEM)));
	cr_assert(str_eq(r.j.signed_for, STR("THEM.Example")));
	request_fini(&r);
}

Test(rule_outbound, takes_the_destination_from_the_header_if_the_target_names_none)
{
	struct request r;

	cr_assert_eq(open_request(&r, "", SIGNED(THEM)), OK);
	cr_assert_eq(rule_outbound(&r.j), OK);
	cr_assert(str_eq(r.j.destination, STR(THEM)));
	request_fini(&r);
}

/* What is optional for others is not for our own homeserver. */
Test(rule_outbound, needs_a_destination_whatever_is_asked_of_others)
{
	struct request r;

	cr_assert_eq(open_request(&r, THEM, "Authorization: X-Matrix origin=" US ",key=ed25519:1,sig=$SIG"), OK);
	r.service.destination_optional = true;
	cr_assert_eq(rule_outbound(&r.j), ERR_OUT_DESTINATION);
	cr_assert(r.j.destination_absent);
	request_fini(&r);
}

static void
check_media_server(const char *target, const char *expected)
{
	struct request r;

	cr_assert_eq(request_init(&r, "GET", target, "", ""), OK);
	cr_assert_eq(r.j.route->out, OUT_MEDIA);
	cr_assert(str_eq(rule_media_server(&r.j), str_z(expected)), "%s", target);
	request_fini(&r);
}

/* O-11 */
Test(rule_outbound, finds_the_server_of_a_media_path)
{
	check_media_server("/_matrix/media/v3/download/them.example/abc", THEM);
	check_media_server("/_matrix/media/r0/download/them.example%3A8448/abc/a.pdf?x", THEM ":8448");
	check_media_server("/_matrix/media/v1/thumbnail/them.example/abc?width=1", THEM);
	check_media_server("/_matrix/media/api/v1/download/them.example/abc", THEM);
	check_media_server("/_matrix/media/api/v1/thumbnail/them.example/abc", THEM);
}
