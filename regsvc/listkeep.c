/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/listkeep.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/federation/fedintake.h"
#include "regsvc/series.h"

#define NAME "federation-list" /* of the files in the state directory */

struct listkeep {
	struct loop *loop;
	struct listkeep_config cfg;
	struct trust *trust; /* NULL: the anchors alone decide */
	struct fedstore *store;
	struct fedintake *intake;
	struct lists_text *text; /* of the list held; one reference */
	struct lists_text *next; /* of the one being judged */
	void (*fn)(void *arg, enum err err);
	void *arg;
};

/* --- what is held --- */

const struct fedlist *
listkeep_list(const struct listkeep *k)
{
	return k->text != NULL ? fedstore_list(k->store) : NULL;
}

struct lists_text *
listkeep_text(const struct listkeep *k)
{
	return listkeep_list(k) != NULL ? k->text : NULL;
}

int64_t
listkeep_as_of(const struct listkeep *k)
{
	return fedstore_as_of(k->store);
}

void
listkeep_confirm(struct listkeep *k, int64_t as_of)
{
	fedstore_confirm(k->store, as_of);
}

static void
drop_text(struct lists_text **t)
{
	if (*t != NULL)
		snapshot_drop(&(*t)->snap);
	*t = NULL;
}

/* --- another one --- */

static void
on_judged(void *arg, enum err err)
{
	struct listkeep *k = arg;
	const struct fedlist *list = fedstore_list(k->store);

	if (err == OK && list != NULL) {
		drop_text(&k->text);
		k->text = k->next;
		k->next = NULL;
		listtext_name(k->text, fedlist_version(list));
	}
	drop_text(&k->next);
	k->fn(k->arg, err);
}

bool
listkeep_offer(struct listkeep *k, struct buf *jws, int64_t as_of,
    void (*fn)(void *arg, enum err err), void *arg)
{
	if (!fedintake_busy(k->intake) && (k->next = listtext_new(buf_str(jws))) != NULL) {
		k->fn = fn;
		k->arg = arg;
		if (fedintake_offer(k->intake, jws, as_of, on_judged, k))
			return true;
		drop_text(&k->next);
		return false;
	}
	buf_fini(jws);
	return false;
}

/* --- opening --- */

/* The file's bytes are those that fedstore_restore() has just verified: nobody else writes it. */
static void
restore_text(struct listkeep *k)
{
	char path[PATH_MAX];
	struct buf b;

	buf_init(&b, k->cfg.conf->max_bytes);
	snprintf(path, sizeof(path), "%s/%s.jws", k->cfg.state_dir, NAME);
	if (fs_read(path, &b) == 0 && (k->text = listtext_new(buf_str(&b))) != NULL)
		listtext_name(k->text, fedlist_version(fedstore_list(k->store)));
	else
		log_error("federation list: %s cannot be read: %s", path, strerror(errno));
	buf_fini(&b);
}

static void
restore(struct listkeep *k, const struct listkeep *from)
{
	enum err err;

	if (from != NULL && from->text != NULL && fedstore_inherit(k->store, from->store)) {
		k->text = from->text;
		snapshot_hold(&k->text->snap);
		return;
	}
	err = fedstore_restore(k->store);
	if (err == OK && fedstore_list(k->store) != NULL)
		restore_text(k);
	else if (err != ERR_NOT_FOUND)
		log_warn("federation list: the one kept in %s is not used: reason=%s: %s",
		    k->cfg.state_dir, err_name(err), err_text(err));
}

static void
on_trust(void *arg, enum trust_event event)
{
	(void)arg;
	series_trust(SERIES_TRUST_LIST, event);
}

static bool
open_trust(struct listkeep *k, X509_STORE **issuers)
{
	const struct list_conf *c = k->cfg.conf;
	struct trust_config tc = trust_settings(&c->trust);

	*issuers = NULL;
	if (!trust_wanted(&c->trust))
		return true;
	tc.name = NAME;
	tc.client_id = k->cfg.client_id;
	tc.state_dir = k->cfg.state_dir;
	tc.anchors = c->anchors;
	tc.fetcher = k->cfg.fetcher;
	tc.timeout = k->cfg.timeout;
	tc.count = on_trust;
	k->trust = trust_new(k->loop, &tc);
	if (k->trust != NULL)
		*issuers = trust_store(k->trust);
	return *issuers != NULL;
}

static void
on_signer(void *arg)
{
	struct listkeep *k = arg;

	k->cfg.changed(k->cfg.arg);
}

static bool
open_all(struct listkeep *k, const struct listkeep *from)
{
	const struct list_conf *c = k->cfg.conf;
	struct fedstore_config sc = { .state_dir = k->cfg.state_dir,
		.name = NAME,
		.anchors = c->anchors,
		.signer_role = c->signer_role,
		.signer_cn = c->signer_cn,
		.max_bytes = c->max_bytes,
		.max_entries = c->max_entries };
	struct fedintake_config ic = {
		.max_bytes = c->max_bytes, .name = NAME, .on_signer = on_signer, .arg = k
	};

	if (!open_trust(k, &sc.issuers))
		return false;
	k->store = fedstore_new(&sc);
	X509_STORE_free(sc.issuers);
	if (k->store == NULL)
		return false;
	restore(k, from);
	ic.store = k->store;
	ic.trust = k->trust;
	k->intake = fedintake_new(k->loop, &ic);
	return k->intake != NULL;
}

struct listkeep *
listkeep_new(struct loop *loop, const struct listkeep_config *cfg, const struct listkeep *from)
{
	struct listkeep *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->loop = loop;
	k->cfg = *cfg;
	if (open_all(k, from))
		return k;
	listkeep_free(k);
	return NULL;
}

void
listkeep_stop(struct listkeep *k)
{
	if (k == NULL)
		return;
	fedintake_free(k->intake);
	trust_free(k->trust);
	k->intake = NULL;
	k->trust = NULL;
}

void
listkeep_free(struct listkeep *k)
{
	if (k == NULL)
		return;
	listkeep_stop(k);
	drop_text(&k->text);
	drop_text(&k->next);
	if (k->store != NULL)
		fedstore_free(k->store);
	free(k);
}
