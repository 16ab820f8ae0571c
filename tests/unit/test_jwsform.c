/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "lib/jose/jwsform.h"

static struct jwsform form;

static void
part(size_t i, const char *head, const char *body, const char *sig)
{
	cr_assert(str_eq(form.v[i].head, str_z(head)), STR_FMT, STR_ARG(form.v[i].head));
	cr_assert(str_eq(form.v[i].body, str_z(body)), STR_FMT, STR_ARG(form.v[i].body));
	cr_assert(str_eq(form.v[i].sig, str_z(sig)), STR_FMT, STR_ARG(form.v[i].sig));
}

static enum err
split(const char *text)
{
	return jwsform_split(str_z(text), &form);
}

Test(jwsform, compact)
{
	cr_assert_eq(split("h.p.s"), OK);
	cr_assert_eq(form.n, 1);
	part(0, "h", "p", "s");
	cr_assert_eq(split("h.p"), ERR_JWS_SYNTAX);
	cr_assert_eq(split("h.p.s.t"), ERR_JWS_SYNTAX);
	cr_assert_eq(split(""), ERR_JWS_SYNTAX);
}

Test(jwsform, json_with_several_signatures) /* RFC 7515, 7.2.1; B-5.8.5 */
{
	cr_assert_eq(
	    split("{\"signatures\":[{\"protected\":\"h1\",\"signature\":\"s1\"},"
		  "{\"header\":{\"kid\":\"x\"},\"signature\":\"s2\",\"protected\":\"h2\"}],"
		  "\"payload\":\"p\",\"more\":[1,{}]}"),
	    OK);
	cr_assert_eq(form.n, 2);
	part(0, "h1", "p", "s1");
	part(1, "h2", "p", "s2");
}

Test(jwsform, an_unprotected_algorithm_takes_a_signature_out)
{
	cr_assert_eq(split("{\"payload\":\"p\",\"signatures\":[{\"header\":{\"alg\":\"ES256\"},"
			   "\"protected\":\"h\",\"signature\":\"s\"}]}"),
	    ERR_JWS_ALG);
	cr_assert_eq(split("{\"payload\":\"p\",\"signatures\":[{\"header\":{\"alg\":\"ES256\"},"
			   "\"protected\":\"h\",\"signature\":\"s\"},"
			   "{\"protected\":\"h2\",\"signature\":\"s2\"}]}"),
	    OK);
	cr_assert_eq(form.n, 1);
	part(0, "h2", "p", "s2");
	/* nothing protected at all */
	cr_assert_eq(
	    split("{\"payload\":\"p\",\"signatures\":[{\"signature\":\"s\"}]}"), ERR_JWS_ALG);
	/* the name written differently is the same name */
	cr_assert_eq(split("{\"payload\":\"p\",\"signatures\":[{\"header\":{\"\\u0061lg\":\"x\"},"
			   "\"protected\":\"h\",\"signature\":\"s\"}]}"),
	    ERR_JWS_ALG);
}

Test(jwsform, what_is_malformed_or_twofold_is_refused)
{
	static const char *const bad[] = {
		"{",
		"{}",
		"{\"payload\":\"p\"}",
		"{\"signatures\":[{\"protected\":\"h\",\"signature\":\"s\"}]}",
		"{\"payload\":\"p\",\"payload\":\"q\",\"signatures\":[]}",
		"{\"payload\":\"p\",\"signatures\":[],\"signatures\":[]}",
		"{\"payload\":1,\"signatures\":[]}",
		"{\"payload\":\"\\u0070\",\"signatures\":[]}",
		"{\"payload\":\"p\",\"signatures\":{}}",
		"{\"payload\":\"p\",\"signatures\":[{\"protected\":\"h\",\"protected\":\"h\"}]}",
		"{\"payload\":\"p\",\"signatures\":[{\"protected\":\"h\",\"signature\":\"s\"}]}x",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(split(bad[i]), ERR_JWS_SYNTAX, "%s", bad[i]);
}

Test(jwsform, surplus_signatures_are_left_out)
{
	char text[4096] = "{\"payload\":\"p\",\"signatures\":[";

	for (int i = 0; i < JWSFORM_MAX + 3; i++)
		strcat(text, "{\"protected\":\"h\",\"signature\":\"s\"},");
	text[strlen(text) - 1] = ']';
	strcat(text, "}");
	cr_assert_eq(split(text), OK);
	cr_assert_eq(form.n, JWSFORM_MAX);
}
