/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/series.h"

#include <stdio.h>

static const char *const apis[] = { "client", "federation", "key", "admin", "internal", "outbound",
	"none" };
static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

#define RATE_ROW(limit, name) \
	[S_RATE_LIMITED + (limit)] = { "schleuse_rate_limited_total", "limit=\"" name "\"", \
		METRIC_COUNTER, "Requests refused by limits.rates" }
#define REFUSED_HELP "Connections closed before anything of them was read as TLS"
#define REGSVC_HELP \
	"Requests to a registration service, by outcome (denied: 401 or 403; failed: no answer " \
	"or 5xx)"
#define MISSES_HELP \
	"Unknown domains and certificates of PASSporTs, by whether the registration service was " \
	"asked"
#define REMOTE_QUEUE_HELP \
	"Requests refused because of outbound.queue_max (full) or outbound.timeouts.queue " \
	"(timeout)"
#define REMOTE_FAILED(id, name) \
	[S_REMOTE_FAILED_##id] = { "schleuse_remote_connects_failed_total", "class=\"" name "\"", \
		METRIC_COUNTER, "Connections to other servers that failed, by class" }
#define TUNNEL_FAILED(id, name) \
	[S_TUNNELS_##id] = { "schleuse_tunnel_handshakes_failed_total", "cause=\"" name "\"", \
		METRIC_COUNTER, "Tunnels that ended before their TLS stood, by cause" }
#define PAUSES_HELP "How often a worker stopped accepting, by what was used up"

