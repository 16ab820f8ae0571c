/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/trust/ask.h"

#define REDIRECTS 2

struct fetch *
ask_start(const struct trust_ask *a, const char *url, struct str post, size_t max_bytes,
    void (*fn)(void *arg, const struct fetch_result *r), void *arg)
{
	const char *const fields[] = { a->field };
	const struct fetch_request req = { .url = url,
		.plain = true,
		.fields = fields,
		.n_fields = a->field[0] != '\0',
		.post = post,
		.post_type = "application/ocsp-request",
		.redirects = post.p == NULL ? REDIRECTS : 0,
		.max_bytes = max_bytes,
		.timeout_ms = a->timeout };

	return fetch_start(a->fetcher, &req, fn, arg);
}

enum err
ask_judge(const struct fetch_result *r)
{
	if (r->err != OK)
		return r->err;
	return r->status == 200 && r->body.n > 0 ? OK : ERR_HTTP_ANSWER;
}

void
ask_count(const struct trust_ask *a, enum trust_event event)
{
	if (a->count != NULL)
		a->count(a->arg, event);
}
