/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedintake - an offer goes from thread to loop and back:
 *
 *	reading (errand)  the file, and the certificates of all signatures
 *	asking            trust judges the signer of one signature after the other
 *	judging (errand)  the list, if one of them is trusted
 *
 * Without trust it is judging alone.
 */
#include "lib/federation/fedintake.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/federation/fedsigned.h"
#include "lib/net/errand.h"

struct fedintake {
	struct loop *loop;
	struct fedintake_config cfg;
	char *name;
	struct errand *errand;
	struct trust_question *question;
	/* what an errand takes with it, and brings back */
	struct buf text;
	const char *path; /* the text is to be read from there; NULL: it is here */
	int64_t as_of;
	STACK_OF(X509) *signers[JWSFORM_MAX];
	size_t n_signers, at; /* the one that is asked about or judged */
	struct fedstore_signer by;
	enum err first; /* what is wrong with the first of them */
	enum err err;
	struct fedstore_offer offer;
	fedintake_fn *fn;
	void *arg;
	/* of the list in force */
	struct trust_watch *watch;
	X509 *watched; /* its signer */
};

static void look_at_signer(struct fedintake *in);

static struct trust_demands
demands_of(const struct fedintake *in)
{
	const struct fedstore_config *c = fedstore_config(in->cfg.store);

	return (struct trust_demands){ .role = c->signer_role, .common_name = c->signer_cn };
}

/* --- the signer of the list in force --- */

static void
suspend(struct fedintake *in, enum err err)
{
	if (!fedstore_suspend(in->cfg.store, err != OK))
		return;
	if (err != OK)
		log_error("federation %s: THE LIST DOES NOT COUNT ANY MORE, its signer is not "
			  "trusted: reason=%s: %s; the federation is closed until there is good "
			  "word or a list of another signer; see the lines of 'trust' above",
		    in->name, err_name(err), err_text(err));
	else
		log_info("federation %s: the list counts again, its signer is trusted", in->name);
	if (in->cfg.on_signer != NULL)
		in->cfg.on_signer(in->cfg.arg);
}

static void
on_watch(void *arg, enum err err, struct trust_verdict *v)
{
	struct fedintake *in = arg;

	(void)v;
	if (err != ERR_MEMORY) /* which says nothing about the signer */
		suspend(in, err);
}

static void
watch_signer(struct fedintake *in)
{
	STACK_OF(X509) *signer = fedstore_signer(in->cfg.store);
	const struct trust_demands d = demands_of(in);

	if (in->cfg.trust == NULL || signer == NULL ||
	    (in->watched != NULL && X509_cmp(in->watched, sk_X509_value(signer, 0)) == 0))
		return;
	trust_unwatch(in->watch);
	X509_free(in->watched);
	in->watch = trust_watch(in->cfg.trust, signer, &d, on_watch, in);
	in->watched = NULL;
	if (in->watch == NULL) {
		log_error(
		    "federation %s: the list's signer is not watched: out of memory", in->name);
		return;
	}
	in->watched = sk_X509_value(signer, 0);
	X509_up_ref(in->watched);
}

/* What is known already, before anybody was asked. */
static void
judge_held(struct fedintake *in)
{
	STACK_OF(X509) *signer = fedstore_signer(in->cfg.store);
	const struct trust_demands d = demands_of(in);
	enum err err;

	if (in->cfg.trust == NULL || signer == NULL)
		return;
	err = trust_known(in->cfg.trust, signer, &d, NULL);
	if (fedstore_suspend(in->cfg.store, err != OK) && err != OK)
		log_warn("federation %s: the list held waits for word on its signer: reason=%s: %s",
		    in->name, err_name(err), err_text(err));
	watch_signer(in);
}

/* --- an offer --- */

static void
clean(struct fedintake *in)
{
	for (size_t i = 0; i < in->n_signers; i++)
		sk_X509_pop_free(in->signers[i], X509_free);
	in->n_signers = in->at = 0;
	X509_STORE_free(in->by.issuers);
	in->by = (struct fedstore_signer){ 0 };
	fedstore_offer_drop(&in->offer);
	buf_fini(&in->text);
}

static void
finish(struct fedintake *in, enum err err)
{
	if (err == OK) {
		fedstore_adopt(in->cfg.store, &in->offer, in->as_of);
		watch_signer(in);
	}
	clean(in);
	in->fn(in->arg, err);
}

static void
read_text(struct fedintake *in)
{
	in->err = OK;
	if (in->path != NULL && fs_read(in->path, &in->text) != 0)
		in->err = errno == EFBIG ? ERR_TOO_LARGE : ERR_FILE;
	in->path = NULL;
}

