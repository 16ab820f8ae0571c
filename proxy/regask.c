/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/regask.h"
#include "lib/base/percent.h"

#include <stdlib.h>

#include "lib/jose/claims.h"

struct regask {
	struct regcall *call;
	void (*fn)(void *arg, enum err err, bool known);
	void *arg;
};

static enum err
read_answer(const struct fetch_result *r, bool *known)
{
	struct claims *body;
	const struct claims *list;
	bool good;

	*known = false;
	if (r->err != OK)
		return r->err;
	if (r->status == 404)
		return OK;
	body = r->status == 200 ? claims_read_object(r->body) : NULL;
	list = claims_get(body, "certificates");
	good = claims_is_array(list);
	*known = good && claims_elements(list) > 0;
	claims_free(body);
	return good ? OK : ERR_HTTP_ANSWER;
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct regask *a = arg;
	bool known;
	enum err err = read_answer(r, &known);

	a->fn(a->arg, err, known);
	free(a);
}

static bool
is_url(struct str s)
{
	if (s.n > REGASK_URL_MAX || !str_has_prefix(s, STR("https://")))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

struct regask *
regask_start(
    struct regclient *c, struct str x5u, void (*fn)(void *arg, enum err err, bool known), void *arg)
{
	struct regask *a = is_url(x5u) ? calloc(1, sizeof(*a)) : NULL;
	struct buf path;

	if (a == NULL)
		return NULL;
	a->fn = fn;
	a->arg = arg;
	buf_init(&path, REGURL_MAX);
	if (buf_put(&path, STR("passport-certificates?x5u=")) && percent_put(&path, x5u) &&
	    buf_put(&path, str_of("", 1))) {
		const struct regcall_request req = { .path = buf_str(&path).p,
			.max_bytes = CLAIMS_MAX };

		a->call = regclient_get(c, &req, on_answer, a);
	}
	buf_fini(&path);
	if (a->call != NULL)
		return a;
	free(a);
	return NULL;
}

void
regask_cancel(struct regask *a)
{
	if (a == NULL)
		return;
	regcall_cancel(a->call);
	free(a);
}
