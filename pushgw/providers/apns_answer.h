/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apns_answer - what an answer of APNs means (Apple, "Handling notification responses from APNs").
 *
 * One row for each status and reason; what Apple may add is judged by its status alone.  Pure.
 */
#ifndef SCHLEUSE_PUSHGW_APNS_ANSWER_H
#define SCHLEUSE_PUSHGW_APNS_ANSWER_H

#include "pushgw/providers/provider.h"

#define APNS_ANSWER_MAX 4096 /* bytes of an answer's body; a real one has less than 100 */

enum apns_care { /* what is to be done besides */
	APNS_NOTHING,
	APNS_NEW_CONNECTION, /* this one ends */
	APNS_NEW_TOKEN       /* and try once more */
};

/* Fills verdict, reason, retry_after and whole_app by r->status.  pushkey_ts: see struct push. */
enum apns_care apns_judge(struct str body, int64_t pushkey_ts, struct attempt_result *r);

#endif
