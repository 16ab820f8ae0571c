/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series - the metrics of schleuse-regsvc.  No label ever comes from a peer (ML-123620).
 */
#ifndef SCHLEUSE_REGSVC_SERIES_H
#define SCHLEUSE_REGSVC_SERIES_H

#include "lib/base/err.h"
#include "lib/daemon/service_series.h"
#include "lib/ops/metrics.h"
#include "lib/trust/ask.h"
#include "regsvc/api_endpoint.h"
#include "regsvc/vzd_answer.h"

/* Whose signers are judged. */
enum series_trust { SERIES_TRUST_LIST, SERIES_TRUST_PASSPORT, SERIES_TRUSTS };

enum series {
	SERVICE_SERIES,
	S_STORE_UP,
	S_STORE_FAILURES,
	S_API_REQUESTS,                              /* [endpoint][status class] */
	S_API_BYTES = S_API_REQUESTS + EP_COUNT * 6, /* [endpoint] */
	S_API_SLOW = S_API_BYTES + EP_COUNT,
	S_API_WAITERS,
	S_API_WAITERS_REFUSED_ALL,
	S_API_WAITERS_REFUSED_CLIENT,
	S_CLIENTS,
	S_AUTH_BASIC,
	S_AUTH_OAUTH,
	S_AUTH_MTLS,
	S_AUTH_FAILED,
	S_AUTH_SLOWED,
	S_PASSWORDS_VERIFIED,
	S_PASSWORDS_REFUSED,
	S_PASSWORDS_WAITING,
	S_TOKENS_ISSUED,
	S_TOKENS_REFUSED,
	S_ACCESS_LINES,
	S_ACCESS_LOST,
	S_ACCESS_FAILED,
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
	S_PASSPORT_VZD,
	S_PASSPORT_REGISTERED,
	S_PASSPORT_REFUSED_REVOKED,
	S_PASSPORT_REFUSED_VALIDITY,
	S_PASSPORT_REFUSED_UNCHECKED,
	S_PASSPORT_REFUSED_UNTRUSTED,
	S_PASSPORT_REFUSED_LAST = S_PASSPORT_REFUSED_UNTRUSTED,
	S_PASSPORT_DROPPED,
	S_PASSPORT_CHECKED,
	S_PASSPORT_FETCHED,
	S_TRUST, /* [enum trust_event][enum series_trust] */
	S_COUNT = S_TRUST + TRUST_EVENTS * SERIES_TRUSTS
};

bool series_declare(void) MUST_CHECK; /* once, before any thread starts */
void series_response(int status);
void series_trust(enum series_trust of, enum trust_event event);
void series_api(enum api_endpoint e, int status); /* 0: the client has gone */

#endif
