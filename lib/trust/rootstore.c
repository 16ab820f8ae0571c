/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/trust/rootstore.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/fact/backoff.h"
#include "lib/trust/roots.h"

#define PATH "/ECC/ROOT-CA/roots.json"

struct rootstore {
	const struct trust_ask *ask;
	struct rootstore_config cfg;
	char *url, *path; /* NULL: not configured */
	STACK_OF(X509) *pinned, *linked;
	X509_STORE *store;
	struct timer timer;
	struct fetch *fetch;
	struct backoff *backoff;
	clock_ms not_before; /* no look before that */
	bool looked;         /* or there is a file of an earlier life */
};

/* --- what is in force --- */

static STACK_OF(X509) *
certificates_of(X509_STORE *store)
{
	STACK_OF(X509) *out = sk_X509_new_null();
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

	for (int i = 0; out != NULL && i < sk_X509_OBJECT_num(objects); i++) {
		X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (cert == NULL)
			continue;
		if (sk_X509_push(out, cert) <= 0) {
			sk_X509_pop_free(out, X509_free);
			return NULL;
		}
		X509_up_ref(cert);
	}
	return out;
}

static bool
add_all(X509_STORE *store, STACK_OF(X509) *certs)
{
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(certs, i)) != 1)
			return false;
	return true;
}

/* Takes over `linked` if it succeeds. */
static enum err
adopt(struct rootstore *s, STACK_OF(X509) *linked)
{
	X509_STORE *store = X509_STORE_new();

	if (store == NULL || !add_all(store, s->pinned) || !add_all(store, linked)) {
		X509_STORE_free(store);
		return ERR_MEMORY;
	}
	sk_X509_pop_free(s->linked, X509_free);
	X509_STORE_free(s->store);
	s->linked = linked;
	s->store = store;
	return OK;
}

/* A root that is gone from the file though it is still valid. */
static bool
lacks_one(const struct rootstore *s, STACK_OF(X509) *linked, int64_t at)
{
	for (int i = 0; i < sk_X509_num(s->linked); i++) {
		X509 *held = sk_X509_value(s->linked, i);

		if (roots_is_current(held, at) && !roots_has(linked, held))
			return true;
	}
	return false;
}

static enum err
take(struct rootstore *s, struct str json)
{
	int64_t now = clock_wall_s();
	STACK_OF(X509) *linked;
	enum err err = roots_link(json, s->pinned, now, &linked);
	int before = sk_X509_num(s->linked);

	if (err == OK && lacks_one(s, linked, now))
		err = ERR_ROOTS;
	if (err == OK)
		err = adopt(s, linked);
	if (err != OK) {
		sk_X509_pop_free(linked, X509_free);
		return err;
	}
	if (sk_X509_num(linked) != before)
		log_info("trust %s: %d roots pinned, %d more linked to them", s->ask->name,
		    sk_X509_num(s->pinned), sk_X509_num(linked));
	return OK;
}

/* --- the file --- */

static bool
load(struct rootstore *s)
{
	struct buf text;
	enum err err = ERR_FILE;

	if (s->path == NULL)
		return false;
	buf_init(&text, ROOTS_MAX_BYTES);
	if (fs_read(s->path, &text) == 0)
		err = take(s, buf_str(&text));
	else if (errno == ENOENT)
		err = ERR_NOT_FOUND;
	buf_fini(&text);
	if (err != OK && err != ERR_NOT_FOUND)
		log_warn("trust %s: the kept %s is not used: reason=%s: %s", s->ask->name, s->path,
		    err_name(err), err_text(err));
	return err == OK;
}

static void
save(const struct rootstore *s, struct str json)
{
	if (s->path != NULL && fs_replace(s->path, json, 0640) != 0)
		log_error("trust %s: %s cannot be written: %s; after a restart the roots must be "
			  "downloaded again",
		    s->ask->name, s->path, strerror(errno));
}

/* How long what is kept is still young enough. */
static clock_ms
until_due(const struct rootstore *s)
{
	struct stat st;
	int64_t age;

	if (s->path == NULL || stat(s->path, &st) != 0)
		return 0;
	age = (clock_wall_s() - st.st_mtim.tv_sec) * 1000;
	return age >= 0 && (clock_ms)age < s->cfg.interval ? s->cfg.interval - (clock_ms)age : 0;
}

