/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/passage_fakes.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct around around;
struct upstream reused = { .reused = true }, fresh;
char fake_keys, fake_accounts, fake_misses, fake_destinations, fake_owners;
struct upstreams fake_upstreams = { .refs = 1 };
static struct target fake_target;

/* --- exchange --- */

static enum exchange_body
fake_peek(struct exchange *ex, struct str *data, enum err *why)
{
	*data = around.upload;
	*why = around.upload_err;
	return around.upload.n > 0 ? EXCHANGE_DATA : around.upload_then;
}

static void
fake_consume(struct exchange *ex, size_t n)
{
	around.upload = str_from(around.upload, n);
}

static void
fake_want_body(struct exchange *ex, bool want)
{
	around.wanted += want;
}

static void
fake_limit_body(struct exchange *ex, uint64_t max)
{
	around.limit = max;
}

static void
fake_end(struct exchange *ex)
{
	around.ended++;
}

static void
fake_abort(struct exchange *ex)
{
	around.aborted++;
}

const struct exchange_ops fake_exchange = {
	.peek = fake_peek,
	.consume = fake_consume,
	.want_body = fake_want_body,
	.limit_body = fake_limit_body,
	.end = fake_end,
	.abort = fake_abort,
};

void
exchange_answer(struct exchange *ex, int status, const char *content_type, struct str fields, struct str body)
{
	around.answered++;
	around.status = status;
	cr_assert_str_eq(content_type, "application/json");
	snprintf(around.fields, sizeof(around.fields), STR_FMT, STR_ARG(fields));
	snprintf(around.body, sizeof(around.body), STR_FMT, STR_ARG(body));
}

/* --- facts --- */

void
fact_wait_init(struct fact_wait *w)
{
	memset(w, 0, sizeof(*w));
}

void
fact_cancel(struct fact_wait *w)
{
	if (around.waiting == w)
		around.waiting = NULL;
}

static bool
is_place(const struct fact_cache *c)
{
	return (const void *)c == &fake_destinations || (const void *)c == &fake_owners;
}

/* What is looked for twice in a row is noted once: first at hand, then asked for. */
static void
note_place(struct str key)
{
	size_t n = strlen(around.places);

	if (n > key.n && str_eq(str_of(around.places + n - key.n, key.n), key) && around.places[n - key.n - 1] == ' ')
		return;
	snprintf(around.places + n, sizeof(around.places) - n, " " STR_FMT, STR_ARG(key));
}

const struct fact *
fact_peek(struct fact_cache *c, struct str key, const void *input)
{
	if (is_place(c))
		note_place(key);
	if ((void *)c == &fake_owners)
		return around.owner_at_hand;
	if ((void *)c == &fake_destinations)
		return key.p[0] == '=' ? around.through_at_hand : around.destination_at_hand;
	return (void *)c == &fake_keys   ? around.keys_at_hand
	       : (void *)c == &fake_misses ? around.miss_at_hand
					   : around.account_at_hand;
}

void
fact_get(struct fact_cache *c, struct str key, const void *input, clock_ms younger_than, struct fact_wait *w,
    void (*fn)(void *arg, const struct fact *f), void *arg)
{
	bool of_keys = (void *)c == &fake_keys, miss = (void *)c == &fake_misses;

	cr_assert_null(around.waiting, "two questions at once");
	if (of_keys)
		cr_assert(str_eq(key, str_z(around.keys_of)));
	around.keys_asked += of_keys;
	if (miss)
		snprintf(around.miss, sizeof(around.miss), STR_FMT, STR_ARG(key));
	around.misses_asked += miss;
	if (is_place(c))
		note_place(key);
	around.places_asked += is_place(c);
	around.accounts_asked += !of_keys && !miss && !is_place(c);
	around.younger_than = younger_than;
	around.waiting = w;
	w->fn = fn;
	w->arg = arg;
}

/* Of the table of owners only its keys are used here. */
struct fact_cache *
fact_cache_new(struct loop *loop, const struct fact_config *cfg)
{
	return NULL;
}

void
fact_cache_free(struct fact_cache *c)
{
}

void
fact_answer(struct fact_cache *c, struct str key, struct fact *f)
{
}

struct fact *
fact_negative(enum err err, clock_ms ttl_ms)
{
	return NULL;
}

struct account_key
account_key(struct str server_name, struct str token)
{
	return (struct account_key){ { (unsigned char)token.p[0] } };
}

/* --- look-ups --- */

bool
lookups_note_invite(struct worker *w, const struct service_conf *s, const struct invite *in)
{
	around.noted++;
	return true;
}

void
lookups_forget_accounts(struct worker *w)
{
	around.forgotten++;
}

struct invite_question *
lookups_ask_invites(struct worker *w, const struct service_conf *s, const struct invite *in, size_t n,
    void (*fn)(void *arg, const bool *known), void *arg)
{
	around.invites_asked++;
	around.n_invites = n;
	around.on_invites = fn;
	around.invites_arg = arg;
	return (struct invite_question *)&around;
}

