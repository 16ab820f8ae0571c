/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/gather.h"

#include "lib/matrix/keyring.h"
#include "lib/matrix/serverkeys.h"
#include "proxy/homeserver.h"
#include "proxy/judge.h"
#include "proxy/series.h"
#include "proxy/worker.h"

static void
on_timer(void *arg)
{
	struct gather *g = arg;

	g->fn(g->arg, ERR_LOOKUP);
}

void
gather_init(struct gather *g, struct worker *w, struct judged *j, clock_ms timeout,
    void (*fn)(void *arg, enum err err), void *arg)
{
	g->w = w;
	g->j = j;
	g->timeout = timeout;
	g->fn = fn;
	g->arg = arg;
	fact_wait_init(&g->wait);
	timer_init(&g->timer, on_timer, g);
}

void
gather_fini(struct gather *g)
{
	fact_cancel(&g->wait);
	lookups_cancel_invites(g->question);
	timer_clear(&g->timer);
	fact_drop(&g->keys);
	fact_drop(&g->account);
}

static enum gathered
later(struct gather *g)
{
	timer_set(g->w->loop, &g->timer, g->timeout);
	return GATHER_LATER;
}

static void
answered(struct gather *g)
{
	timer_clear(&g->timer);
	g->fn(g->arg, OK);
}

/* --- keys --- */

static void
take_keys(struct gather *g, const struct fact *f)
{
	fact_drop(&g->keys);
	g->keys = fact_hold(f);
	g->j->keys = f->err == OK ? (const struct serverkeys *)(const void *)f : NULL;
}

static void
on_keys(void *arg, const struct fact *f)
{
	struct gather *g = arg;

	take_keys(g, f);
	answered(g);
}

enum gathered
gather_keys(struct gather *g)
{
	struct keys_input in = { 0 };
	const struct fact *f;

	if (g->keys == NULL && (f = fact_peek(g->w->keys, g->j->origin, &in)) != NULL) {
		metrics_inc(S_KEYS_HIT);
		take_keys(g, f);
	}
	if (g->keys != NULL && (g->j->keys == NULL || g->keys_renewed || !rule_keys_unknown(g->j)))
		return GATHER_HERE;
	if (g->keys != NULL) {
		/* The origin may have a new key: ask again, but not for every stranger's invention;
		 * our own homeserver is none. */
		g->keys_renewed = true;
		in.younger_than = g->j->outbound ? loop_now(g->w->loop)
						 : keyring_younger_than(loop_now(g->w->loop));
		if (g->keys->looked_up >= in.younger_than)
			return GATHER_HERE;
	}
	fact_get(g->w->keys, g->j->origin, &in, in.younger_than, &g->wait, on_keys, g);
	return later(g);
}

enum err
gather_keys_err(const struct gather *g)
{
	if (g->j->keys == NULL)
		return g->keys->err == ERR_OVERLOAD ? ERR_LOOKUP : ERR_XMATRIX_KEY;
	return rule_keys_unknown(g->j) ? ERR_XMATRIX_KEY : OK;
}

/* --- the account --- */

static void
take_account(struct gather *g, const struct fact *f)
{
	const struct account *a = (const struct account *)(const void *)f;

	g->account = fact_hold(f);
	if (f->err == OK)
		g->rule_account = (struct rule_account){ .known = true,
			.is_admin = a->is_admin,
			.user = str_z(a->user_id),
			.has_displayname = a->has_displayname,
			.displayname = str_z(a->displayname) };
	g->j->account = &g->rule_account;
}

static void
on_account(void *arg, const struct fact *f)
{
	struct gather *g = arg;

	take_account(g, f);
	answered(g);
}

enum gathered
gather_account(struct gather *g)
{
	struct str token = rule_token(g->j);
	struct account_input in = { .server_name = str_z(g->j->service->server_name),
		.token = token };
	struct account_key key;
	const struct fact *f;

	if (g->j->account != NULL)
		return GATHER_HERE;
	if (token.n == 0) {
		/* unknown: the homeserver will ask for a token */
		g->j->account = &g->rule_account;
		return GATHER_HERE;
	}
	key = account_key(in.server_name, token);
	f = fact_peek(g->w->accounts, account_key_str(&key), &in);
	if (f != NULL) {
		metrics_inc(S_ACCOUNTS_HIT);
		take_account(g, f);
		return GATHER_HERE;
	}
	fact_get(g->w->accounts, account_key_str(&key), &in, 0, &g->wait, on_account, g);
	return later(g);
}

