/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsource - a look: what the source has goes to the intake, which judges and adopts it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "proxy/fedsource_int.h"
#include "proxy/regclient.h"
#include "proxy/series.h"

/* What an operator should do about a refusal. */
static const char *
advice(enum err err)
{
	switch (err) {
	case ERR_FILE:
		return "check that the file exists and that this user may read it";
	case ERR_JWS_SYNTAX:
	case ERR_FEDLIST_SHAPE:
		return "the source must give the federation list as a JWS, unchanged";
	case ERR_JWS_ALG:
	case ERR_JWS_SIGNATURE:
	case ERR_X5C_SYNTAX:
	case ERR_X5C_CURVE:
	case ERR_X5C_CHAIN:
	case ERR_X5C_USAGE:
	case ERR_X5C_ROLE:
		return "check list.anchors, list.signer_role and list.signer_cn; do not trust this "
		       "list";
	case ERR_OCSP_REVOKED:
		return "do not trust this list; ask its publisher why the certificate was revoked";
	case ERR_ISSUER:
	case ERR_REVOCATION:
	case ERR_OCSP_UNKNOWN:
		return "see the line of 'trust' above; check list.trust.base_url and ocsp_url, "
		       "network and firewall";
	case ERR_X5C_VALIDITY:
		return "check this machine's clock and the signer's certificate";
	case ERR_FEDLIST_DATES:
		return "check this machine's clock; else the source must give a current list";
	case ERR_FEDLIST_LOWER:
		return "the source gives an older list than the one held; it must catch up";
	case ERR_FEDLIST_SIZE:
	case ERR_TOO_LARGE:
		return "raise list.max_bytes or list.max_entries if the list is genuine";
	case ERR_TLS:
		return "check ca_file and the server's certificate";
	case ERR_ADDRESS:
		return "set lookups.private_addresses if the server is meant to be inside your "
		       "network";
	case ERR_DNS:
	case ERR_CONNECT:
	case ERR_TIMEOUT:
		return "check name, network and firewall";
	default:
		return "see the reason in the table of doc/operations.md";
	}
}

/* One line when something goes wrong, one when it is over; not one every few seconds. */
static void
note(struct fedsource *s, enum err err, int status)
{
	bool news = s->state.error != err || s->state.http_status != status;

	s->state.looked = clock_wall_s();
	if (err != OK)
		metrics_inc(S_LIST_REFUSED);
	if (err != OK && (news || s->file == NULL))
		log_error(
		    "federation list refused: federation=%s source=%s reason=%s status=%d: %s; %s",
		    s->name, s->where, err_name(err), status, err_text(err),
		    s->kind == &fedsource_by_regsvc && err == ERR_HTTP_ANSWER
			? regclient_advice(err, status)
			: advice(err));
	else if (err == OK && s->state.error != OK)
		log_info(
		    "federation list is fine again: federation=%s source=%s", s->name, s->where);
	s->state.error = err;
	s->state.http_status = status;
}

/* When the next look is due. */
static void
look_after(struct fedsource *s, enum err err)
{
	clock_ms most = err != OK || s->kind->always ? s->kind->retry : s->cfg.interval;
	clock_ms wait = s->cfg.interval < most ? s->cfg.interval : most;
	const struct fedlist *held = fedstore_list(s->cfg.store);

	if (trust_lacks_word(err) && s->cfg.trust_retry < wait)
		wait = s->cfg.trust_retry;
	if (s->outdated)
		wait = s->cfg.outdated_wait;
	if (s->announced >= 0 && (held == NULL || fedlist_version(held) != s->announced))
		wait = 0;
	timer_set(s->loop, &s->timer, wait);
}

static int64_t
as_of(const struct fedsource *s)
{
	return s->outdated ? 0 : fedstore_as_of(s->cfg.store);
}

static void
tell(struct fedsource *s)
{
	const struct fedlist *now = fedstore_list(s->cfg.store);
	bool changed = now != s->told;

	if (now == NULL || (!changed && as_of(s) == s->told_as_of))
		return;
	if (changed)
		log_info("federation list in force: federation=%s version=%lld entries=%zu",
		    s->name, (long long)fedlist_version(now), fedlist_count(now));
	s->told = now;
	s->told_as_of = as_of(s);
	s->cfg.on_change(s->cfg.arg, now, s->told_as_of);
}

/* --- the end of a look --- */

static void
finish(struct fedsource *s, enum err err)
{
	note(s, err, s->status);
	look_after(s, err);
	tell(s);
	if (s->cfg.on_looked != NULL)
		s->cfg.on_looked(s->cfg.arg, err);
}

