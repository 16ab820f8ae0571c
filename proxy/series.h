/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series - the proxy's metrics.  No label ever comes from a peer (ML-123620).
 */
#ifndef SCHLEUSE_PROXY_SERIES_H
#define SCHLEUSE_PROXY_SERIES_H

#include "lib/base/err.h"
#include "lib/ops/metrics.h"
#include "proxy/routes.h"

enum series {
	S_CONNECTIONS_OPENED,
	S_CONNECTIONS_CLOSED,
	S_CONNECTIONS_REFUSED,
	S_HANDSHAKES_FAILED,
	S_HANDSHAKES_SLOW,
	S_HEADS_SLOW,
	S_IDLE_CLOSED,
	S_REQUEST_BYTES,
	S_RESPONSE_BYTES,
	S_RESPONSES, /* [api][status class] */
	S_RESPONSES_END = S_RESPONSES + (API_NONE + 1) * 6,
	S_DESTINATION_ABSENT = S_RESPONSES_END,
	S_RULE_LOGGED_INVITE,
	S_RULE_LOGGED_DISPLAYNAME,
	S_UPSTREAM_RETRIES,
	S_KEYS_HIT,
	S_KEYS_MISS,
	S_ACCOUNTS_HIT,
	S_ACCOUNTS_MISS,
	S_INVITES_HELD,
	S_LIST_VERSION,
	S_LIST_ENTRIES,
	S_LIST_AS_OF,
	S_LIST_REFUSED,
	S_RELOADS,
	S_RELOADS_REFUSED,
	S_HANDOVERS_FAILED,
	S_CERTIFICATE_NOT_AFTER,
	S_ENDED, /* [err]: why exchanges ended, refusals among them */
	S_COUNT = S_ENDED + ERR_COUNT
};

bool series_declare(void) MUST_CHECK; /* once, before any thread starts */
void series_response(enum route_api api, int status);
const char *series_api(enum route_api api);

#endif
