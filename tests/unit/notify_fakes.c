/* SPDX-License-Identifier: Apache-2.0 */
#include "notify_fakes.h"

#include <criterion/criterion.h>

#include "pushgw/notify/clients.h"
#include "pushgw/providers/provider.h"

struct seen seen;

/* --- configuration --- */

static char flag[] = "org.example.consent";
static struct app_conf apps[] = {
	{ .provider = APP_APNS },
	{ .provider = APP_APNS, .opt_in = OPT_IN_REQUIRED, .opt_in_flag = flag },
	{ .provider = APP_FCM, .counts_only = COUNTS_WAKE },
};

static void
conf_free(struct snapshot *s)
{
	cr_assert_fail("a reference too few");
}

struct pushgw_conf fakes_conf = {
	.service = { .snap = { .free = conf_free }, .limits = { .body_max = 20000 } },
	.notify = { .devices_max = 9, .data_max = 1000, .ciphertext_max = 100 },
	.apps = apps,
	.n_apps = 3,
};

enum app_match
pushgw_conf_app(const struct pushgw_conf *c, struct str app_id, size_t *index)
{
	cr_assert_eq(c, &fakes_conf);
	if (str_eq(app_id, STR("both")))
		return APP_AMBIGUOUS;
	*index = str_has_prefix(app_id, STR("app."))      ? 0
		 : str_has_prefix(app_id, STR("strict.")) ? 1
							  : 2;
	return *index < 2 || str_eq(app_id, STR("wake")) ? APP_FOUND : APP_UNKNOWN;
}

/* --- providers --- */

static enum admission
admit(const struct app_conf *app, const struct device *d, struct buf *kept)
{
	cr_assert_eq(buf_len(kept), 0);
	if (seen.kept != NULL)
		cr_assert(buf_put(kept, str_z(seen.kept)));
	if (d->pushkey.p[0] == 'C')
		return d->counts_only ? ADMIT_DROP : ADMIT_OK;
	return d->pushkey.p[0] == 'R'   ? ADMIT_REJECT
	       : d->pushkey.p[0] == 'D' ? ADMIT_DROP
					: ADMIT_OK;
}

const struct provider_type *
provider_of(enum app_provider which)
{
	static const struct provider_type type = { .name = "fake", .admit = admit };

	return &type;
}

/* --- clients --- */

enum err
clients_check(const struct clients_conf *conf, struct exchange *ex, struct str *fields)
{
	cr_assert_eq(conf, &fakes_conf.clients);
	*fields = seen.client != OK ? STR("WWW-Authenticate: Basic\r\n") : STR_NONE;
	return seen.client;
}

/* --- queue --- */

struct delayq_call *
delayq_put(struct delayq *q, const struct push *pushes, size_t n, delayq_put_fn *fn, void *arg)
{
	cr_assert(n > 0 && n <= SEEN_PUSHES);
	cr_assert_null(seen.put, "one put for each request");
	seen.puts++;
	if (seen.put_fails)
		return NULL;
	memcpy(seen.pushes, pushes, n * sizeof(*pushes));
	seen.n_pushes = n;
	seen.put = fn;
	seen.put_arg = arg;
	return (struct delayq_call *)(void *)&seen;
}

void
delayq_cancel(struct delayq_call *c)
{
	if (c == NULL)
		return;
	cr_assert_not_null(seen.put, "it has been told already");
	seen.put = NULL;
}

void
fakes_put_is(enum err err, const enum delayq_outcome *of, size_t n)
{
	delayq_put_fn *fn = seen.put;

	cr_assert_not_null(fn);
	cr_assert(err != OK || n == seen.n_pushes);
	seen.put = NULL;
	fn(seen.put_arg, err, of, n);
}

/* --- exchange --- */

static enum exchange_body
op_peek(struct exchange *ex, struct str *data, enum err *why)
{
	*why = seen.upload_err;
	if (seen.n_upload == 0)
		return seen.upload_then;
	*data = seen.upload[0];
	return EXCHANGE_DATA;
}

static void
op_consume(struct exchange *ex, size_t n)
{
	cr_assert_eq(n, seen.upload[0].n);
	memmove(seen.upload, seen.upload + 1, sizeof(seen.upload) - sizeof(seen.upload[0]));
	seen.n_upload--;
}

static void
op_want_body(struct exchange *ex, bool want)
{
}

static void
op_limit_body(struct exchange *ex, uint64_t max)
{
	seen.limit = max;
}

static bool
op_head(struct exchange *ex, const struct h1_head *resp)
{
	size_t n = 0;

	cr_assert_eq(seen.status, 0, "two answers");
	seen.status = resp->status;
	ex->head_sent = true;
	for (size_t i = 0; i < resp->n_fields; i++)
		n += (size_t)snprintf(seen.fields + n, sizeof(seen.fields) - n,
		    STR_FMT ": " STR_FMT "\n", STR_ARG(resp->fields[i].name),
		    STR_ARG(resp->fields[i].value));
	return true;
}

static size_t
op_write(struct exchange *ex, struct str data)
{
	size_t n = data.n < seen.room ? data.n : seen.room;

	if (seen.lose) {
		ex->events->gone(ex->arg, ERR_CLIENT_GONE);
		return data.n;
	}
	cr_assert_lt(seen.body_n + n, sizeof(seen.body));
	str_put(seen.body + seen.body_n, str_of(data.p, n));
	seen.body_n += n;
	return n;
}

static void
op_end(struct exchange *ex)
{
	seen.ended++;
}

static void
op_abort(struct exchange *ex)
{
	seen.aborted++;
}

static const struct exchange_ops ops = {
	.peek = op_peek,
	.consume = op_consume,
	.want_body = op_want_body,
	.limit_body = op_limit_body,
	.head = op_head,
	.write = op_write,
	.end = op_end,
	.abort = op_abort,
};

void
fakes_reset(void)
{
	memset(&seen, 0, sizeof(seen));
	seen.room = SIZE_MAX;
	seen.upload_then = EXCHANGE_END;
	atomic_init(&fakes_conf.service.snap.refs, 1);
}

void
fakes_again(struct exchange *ex)
{
	fakes_reset();
	atomic_store(&fakes_conf.service.snap.refs, 2);
	ex->head_sent = false;
}

void
fakes_exchange(struct exchange *ex, enum h1_method method, const char *target)
{
	*ex = (struct exchange){ .ops = &ops };
	arena_init(&ex->arena, 1 << 20);
	ex->req.method = method;
	ex->req.target = str_z(target);
}

void
fakes_exchange_fini(struct exchange *ex)
{
	arena_fini(&ex->arena);
}