static void
run_reading(void *arg) /* on a thread of its own */
{
	struct fedintake *in = arg;

	read_text(in);
	if (in->err == OK)
		in->err =
		    fedsigned_signers(str_strip(buf_str(&in->text)), in->signers, &in->n_signers);
}

static void
run_judging(void *arg) /* on a thread of its own */
{
	struct fedintake *in = arg;

	read_text(in);
	if (in->err == OK)
		in->err = fedstore_judge(in->cfg.store, buf_str(&in->text),
		    in->by.cert != NULL ? &in->by : NULL, &in->offer);
}

/* A signature that is not good is none; the next one may be. */
static void
try_next(struct fedintake *in, enum err err)
{
	X509_STORE_free(in->by.issuers);
	in->by = (struct fedstore_signer){ 0 };
	if (in->at++ == 0)
		in->first = err;
	if (in->at < in->n_signers)
		look_at_signer(in);
	else
		finish(in, in->first);
}

static void
on_judged(void *arg)
{
	struct fedintake *in = arg;

	in->errand = NULL;
	if (in->err == ERR_JWS_SIGNATURE && in->cfg.trust != NULL)
		try_next(in, in->err);
	else
		finish(in, in->err);
}

static bool
begin_judging(struct fedintake *in)
{
	in->errand = errand_start(in->loop, "list", run_judging, on_judged, in);
	return in->errand != NULL;
}

static void
on_trust(void *arg, enum err err, struct trust_verdict *v)
{
	struct fedintake *in = arg;

	in->question = NULL;
	if (err != OK) {
		try_next(in, err);
		return;
	}
	in->by.cert = sk_X509_value(in->signers[in->at], 0);
	in->by.issuers = v->store;
	X509_STORE_up_ref(v->store);
	if (!begin_judging(in))
		finish(in, ERR_MEMORY);
}

static void
look_at_signer(struct fedintake *in)
{
	const struct trust_demands d = demands_of(in);

	in->question = trust_judge(in->cfg.trust, in->signers[in->at], &d, on_trust, in);
	if (in->question == NULL)
		finish(in, ERR_MEMORY);
}

static void
on_read(void *arg)
{
	struct fedintake *in = arg;

	in->errand = NULL;
	if (in->err == OK)
		look_at_signer(in);
	else
		finish(in, in->err);
}

static bool
begin(struct fedintake *in, int64_t as_of, fedintake_fn *fn, void *arg)
{
	in->as_of = as_of;
	in->fn = fn;
	in->arg = arg;
	in->offer = (struct fedstore_offer){ 0 };
	if (in->cfg.trust == NULL)
		(void)begin_judging(in);
	else
		in->errand = errand_start(in->loop, "list", run_reading, on_read, in);
	if (in->errand == NULL)
		clean(in);
	return in->errand != NULL;
}

bool
fedintake_offer(struct fedintake *in, struct buf *jws, int64_t as_of, fedintake_fn *fn, void *arg)
{
	if (fedintake_busy(in)) {
		buf_fini(jws);
		return false;
	}
	in->path = NULL;
	in->text = *jws;
	buf_init(jws, 0);
	return begin(in, as_of, fn, arg);
}

bool
fedintake_offer_file(
    struct fedintake *in, const char *path, int64_t as_of, fedintake_fn *fn, void *arg)
{
	if (fedintake_busy(in))
		return false;
	in->path = path;
	buf_init(&in->text, in->cfg.max_bytes);
	return begin(in, as_of, fn, arg);
}

void
fedintake_cancel(struct fedintake *in)
{
	errand_cancel(in->errand);
	in->errand = NULL;
	trust_cancel(in->question);
	in->question = NULL;
	clean(in);
}

bool
fedintake_busy(const struct fedintake *in)
{
	return in->errand != NULL || in->question != NULL;
}

/* --- the intake --- */

struct fedintake *
fedintake_new(struct loop *loop, const struct fedintake_config *cfg)
{
	struct fedintake *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return NULL;
	in->loop = loop;
	in->cfg = *cfg;
	buf_init(&in->text, 0);
	in->name = strdup(cfg->name != NULL ? cfg->name : "?");
	if (in->name == NULL) {
		fedintake_free(in);
		return NULL;
	}
	judge_held(in);
	return in;
}

void
fedintake_free(struct fedintake *in)
{
	if (in == NULL)
		return;
	fedintake_cancel(in);
	trust_unwatch(in->watch);
	X509_free(in->watched);
	free(in->name);
	free(in);
}
