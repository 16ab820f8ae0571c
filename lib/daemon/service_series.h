/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_series - the metrics that all daemons with one loop have in common.
 *
 * A daemon's enum of metrics begins with SERVICE_SERIES, its table of rows with SERVICE_SERIES_ROWS
 * (lib/ops/metrics); what counts connections is told which they are by SERVICE_DOOR_SERIES.
 */
#ifndef SCHLEUSE_DAEMON_SERVICE_SERIES_H
#define SCHLEUSE_DAEMON_SERVICE_SERIES_H

#include "lib/daemon/door.h"
#include "lib/ops/metrics.h"

/* clang-format off */
#define SERVICE_SERIES \
	S_CONNECTIONS_OPENED, \
	S_CONNECTIONS_CLOSED, \
	S_CONNECTIONS_REFUSED_ALL, \
	S_CONNECTIONS_REFUSED_ADDRESS, \
	S_HANDSHAKES_FAILED, \
	S_HANDSHAKES_SLOW, \
	S_HEADS_SLOW, \
	S_WRITES_SLOW, \
	S_RESPONSES, /* [status class] */ \
	S_RELOADS = S_RESPONSES + 6, \
	S_RELOADS_REFUSED, \
	S_CERTIFICATE_NOT_AFTER

#define SERVICE_REFUSED_ROW(id, reason) \
	[id] = { "schleuse_connections_refused_total", "reason=\"" reason "\"", METRIC_COUNTER, \
		"Connections closed before anything of them was read, by the limit reached" }
#define SERVICE_RESPONSE_ROW(i, name) \
	[S_RESPONSES + (i)] = { "schleuse_requests_total", "status=\"" name "\"", METRIC_COUNTER, \
		"Requests answered, by status class" }
#define SERVICE_RELOAD_ROW(id, name) \
	[id] = { "schleuse_reloads_total", "outcome=\"" name "\"", METRIC_COUNTER, \
		"Configuration reloads" }

#define SERVICE_SERIES_ROWS \
	[S_CONNECTIONS_OPENED] = { "schleuse_connections_opened_total", "", METRIC_COUNTER, \
		"Connections accepted" }, \
	[S_CONNECTIONS_CLOSED] = { "schleuse_connections_closed_total", "", METRIC_COUNTER, \
		"Connections closed" }, \
	SERVICE_REFUSED_ROW(S_CONNECTIONS_REFUSED_ALL, "connections"), \
	SERVICE_REFUSED_ROW(S_CONNECTIONS_REFUSED_ADDRESS, "per_address"), \
	[S_HANDSHAKES_FAILED] = { "schleuse_tls_handshakes_failed_total", "", METRIC_COUNTER, \
		"TLS handshakes that failed" }, \
	[S_HANDSHAKES_SLOW] = { "schleuse_tls_handshakes_slow_total", "", METRIC_COUNTER, \
		"TLS handshakes cut by timeouts.handshake" }, \
	[S_HEADS_SLOW] = { "schleuse_heads_slow_total", "", METRIC_COUNTER, \
		"Request heads cut by timeouts.head" }, \
	[S_WRITES_SLOW] = { "schleuse_writes_slow_total", "", METRIC_COUNTER, \
		"Connections cut because the end of an answer was not read" }, \
	SERVICE_RESPONSE_ROW(0, "none"), \
	SERVICE_RESPONSE_ROW(1, "1xx"), \
	SERVICE_RESPONSE_ROW(2, "2xx"), \
	SERVICE_RESPONSE_ROW(3, "3xx"), \
	SERVICE_RESPONSE_ROW(4, "4xx"), \
	SERVICE_RESPONSE_ROW(5, "5xx"), \
	SERVICE_RELOAD_ROW(S_RELOADS, "adopted"), \
	SERVICE_RELOAD_ROW(S_RELOADS_REFUSED, "refused"), \
	[S_CERTIFICATE_NOT_AFTER] = { "schleuse_certificate_not_after_seconds", "", METRIC_GAUGE, \
		"When the server certificate expires, Unix time" }

#define SERVICE_DOOR_SERIES \
	{ \
		.opened = S_CONNECTIONS_OPENED, \
		.closed = S_CONNECTIONS_CLOSED, \
		.refused_all = S_CONNECTIONS_REFUSED_ALL, \
		.refused_address = S_CONNECTIONS_REFUSED_ADDRESS, \
		.handshakes_failed = S_HANDSHAKES_FAILED, \
		.handshakes_slow = S_HANDSHAKES_SLOW, \
		.heads_slow = S_HEADS_SLOW, \
		.writes_slow = S_WRITES_SLOW, \
	}
/* clang-format on */

#endif
