/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential - which messenger service's homeserver is speaking (ML-123615-3).
 *
 * Proxy-Authorization carries the service's secret: "Bearer SECRET", as Synapse sends it where
 * outbound_federation_restricted_to names us, or "Basic", where the secret is the password and the
 * user may be anything.
 */
#ifndef SCHLEUSE_PROXY_OUTBOUND_CREDENTIAL_H
#define SCHLEUSE_PROXY_OUTBOUND_CREDENTIAL_H

#include "lib/base/arena.h"
#include "lib/http/h1.h"
#include "proxy/config.h"

/* NULL: none, more than one, malformed, or nobody's secret. */
const struct service_conf *credential_service(
    struct arena *a, const struct proxy_conf *conf, const struct h1_head *req) MUST_CHECK;

#endif
