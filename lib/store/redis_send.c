/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_send - commands on their way out.
 *
 * Short ones are collected in one buffer; a long one is written from where it stands, in pieces, so
 * that it is not held twice and the loop has its turn in between.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/store/redis_int.h"

#define COUNT_MAX 24        /* bytes of a count with its mark and line end */
#define LONG (64 << 10)     /* bytes of a command that is not copied once more */
#define TURN_MAX (4u << 20) /* bytes written in one turn */

/* --- making (RESP, https://redis.io/docs/latest/develop/reference/protocol-spec/) --- */

static const struct redis_command multi = { (const struct str[]){ { "MULTI", 5 } }, 1 };
static const struct redis_command exec = { (const struct str[]){ { "EXEC", 4 } }, 1 };

static size_t
size_of(const struct redis_command *c)
{
	size_t size = COUNT_MAX;

	for (size_t i = 0; i < c->n; i++)
		size += COUNT_MAX + c->words[i].n + 2;
	return size;
}

static char *
write_command(char *out, const struct redis_command *c)
{
	out += sprintf(out, "*%zu\r\n", c->n);
	for (size_t i = 0; i < c->n; i++) {
		out += sprintf(out, "$%zu\r\n", c->words[i].n);
		out = str_put(str_put(out, c->words[i]), STR("\r\n"));
	}
	return out;
}

char *
redis_format(const struct redis_command *commands, size_t n, bool atomic, size_t *len)
{
	size_t size = atomic ? size_of(&multi) + size_of(&exec) : 0;
	char *text, *at;

	for (size_t i = 0; i < n; i++)
		size += size_of(&commands[i]);
	at = text = malloc(size);
	if (text == NULL)
		return NULL;
	if (atomic)
		at = write_command(at, &multi);
	for (size_t i = 0; i < n; i++)
		at = write_command(at, &commands[i]);
	if (atomic)
		at = write_command(at, &exec);
	*len = (size_t)(at - text);
	return text;
}

void
redis_forget_text(struct redis_call *c)
{
	if (c->text == NULL)
		return;
	sodium_memzero(c->text, c->len);
	free(c->text);
	c->text = NULL;
}

/* --- deadlines --- */

static bool
moves(const struct redis_call *c)
{
	const struct redis *r = c->redis;
	clock_ms now = clock_now();

	return r->stage == UP && now - r->moved < r->cfg.timeout && now - c->since < r->cfg.longest;
}

static void
on_deadline(void *arg)
{
	struct redis_call *c = arg;
	struct redis *r = c->redis;
	bool begun = c->begun;

	if (moves(c)) {
		timer_set(r->loop, &c->deadline, r->cfg.timeout);
		return;
	}
	redis_finish(c, ERR_TIMEOUT, NULL);
	if (begun) /* the replies behind it wait for the same server */
		redis_lost(r, ERR_TIMEOUT);
}

struct redis_call *
redis_queue(struct redis *r, char *text, size_t len, unsigned replies, redis_fn *fn, void *arg)
{
	struct redis_call *c = text != NULL ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL) {
		free(text);
		return NULL;
	}
	c->redis = r;
	c->text = text;
	c->len = len;
	c->replies = replies;
	c->fn = fn;
	c->arg = arg;
	c->since = clock_now();
	timer_init(&c->deadline, on_deadline, c);
	timer_set(r->loop, &c->deadline, r->cfg.timeout);
	list_init(&c->node);
	list_append(&r->waiting, &c->node);
	r->n_calls++;
	return c;
}

/* --- writing --- */

enum progress { ALL, SOME, BROKEN };

/* As much as the stream takes of p, from *at on, and the turn has left. */
static enum progress
write_some(struct redis *r, struct str p, size_t *at, size_t *left)
{
	while (*at < p.n) {
		struct str rest = str_from(p, *at);
		ssize_t n;

		if (*left == 0)
			return SOME;
		if (rest.n > *left)
			rest.n = *left;
		n = stream_write(r->stream, rest);
		if (n < 0)
			return BROKEN;
		if (n == 0)
			return SOME;
		*at += (size_t)n;
		*left -= (size_t)n;
		r->moved = clock_now();
	}
	return ALL;
}

static enum progress
flush(struct redis *r, size_t *left)
{
	size_t at = 0;
	enum progress how = write_some(r, buf_str(&r->out), &at, left);

	buf_consume(&r->out, at);
	return how;
}

/* Replies may come while the rest is still being written. */
static void
begin(struct redis_call *c)
{
	c->begun = true;
	list_remove(&c->node);
	list_append(&c->redis->sent, &c->node);
}

static enum progress
write_rest(struct redis *r, size_t *left)
{
	struct redis_call *c = r->writing;
	enum progress how = flush(r, left);

	if (how == ALL && c != NULL)
		how = write_some(r, str_of(c->text, c->len), &c->at, left);
	if (how == ALL && c != NULL) {
		redis_forget_text(c);
		r->writing = NULL;
	}
	return how;
}

static enum progress
put(struct redis_call *c, size_t *left)
{
	struct redis *r = c->redis;

	if (c->len >= LONG) {
		begin(c);
		r->writing = c;
		return write_rest(r, left);
	}
	if (!buf_put(&r->out, str_of(c->text, c->len)))
		return SOME;
	begin(c);
	redis_forget_text(c);
	return ALL;
}

/* Sends what the stage allows; what does not fit goes when there is room, or in the next turn. */
void
redis_pump(struct redis *r)
{
	size_t left = TURN_MAX;
	enum progress how = r->writing != NULL ? write_rest(r, &left) : ALL;

	LIST_FOR(node, &r->waiting) {
		struct redis_call *c = LIST_ENTRY(node, struct redis_call, node);

		if (how != ALL)
			break;
		if (r->stage == UP || c->login != LOGIN_NONE)
			how = put(c, &left);
	}
	if (how == ALL)
		how = flush(r, &left);
	if (how == BROKEN)
		redis_lost(r, ERR_CONNECT);
	else
		stream_want(r->stream, STREAM_READ | (how == SOME ? STREAM_WRITE : 0));
}
