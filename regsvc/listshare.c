/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/listshare.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/jose/claims.h"

#define POINTER STR("list:current")
#define CHANNEL STR("list")
#define CLAIM STR("list")
#define TEXT_PREFIX "list:text:"
#define POINTER_MAX 512

struct pointer {
	int64_t version, as_of;
	char key[STORE_KEY_MAX + 1];
};

struct listshare {
	struct listshare_config cfg;
	struct store_watch *watch;
	struct store_claim *claim;
	struct store_call *reading, *writing;
	bool again;          /* read once more */
	struct pointer held; /* as it is in the store, as far as we know; version -1: unknown */
	struct pointer seen; /* being read */
	struct pointer sent; /* being written */
	enum err failing;    /* why the last writing failed; OK: it did not */
};

static const struct pointer nothing = { .version = -1 };

/* --- reading --- */

static bool
parse_pointer(struct str text, struct pointer *p)
{
	struct claims *c = claims_read_object(text);
	double version, as_of;
	struct str key;
	bool ok = claims_number(claims_get(c, "version"), &version) &&
		  claims_number(claims_get(c, "as_of"), &as_of) &&
		  claims_text(claims_get(c, "key"), &key) &&
		  str_has_prefix(key, STR(TEXT_PREFIX)) && store_key_ok(key) && version >= 0 &&
		  version < 9e15 && as_of > 0 && as_of < 9e15;

	if (ok) {
		p->version = (int64_t)version;
		p->as_of = (int64_t)as_of;
		*str_put(p->key, key) = '\0';
	}
	claims_free(c);
	return ok;
}

static void
read_ended(struct listshare *s)
{
	s->reading = NULL;
	if (s->again)
		listshare_look(s);
}

static void
on_text(void *arg, enum err err, struct str value)
{
	struct listshare *s = arg;

	/* Not found: replaced since the pointer was read, which is announced; or it was lost. */
	if (err == OK)
		s->cfg.found(s->cfg.arg, value, s->seen.as_of);
	else if (err == ERR_NOT_FOUND)
		s->held = nothing;
	else
		log_warn("federation list: it cannot be read from the store: reason=%s: %s",
		    err_name(err), err_text(err));
	read_ended(s);
}

static void
on_pointer(void *arg, enum err err, struct str value)
{
	struct listshare *s = arg;

	if (err != OK || !parse_pointer(value, &s->seen)) {
		if (err == OK || err == ERR_NOT_FOUND) /* a store that was emptied, too */
			s->held = nothing;
		if (err == OK)
			log_warn("federation list: what the store has at list:current is none of "
				 "ours; it is replaced with the next list");
		read_ended(s);
		return;
	}
	s->held = s->seen;
	if (s->seen.version > s->cfg.version(s->cfg.arg)) {
		s->reading = store_get(s->cfg.store, str_z(s->seen.key), on_text, s);
		if (s->reading != NULL)
			return;
	} else {
		s->cfg.confirmed(s->cfg.arg, s->seen.version, s->seen.as_of);
	}
	read_ended(s);
}

void
listshare_look(struct listshare *s)
{
	s->again = s->reading != NULL;
	if (!s->again)
		s->reading = store_get(s->cfg.store, POINTER, on_pointer, s);
}

static void
on_news(void *arg)
{
	listshare_look(arg);
}

/* --- writing --- */

/* One line when it begins to fail and one when that is over, not one for each check. */
static void
note(struct listshare *s, enum err err)
{
	if (err != OK && err != s->failing)
		log_warn("federation list: it cannot be shared through the store: reason=%s: %s; "
			 "other instances ask for themselves",
		    err_name(err), err_text(err));
	else if (err == OK && s->failing != OK)
		log_info("federation list: it is shared through the store again");
	s->failing = err;
}

static void
on_written(void *arg, enum err err)
{
	struct listshare *s = arg;

	s->writing = NULL;
	if (err == OK)
		s->held = s->sent;
	note(s, err);
}

static bool
is_new(const struct listshare *s, const struct pointer *p)
{
	if (p->version != s->held.version)
		return p->version > s->held.version;
	return strcmp(p->key, s->held.key) != 0 || p->as_of >= s->held.as_of + LISTSHARE_CONFIRM_S;
}

/* The list, the pointer to it and the end of the former one, in one transaction. */
void
listshare_publish(struct listshare *s, struct lists_text *text, int64_t as_of)
{
	struct pointer p = { .version = text->version, .as_of = as_of };
	struct store_op ops[3];
	char json[POINTER_MAX];
	size_t n = 0;
	int len;

	snprintf(p.key, sizeof(p.key), TEXT_PREFIX "%s", text->etag);
	if (s->writing != NULL || !is_new(s, &p))
		return;
	len = snprintf(json, sizeof(json), "{\"version\":%lld,\"key\":\"%s\",\"as_of\":%lld}",
	    (long long)p.version, p.key, (long long)p.as_of);
	if (strcmp(p.key, s->held.key) != 0) {
		ops[n++] = (struct store_op){ .key = str_z(p.key), .value = text->jws };
		if (s->held.key[0] != '\0')
			ops[n++] = (struct store_op){ .key = str_z(s->held.key) };
	}
	ops[n++] = (struct store_op){ .key = POINTER, .value = str_of(json, (size_t)len) };
	s->sent = p;
	s->writing = store_apply(s->cfg.store, ops, n, CHANNEL, on_written, s);
	if (s->writing == NULL) /* larger than the store takes, or too much waits there */
		note(s, ERR_OVERLOAD);
}

/* --- who asks --- */

static void
on_claim(void *arg, bool held)
{
	struct listshare *s = arg;

	log_info("federation list: %s",
	    held ? "this instance asks the VZD from now on" : "another instance asks the VZD");
	s->cfg.elected(s->cfg.arg);
}

bool
listshare_elected(const struct listshare *s)
{
	return store_claim_held(s->claim);
}

bool
listshare_asks(const struct listshare *s)
{
	enum err state = store_state(s->cfg.store);

	return listshare_elected(s) || (state != OK && state != ERR_COUNT);
}

/* --- life --- */

struct listshare *
listshare_new(const struct listshare_config *cfg)
{
	struct listshare *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->cfg = *cfg;
	s->held = nothing;
	s->watch = store_watch(cfg->store, CHANNEL, on_news, s);
	s->claim = store_claim(cfg->store, CLAIM, cfg->claim, on_claim, s);
	if (s->watch != NULL && s->claim != NULL)
		return s;
	listshare_free(s);
	return NULL;
}

void
listshare_free(struct listshare *s)
{
	if (s == NULL)
		return;
	store_cancel(s->reading);
	store_cancel(s->writing);
	store_unwatch(s->watch);
	store_claim_release(s->claim);
	free(s);
}
