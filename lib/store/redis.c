/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis - one connection through its stages, and commands on their way through three lists:
 *
 *   IDLE      nothing; `again` is set
 *   RESOLVE   the name is being looked up
 *   CONNECT   TCP and TLS handshakes
 *   LOGIN     AUTH and SELECT are sent; their replies decide
 *   UP        commands go from `waiting` to `sent` and, with their replies, to `done`
 *
 * Callers are told from a task of its own, one per turn, so nothing here is on the stack when they
 * free us.  What a connection needs to come and go is in redis_conn.c.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/tlsclient.h"
#include "lib/store/redis_int.h"

#define REPLY_MAX (16 << 20) /* bytes of one reply */
#define WORDS_MAX 64

/* --- calls --- */

static void
call_free(struct redis_call *c)
{
	timer_clear(&c->deadline);
	list_remove(&c->node);
	c->redis->n_calls--;
	if (c->text != NULL) {
		sodium_memzero(c->text, c->len);
		redisFreeCommand(c->text);
	}
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

/* The call is over; whoever waits is told by the task. */
static void
finish(struct redis_call *c, enum err err, redisReply *reply)
{
	struct redis *r = c->redis;

	timer_clear(&c->deadline);
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
	LIST_FOR(waiting, &r->waiting) {
		struct redis_call *c = LIST_ENTRY(waiting, struct redis_call, node);

		if (c->login) /* the next connection has its own */
			call_free(c);
	}
	while ((node = list_first(&r->sent)) != NULL)
		finish(LIST_ENTRY(node, struct redis_call, node), ERR_CONNECT, NULL);
	r->n_login = 0;
	r->now = why;
	task_defer(r->loop, &r->tell);
	r->stage = IDLE;
	timer_set(r->loop, &r->again, backoff_fail(r->backoff, STR("redis")));
}

static void
on_deadline(void *arg)
{
	struct redis_call *c = arg;
	struct redis *r = c->redis;
	bool sent = c->text == NULL;

	finish(c, ERR_TIMEOUT, NULL);
	if (sent) /* the replies behind it wait for the same server */
		redis_lost(r, ERR_TIMEOUT);
}

/* --- sending --- */

static bool
flush(struct redis *r)
{
	while (buf_len(&r->out) > 0) {
		ssize_t n = stream_write(r->stream, buf_str(&r->out));

		if (n < 0)
			return false;
		if (n == 0)
			break;
		buf_consume(&r->out, (size_t)n);
	}
	stream_want(r->stream, STREAM_READ | (buf_len(&r->out) > 0 ? STREAM_WRITE : 0));
	return true;
}

static bool
put(struct redis *r, struct redis_call *c)
{
	if (!buf_put(&r->out, str_of(c->text, c->len)))
		return false;
	sodium_memzero(c->text, c->len);
	redisFreeCommand(c->text);
	c->text = NULL;
	list_remove(&c->node);
	list_append(&r->sent, &c->node);
	return true;
}

/* Sends what the stage allows; what does not fit into the buffer goes when there is room. */
void
redis_pump(struct redis *r)
{
	LIST_FOR(node, &r->waiting) {
		struct redis_call *c = LIST_ENTRY(node, struct redis_call, node);

		if ((r->stage == UP || c->login) && !put(r, c))
			break;
	}
	if (!flush(r))
		redis_lost(r, ERR_CONNECT);
}

static struct redis_call *
queue(struct redis *r, const struct str *words, size_t n, redis_fn *fn, void *arg)
{
	const char *argv[WORDS_MAX];
	size_t lengths[WORDS_MAX];
	struct redis_call *c;
	long long len;

	if (n > WORDS_MAX || (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		argv[i] = words[i].p;
		lengths[i] = words[i].n;
	}
	len = redisFormatCommandArgv(&c->text, (int)n, argv, lengths);
	if (len < 0) {
		free(c);
		return NULL;
	}
	c->redis = r;
	c->len = (size_t)len;
	c->fn = fn;
	c->arg = arg;
	timer_init(&c->deadline, on_deadline, c);
	timer_set(r->loop, &c->deadline, r->cfg.timeout);
	list_init(&c->node);
	list_append(&r->waiting, &c->node);
	r->n_calls++;
	return c;
}

/* --- replies --- */

static void
judge_login(struct redis *r, struct redis_call *c, redisReply *reply)
{
	bool ok = reply->type == REDIS_REPLY_STATUS;

	finish(c, OK, reply);
	if (!ok) {
		redis_lost(r, ERR_REDIS_ANSWER);
		return;
	}
	if (--r->n_login > 0)
		return;
	timer_clear(&r->connecting);
	backoff_forget(r->backoff, STR("redis"));
	r->stage = UP;
	r->now = OK;
	task_defer(r->loop, &r->tell);
	redis_pump(r);
}

static void
take_reply(struct redis *r, redisReply *reply)
{
	struct list *node = list_first(&r->sent);
	struct redis_call *c;

	if (node == NULL) { /* nobody asked */
		freeReplyObject(reply);
		redis_lost(r, ERR_REDIS_ANSWER);
		return;
	}
	c = LIST_ENTRY(node, struct redis_call, node);
	if (c->login)
		judge_login(r, c, reply);
	else
		finish(c, OK, reply);
}

void
redis_take(struct redis *r, const char *p, size_t n)
{
	void *reply = NULL;

	r->fed += n;
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
	if (r->stream != NULL && r->fed > REPLY_MAX)
		redis_lost(r, ERR_TOO_LARGE);
}

static bool
ask_login(struct redis *r, const struct str *words, size_t n)
{
	struct redis_call *c = queue(r, words, n, NULL, NULL);

	if (c == NULL)
		return false;
	c->login = true;
	r->n_login++;
	return true;
}

void
redis_login(struct redis *r)
{
	char number[16];
	struct str auth[] = { STR("AUTH"), str_z(r->user), str_z(r->password) };
	struct str db[] = { STR("SELECT"), STR_NONE };
	bool ok = true;

	r->stage = LOGIN;
	db[1] = str_of(number, (size_t)snprintf(number, sizeof(number), "%u", r->cfg.db));
	if (r->user == NULL)
		auth[1] = auth[2];
	if (r->password != NULL)
		ok = ask_login(r, auth, r->user != NULL ? 3 : 2);
	/* Also where there is nothing to select: its answer tells that this is Redis, and ready. */
	ok = ok && ask_login(r, db, 2);
	if (ok)
		redis_pump(r);
	else
		redis_lost(r, ERR_MEMORY);
}

/* --- public --- */

static bool
copy_config(struct redis *r, const struct redis_config *cfg)
{
	r->host = cfg->host != NULL ? strdup(cfg->host) : NULL;
	r->unix_path = cfg->unix_path != NULL ? strdup(cfg->unix_path) : NULL;
	r->user = cfg->user != NULL ? strdup(cfg->user) : NULL;
	r->password = cfg->password.n > 0 ? strndup(cfg->password.p, cfg->password.n) : NULL;
	r->tls = cfg->anchors != NULL ? tlsclient_context(cfg->anchors) : NULL;
	r->backoff = backoff_new(cfg->wait_min, cfg->wait_max, 1);
	r->cfg.password = STR_NONE;
	return (r->host != NULL || r->unix_path != NULL) &&
	       (cfg->user == NULL || r->user != NULL) &&
	       (cfg->password.n == 0 || r->password != NULL) &&
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
	backoff_free(r->backoff);
	if (r->password != NULL)
		sodium_memzero(r->password, strlen(r->password));
	free(r->password);
	free(r->host);
	free(r->unix_path);
	free(r->user);
	free(r);
}

struct redis_call *
redis_send(struct redis *r, const struct str *words, size_t n, redis_fn *fn, void *arg)
{
	struct redis_call *c;

	if (r->n_calls >= r->cfg.queue_max)
		return NULL;
	c = queue(r, words, n, fn, arg);
	if (c != NULL && r->stage == UP)
		redis_pump(r);
	return c;
}

void
redis_cancel(struct redis_call *c)
{
	if (c == NULL)
		return;
	c->fn = NULL;
	if (c->text != NULL || c->reply != NULL || c->err != OK)
		call_free(c); /* not sent, or over already: no reply will be looked for */
}
