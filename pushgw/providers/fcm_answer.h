/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcm_answer - what an answer of FCM's HTTP v1 API means (Google, "ErrorCode" and "Error model").
 *
 * One row for each status and code; what Google may add is judged by its status alone.  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_FCM_ANSWER_H
#define SCHLEUSE_PUSHGW_FCM_ANSWER_H

#include "pushgw/providers/provider.h"

#define FCM_ANSWER_MAX 16384 /* bytes of an answer's body; a real one has less than 1000 */

/* Fills verdict, reason, retry_after and whole_app by r->status.  true: the access token is not
 * taken, another one may be. */
bool fcm_judge(struct str body, struct attempt_result *r);

#endif
