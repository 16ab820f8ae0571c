/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/api.h"

#include <stdlib.h>

#include "regsvc/problem.h"

struct api {
	struct loop *loop;
	struct parts *parts;
};

struct api *
api_new(struct loop *loop, struct parts *parts)
{
	struct api *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->parts = parts;
	return a;
}

void
api_free(struct api *a)
{
	free(a);
}

void
api_request(struct api *a, struct exchange *ex, enum err bad)
{
	struct str path, query;

	str_cut(ex->req.target, '?', &path, &query);
	if (bad == OK && ex->req.method == H1_POST && str_eq(path, STR("/token"))) {
		auth_token(a->parts->auth, ex);
		return;
	}
	problem_answer(ex, bad != OK ? bad : ERR_UNRECOGNIZED, STR_NONE);
}
