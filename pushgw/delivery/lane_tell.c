/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/delivery/lane_tell.h"

#define TELL_MS 60000

static const char *
why(const struct attempt_result *r)
{
	return r->reason[0] != '\0' ? r->reason : r->err != OK ? err_name(r->err) : "no reason";
}

/* Who makes up pushkeys or payloads does not fill the log: one line a minute of each kind. */
static bool
is_due(clock_ms *told_at, clock_ms now)
{
	if (*told_at != 0 && now - *told_at < TELL_MS)
		return false;
	*told_at = now;
	return true;
}

static void
tell_dropped(struct lane *l, const struct attempt_result *r, clock_ms now)
{
	if (!is_due(&l->told_at, now))
		return;
	log_warn(
	    "apps: '%s': %s refuses a push for what it is (status %d, %s); it is given up, its "
	    "pushkey stays; see schleuse_push_lost_total",
	    l->app->id, l->type->name, r->status, why(r));
}

static void
tell_opened(const struct lane *l, const struct attempt_result *r)
{
	const char *id = l->app->id, *name = l->type->name;

	if (!l->type->one_server)
		log_error("apps: '%s': %s: servers answer %d (%s) to too many; no pushkey is "
			  "rejected for it, its pushes are tried again. Look at the app's settings "
			  "(key, contact) and the clock, then reload",
		    id, name, r->status, why(r));
	else if (r->verdict == VERDICT_FAULT)
		log_error(
		    "apps: '%s': stopped: %s refuses the app (status %d, %s); its pushes "
		    "wait, and one after the other is tried. Look at the app's settings (key, "
		    "topic, environment, project), then reload",
		    id, name, r->status, why(r));
	else
		log_error("apps: '%s': stopped: %s calls too many pushkeys wrong (status %d, %s); "
			  "none is rejected for it, pushes wait, and one after the other is tried. "
			  "Look at the app's settings (topic, environment, project), then reload",
		    id, name, r->status, why(r));
}

static const char *
advice(enum err err)
{
	switch (err) {
	case ERR_DNS:
		return "; look at the name servers (lookups.nameservers)";
	case ERR_ADDRESS:
		return "; look at DNS, lookups.hosts and lookups.private_addresses";
	case ERR_TLS:
		return "; look at the clock, the app's certificate, lookups.ca_file and what "
		       "breaks TLS open";
	case ERR_CONNECT:
	case ERR_TIMEOUT:
		return "; look at DNS, the firewall, the route and proxy";
	default:
		return ""; /* theirs to repair */
	}
}

void
lane_tell(struct lane *l, const struct attempt_result *r, enum breaker_event event, clock_ms now)
{
	const char *id = l->app->id, *name = l->type->name;

	log_debug("apps: '%s': attempt: verdict=%s status=%d reason=%s", id,
	    verdict_names[r->verdict], r->status, why(r));
	if (r->verdict == VERDICT_DROP)
		tell_dropped(l, r, now);
	if (event == BREAKER_OPENED) {
		if (r->verdict == VERDICT_FAULT || is_due(&l->opened_at, now)) {
			tell_opened(l, r);
			l->trouble = true;
		}
	} else if (lane_away(l) && !l->trouble) {
		log_warn(
		    "apps: '%s': %s is away (status %d, %s); its pushes wait until it is back%s",
		    id, name, r->status, why(r), advice(r->err));
		l->trouble = true;
	} else if (l->trouble && !l->breaker.open && !lane_away(l)) {
		log_info("apps: '%s': %s works again", id, name);
		l->trouble = false;
	}
}
