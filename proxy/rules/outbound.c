/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound - what the X-Matrix headers of our own homeserver say, against whom it contacts
 * (FD-5.2.1.2-8, MSC3383).
 *
 * A header that names a member must not cover a request to somebody else (O-13), and nobody behind
 * this service's credential speaks for another one.
 */
#include "lib/matrix/name.h"
#include "proxy/rules/rules.h"

bool
rule_same_server(struct str a, struct str b)
{
	char normal_a[NAME_MAX_LEN + 1], normal_b[NAME_MAX_LEN + 1];
	struct str name = name_normal(a, normal_a);

	return name.n > 0 && str_eq(name, name_normal(b, normal_b));
}

enum err
rule_outbound(struct judged *j)
{
	enum err err = rule_xmatrix(j);

	if (err != OK) /* a signature that is not Ed25519 is none of a valid key */
		return err == ERR_XMATRIX_KEY ? ERR_OUT_KEY : err;
	if (j->n_auth == 0)
		return ERR_OUT_UNSIGNED;
	if (!str_eq(j->origin, str_z(j->service->server_name)))
		return ERR_OUT_ORIGIN;
	j->signed_for = j->auth[0].destination;
	j->destination_absent = j->signed_for.n == 0;
	if (j->destination_absent)
		return ERR_OUT_DESTINATION;
	if (j->destination.n == 0)
		j->destination = j->signed_for;
	return rule_same_server(j->destination, j->signed_for) ? OK : ERR_OUT_DESTINATION;
}

/* /_matrix/media/<v>/download/{server}/..., of which the oldest version has two segments. */
struct str
rule_media_server(const struct judged *j)
{
	return j->path->text[str_eq(j->path->text[2], STR("api")) ? 5 : 4];
}