static void
on_judged(void *arg, enum err err)
{
	struct fedsource *s = arg;

	if (err == OK)
		memcpy(s->etag, s->etag_next, sizeof(s->etag));
	if (s->kind->judged != NULL)
		s->kind->judged(s, err);
	finish(s, err);
}

/* Whoever signed the list in force is no longer trusted, or is again. */
static void
on_signer(void *arg)
{
	struct fedsource *s = arg;

	s->told = fedstore_list(s->cfg.store);
	s->told_as_of = s->told != NULL ? as_of(s) : 0;
	s->cfg.on_change(s->cfg.arg, s->told, s->told_as_of);
}

void
fedsource_offer(struct fedsource *s, struct buf *body, int64_t as_of, int status, const char *etag)
{
	bool begun;

	s->status = status;
	s->etag[0] = '\0'; /* until it is judged */
	snprintf(s->etag_next, sizeof(s->etag_next), "%s", etag);
	begun = body != NULL ? fedintake_offer(s->intake, body, as_of, on_judged, s)
			     : fedintake_offer_file(s->intake, s->file, as_of, on_judged, s);
	if (!begun)
		finish(s, ERR_MEMORY);
}

void
fedsource_settle(struct fedsource *s, enum err err, int64_t as_of, int status)
{
	s->status = status;
	if (err == OK)
		fedstore_confirm(s->cfg.store, as_of);
	else
		s->etag[0] = '\0'; /* ask for all of it next time */
	finish(s, err);
}

static void
look(void *arg)
{
	struct fedsource *s = arg;

	s->asked = false;
	s->kind->look(s);
}

/* --- the source --- */

bool
fedsource_busy(const struct fedsource *s)
{
	return s->asked || s->fetch != NULL || s->call != NULL || fedintake_busy(s->intake);
}

void
fedsource_pause(struct fedsource *s)
{
	fedintake_cancel(s->intake);
	s->kind->cancel(s);
	timer_clear(&s->timer);
	s->asked = false;
	s->paused = true;
}

void
fedsource_resume(struct fedsource *s)
{
	s->paused = false;
	timer_set(s->loop, &s->timer, 0);
}

bool
fedsource_ask(struct fedsource *s)
{
	if (s->outdated || s->paused)
		return false;
	if (!fedsource_busy(s)) {
		s->asked = true;
		timer_set(s->loop, &s->timer, 0);
	}
	return true;
}

struct fedsource_state
fedsource_state(const struct fedsource *s)
{
	const struct fedlist *l = fedstore_list(s->cfg.store);
	struct fedsource_state st = s->state;

	st.version = l != NULL ? fedlist_version(l) : -1;
	st.count = l != NULL ? fedlist_count(l) : 0;
	st.as_of = as_of(s);
	st.outdated = s->outdated;
	return st;
}

static bool
take_config(struct fedsource *s)
{
	const struct fedsource_config *cfg = &s->cfg;

	s->name = strdup(cfg->name);
	s->file = cfg->file != NULL ? strdup(cfg->file) : NULL;
	s->url = cfg->url != NULL ? strdup(cfg->url) : NULL;
	if (cfg->client != NULL) {
		s->kind = &fedsource_by_regsvc;
		s->where = regclient_conf(cfg->client)->url;
		s->outdated = cfg->outdated;
	} else {
		s->kind = cfg->file != NULL ? &fedsource_by_file : &fedsource_by_url;
		s->where = cfg->file != NULL ? s->file : s->url;
	}
	return s->name != NULL && s->where != NULL;
}

struct fedsource *
fedsource_new(struct loop *loop, const struct fedsource_config *cfg)
{
	struct fedsource *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->cfg = *cfg;
	s->announced = -1;
	if (s->cfg.anchors != NULL)
		X509_STORE_up_ref(s->cfg.anchors);
	timer_init(&s->timer, look, s);
	s->intake = fedintake_new(loop, &(struct fedintake_config){ .store = cfg->store,
					    .max_bytes = cfg->max_bytes,
					    .name = cfg->name,
					    .trust = cfg->trust,
					    .on_signer = on_signer,
					    .arg = s });
	if (!take_config(s) || s->intake == NULL) {
		fedsource_free(s);
		return NULL;
	}
	s->told = fedstore_list(cfg->store);
	s->told_as_of = as_of(s);
	timer_set(loop, &s->timer, 0);
	return s;
}

void
fedsource_free(struct fedsource *s)
{
	if (s == NULL)
		return;
	fedintake_free(s->intake);
	if (s->kind != NULL)
		s->kind->cancel(s);
	timer_clear(&s->timer);
	X509_STORE_free(s->cfg.anchors);
	free(s->name);
	free(s->file);
	free(s->url);
	free(s);
}
