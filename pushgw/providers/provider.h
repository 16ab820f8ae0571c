/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider - what the gateway wants of a push provider (APNs, FCM, Web Push, UnifiedPush): one
 * struct of functions in a file for each.
 *
 * A provider is opened once for each entry of `apps` and knows its credentials and connections. It
 * translates one push into one request and the answer into a verdict; queueing, retries, limits,
 * and what becomes of rejected pushkeys are not its business.  On the loop's thread.
 */
#ifndef SCHLEUSE_PUSHGW_PROVIDER_H
#define SCHLEUSE_PUSHGW_PROVIDER_H

#include "lib/base/buf.h"
#include "lib/http/fetch.h"
#include "lib/net/resolver.h"
#include "pushgw/config.h"
#include "pushgw/push.h"

/* A device as a notification names it.  Slices of the request. */
struct device {
	struct str app_id, pushkey;
	int64_t pushkey_ts; /* seconds; 0: not given */
	struct str data;    /* canonical JSON of the object `data`; n == 0: none */
	bool counts_only;   /* it is told nothing of an event; set before admit() */
	bool unusable;      /* pushkey, app_id or data are not what can be: it is rejected, and kept
			     * only to be named */
};

enum admission {
	ADMIT_OK,
	ADMIT_REJECT, /* this pushkey or its data can never work: tell the homeserver */
	ADMIT_DROP    /* nothing is to be sent for it; the pushkey is fine */
};

/* The verdict on one attempt, which decides what happens next. */
enum verdict {
	VERDICT_DELIVERED, /* the provider took it */
	VERDICT_DEAD,      /* the pushkey is no more: reject it */
	VERDICT_SUSPECT,   /* the pushkey is said to be wrong, but so would be all of them after a
			    * mistake in our settings (environment, topic, project) */
	VERDICT_DROP,      /* this push will never be taken, the pushkey is fine */
	VERDICT_BUSY,      /* too many for this device, or for the app: later */
	VERDICT_FAILED,    /* network, time-out, 5xx: later */
	VERDICT_FAULT,     /* our settings or credentials: nothing of this app can go out */
	VERDICTS
};

struct attempt_result {
	enum verdict verdict;
	int status;         /* HTTP status; 0: there was no answer */
	enum err err;       /* why there was none; OK otherwise */
	const char *reason; /* the provider's word if known, else ""; one of a fixed set of constant
			     * strings, for log and metrics: never text from the answer */
	clock_ms retry_after; /* not before; 0: nothing said */
	bool whole_app;       /* VERDICT_BUSY: all of the app is to wait, not only this device */
};

struct provider;
struct attempt;

struct provider_env { /* not owned; outlives the provider */
	struct loop *loop;
	struct resolver *resolver;
	const struct lookup_conf *lookups;
	const struct fetch_proxy *proxy; /* NULL: none */
	X509_STORE *anchors;             /* by lookups; one for all, they are many */
	const struct delivery_conf *delivery;
};

struct provider_type {
	const char *name;
	bool one_server; /* everything goes to the same: when that is away, so is all of the app */
	/* Pure.  Whether a push to the device can work; `kept` (may be appended to) gets what of
	 * its data must be known when it is sent, as compact JSON in canonical order. */
	enum admission (*admit)(
	    const struct app_conf *app, const struct device *d, struct buf *kept);
	/* app outlives the provider.  NULL: logged. */
	struct provider *(*open)(const struct provider_env *env, const struct app_conf *app);
	/* Attempts under way end without a call. */
	void (*close)(struct provider *p);
	/* Whether so much is under way to the server of this push that it has to wait; NULL: never.
	 */
	bool (*crowded)(const struct provider *p, const struct push *push);
	/* One attempt.  fn is called later exactly once unless cancelled; the result is valid
	 * during the call.  `push` is only looked at before send() returns.  expires: wall-clock
	 * millisecond after which it need not be delivered any more, always as far from now, so it
	 * may be told.  Nothing that is sent may depend on push->accepted.  NULL: out of memory. */
	struct attempt *(*send)(struct provider *p, const struct push *push, int64_t expires,
	    void (*fn)(void *arg, const struct attempt_result *r), void *arg);
	void (*cancel)(struct attempt *a);
};

extern const struct provider_type provider_apns, provider_fcm, provider_webpush,
    provider_unifiedpush;

/* By enum app_provider. */
const struct provider_type *provider_of(enum app_provider which);

/* --- for providers --- */

struct courier;

/* One of its own, with so many connections to a host and streams on each.  identity: NULL: none.
 * NULL: out of memory. */
struct courier *provider_courier(const struct provider_env *env, size_t connections_max,
    size_t streams_max, const struct fetch_identity *identity) MUST_CHECK;
/* How long it may be kept on its way: until it expires, or for `most`. */
clock_ms provider_ttl(clock_ms most, int64_t expires);

#endif
