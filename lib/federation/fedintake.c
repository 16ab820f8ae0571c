/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/federation/fedintake.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"
#include "lib/net/errand.h"

struct fedintake {
	struct loop *loop;
	struct fedintake_config cfg;
	struct errand *errand;
	/* what the errand takes with it, and brings back */
	struct buf text;
	const char *path; /* the text is to be read from there; NULL: it is here */
	int64_t as_of;
	enum err err;
	struct fedstore_offer offer;
	fedintake_fn *fn;
	void *arg;
};

static void
run_errand(void *arg) /* on a thread of its own */
{
	struct fedintake *in = arg;

	in->err = OK;
	if (in->path != NULL && fs_read(in->path, &in->text) != 0)
		in->err = errno == EFBIG ? ERR_TOO_LARGE : ERR_FILE;
	if (in->err == OK)
		in->err = fedstore_judge(in->cfg.store, buf_str(&in->text), &in->offer);
	buf_fini(&in->text);
}

static void
on_judged(void *arg)
{
	struct fedintake *in = arg;

	in->errand = NULL;
	if (in->err == OK)
		fedstore_adopt(in->cfg.store, &in->offer, in->as_of);
	in->fn(in->arg, in->err);
}

static bool
begin(struct fedintake *in, int64_t as_of, fedintake_fn *fn, void *arg)
{
	in->as_of = as_of;
	in->fn = fn;
	in->arg = arg;
	in->offer = (struct fedstore_offer){ 0 };
	in->errand = errand_start(in->loop, "list", run_errand, on_judged, in);
	if (in->errand == NULL)
		buf_fini(&in->text);
	return in->errand != NULL;
}

bool
fedintake_offer(struct fedintake *in, struct buf *jws, int64_t as_of, fedintake_fn *fn, void *arg)
{
	if (in->errand != NULL) {
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
	if (in->errand != NULL)
		return false;
	in->path = path;
	buf_init(&in->text, in->cfg.max_bytes);
	return begin(in, as_of, fn, arg);
}

void
fedintake_cancel(struct fedintake *in)
{
	if (in->errand == NULL)
		return;
	errand_cancel(in->errand);
	in->errand = NULL;
	fedstore_offer_drop(&in->offer);
	buf_fini(&in->text);
}

bool
fedintake_busy(const struct fedintake *in)
{
	return in->errand != NULL;
}

struct fedintake *
fedintake_new(struct loop *loop, const struct fedintake_config *cfg)
{
	struct fedintake *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return NULL;
	in->loop = loop;
	in->cfg = *cfg;
	buf_init(&in->text, 0);
	return in;
}

void
fedintake_free(struct fedintake *in)
{
	if (in == NULL)
		return;
	fedintake_cancel(in);
	free(in);
}
