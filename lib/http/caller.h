/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller - which product asks, as its TI-User-Agent says: <client id>/<version> (A_26182-01).
 *
 * The value must have the form of A_26183-01, all of it, which by its letters is also that of
 * A_26184-02.  Nobody is refused for it (A_26184-02-3); what has another form is noted as "invalid"
 * and never as what it was.  Pure.
 */
#ifndef SCHLEUSE_HTTP_CALLER_H
#define SCHLEUSE_HTTP_CALLER_H

#include "lib/http/h1.h"

enum caller_form { CALLER_ABSENT, CALLER_INVALID, CALLER_VALID };

/* *value: what may be noted; n == 0 where the field is absent.  Two such fields are invalid. */
enum caller_form caller_read(const struct h1_head *req, struct str *value);

#endif
