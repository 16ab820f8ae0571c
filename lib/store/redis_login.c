/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_login - what is said first on a connection, and what the answers mean.
 *
 * Commands of callers follow only when all of them were answered well.
 */
#include <stdio.h>

#include "lib/store/redis_int.h"

static bool
ask(struct redis *r, enum redis_login what, const struct str *words, size_t n)
{
	size_t len = 0;
	char *text = redis_format(&(struct redis_command){ words, n }, 1, false, &len);
	struct redis_call *c = redis_queue(r, text, len, 1, NULL, NULL);

	if (c == NULL)
		return false;
	c->login = what;
	r->n_login++;
	return true;
}

static bool
ask_auth(struct redis *r)
{
	struct str auth[] = { STR("AUTH"), str_z(r->user), str_z(r->password) };

	if (r->password == NULL)
		return true;
	if (r->user == NULL)
		auth[1] = auth[2];
	return ask(r, LOGIN_AUTH, auth, r->user != NULL ? 3 : 2);
}

static bool
ask_database(struct redis *r)
{
	char number[16];
	struct str db[] = { STR("SELECT"), STR_NONE }, hello[] = { STR("HELLO") };

	db[1] = str_of(number, (size_t)snprintf(number, sizeof(number), "%u", r->cfg.db));
	return ask(r, LOGIN_SELECT, db, 2) &&
	       (r->cfg.n_sentinels == 0 || ask(r, LOGIN_HELLO, hello, 1));
}

void
redis_login(struct redis *r)
{
	struct str ping[] = { STR("PING") };

	r->stage = LOGIN;
	if (ask_auth(r) && (r->cfg.is_sentinel ? ask(r, LOGIN_PING, ping, 1) : ask_database(r)))
		redis_pump(r);
	else
		redis_lost(r, ERR_MEMORY);
}

static bool
is_text(const redisReply *e, struct str text)
{
	return e->type == REDIS_REPLY_STRING && str_eq(str_of(e->str, (size_t)e->len), text);
}

static bool
is_master(const redisReply *hello)
{
	for (size_t i = 0; i + 1 < hello->elements; i += 2)
		if (is_text(hello->element[i], STR("role")))
			return is_text(hello->element[i + 1], STR("master"));
	return false;
}

static enum err
judge(const struct redis *r, enum redis_login what, const redisReply *reply)
{
	if (what == LOGIN_AUTH && r->cfg.is_sentinel)
		return OK; /* it may have no password; if it has another one, PING fails */
	if (what == LOGIN_HELLO && reply->type == REDIS_REPLY_ARRAY)
		return is_master(reply) ? OK : ERR_STORE_READONLY;
	return reply->type == REDIS_REPLY_STATUS ? OK : ERR_REDIS_ANSWER;
}

void
redis_judge_login(struct redis *r, struct redis_call *c, redisReply *reply)
{
	enum err why = judge(r, c->login, reply);

	redis_finish(c, OK, reply);
	if (why != OK)
		redis_lost(r, why);
	else if (--r->n_login == 0)
		redis_up(r);
}