enum err
gather_account_err(const struct gather *g)
{
	return g->account != NULL ? g->account->err : OK;
}

/* --- others --- */

static void
on_fact(void *arg, const struct fact *f)
{
	struct gather *g = arg;

	*g->slot = fact_hold(f);
	answered(g);
}

enum gathered
gather_fact(struct gather *g, struct fact_cache *cache, struct str key, const struct fact **slot)
{
	const struct fact *f;

	if (*slot != NULL)
		return GATHER_HERE;
	f = fact_peek(cache, key, NULL);
	if (f != NULL) {
		if (cache == g->w->destinations)
			metrics_inc(S_DESTINATIONS_HIT);
		*slot = fact_hold(f);
		return GATHER_HERE;
	}
	g->slot = slot;
	fact_get(cache, key, NULL, 0, &g->wait, on_fact, g);
	return later(g);
}

/* --- names that are not known here --- */

static void
on_miss(void *arg, const struct fact *f)
{
	(void)f;
	answered(arg);
}

static enum gathered
gather_miss(struct gather *g, enum miss kind, struct str name)
{
	char room[MISS_KEY_MAX];
	struct str key;

	if (g->missed[kind] || !miss_can_help(kind, g->j->federation))
		return GATHER_HERE;
	g->missed[kind] = true;
	key = miss_key(room, kind, g->j->federation, name);
	if (key.n == 0 || fact_peek(g->w->misses, key, NULL) != NULL)
		return GATHER_HERE;
	fact_get(g->w->misses, key, NULL, 0, &g->wait, on_miss, g);
	return later(g);
}

void
gather_list(struct gather *g)
{
	struct judged *j = g->j;

	worker_list(g->w, j->federation, j->now_ms / 1000, &j->list, &j->list_stale);
}

enum err
gather_membership(struct gather *g)
{
	gather_list(g);
	return judge_membership(g->j);
}

enum gathered
gather_domain(struct gather *g, struct str name)
{
	return gather_miss(g, MISS_DOMAIN, name);
}

enum gathered
gather_member(struct gather *g, enum err *err)
{
	enum gathered got = GATHER_HERE;

	*err = gather_membership(g);
	if (judge_may_be_new(g->j, *err) &&
	    (got = gather_miss(g, MISS_DOMAIN, judge_stranger(g->j))) == GATHER_HERE)
		*err = gather_membership(g);
	return got;
}

static enum err
judge_passports(struct gather *g)
{
	g->j->passports = worker_passports(g->w, g->j->federation);
	return judge_invites(g->j);
}

enum gathered
gather_passports(struct gather *g, enum err *err)
{
	enum gathered got = GATHER_HERE;

	*err = judge_passports(g);
	if (*err != OK && g->j->x5u.n > 0 &&
	    (got = gather_miss(g, MISS_X5U, g->j->x5u)) == GATHER_HERE)
		*err = judge_passports(g);
	if (got == GATHER_HERE)
		*err = judge_weigh_invites(g->j, *err);
	return got;
}

/* --- invites --- */

static void
on_invites(void *arg, const bool *known)
{
	struct gather *g = arg;

	g->question = NULL;
	for (size_t i = 0; i < g->j->n_invites; i++)
		g->known[i] = known[i];
	g->j->invites_known = g->known;
	answered(g);
}

enum gathered
gather_invites(struct gather *g)
{
	struct judged *j = g->j;

	if (j->route->rule != RULE_TRANSACTION || j->n_invites == 0 || j->invites_known != NULL)
		return GATHER_HERE;
	g->known = arena_alloc(j->arena, j->n_invites * sizeof(*g->known));
	if (g->known != NULL)
		g->question =
		    lookups_ask_invites(g->w, j->service, j->invites, j->n_invites, on_invites, g);
	return g->question != NULL ? later(g) : GATHER_FAILED;
}
