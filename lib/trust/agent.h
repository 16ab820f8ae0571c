/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent - the header field TI-User-Agent: <client id>/<version> (A_27783).
 *
 * Central services of the telematics infrastructure (OCSP, CRLs, trust lists) want it in every
 * request.  The client id is assigned by gematik, the version is that of the package.  Pure.
 */
#ifndef SCHLEUSE_TRUST_AGENT_H
#define SCHLEUSE_TRUST_AGENT_H

#include "lib/base/str.h"

#define AGENT_ID_MIN 3
#define AGENT_ID_MAX 20
#define AGENT_VERSION_MIN 5
#define AGENT_VERSION_MAX 15
#define AGENT_FIELD_MAX 64

bool agent_id_ok(struct str id); /* letters, digits and "-", 3 to 20 of them */

/* "TI-User-Agent: <id>/<version>", or "" when there is no id (NULL). */
void agent_field(const char *id, char out[AGENT_FIELD_MAX]);

#endif
