/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis - one connection through its stages, and commands on their way through three lists:
 *
 *   IDLE      nothing; `again` is set
 *   ASK       sentinels are asked where the master is
 *   RESOLVE   the name is being looked up
 *   CONNECT   TCP and TLS handshakes
 *   LOGIN     AUTH and what follows is sent; the replies decide
 *   UP        commands go from `waiting` to `sent` and, with their replies, to `done`
 *
 * Callers are told from a task of its own, one per turn, so nothing here is on the stack when they
 * free us.  What a connection needs to come and go is in redis_conn.c and redis_login.c, how
 * commands are written in redis_send.c.
 */
#include <sodium.h>
#include <stdlib.h>

#include "lib/net/tlsclient.h"
#include "lib/store/redis_int.h"
#include "lib/store/redis_sentinel.h"

#define REPLY_MAX (16 << 20) /* bytes of one reply, unless told otherwise */

/* --- calls --- */

static void
call_free(struct redis_call *c)
{
	timer_clear(&c->deadline);
	list_remove(&c->node);
	c->redis->n_calls--;
	redis_forget_text(c);
	if (c->reply != NULL)
		freeReplyObject(c->reply);
	free(c);
}

static void
drop_calls(struct list *calls)
{
	struct list *node;

	while ((node = list_first(calls)) != NULL)
		call_free(LIST_ENTRY(node, struct redis_call, node));
}

void
redis_finish(struct redis_call *c, enum err err, redisReply *reply)
{
	struct redis *r = c->redis;

	timer_clear(&c->deadline);
	if (c->reply != NULL)
		freeReplyObject(c->reply);
	c->over = true;
	c->err = err;
	c->reply = reply;
	if (c->fn == NULL) {
		call_free(c);
		return;
	}
	list_remove(&c->node);
	list_append(&r->done, &c->node);
	task_defer(r->loop, &r->tell);
}

static void
on_tell(void *arg)
{
	struct redis *r = arg;
	struct list *node = list_first(&r->done);
	struct redis_call *c;
	struct redis_call told;

	if (r->now != r->known) {
		r->known = r->now;
		if (node != NULL)
			task_defer(r->loop, &r->tell);
		if (r->cfg.state != NULL)
			r->cfg.state(r->cfg.arg, r->known);
		return;
	}
	if (node == NULL)
		return;
	c = LIST_ENTRY(node, struct redis_call, node);
	told = *c;
	c->reply = NULL;
	call_free(c);
	if (list_first(&r->done) != NULL)
		task_defer(r->loop, &r->tell);
	told.fn(told.arg, told.err, told.reply);
	if (told.reply != NULL)
		freeReplyObject(told.reply);
}

/* --- the end of a connection --- */

void
redis_lost(struct redis *r, enum err why)
{
	struct list *node;

	redis_disconnect(r);
	r->writing = NULL;
	while ((node = list_first(&r->sent)) != NULL)
		redis_finish(LIST_ENTRY(node, struct redis_call, node), ERR_CONNECT, NULL);
	LIST_FOR(waiting, &r->waiting) {
		struct redis_call *c = LIST_ENTRY(waiting, struct redis_call, node);

		if (c->login != LOGIN_NONE) /* the next connection has its own */
			call_free(c);
	}
	r->n_login = 0;
	r->now = why;
	task_defer(r->loop, &r->tell);
	r->stage = IDLE;
	timer_set(r->loop, &r->again, backoff_fail(r->backoff, STR("redis")));
}

void
redis_up(struct redis *r)
{
	timer_clear(&r->connecting);
	backoff_forget(r->backoff, STR("redis"));
	r->stage = UP;
	r->now = OK;
	task_defer(r->loop, &r->tell);
	if (r->cfg.ping > 0)
		timer_set(r->loop, &r->ping, r->cfg.ping);
	redis_pump(r);
}

/* What waits for an answer anyway will tell whether there is one. */
static void
on_ping(void *arg)
{
	struct redis *r = arg;
	const struct str word = STR("PING");
	const struct redis_command ping = { &word, 1 };
	size_t len = 0;
	char *text;

	timer_set(r->loop, &r->ping, r->cfg.ping);
	if (!list_empty(&r->sent) || !list_empty(&r->waiting))
		return;
	text = redis_format(&ping, 1, false, &len);
	if (redis_queue(r, text, len, 1, NULL, NULL) != NULL)
		redis_pump(r);
}

