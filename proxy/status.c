/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status - what the admin listener says about the process: what is missing, and its gauges.
 */
#include "lib/net/minter.h"
#include "proxy/control_int.h"
#include "proxy/series.h"

void
status_missing(void *arg, struct buf *out)
{
	struct control *c = arg;
	int64_t now = clock_wall_s();
	bool ok = !c->draining || buf_printf(out, "draining\n");

	for (size_t i = 0; ok && i < c->out.n_links; i++) {
		const struct federation_conf *fc = &c->conf->federations[i];
		struct fedstore *s = c->out.links[i].store;
		int64_t age = now - fedstore_as_of(s), end;

		if (fedstore_list(s) == NULL) {
			ok = buf_printf(out, "federation %s: %s\n", fc->name,
			    fedstore_signer(s) != NULL ? "the signer of the list is not trusted"
						       : "no valid list");
			continue;
		}
		if (fedsource_state(c->out.links[i].source).outdated) {
			ok = buf_printf(out,
			    "federation %s: list is outdated at the registration service\n",
			    fc->name);
			continue;
		}
		end = fedlist_not_after(fedstore_list(s));
		if (age > (int64_t)(fc->list_ttl / 1000) || (end != 0 && now > end))
			ok = buf_printf(out, "federation %s: list is outdated (%lld s old)\n",
			    fc->name, (long long)age);
	}
}

static void
refresh_federations(struct control *c)
{
	int64_t outdated = 0, down = 0, links = 0, held = 0;

	for (size_t i = 0; i < c->out.n_links; i++) {
		const struct fedlink *l = &c->out.links[i];
		struct fedsource_state st = fedsource_state(l->source);

		metrics_set(S_LIST_VERSION, st.version);
		metrics_set(S_LIST_ENTRIES, (int64_t)st.count);
		metrics_set(S_LIST_AS_OF, st.as_of);
		outdated += st.outdated;
		links += l->watch != NULL;
		down += l->watch != NULL && !regwatch_up(l->watch);
		held += l->certs != NULL ? (int64_t)regcerts_count(l->certs) : 0;
	}
	metrics_set(S_REGSVC_UP, links > 0 && down == 0);
	metrics_set(S_REGSVC_OUTDATED, outdated);
	metrics_set(S_REGSVC_CERTIFICATES, held);
}

void
status_refresh(void *arg)
{
	struct control *c = arg;
	int64_t ends = 0;

	for (size_t i = 0; i < c->conf->n_services; i++)
		if (ends == 0 || c->conf->services[i].certificate_not_after < ends)
			ends = c->conf->services[i].certificate_not_after;
	metrics_set(S_CERTIFICATE_NOT_AFTER, ends);
	metrics_set(S_OUTBOUND_CA_NOT_AFTER,
	    c->conf->forward.ca != NULL ? minter_ca_not_after(c->conf->forward.ca) : 0);
	metrics_set(S_INVITES_HELD, (int64_t)invites_count(c->invites));
	refresh_federations(c);
}

bool
status_more(void *arg, struct buf *out)
{
	struct control *c = arg;

	return health_print(c->out.health, out);
}
