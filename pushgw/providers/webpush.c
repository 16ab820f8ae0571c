/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webpush - browsers, and whatever has a Web Push subscription (RFC 8030, 8291, 8292).
 *
 * The pusher is as Sygnal has it: pushkey is the subscription's p256dh, `data` has its endpoint and
 * auth, and may have events_only (nothing is wanted for counts alone) and only_last_per_room (the
 * push service keeps only the last one for a room).  The plaintext is a JSON object of event_id,
 * room_id and what MSC3013 encrypted.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <sodium.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/matrix/canonical.h"
#include "pushgw/providers/endpoint.h"
#include "pushgw/providers/payload.h"
#include "pushgw/providers/webpost.h"

#define TEXT_MAX 65536 /* before it is known that it is too large */
#define SCALAR 32

/* --- who is admitted --- */

static bool
is_true(struct str data, struct str name)
{
	return json_type(json_get(data, name)) == JSON_TRUE;
}

static bool
wants_events_only(const struct app_conf *app, struct str data)
{
	struct str word = json_get(data, STR("events_only"));

	return json_type(word) == JSON_TRUE ||
	       (app->webpush.events_only && json_type(word) != JSON_FALSE);
}

static enum admission
admit(const struct app_conf *app, const struct device *d, struct buf *kept)
{
	struct str url = webpost_member(d->data, STR("endpoint"));
	struct str auth = webpost_member(d->data, STR("auth"));
	struct endpoint e;
	struct ece_keys keys;
	bool good = endpoint_read(&e, url) && endpoint_allowed(&e, &app->webpush.endpoints) &&
		    ece_keys_read(&keys, d->pushkey, auth);

	sodium_memzero(&keys, sizeof(keys));
	if (!good)
		return ADMIT_REJECT;
	if (d->counts_only && wants_events_only(app, d->data))
		return ADMIT_DROP;
	if (!buf_printf(kept, "{\"auth\":\"" STR_FMT "\",\"endpoint\":\"" STR_FMT "\"%s}",
		STR_ARG(auth), STR_ARG(url),
		is_true(d->data, STR("only_last_per_room")) ? ",\"only_last_per_room\":true" : ""))
		return ADMIT_DROP; /* out of memory */
	return ADMIT_OK;
}

/* --- sending --- */

static bool
is_crowded(const struct provider *p, const struct push *push)
{
	return webpost_crowded(p, webpost_member(push->data, STR("endpoint")));
}

/* The same for one device and room; push services cannot tell which rooms are the same. */
static void
make_topic(const struct provider *p, const struct push *push, char topic[WEBPOST_TOPIC + 1])
{
	crypto_generichash_state st;
	unsigned char hash[WEBPOST_TOPIC / 4 * 3];

	crypto_generichash_init(&st, p->topic_key, sizeof(p->topic_key), sizeof(hash));
	crypto_generichash_update(&st, (const unsigned char *)push->pushkey.p, push->pushkey.n);
	crypto_generichash_update(&st, (const unsigned char *)"", 1);
	crypto_generichash_update(&st, (const unsigned char *)push->room_id.p, push->room_id.n);
	crypto_generichash_final(&st, hash, sizeof(hash));
	sodium_bin2base64(
	    topic, WEBPOST_TOPIC + 1, hash, sizeof(hash), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static struct attempt *
post(struct provider *p, const struct push *push, struct str body, const struct endpoint *e,
    int64_t expires, void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	char topic[WEBPOST_TOPIC + 1];
	bool last = is_true(push->data, STR("only_last_per_room")) && push->room_id.n > 0;
	const struct webpost w = { .url = webpost_member(push->data, STR("endpoint")),
		.body = body,
		.sealed = true,
		.prio = push->prio,
		.ttl = provider_ttl(p->app->webpush.ttl, expires),
		.topic = last ? topic : NULL,
		.authorization = vapid_field(p->vapid, str_z(e->origin), clock_wall_s()) };

	if (w.authorization == NULL)
		return NULL;
	make_topic(p, push, topic);
	return webpost_send(p, &w, fn, arg);
}

/* The body: of `push` for the device of `keys`. */
static enum err
seal(const struct push *push, const struct ece_keys *keys, struct buf *out)
{
	struct buf text;
	enum err err = ERR_MEMORY;

	buf_init(&text, TEXT_MAX);
	if (payload_put(&text, STR_NONE, push))
		err = webpost_seal(keys, buf_str(&text), out);
	buf_fini(&text);
	return err;
}

static struct attempt *
send_push(struct provider *p, const struct push *push, int64_t expires,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	struct attempt *a = NULL;
	struct ece_keys keys;
	struct endpoint e;
	struct buf body;
	enum err err;

	if (!endpoint_read(&e, webpost_member(push->data, STR("endpoint"))) ||
	    !endpoint_allowed(&e, &p->app->webpush.endpoints) ||
	    !ece_keys_read(&keys, push->pushkey, webpost_member(push->data, STR("auth"))))
		return webpost_drop(p, "not_admitted", fn, arg);
	buf_init(&body, ECE_BODY_MAX);
	err = seal(push, &keys, &body);
	if (err == OK)
		a = post(p, push, buf_str(&body), &e, expires, fn, arg);
	else if (err == ERR_TOO_LARGE)
		a = webpost_drop(p, "too_large", fn, arg);
	buf_fini(&body);
	sodium_memzero(&keys, sizeof(keys));
	return a;
}

/* --- life --- */

/* From the VAPID key, so that all gateways with it make the same topics. */
static bool
make_topic_key(struct provider *p)
{
	static const unsigned char use[] = "schleuse Topic";
	unsigned char scalar[SCALAR];
	BIGNUM *d = NULL;
	bool good = EVP_PKEY_get_bn_param(p->app->webpush.key, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1 &&
		    BN_bn2binpad(d, scalar, SCALAR) == SCALAR &&
		    crypto_generichash(p->topic_key, sizeof(p->topic_key), use, sizeof(use), scalar,
			sizeof(scalar)) == 0;

	BN_clear_free(d);
	sodium_memzero(scalar, sizeof(scalar));
	ERR_clear_error();
	return good;
}

static struct provider *
open_provider(const struct provider_env *env, const struct app_conf *app)
{
	struct provider *p = webpost_open(env, app);

	if (p == NULL)
		return NULL;
	p->vapid = vapid_new(app->webpush.key, app->webpush.contact);
	if (p->vapid != NULL && make_topic_key(p))
		return p;
	log_error("apps: '%s': %s: no private key on P-256, or out of memory", app->id,
	    app->webpush.vapid_key_file);
	webpost_close(p);
	return NULL;
}

const struct provider_type provider_webpush = { .name = "webpush",
	.admit = admit,
	.open = open_provider,
	.close = webpost_close,
	.crowded = is_crowded,
	.send = send_push,
	.cancel = webpost_cancel };