static struct metric_row rows[S_COUNT] = {
	[S_CONNECTIONS_OPENED] = { "schleuse_connections_opened_total", "", METRIC_COUNTER,
	    "Connections accepted" },
	[S_CONNECTIONS_CLOSED] = { "schleuse_connections_closed_total", "", METRIC_COUNTER,
	    "Connections closed" },
	[S_REFUSED_PER_ADDRESS] = { "schleuse_connections_refused_total", "reason=\"per_address\"",
	    METRIC_COUNTER, REFUSED_HELP },
	[S_REFUSED_PROXY_SOURCE] = { "schleuse_connections_refused_total",
	    "reason=\"proxy_source\"", METRIC_COUNTER, REFUSED_HELP },
	[S_REFUSED_PROXY_HEADER] = { "schleuse_connections_refused_total",
	    "reason=\"proxy_header\"", METRIC_COUNTER, REFUSED_HELP },
	[S_REFUSED_PROXY_SLOW] = { "schleuse_connections_refused_total", "reason=\"proxy_slow\"",
	    METRIC_COUNTER, REFUSED_HELP },
	[S_PAUSES_CONNECTIONS] = { "schleuse_accept_pauses_total", "reason=\"connections\"",
	    METRIC_COUNTER, PAUSES_HELP },
	[S_PAUSES_DESCRIPTORS] = { "schleuse_accept_pauses_total", "reason=\"descriptors\"",
	    METRIC_COUNTER, PAUSES_HELP },
	[S_HANDSHAKES_FAILED] = { "schleuse_tls_handshakes_failed_total", "", METRIC_COUNTER,
	    "TLS handshakes that failed" },
	[S_HANDSHAKES_SLOW] = { "schleuse_tls_handshakes_slow_total", "", METRIC_COUNTER,
	    "TLS handshakes cut by timeouts.handshake" },
	[S_HEADS_SLOW] = { "schleuse_heads_slow_total", "", METRIC_COUNTER,
	    "Request heads cut by timeouts.head" },
	[S_WRITES_SLOW] = { "schleuse_writes_slow_total", "", METRIC_COUNTER,
	    "Connections cut because the end of an answer was not read" },
	[S_IDLE_CLOSED] = { "schleuse_connections_idle_closed_total", "", METRIC_COUNTER,
	    "Connections closed by timeouts.idle" },
	[S_IDLE_REAPED] = { "schleuse_connections_reaped_total", "", METRIC_COUNTER,
	    "Idle connections closed to make room at limits.connections_max" },
	[S_CONNECTIONS_H1] = { "schleuse_connections_total", "protocol=\"h1\"", METRIC_COUNTER,
	    "Connections after their TLS handshake, by protocol" },
	[S_CONNECTIONS_H2] = { "schleuse_connections_total", "protocol=\"h2\"", METRIC_COUNTER,
	    "Connections after their TLS handshake, by protocol" },
	[S_H2_STREAMS] = { "schleuse_h2_streams_total", "", METRIC_COUNTER,
	    "HTTP/2 streams opened" },
	[S_H2_REFUSED] = { "schleuse_h2_streams_refused_total", "", METRIC_COUNTER,
	    "HTTP/2 streams refused because limits.h2_streams_max were open" },
	[S_EXCHANGES_OPEN] = { "schleuse_exchanges_open", "", METRIC_GAUGE,
	    "Requests being judged or answered" },
	[S_REQUEST_BYTES] = { "schleuse_request_body_bytes_total", "", METRIC_COUNTER,
	    "Request body bytes received" },
	[S_RESPONSE_BYTES] = { "schleuse_response_body_bytes_total", "", METRIC_COUNTER,
	    "Response body bytes sent" },
	[S_DESTINATION_ABSENT] = { "schleuse_xmatrix_destination_absent_total", "", METRIC_COUNTER,
	    "Federation requests whose X-Matrix header names no destination" },
	RATE_ROW(RATE_LOGIN, "login"),
	RATE_ROW(RATE_REGISTER, "register"),
	RATE_ROW(RATE_PASSWORD, "password"),
	RATE_ROW(RATE_CLIENT, "client"),
	RATE_ROW(RATE_FEDERATION, "federation"),
	RATE_ROW(RATE_FEDERATION_ADDRESS, "federation_address"),
	[S_RULE_LOGGED_INVITE] = { "schleuse_rule_logged_total", "rule=\"invite\"", METRIC_COUNTER,
	    "Requests let through although a rule in mode log would refuse them" },
	[S_RULE_LOGGED_DISPLAYNAME] = { "schleuse_rule_logged_total", "rule=\"displayname\"",
	    METRIC_COUNTER, "Requests let through although a rule in mode log would refuse them" },
	[S_RULE_LOGGED_OUT_SIGNATURE] = { "schleuse_rule_logged_total",
	    "rule=\"outbound_signature\"", METRIC_COUNTER,
	    "Requests let through although a rule in mode log would refuse them" },
	[S_RULE_LOGGED_OUT_INVITE] = { "schleuse_rule_logged_total", "rule=\"outbound_invite\"",
	    METRIC_COUNTER, "Requests let through although a rule in mode log would refuse them" },
	[S_RULE_LOGGED_OUT_DOMAINS] = { "schleuse_rule_logged_total", "rule=\"outbound_domains\"",
	    METRIC_COUNTER, "Requests let through although a rule in mode log would refuse them" },
	[S_UPSTREAM_RETRIES] = { "schleuse_upstream_retries_total", "", METRIC_COUNTER,
	    "Requests sent again because a reused homeserver connection had closed" },
	[S_UPSTREAM_BUSY] = { "schleuse_upstream_connections", "state=\"busy\"", METRIC_GAUGE,
	    "Connections to homeservers" },
	[S_UPSTREAM_IDLE] = { "schleuse_upstream_connections", "state=\"idle\"", METRIC_GAUGE,
	    "Connections to homeservers" },
	[S_UPSTREAM_QUEUED] = { "schleuse_upstream_queued", "", METRIC_GAUGE,
	    "Requests waiting for a connection to a homeserver" },
	[S_UPSTREAM_QUEUE_FULL] = { "schleuse_upstream_queue_refused_total", "cause=\"full\"",
	    METRIC_COUNTER,
	    "Requests refused because of limits.upstream_queue_max (full) or "
	    "timeouts.upstream_queue (timeout)" },
	[S_UPSTREAM_QUEUE_TIMEOUT] = { "schleuse_upstream_queue_refused_total", "cause=\"timeout\"",
	    METRIC_COUNTER,
	    "Requests refused because of limits.upstream_queue_max (full) or "
	    "timeouts.upstream_queue (timeout)" },
	[S_UPSTREAM_CONNECT_FAILED] = { "schleuse_upstream_connects_failed_total",
	    "cause=\"refused\"", METRIC_COUNTER, "Connections to homeservers that failed" },
	[S_UPSTREAM_CONNECT_TIMEOUT] = { "schleuse_upstream_connects_failed_total",
	    "cause=\"timeout\"", METRIC_COUNTER, "Connections to homeservers that failed" },
	[S_UPSTREAM_AVOIDED] = { "schleuse_upstream_avoided_total", "", METRIC_COUNTER,
	    "How often a worker began to avoid an address that it could not connect to" },
	[S_UPSTREAM_FAILOVERS] = { "schleuse_upstream_failovers_total", "", METRIC_COUNTER,
	    "Requests that went to another address because one could not be connected to" },
	[S_REMOTES] = { "schleuse_remote_destinations", "", METRIC_GAUGE,
	    "Other servers with a pool of connections, summed over the workers" },
	[S_REMOTES_FULL] = { "schleuse_remote_destinations_refused_total", "", METRIC_COUNTER,
	    "Requests refused because outbound.destinations_max other servers were in use" },
	[S_REMOTE_BUSY] = { "schleuse_remote_connections", "state=\"busy\"", METRIC_GAUGE,
	    "Connections to other servers" },
	[S_REMOTE_IDLE] = { "schleuse_remote_connections", "state=\"idle\"", METRIC_GAUGE,
	    "Connections to other servers" },
	[S_REMOTE_QUEUED] = { "schleuse_remote_queued", "", METRIC_GAUGE,
	    "Requests waiting for a connection to another server" },
	[S_REMOTE_QUEUE_FULL] = { "schleuse_remote_queue_refused_total", "cause=\"full\"",
	    METRIC_COUNTER, REMOTE_QUEUE_HELP },
	[S_REMOTE_QUEUE_TIMEOUT] = { "schleuse_remote_queue_refused_total", "cause=\"timeout\"",
	    METRIC_COUNTER, REMOTE_QUEUE_HELP },
	REMOTE_FAILED(DNS, "dns"),
	REMOTE_FAILED(CONNECT, "connect"),
	REMOTE_FAILED(TIMEOUT, "timeout"),
	REMOTE_FAILED(PROXY, "proxy"),
	REMOTE_FAILED(TLS, "tls"),
	REMOTE_FAILED(TLS_NAME, "tls-name"),
	REMOTE_FAILED(TLS_CHAIN, "tls-chain"),
	REMOTE_FAILED(TLS_EXPIRED, "tls-expired"),
	[S_REMOTE_RETRIES] = { "schleuse_remote_retries_total", "", METRIC_COUNTER,
	    "Requests sent again because an idle connection to another server had just been "
	    "closed" },
	[S_KEYS_HIT] = { "schleuse_fact_lookups_total", "fact=\"keys\",outcome=\"hit\"",
	    METRIC_COUNTER, "Facts a worker needed, by outcome" },
	[S_KEYS_MISS] = { "schleuse_fact_lookups_total", "fact=\"keys\",outcome=\"miss\"",
	    METRIC_COUNTER, "Facts a worker needed, by outcome" },
	[S_ACCOUNTS_HIT] = { "schleuse_fact_lookups_total", "fact=\"accounts\",outcome=\"hit\"",
	    METRIC_COUNTER, "Facts a worker needed, by outcome" },
	[S_ACCOUNTS_MISS] = { "schleuse_fact_lookups_total", "fact=\"accounts\",outcome=\"miss\"",
	    METRIC_COUNTER, "Facts a worker needed, by outcome" },
	[S_DESTINATIONS_HIT] = { "schleuse_fact_lookups_total",
	    "fact=\"destinations\",outcome=\"hit\"", METRIC_COUNTER,
	    "Facts a worker needed, by outcome" },
	[S_DESTINATIONS_MISS] = { "schleuse_fact_lookups_total",
	    "fact=\"destinations\",outcome=\"miss\"", METRIC_COUNTER,
	    "Facts a worker needed, by outcome" },
	[S_TUNNELS_OPEN] = { "schleuse_tunnels_open", "", METRIC_GAUGE,
	    "Tunnels of homeservers that stand" },
	[S_TUNNELS_INSPECTED] = { "schleuse_tunnels_total", "kind=\"inspected\"", METRIC_COUNTER,
	    "Tunnels of homeservers, by whether their TLS is ended here" },
	[S_TUNNELS_PASSED] = { "schleuse_tunnels_total", "kind=\"passed\"", METRIC_COUNTER,
	    "Tunnels of homeservers, by whether their TLS is ended here" },
	[S_TUNNELS_REFUSED] = { "schleuse_tunnels_refused_total", "", METRIC_COUNTER,
	    "Tunnels refused because outbound.tunnels_max of a worker stood" },
	TUNNEL_FAILED(GONE, "gone"),
	TUNNEL_FAILED(DISTRUSTED, "distrusted"),
	TUNNEL_FAILED(FORBIDDEN, "forbidden"),
	TUNNEL_FAILED(FAILED, "other"),
	[S_TUNNEL_BYTES_OUT] = { "schleuse_tunnel_bytes_total", "direction=\"out\"", METRIC_COUNTER,
	    "Bytes of tunnels that passed as they are and have ended" },
	[S_TUNNEL_BYTES_IN] = { "schleuse_tunnel_bytes_total", "direction=\"in\"", METRIC_COUNTER,
	    "Bytes of tunnels that passed as they are and have ended" },
	[S_LEAVES_MINTED] = { "schleuse_tunnel_certificates_total", "", METRIC_COUNTER,
	    "Certificates issued for tunnels" },
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
	[S_TRUST + TRUST_OCSP_ASKED] = { "schleuse_trust_ocsp_requests_total", "", METRIC_COUNTER,
	    "Questions to OCSP responders about signers and their issuers" },
	[S_TRUST + TRUST_OCSP_FAILED] = { "schleuse_trust_ocsp_failures_total", "", METRIC_COUNTER,
	    "... that brought no good answer" },
	[S_TRUST + TRUST_OCSP_CACHED] = { "schleuse_trust_ocsp_cached_total", "", METRIC_COUNTER,
	    "Times an answer of OCSP at hand was still current" },
	[S_TRUST + TRUST_REVOKED] = { "schleuse_trust_revoked_total", "", METRIC_COUNTER,
	    "Answers of OCSP that a signer or an issuer is revoked" },
	[S_TRUST + TRUST_DOWNLOADED] = { "schleuse_trust_downloads_total", "", METRIC_COUNTER,
	    "Downloads of roots.json and of sub-CAs" },
	[S_TRUST + TRUST_DOWNLOAD_FAILED] = { "schleuse_trust_download_failures_total", "",
	    METRIC_COUNTER, "... that failed or could not be used" },
	[S_REGSVC_UP] = { "schleuse_regsvc_up", "", METRIC_GAUGE,
	    "1 while every registration service that is configured answers, else 0" },
	[S_REGSVC_OUTDATED] = { "schleuse_regsvc_outdated", "", METRIC_GAUGE,
	    "Federations closed because the registration service says its list is outdated" },
	[S_REGSVC_CERTIFICATES] = { "schleuse_regsvc_certificates", "", METRIC_GAUGE,
	    "PASSporT certificates of registration services that count" },
	[S_REGSVC_ANSWERED] = { "schleuse_regsvc_requests_total", "outcome=\"answered\"",
	    METRIC_COUNTER, REGSVC_HELP },
	[S_REGSVC_DENIED] = { "schleuse_regsvc_requests_total", "outcome=\"denied\"",
	    METRIC_COUNTER, REGSVC_HELP },
	[S_REGSVC_FAILED] = { "schleuse_regsvc_requests_total", "outcome=\"failed\"",
	    METRIC_COUNTER, REGSVC_HELP },
	[S_REGSVC_TOKENS] = { "schleuse_regsvc_tokens_total", "outcome=\"granted\"", METRIC_COUNTER,
	    "Access tokens asked for at a registration service, by outcome" },
	[S_REGSVC_TOKENS_FAILED] = { "schleuse_regsvc_tokens_total", "outcome=\"failed\"",
	    METRIC_COUNTER, "Access tokens asked for at a registration service, by outcome" },
	[S_REGSVC_PUSHES] = { "schleuse_regsvc_pushes_total", "", METRIC_COUNTER,
	    "Changes announced by a registration service" },
	[S_MISS_DOMAIN_ASKED] = { "schleuse_regsvc_misses_total",
	    "kind=\"domain\",outcome=\"asked\"", METRIC_COUNTER, MISSES_HELP },
	[S_MISS_DOMAIN_LIMITED] = { "schleuse_regsvc_misses_total",
	    "kind=\"domain\",outcome=\"limited\"", METRIC_COUNTER, MISSES_HELP },
	[S_MISS_X5U_ASKED] = { "schleuse_regsvc_misses_total", "kind=\"x5u\",outcome=\"asked\"",
	    METRIC_COUNTER, MISSES_HELP },
	[S_MISS_X5U_LIMITED] = { "schleuse_regsvc_misses_total", "kind=\"x5u\",outcome=\"limited\"",
	    METRIC_COUNTER, MISSES_HELP },
	[S_RELOADS] = { "schleuse_reloads_total", "outcome=\"adopted\"", METRIC_COUNTER,
	    "Configuration reloads" },
	[S_RELOADS_REFUSED] = { "schleuse_reloads_total", "outcome=\"refused\"", METRIC_COUNTER,
	    "Configuration reloads" },
	[S_HANDOVERS_FAILED] = { "schleuse_handovers_failed_total", "", METRIC_COUNTER,
	    "Hand-overs to a successor that failed" },
	[S_CERTIFICATE_NOT_AFTER] = { "schleuse_certificate_not_after_seconds", "", METRIC_GAUGE,
	    "When the first of the server certificates expires, Unix time" },
	[S_OUTBOUND_CA_NOT_AFTER] = { "schleuse_outbound_ca_not_after_seconds", "", METRIC_GAUGE,
	    "When the CA of the homeserver's tunnels expires, Unix time; 0: there is none" },
	[S_OCSP_VALID_UNTIL] = { "schleuse_ocsp_valid_until_seconds", "", METRIC_GAUGE,
	    "When the first of the stapled OCSP responses ends, Unix time; 0: one is missing, or "
	    "none is configured" },
	[S_OCSP_REVOKED] = { "schleuse_ocsp_revoked", "", METRIC_GAUGE,
	    "Server certificates that their issuer has revoked" },
	[S_OCSP_FAILURES] = { "schleuse_ocsp_failures_total", "", METRIC_COUNTER,
	    "OCSP responses that could not be had or not be used" },
	[S_TICKET_ROTATIONS] = { "schleuse_tls_ticket_rotations_total", "", METRIC_COUNTER,
	    "Times another key began to encrypt session tickets" },
	[S_TICKET_FAILURES] = { "schleuse_tls_ticket_failures_total", "", METRIC_COUNTER,
	    "Times keys of session tickets could not be had from tls.ticket_file or Redis" },
	[S_REDIS_UP] = { "schleuse_redis_up", "", METRIC_GAUGE,
	    "1 while there is a connection to Redis, else 0" },
	[S_REDIS_FAILURES] = { "schleuse_redis_failures_total", "", METRIC_COUNTER,
	    "Times the connection to Redis was lost or could not be made" },
};

static const char *const floods[H2_FLOODS] = {
	[H2_FLOOD_RESET] = "reset",
	[H2_FLOOD_CONTINUATION] = "continuation",
	[H2_FLOOD_HPACK] = "hpack",
	[H2_FLOOD_PING] = "ping",
	[H2_FLOOD_SETTINGS] = "settings",
	[H2_FLOOD_PRIORITY] = "priority",
	[H2_FLOOD_EMPTY] = "empty",
	[H2_FLOOD_WINDOW] = "window",
	[H2_FLOOD_UNKNOWN] = "unknown",
	[H2_FLOOD_OUTPUT] = "output",
	[H2_FLOOD_STALLED] = "stalled",
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
	for (unsigned f = 0; f < H2_FLOODS; f++) {
		unsigned i = S_H2_FLOODS + f;

		snprintf(labels[i], sizeof(labels[i]), "kind=\"%s\"", floods[f]);
		rows[i] = (struct metric_row){ "schleuse_h2_floods_total", labels[i],
			METRIC_COUNTER,
			"HTTP/2 connections cut (stalled: streams reset) for what they flooded" };
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
