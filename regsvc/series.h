/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series - the metrics of schleuse-regsvc.  No label ever comes from a peer (ML-123620).
 */
#ifndef SCHLEUSE_REGSVC_SERIES_H
#define SCHLEUSE_REGSVC_SERIES_H

#include "lib/base/err.h"
#include "lib/ops/metrics.h"
#include "lib/trust/ask.h"
#include "regsvc/api_endpoint.h"
#include "regsvc/vzd_answer.h"

enum series {
	S_CONNECTIONS_OPENED,
	S_CONNECTIONS_CLOSED,
	S_CONNECTIONS_REFUSED_ALL,
	S_CONNECTIONS_REFUSED_ADDRESS,
	S_HANDSHAKES_FAILED,
	S_HANDSHAKES_SLOW,
	S_HEADS_SLOW,
	S_WRITES_SLOW,
	S_RESPONSES, /* [status class] */
	S_RELOADS = S_RESPONSES + 6,
	S_RELOADS_REFUSED,
	S_CERTIFICATE_NOT_AFTER,
	S_STORE_UP,
	S_STORE_FAILURES,
	S_API_REQUESTS,                              /* [endpoint][status class] */
	S_API_BYTES = S_API_REQUESTS + EP_COUNT * 6, /* [endpoint] */
	S_API_SLOW = S_API_BYTES + EP_COUNT,
	S_API_WAITERS,
	S_API_WAITERS_REFUSED_ALL,
	S_API_WAITERS_REFUSED_CLIENT,
	S_VZD_CALLS, /* [step][outcome] */
	S_VZD_HEALTHY = S_VZD_CALLS + VZD_STEPS * VZD_OUTCOMES,
	S_LIST_CHECKS,
	S_LIST_CHECKS_FAILED,
	S_LIST_CHECKS_LATE,
	S_LIST_INCIDENTS,
	S_LIST_REFUSED,
	S_LIST_VERSION,
	S_LIST_ENTRIES,
	S_LIST_AS_OF,
	S_LIST_STATUS,
	S_LIST_ELECTED,
	S_LIST_TRUST, /* [enum trust_event] */
	S_LIST_TRUST_END = S_LIST_TRUST + TRUST_EVENTS,
	S_COUNT = S_LIST_TRUST_END
};

bool series_declare(void) MUST_CHECK; /* once, before any thread starts */
void series_response(int status);

#endif
