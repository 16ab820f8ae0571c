/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tell - what the control thread hears it tells all workers.
 */
#include "proxy/control_int.h"

/* --- federation lists --- */

void
control_on_list(void *arg, size_t federation, const struct fedlist *list, int64_t as_of)
{
	struct control *c = arg;

	/* Sources look from the loop, so one of a configuration not yet in force, which numbers its
	 * federations its own way, never gets here: adopt() comes first. */
	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_list(c->workers[i], federation, list, as_of))
			log_error("federation %s: out of memory; a worker keeps its old list",
			    c->conf->federations[federation].name);
}

void
control_on_passports(void *arg, size_t federation, struct passport_trust *trust)
{
	struct control *c = arg;

	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_passports(c->workers[i], federation, trust))
			log_error("federation %s: out of memory; a worker keeps its old PASSporT "
				  "certificates",
			    c->conf->federations[federation].name);
}

/* --- health of upstreams --- */

void
control_on_health(void *arg, size_t number, bool up)
{
	struct control *c = arg;

	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_health(c->workers[i], c->conf, number, up))
			log_error("upstreams: out of memory; a worker does not know which is down");
}

/* --- tickets --- */

void
control_on_tickets(void *arg, struct tls_tickets *now)
{
	struct control *c = arg;

	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_tickets(c->workers[i], now))
			log_warn("tls: a worker keeps its old ticket keys: out of memory");
}

void
control_on_staples(void *arg, struct tls_staples *now)
{
	struct control *c = arg;

	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_staples(c->workers[i], now))
			log_warn("tls: a worker keeps its old OCSP responses: out of memory");
}
