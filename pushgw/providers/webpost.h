/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webpost - what Web Push and UnifiedPush have in common: a POST (RFC 8030) to an endpoint that the
 * device named, encrypted for it (RFC 8291), and what the answer means.
 *
 * Endpoints are of any servers, so no answer of one counts for the whole app: there is no
 * VERDICT_FAULT, and nobody is believed at once that all credentials are wrong.
 */
#ifndef SCHLEUSE_PUSHGW_WEBPOST_H
#define SCHLEUSE_PUSHGW_WEBPOST_H

#include "lib/http/courier.h"
#include "pushgw/providers/crowd.h"
#include "pushgw/providers/ece.h"
#include "pushgw/providers/provider.h"
#include "pushgw/providers/vapid.h"

#define WEBPOST_TOPIC_KEY 32
#define WEBPOST_TOPIC 32 /* characters (RFC 8030 5.4) */

struct provider { /* of both */
	struct loop *loop;
	const struct app_conf *app;
	const struct delivery_conf *delivery;
	struct courier *courier;
	struct list attempts;
	struct crowd crowd; /* of them */
	/* Web Push alone */
	struct vapid *vapid;
	uint8_t topic_key[WEBPOST_TOPIC_KEY];
};

/* NULL: out of memory, logged. */
struct provider *webpost_open(const struct provider_env *env, const struct app_conf *app);
void webpost_close(struct provider *p);
void webpost_cancel(struct attempt *a);

/* The text of a member of `data`, which needs no escapes; n == 0: absent, or no such text. */
struct str webpost_member(struct str data, struct str name);

struct webpost {
	struct str url;
	struct str body;
	bool sealed;         /* by webpost_seal(); else it is JSON */
	enum push_prio prio; /* Urgency */
	clock_ms ttl;
	const char *topic;         /* NULL: none */
	const char *authorization; /* the field, NULL: none */
};

/* Whether so much is under way to the host of this endpoint that others would have no place. */
bool webpost_crowded(const struct provider *p, struct str url);

/* Appends the body for a device.  ERR_TOO_LARGE: the text is too long for any push service;
 * ERR_MEMORY. */
enum err webpost_seal(const struct ece_keys *to, struct str text, struct buf *out) MUST_CHECK;

/* NULL: out of memory. */
struct attempt *webpost_send(struct provider *p, const struct webpost *w,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg) MUST_CHECK;
/* Nothing is sent, it is VERDICT_DROP for this reason. */
struct attempt *webpost_drop(struct provider *p, const char *reason,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg) MUST_CHECK;

#endif