/* --- looking --- */

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct rootstore *s = arg;
	enum err err = ask_judge(r);
	clock_ms wait = s->cfg.interval;

	s->fetch = NULL;
	s->looked = true;
	if (err == OK)
		err = take(s, r->body);
	if (err == OK) {
		save(s, r->body);
		backoff_forget(s->backoff, str_z(s->url));
		s->not_before = loop_now(s->ask->loop) + s->ask->retry_min;
	} else {
		wait = backoff_fail(s->backoff, str_z(s->url));
		s->not_before = loop_now(s->ask->loop) + wait;
		ask_count(s->ask, TRUST_DOWNLOAD_FAILED);
		log_warn("trust %s: roots not renewed: source=%s reason=%s status=%d: %s; those "
			 "held stay in force",
		    s->ask->name, s->url, err_name(err), r->status, err_text(err));
	}
	timer_set(s->ask->loop, &s->timer, wait);
	s->cfg.changed(s->cfg.arg);
}

bool
rootstore_is_looking(const struct rootstore *s)
{
	return s->fetch != NULL || (s->url != NULL && !s->looked);
}

bool
rootstore_look(struct rootstore *s)
{
	if (s->fetch != NULL)
		return true;
	if (s->url == NULL || loop_now(s->ask->loop) < s->not_before)
		return false;
	s->fetch = ask_start(s->ask, s->url, STR_NONE, ROOTS_MAX_BYTES, on_answer, s);
	s->not_before = loop_now(s->ask->loop) + s->ask->retry_min;
	timer_set(s->ask->loop, &s->timer, s->ask->retry_min);
	if (s->fetch != NULL)
		ask_count(s->ask, TRUST_DOWNLOADED);
	else
		s->looked = true; /* nobody shall wait for it */
	return s->fetch != NULL;
}

static void
on_timer(void *arg)
{
	(void)rootstore_look(arg);
}

/* --- the store --- */

static bool
make_names(struct rootstore *s)
{
	if (s->cfg.base_url == NULL)
		return true;
	if (asprintf(&s->url, "%s" PATH, s->cfg.base_url) < 0) {
		s->url = NULL;
		return false;
	}
	if (s->cfg.state_dir != NULL &&
	    asprintf(&s->path, "%s/trust-%s-roots.json", s->cfg.state_dir, s->ask->name) < 0) {
		s->path = NULL;
		return false;
	}
	return true;
}

struct rootstore *
rootstore_new(const struct trust_ask *ask, const struct rootstore_config *cfg)
{
	struct rootstore *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->ask = ask;
	s->cfg = *cfg;
	timer_init(&s->timer, on_timer, s);
	s->pinned = certificates_of(cfg->pinned);
	s->linked = sk_X509_new_null();
	s->store = X509_STORE_new();
	s->backoff = backoff_new(ask->retry_min, ask->retry_max, 1);
	if (s->pinned == NULL || s->linked == NULL || s->store == NULL || s->backoff == NULL ||
	    !make_names(s) || !add_all(s->store, s->pinned)) {
		rootstore_free(s);
		return NULL;
	}
	if (s->url != NULL) {
		s->looked = load(s);
		timer_set(ask->loop, &s->timer, s->looked ? until_due(s) : 0);
	}
	return s;
}

void
rootstore_free(struct rootstore *s)
{
	if (s == NULL)
		return;
	fetch_cancel(s->fetch);
	timer_clear(&s->timer);
	backoff_free(s->backoff);
	sk_X509_pop_free(s->pinned, X509_free);
	sk_X509_pop_free(s->linked, X509_free);
	X509_STORE_free(s->store);
	free(s->url);
	free(s->path);
	free(s);
}

X509_STORE *
rootstore_get(const struct rootstore *s)
{
	return s->store;
}

bool
rootstore_collect(const struct rootstore *s, STACK_OF(X509) *out)
{
	STACK_OF(X509) *const both[] = { s->pinned, s->linked };

	for (size_t k = 0; k < 2; k++)
		for (int i = 0; i < sk_X509_num(both[k]); i++) {
			if (sk_X509_push(out, sk_X509_value(both[k], i)) <= 0)
				return false;
			X509_up_ref(sk_X509_value(both[k], i));
		}
	return true;
}