void
lookups_cancel_invites(struct invite_question *q)
{
	if (q != NULL)
		around.on_invites = NULL;
}

void
worker_list(const struct worker *w, const struct federation_conf *f, int64_t now_s, const struct fedlist **list, bool *stale)
{
	*list = around.list;
	*stale = around.list_stale;
}

const struct passport_trust *
worker_passports(const struct worker *w, const struct federation_conf *f)
{
	return around.passports;
}

/* --- pool --- */

struct upstreams *
upstreams_hold(struct upstreams *u)
{
	u->refs++;
	return u;
}

void
upstreams_drop(struct upstreams *u)
{
	if (u != NULL)
		u->refs--;
}

size_t
upstreams_choose(struct upstreams *u, const struct upstream_conf *up, uint64_t key, uint64_t tried)
{
	around.key = key;
	return tried == 0 ? 0 : tried == 1 && around.another ? 1 : SIZE_MAX;
}

struct target *
upstreams_target(const struct upstreams *u, const struct upstream_conf *up, size_t index)
{
	return &fake_target;
}

void
upstreams_failed(const struct upstreams *u, const struct upstream_conf *up, size_t index)
{
	around.failed++;
}

void
upstreams_worked(struct target *t)
{
	around.worked++;
}

void
pool_wait_init(struct pool_wait *w)
{
	memset(w, 0, sizeof(*w));
}

struct upstream *
pool_take(struct pool *p, bool certain)
{
	struct upstream *up = around.idle;

	around.taken_certain = certain;
	around.idle = NULL;
	return up;
}

void
pool_acquire(struct pool *p, bool want_fresh, struct pool_wait *w,
    void (*fn)(void *arg, struct upstream *up, enum err why), void *arg)
{
	around.dialled++;
	around.dialled_fresh = want_fresh;
	around.dialling = w;
	w->fn = fn;
	w->arg = arg;
}

void
pool_cancel(struct pool_wait *w)
{
	if (around.dialling == w)
		around.dialling = NULL;
}

void
pool_release(struct upstream *up, bool reusable)
{
	around.released++;
}

/* --- other servers --- */

struct remote *
remotes_get(struct remotes *r, const struct destination *d, const struct destination *proxy, bool tls, enum err *why)
{
	*why = d->fact.err != OK ? d->fact.err : around.remote_err;
	if (*why != OK)
		return NULL;
	around.remotes_got++;
	around.remotes_held++;
	around.remote_tls = tls;
	around.remote_through = proxy != NULL;
	return (struct remote *)&around;
}

void
remote_drop(struct remote *m)
{
	around.remotes_held -= m != NULL;
}

struct pool *
remote_pool(const struct remote *m)
{
	return NULL;
}

/* --- forward --- */

void
forward_start(struct forward *f, struct loop *loop, struct exchange *ex, struct upstream *up,
    const struct forward_request *how, void (*fn)(void *arg, enum err err), void *arg)
{
	cr_assert_null(around.forward);
	memset(f, 0, sizeof(*f));
	around.forwarded++;
	around.forward = f;
	f->ex = ex;
	f->up = up;
	f->how = *how;
	f->fn = fn;
	f->arg = arg;
}

void
forward_cancel(struct forward *f)
{
	if (around.forward == f)
		around.forward = NULL;
}

void
forward_on_body(struct forward *f)
{
	around.body_events++;
}

void
forward_on_room(struct forward *f)
{
	around.room_events++;
}

bool
forward_may_retry(const struct forward *f, const struct exchange *ex)
{
	return around.may_retry;
}

bool
forward_may_retry_unread(const struct forward *f, const struct exchange *ex)
{
	return around.may_retry;
}

/* --- time --- */

void
timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
	*t = (struct timer){ .fn = fn, .arg = arg };
}

void
timer_set(struct loop *l, struct timer *t, clock_ms after_ms)
{
	around.timer = t;
}

void
timer_clear(struct timer *t)
{
	if (around.timer == t)
		around.timer = NULL;
}

clock_ms
loop_now(const struct loop *l)
{
	return around.now;
}

void
loop_bury(struct loop *l, struct grave *g, void (*free_fn)(void *arg), void *arg)
{
	for (unsigned i = 0; i < around.n_graves; i++)
		cr_assert_neq(around.graves[i], g, "buried twice");
	cr_assert_lt(around.n_graves, sizeof(around.graves) / sizeof(around.graves[0]));
	around.graves[around.n_graves++] = g;
	g->free_fn = free_fn;
	g->arg = arg;
}

void
end_turn(void)
{
	for (unsigned i = 0; i < around.n_graves; i++)
		around.graves[i]->free_fn(around.graves[i]->arg);
	around.n_graves = 0;
}
