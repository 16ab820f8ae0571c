/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/redis_script.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD 3 /* words before the key: command, script, number of keys */
#define NUMBER_MAX 24

/* The words are kept until the answer, to say them again with the text. */
struct redis_script_call {
	struct redis *redis;
	const struct redis_script *script;
	struct redis_call *sent;
	bool whole; /* the text was sent */
	redis_fn *fn;
	void *arg;
	size_t n, bytes; /* bytes: of everything */
	struct str words[];
};

bool
redis_script_init(struct redis_script *s, const char *text)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	s->text = text;
	if (EVP_Digest(text, strlen(text), sum, &n, EVP_sha1(), NULL) != 1 ||
	    2 * n + 1 != REDIS_SCRIPT_SHA)
		return false;
	sodium_bin2hex(s->sha, sizeof(s->sha), sum, n);
	return true;
}

/* --- words --- */

void
redis_words_init(struct redis_words *w, struct str key)
{
	*w = (struct redis_words){ 0 };
	arena_init(&w->mem, SIZE_MAX / 2); /* bounded by what callers put */
	redis_words_put(w, key);
}

void
redis_words_fini(struct redis_words *w)
{
	arena_fini(&w->mem);
	free(w->v);
}

static bool
grow(struct redis_words *w)
{
	size_t room = w->room > 0 ? 2 * w->room : 32;
	struct str *v = realloc(w->v, room * sizeof(*v));

	if (v == NULL)
		return false;
	w->v = v;
	w->room = room;
	return true;
}

void
redis_words_put(struct redis_words *w, struct str word)
{
	if (w->n == w->room && !grow(w))
		w->failed = true;
	if (!w->failed)
		w->v[w->n++] = word;
}

void
redis_words_number(struct redis_words *w, uint64_t number)
{
	char *text = arena_bytes(&w->mem, NUMBER_MAX);
	int n = text != NULL ? snprintf(text, NUMBER_MAX, "%llu", (unsigned long long)number) : 0;

	if (text == NULL)
		w->failed = true;
	else
		redis_words_put(w, str_of(text, (size_t)n));
}

/* --- calls --- */

static struct redis_script_call *
copy(const struct str *words, size_t n)
{
	size_t bytes = sizeof(struct redis_script_call) + (HEAD + n) * sizeof(struct str);
	struct redis_script_call *c;
	char *at;

	for (size_t i = 0; i < n; i++)
		bytes += words[i].n;
	c = calloc(1, bytes);
	if (c == NULL)
		return NULL;
	c->n = HEAD + n;
	c->bytes = bytes;
	at = (char *)&c->words[c->n];
	for (size_t i = 0; i < n; i++) {
		c->words[HEAD + i] = str_of(at, words[i].n);
		at = str_put(at, words[i]);
	}
	return c;
}

static void
call_free(struct redis_script_call *c)
{
	sodium_memzero(c, c->bytes);
	free(c);
}

static void on_reply(void *arg, enum err err, const redisReply *reply);

static bool
say(struct redis_script_call *c)
{
	c->words[0] = c->whole ? STR("EVAL") : STR("EVALSHA");
	c->words[1] = str_z(c->whole ? c->script->text : c->script->sha);
	c->words[2] = STR("1");
	c->sent = redis_send(c->redis, c->words, c->n, on_reply, c);
	return c->sent != NULL;
}

static bool
is_unknown(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR &&
	       str_has_prefix(str_of(reply->str, (size_t)reply->len), STR("NOSCRIPT"));
}

static void
on_reply(void *arg, enum err err, const redisReply *reply)
{
	struct redis_script_call *c = arg;
	redis_fn *fn = c->fn;
	void *fn_arg = c->arg;

	c->sent = NULL;
	if (err == OK && !c->whole && is_unknown(reply)) {
		c->whole = true;
		if (say(c))
			return;
		err = ERR_MEMORY;
	}
	call_free(c);
	fn(fn_arg, err, err == OK ? reply : NULL);
}

static struct redis_script_call *
run(struct redis *r, const struct redis_script *s, const struct redis_words *w, bool whole,
    redis_fn *fn, void *arg)
{
	struct redis_script_call *c = w->failed ? NULL : copy(w->v, w->n);

	if (c == NULL)
		return NULL;
	c->redis = r;
	c->script = s;
	c->whole = whole;
	c->fn = fn;
	c->arg = arg;
	if (say(c))
		return c;
	call_free(c);
	return NULL;
}

struct redis_script_call *
redis_script_run(struct redis *r, const struct redis_script *s, const struct redis_words *w,
    redis_fn *fn, void *arg)
{
	return run(r, s, w, false, fn, arg);
}

void
redis_script_tell(struct redis *r, const struct redis_script *s, const struct redis_words *w)
{
	redis_script_cancel(run(r, s, w, true, NULL, NULL));
}

void
redis_script_cancel(struct redis_script_call *c)
{
	if (c == NULL)
		return;
	redis_cancel(c->sent);
	call_free(c);
}
