/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/wellknown.h"

#include "proxy/refusal.h"

const struct document *
wellknown_document(const struct service_conf *s, const struct route *route)
{
	return &s->well_known.documents[route->document];
}

void
wellknown_answer(struct exchange *ex, const struct document *d)
{
	bool question = ex->req.method == H1_OPTIONS; /* of a browser, before it asks for more */

	exchange_answer(ex, 200, "application/json", question ? STR(REFUSAL_CORS) : d->fields,
	    question ? STR_NONE : d->body);
}
