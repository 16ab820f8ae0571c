/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authorization - what the X-Matrix headers say about themselves.
 */
#include "lib/matrix/name.h"
#include "proxy/rules/rules.h"

static enum err
add_header(struct judged *j, struct str value)
{
	struct xmatrix *x = &j->auth[j->n_auth];
	enum err err;

	if (j->n_auth == XMATRIX_MAX_HEADERS)
		return ERR_XMATRIX_SYNTAX;
	err = xmatrix_parse(j->arena, value, x);
	if (err != OK)
		return err;
	/* One header per signing key, but one request has one origin and one destination. */
	if (j->n_auth > 0 && (!str_eq(x->origin, j->auth[0].origin) ||
				 !str_eq(x->destination, j->auth[0].destination)))
		return ERR_XMATRIX_SYNTAX;
	j->n_auth++;
	return OK;
}

enum err
rule_xmatrix(struct judged *j)
{
	const struct h1_field *f;

	j->auth = arena_alloc(j->arena, XMATRIX_MAX_HEADERS * sizeof(*j->auth));
	if (j->auth == NULL)
		return ERR_MEMORY;
	for (f = h1_find(j->req, H1_F_AUTHORIZATION); f != NULL; f = h1_next(j->req, f)) {
		enum err err = xmatrix_is(f->value) ? add_header(j, f->value) : OK;

		if (err != OK)
			return err;
	}
	if (j->n_auth > 0)
		j->origin = j->auth[0].origin;
	return OK;
}

enum err
rule_authorization(struct judged *j)
{
	enum err err = rule_xmatrix(j);
	struct str destination;

	if (err != OK)
		return err;
	if (j->n_auth == 0)
		return ERR_XMATRIX_MISSING;
	j->destination = j->signed_for = str_z(j->service->server_name);
	destination = j->auth[0].destination;
	j->destination_absent = destination.n == 0;
	if (j->destination_absent)
		return j->service->destination_optional ? OK : ERR_XMATRIX_DESTINATION;
	return str_eq(destination, j->destination) ? OK : ERR_XMATRIX_DESTINATION;
}
