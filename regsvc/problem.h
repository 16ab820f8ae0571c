/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem - error answers: problem details (RFC 9457) from the rows of lib/base/err.
 *
 * The public text of a row is the "detail"; nothing of the request is repeated.
 */
#ifndef SCHLEUSE_REGSVC_PROBLEM_H
#define SCHLEUSE_REGSVC_PROBLEM_H

#include "lib/http/exchange.h"

/* Answers, counts, and ends the exchange.  `fields`: further complete header lines. */
void problem_answer(struct exchange *ex, enum err why, struct str fields);

#endif