/* --- replies --- */

/* Whether it is none to a command, but what was published in a channel. */
static bool
is_message(const struct redis *r, const redisReply *reply)
{
	return r->cfg.message != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[1]->type == REDIS_REPLY_STRING &&
	       str_eq(
		   str_of(reply->element[0]->str, (size_t)reply->element[0]->len), STR("message"));
}

/* The one reply to a command or the last one of a transaction, with its first error if any. */
static void
take_last(struct redis *r, struct redis_call *c, redisReply *reply)
{
	bool demoted;

	if (c->reply != NULL) {
		freeReplyObject(reply);
		reply = c->reply;
		c->reply = NULL;
	}
	demoted = r->cfg.n_sentinels > 0 && redis_reason(reply) == ERR_STORE_READONLY;
	redis_finish(c, OK, reply);
	if (demoted)
		redis_lost(r, ERR_STORE_READONLY);
}

static void
take_reply(struct redis *r, redisReply *reply)
{
	struct list *node = list_first(&r->sent);
	struct redis_call *c;

	if (is_message(r, reply)) {
		r->cfg.message(
		    r->cfg.arg, str_of(reply->element[1]->str, (size_t)reply->element[1]->len));
		freeReplyObject(reply);
		return;
	}
	c = node != NULL ? LIST_ENTRY(node, struct redis_call, node) : NULL;
	if (c == NULL || (c == r->writing && c->replies == 1)) { /* nobody asked, or not yet */
		freeReplyObject(reply);
		redis_lost(r, ERR_REDIS_ANSWER);
		return;
	}
	if (c->login != LOGIN_NONE)
		redis_judge_login(r, c, reply);
	else if (--c->replies == 0)
		take_last(r, c, reply);
	else if (c->reply == NULL && redis_reason(reply) != OK)
		c->reply = reply;
	else
		freeReplyObject(reply);
}

void
redis_take(struct redis *r, const char *p, size_t n)
{
	void *reply = NULL;

	r->fed += n;
	r->moved = clock_now();
	if (redisReaderFeed(r->reader, p, n) != REDIS_OK) {
		redis_lost(r, ERR_MEMORY);
		return;
	}
	while (r->stream != NULL) {
		if (redisReaderGetReply(r->reader, &reply) != REDIS_OK) {
			redis_lost(r, ERR_REDIS_ANSWER);
			return;
		}
		if (reply == NULL)
			break;
		r->fed = 0;
		take_reply(r, reply);
	}
	if (r->stream != NULL && r->fed > r->cfg.reply_max)
		redis_lost(r, ERR_TOO_LARGE);
}

static bool
begins(const redisReply *reply, struct str word)
{
	struct str text = str_of(reply->str, (size_t)reply->len);

	return str_has_prefix(text, word) && (text.n == word.n || text.p[word.n] == ' ');
}

enum err
redis_reason(const redisReply *reply)
{
	enum err err = OK;

	if (reply->type == REDIS_REPLY_ERROR) {
		if (begins(reply, STR("OOM")))
			return ERR_STORE_FULL;
		return begins(reply, STR("READONLY")) ? ERR_STORE_READONLY : ERR_REDIS_ANSWER;
	}
	if (reply->type == REDIS_REPLY_ARRAY)
		for (size_t i = 0; i < reply->elements && err == OK; i++)
			err = redis_reason(reply->element[i]);
	return err;
}

/* --- public --- */

static bool
copy_text(const char *from, char **to, const char **use)
{
	*to = from != NULL ? strdup(from) : NULL;
	*use = *to;
	return from == NULL || *to != NULL;
}

static bool
copy_sentinels(struct redis *r, const struct redis_config *cfg)
{
	r->cfg.n_sentinels = 0;
	if (cfg->n_sentinels == 0)
		return true;
	r->sentinels = calloc(cfg->n_sentinels, sizeof(*r->sentinels));
	r->cfg.sentinels = r->sentinels;
	for (size_t i = 0; r->sentinels != NULL && i < cfg->n_sentinels; i++) {
		r->sentinels[i].port = cfg->sentinels[i].port;
		r->sentinels[i].host = strdup(cfg->sentinels[i].host);
		if (r->sentinels[i].host == NULL)
			return false;
		r->cfg.n_sentinels++;
	}
	return r->sentinels != NULL;
}

