/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/series.h"

#define REFUSED_HELP "Connections closed before anything of them was read, by the limit reached"
#define RESPONSES_HELP "Requests answered, by status class"
#define RESPONSE_ROW(i, name) \
	[S_RESPONSES + (i)] = { "schleuse_requests_total", "status=\"" name "\"", METRIC_COUNTER, \
		RESPONSES_HELP }

#define API_ROW(id, name, i, class) \
	[S_API_REQUESTS + (id)*6 + (i)] = { "schleuse_api_requests_total", \
		"endpoint=\"" name "\",status=\"" class "\"", METRIC_COUNTER, \
		"Requests answered, by endpoint and status class; none: the client had gone" },
#define API_ROWS(id, name) \
	API_ROW(id, name, 0, "none") \
	API_ROW(id, name, 1, "1xx") \
	API_ROW(id, name, 2, "2xx") \
	API_ROW(id, name, 3, "3xx") \
	API_ROW(id, name, 4, "4xx") \
	API_ROW(id, name, 5, "5xx")
#define API_BYTES_ROW(id, name) \
	[S_API_BYTES + (id)] = { "schleuse_api_bytes_total", "endpoint=\"" name "\"", \
		METRIC_COUNTER, "Bytes of bodies sent, by endpoint" },
#define WAITERS_REFUSED_HELP "Requests for changes that were refused, by the limit reached"

static const struct metric_row rows[S_COUNT] = {
	[S_CONNECTIONS_OPENED] = { "schleuse_connections_opened_total", "", METRIC_COUNTER,
	    "Connections accepted" },
	[S_CONNECTIONS_CLOSED] = { "schleuse_connections_closed_total", "", METRIC_COUNTER,
	    "Connections closed" },
	[S_CONNECTIONS_REFUSED_ALL] = { "schleuse_connections_refused_total",
	    "reason=\"connections\"", METRIC_COUNTER, REFUSED_HELP },
	[S_CONNECTIONS_REFUSED_ADDRESS] = { "schleuse_connections_refused_total",
	    "reason=\"per_address\"", METRIC_COUNTER, REFUSED_HELP },
	[S_HANDSHAKES_FAILED] = { "schleuse_tls_handshakes_failed_total", "", METRIC_COUNTER,
	    "TLS handshakes that failed" },
	[S_HANDSHAKES_SLOW] = { "schleuse_tls_handshakes_slow_total", "", METRIC_COUNTER,
	    "TLS handshakes cut by timeouts.handshake" },
	[S_HEADS_SLOW] = { "schleuse_heads_slow_total", "", METRIC_COUNTER,
	    "Request heads cut by timeouts.head" },
	[S_WRITES_SLOW] = { "schleuse_writes_slow_total", "", METRIC_COUNTER,
	    "Connections cut because the end of an answer was not read" },
	RESPONSE_ROW(0, "none"),
	RESPONSE_ROW(1, "1xx"),
	RESPONSE_ROW(2, "2xx"),
	RESPONSE_ROW(3, "3xx"),
	RESPONSE_ROW(4, "4xx"),
	RESPONSE_ROW(5, "5xx"),
	[S_RELOADS] = { "schleuse_reloads_total", "outcome=\"adopted\"", METRIC_COUNTER,
	    "Configuration reloads" },
	[S_RELOADS_REFUSED] = { "schleuse_reloads_total", "outcome=\"refused\"", METRIC_COUNTER,
	    "Configuration reloads" },
	[S_CERTIFICATE_NOT_AFTER] = { "schleuse_certificate_not_after_seconds", "", METRIC_GAUGE,
	    "When the server certificate expires, Unix time" },
	[S_STORE_UP] = { "schleuse_store_up", "", METRIC_GAUGE,
	    "1 while the store (Redis or the state directory) works, else 0" },
	[S_STORE_FAILURES] = { "schleuse_store_failures_total", "", METRIC_COUNTER,
	    "Times the store stopped working" },
	API_ENDPOINTS(API_ROWS) API_ENDPOINTS(
	    API_BYTES_ROW)[S_API_SLOW] = { "schleuse_api_slow_total", "", METRIC_COUNTER,
	    "Requests but those for changes that were answered after more than 10 s" },
	[S_API_WAITERS] = { "schleuse_api_waiters", "", METRIC_GAUGE,
	    "Requests that wait for changes" },
	[S_API_WAITERS_REFUSED_ALL] = { "schleuse_api_waiters_refused_total",
	    "reason=\"changes_waiters\"", METRIC_COUNTER, WAITERS_REFUSED_HELP },
	[S_API_WAITERS_REFUSED_CLIENT] = { "schleuse_api_waiters_refused_total",
	    "reason=\"changes_per_client\"", METRIC_COUNTER, WAITERS_REFUSED_HELP },
};

bool
series_declare(void)
{
	metrics_declare(rows, S_COUNT);
	return metrics_thread();
}

void
series_response(int status)
{
	metrics_inc(S_RESPONSES + (unsigned)(status / 100 % 6));
}
