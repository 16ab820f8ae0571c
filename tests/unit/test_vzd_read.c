/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the VZD as they were seen, and as they must not be. */
#include <criterion/criterion.h>

#include "regsvc/vzd_read.h"

static bool
certificates(const char *json, struct str pem[2], size_t *n)
{
	static char buf[512];

	return vzd_read_certificates(str_z(json), buf, pem, 2, n);
}

Test(vzd_read, certificates)
{
	struct str pem[2];
	size_t n;

	cr_assert(
	    certificates("{\"passportSigningCertificates\":[\"a\\n\",\"b\"],\"x\":[1]}", pem, &n));
	cr_assert(n == 2 && str_eq(pem[0], STR("a\n")) && str_eq(pem[1], STR("b")));
	cr_assert(certificates("{\"passportSigningCertificate\":\"a\"}", pem, &n) && n == 1);
	cr_assert(certificates("{\"passportSigningCertificates\":[]}", pem, &n) && n == 0);
	cr_assert(!certificates("{\"passportSigningCertificates\":[\"a\",\"b\",\"c\"]}", pem, &n));
	cr_assert(!certificates("{\"passportSigningCertificates\":[1]}", pem, &n));
	cr_assert(!certificates("{\"other\":[]}", pem, &n));
	cr_assert(!certificates("[]", pem, &n));
	cr_assert(!certificates("{\"passportSigningCertificate\":\"a\"", pem, &n));
}

Test(vzd_read, places)
{
	enum vzd_place p;

	cr_assert(vzd_read_place(STR("\"org\""), &p) && p == VZD_ORG);
	cr_assert(vzd_read_place(STR(" orgPract\r\n"), &p) && p == VZD_ORG_PRACT);
	cr_assert(vzd_read_place(STR("pract"), &p) && p == VZD_PRACT);
	cr_assert(vzd_read_place(STR("none"), &p) && p == VZD_NONE);
	cr_assert(!vzd_read_place(STR(""), &p));
	cr_assert(!vzd_read_place(STR("\""), &p));
	cr_assert(!vzd_read_place(STR("Org"), &p));
	cr_assert(!vzd_read_place(STR("{\"org\":1}"), &p));
}