static bool
copy_config(struct redis *r, const struct redis_config *cfg)
{
	bool ok = copy_text(cfg->host, &r->host, &r->cfg.host);

	ok = copy_text(cfg->unix_path, &r->unix_path, &r->cfg.unix_path) && ok;
	ok = copy_text(cfg->user, &r->user, &r->cfg.user) && ok;
	ok = copy_text(cfg->master_name, &r->master_name, &r->cfg.master_name) && ok;
	ok = copy_sentinels(r, cfg) && ok;
	if (cfg->password.n > 0)
		r->password = strndup(cfg->password.p, cfg->password.n);
	r->cfg.password = str_z(r->password);
	if (cfg->anchors != NULL && X509_STORE_up_ref(cfg->anchors) != 1)
		r->cfg.anchors = NULL;
	r->tls = r->cfg.anchors != NULL ? tlsclient_context(cfg->anchors) : NULL;
	r->backoff = backoff_new(cfg->wait_min, cfg->wait_max, 1);
	if (cfg->reply_max == 0)
		r->cfg.reply_max = REPLY_MAX;
	return ok && (cfg->password.n == 0 || r->password != NULL) &&
	       (cfg->anchors == NULL || r->tls != NULL) && r->backoff != NULL;
}

struct redis *
redis_new(struct loop *loop, const struct redis_config *cfg)
{
	struct redis *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->cfg = *cfg;
	r->known = r->now = ERR_COUNT; /* neither is known yet */
	list_init(&r->waiting);
	list_init(&r->sent);
	list_init(&r->done);
	resolver_req_init(&r->req);
	timer_init(&r->again, redis_connect, r);
	timer_init(&r->connecting, redis_too_slow, r);
	timer_init(&r->ping, on_ping, r);
	task_init(&r->tell, on_tell, r);
	buf_init(&r->out, SIZE_MAX / 2); /* bounded by queue_max */
	if (!copy_config(r, cfg)) {
		redis_free(r);
		return NULL;
	}
	timer_set(loop, &r->again, 0);
	return r;
}

void
redis_free(struct redis *r)
{
	if (r == NULL)
		return;
	redis_disconnect(r);
	drop_calls(&r->waiting);
	drop_calls(&r->sent);
	drop_calls(&r->done);
	timer_clear(&r->again);
	task_cancel(&r->tell);
	SSL_CTX_free(r->tls);
	X509_STORE_free(r->cfg.anchors);
	backoff_free(r->backoff);
	for (size_t i = 0; i < r->cfg.n_sentinels; i++)
		free((char *)(uintptr_t)r->sentinels[i].host);
	free(r->sentinels);
	if (r->password != NULL)
		sodium_memzero(r->password, strlen(r->password));
	free(r->password);
	free(r->host);
	free(r->unix_path);
	free(r->user);
	free(r->master_name);
	free(r);
}

static struct redis_call *
send_all(struct redis *r, const struct redis_command *commands, size_t n, bool atomic, redis_fn *fn,
    void *arg)
{
	struct redis_call *c;
	size_t len = 0;
	char *text;

	if (r->n_calls >= r->cfg.queue_max)
		return NULL;
	text = redis_format(commands, n, atomic, &len);
	c = redis_queue(r, text, len, (unsigned)n + (atomic ? 2 : 0), fn, arg);
	if (c != NULL && r->stage == UP)
		redis_pump(r);
	return c;
}

struct redis_call *
redis_send(struct redis *r, const struct str *words, size_t n, redis_fn *fn, void *arg)
{
	return send_all(r, &(struct redis_command){ words, n }, 1, false, fn, arg);
}

struct redis_call *
redis_transact(
    struct redis *r, const struct redis_command *commands, size_t n, redis_fn *fn, void *arg)
{
	return send_all(r, commands, n, true, fn, arg);
}

const struct redis_config *
redis_config_of(const struct redis *r)
{
	return &r->cfg;
}

void
redis_cancel(struct redis_call *c)
{
	if (c == NULL)
		return;
	c->fn = NULL;
	if (c->over || !c->begun)
		call_free(c); /* over already, or not sent: no reply will be looked for */
}
