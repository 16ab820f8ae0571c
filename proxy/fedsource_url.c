/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsource_url - a URL is fetched at every interval, with the ETag of what is held.
 */
#include "proxy/fedsource_int.h"

/* What an answer means that brings no list. */
static enum err
err_of(struct fedsource *s, const struct fetch_result *r)
{
	if (r->err != OK)
		return r->err;
	/* "Not modified" confirms what we have; without any there is nothing to confirm. */
	if ((r->status == 204 || r->status == 304) && fedstore_list(s->cfg.store) != NULL)
		return OK;
	return ERR_HTTP_ANSWER;
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct fedsource *s = arg;
	struct buf body;

	s->fetch = NULL;
	if (r->err != OK || r->status != 200 || r->body.n == 0) {
		fedsource_settle(s, err_of(s, r), clock_wall_s(), r->status);
		return;
	}
	fetch_take_body(r, &body);
	fedsource_offer(s, &body, clock_wall_s(), r->status, r->etag);
}

static void
look(struct fedsource *s)
{
	const struct fetch_request req = { .url = s->url,
		.anchors = s->cfg.anchors,
		.if_none_match =
		    s->etag[0] != '\0' && fedstore_list(s->cfg.store) != NULL ? s->etag : NULL,
		.max_bytes = s->cfg.max_bytes,
		.timeout_ms = s->cfg.timeout };

	s->fetch = fetch_start(s->cfg.fetcher, &req, on_answer, s);
	if (s->fetch == NULL)
		fedsource_settle(s, ERR_MEMORY, 0, 0);
}

static void
cancel(struct fedsource *s)
{
	fetch_cancel(s->fetch);
	s->fetch = NULL;
}

const struct fedsource_kind fedsource_by_url = {
	.look = look,
	.cancel = cancel,
	.retry = FEDSOURCE_RETRY_MS,
};
