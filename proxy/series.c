/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/series.h"

#include <stdio.h>

static const char *const apis[] = { "client", "federation", "key", "admin", "internal", "none" };
static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

static struct metric_row rows[S_COUNT] = {
	[S_CONNECTIONS_OPENED] = { "schleuse_connections_opened_total", "", METRIC_COUNTER,
	    "Connections accepted" },
	[S_CONNECTIONS_CLOSED] = { "schleuse_connections_closed_total", "", METRIC_COUNTER,
	    "Connections closed" },
	[S_CONNECTIONS_REFUSED] = { "schleuse_connections_refused_total", "", METRIC_COUNTER,
	    "Connections closed at once because limits.connections_max was reached" },
	[S_HANDSHAKES_FAILED] = { "schleuse_tls_handshakes_failed_total", "", METRIC_COUNTER,
	    "TLS handshakes that failed" },
	[S_HANDSHAKES_SLOW] = { "schleuse_tls_handshakes_slow_total", "", METRIC_COUNTER,
	    "TLS handshakes cut by timeouts.handshake" },
	[S_HEADS_SLOW] = { "schleuse_heads_slow_total", "", METRIC_COUNTER,
	    "Request heads cut by timeouts.head" },
	[S_IDLE_CLOSED] = { "schleuse_connections_idle_closed_total", "", METRIC_COUNTER,
	    "Connections closed by timeouts.idle" },
	[S_REQUEST_BYTES] = { "schleuse_request_body_bytes_total", "", METRIC_COUNTER,
	    "Request body bytes received" },
	[S_RESPONSE_BYTES] = { "schleuse_response_body_bytes_total", "", METRIC_COUNTER,
	    "Response body bytes sent" },
	[S_DESTINATION_ABSENT] = { "schleuse_xmatrix_destination_absent_total", "", METRIC_COUNTER,
	    "Federation requests whose X-Matrix header names no destination" },
	[S_RULE_LOGGED_INVITE] = { "schleuse_rule_logged_total", "rule=\"invite\"", METRIC_COUNTER,
	    "Requests let through although a rule in mode log would refuse them" },
	[S_RULE_LOGGED_DISPLAYNAME] = { "schleuse_rule_logged_total", "rule=\"displayname\"",
	    METRIC_COUNTER, "Requests let through although a rule in mode log would refuse them" },
	[S_UPSTREAM_RETRIES] = { "schleuse_upstream_retries_total", "", METRIC_COUNTER,
	    "Requests sent again because a reused homeserver connection had closed" },
	[S_KEYS_HIT] = { "schleuse_fact_lookups_total", "fact=\"keys\",outcome=\"hit\"",
	    METRIC_COUNTER, "Facts a worker needed, by outcome" },
	[S_KEYS_MISS] = { "schleuse_fact_lookups_total", "fact=\"keys\",outcome=\"miss\"",
	    METRIC_COUNTER, "Facts a worker needed, by outcome" },
	[S_ACCOUNTS_HIT] = { "schleuse_fact_lookups_total", "fact=\"accounts\",outcome=\"hit\"",
	    METRIC_COUNTER, "Facts a worker needed, by outcome" },
	[S_ACCOUNTS_MISS] = { "schleuse_fact_lookups_total", "fact=\"accounts\",outcome=\"miss\"",
	    METRIC_COUNTER, "Facts a worker needed, by outcome" },
	[S_INVITES_HELD] = { "schleuse_invites_held", "", METRIC_GAUGE,
	    "Accepted invites remembered" },
	[S_LIST_VERSION] = { "schleuse_federation_list_version", "", METRIC_GAUGE,
	    "Version of the federation list in force (the last one loaded, if there are several "
	    "federations)" },
	[S_LIST_ENTRIES] = { "schleuse_federation_list_entries", "", METRIC_GAUGE,
	    "Entries of the federation list in force" },
	[S_LIST_AS_OF] = { "schleuse_federation_list_as_of_seconds", "", METRIC_GAUGE,
	    "When the federation list was last known to be current, Unix time" },
	[S_LIST_REFUSED] = { "schleuse_federation_list_refused_total", "", METRIC_COUNTER,
	    "Federation lists or downloads that were not adopted" },
	[S_RELOADS] = { "schleuse_reloads_total", "outcome=\"adopted\"", METRIC_COUNTER,
	    "Configuration reloads" },
	[S_RELOADS_REFUSED] = { "schleuse_reloads_total", "outcome=\"refused\"", METRIC_COUNTER,
	    "Configuration reloads" },
	[S_HANDOVERS_FAILED] = { "schleuse_handovers_failed_total", "", METRIC_COUNTER,
	    "Hand-overs to a successor that failed" },
	[S_CERTIFICATE_NOT_AFTER] = { "schleuse_certificate_not_after_seconds", "", METRIC_GAUGE,
	    "When the first of the server certificates expires, Unix time" },
};

static char labels[S_COUNT][64];

bool
series_declare(void)
{
	for (unsigned a = 0; a <= API_NONE; a++)
		for (unsigned c = 0; c < 6; c++) {
			unsigned i = S_RESPONSES + a * 6 + c;

			snprintf(labels[i], sizeof(labels[i]), "api=\"%s\",status=\"%s\"", apis[a],
			    classes[c]);
			rows[i] = (struct metric_row){ "schleuse_requests_total", labels[i],
				METRIC_COUNTER,
				"Exchanges ended, by API and status class (none: no answer was "
				"given)" };
		}
	for (unsigned e = 0; e < ERR_COUNT; e++) {
		unsigned i = S_ENDED + e;

		snprintf(labels[i], sizeof(labels[i]), "reason=\"%s\"", err_rows[e].name);
		rows[i] = (struct metric_row){ "schleuse_exchanges_ended_total", labels[i],
			METRIC_COUNTER,
			"Exchanges ended, by reason (ok: answered by the homeserver)" };
	}
	metrics_declare(rows, S_COUNT);
	return metrics_thread();
}

void
series_response(enum route_api api, int status)
{
	metrics_inc(S_RESPONSES + (unsigned)api * 6 + (unsigned)(status / 100 % 6));
}

const char *
series_api(enum route_api api)
{
	return apis[api];
}
