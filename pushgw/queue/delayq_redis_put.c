/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_redis_put - one notification, however many devices it has, is put by one script.
 */
#include <sodium.h>
#include <stdlib.h>

#include "pushgw/queue/delay.h"
#include "pushgw/queue/delayq_redis_int.h"
#include "pushgw/queue/mark.h"
#include "pushgw/queue/push_record.h"

#define SUM 16 /* bytes of a hash: DELAYQ_CHAIN characters */

struct put_one {
	unsigned lane;
	clock_ms delay;
};

struct put {
	struct delayq_call call; /* first */
	struct list node;
	struct redis_script_call *sent;
	delayq_put_fn *fn; /* NULL: nobody is told */
	void *arg;
	size_t n;
	enum delayq_outcome *of;
	struct put_one one[];
};

static void
put_free(struct put *p)
{
	list_remove(&p->node);
	free(p->of);
	free(p);
}

static struct put *
put_new(struct delayq_redis *q, size_t n)
{
	struct put *p = calloc(1, sizeof(*p) + n * sizeof(p->one[0]));

	if (p == NULL)
		return NULL;
	p->call.q = &q->q;
	p->n = n;
	list_init(&p->node);
	p->of = calloc(n, sizeof(*p->of));
	if (p->of != NULL)
		return p;
	put_free(p);
	return NULL;
}

/* --- names --- */

static void
hash_more(crypto_generichash_state *h, struct str s)
{
	/* So that no two lists of words are the same bytes. */
	const unsigned char n[] = { (unsigned char)(s.n >> 8), (unsigned char)s.n };

	crypto_generichash_update(h, n, sizeof(n));
	crypto_generichash_update(h, (const unsigned char *)s.p, s.n);
}

/* Empty when out of memory. */
static struct str
hash(struct arena *a, const struct push *p, struct str event)
{
	crypto_generichash_state h;
	unsigned char sum[SUM];
	char *text = arena_bytes(a, DELAYQ_CHAIN + 1);
	struct str endpoint = mark_endpoint(p->data);

	if (text == NULL)
		return STR_NONE;
	crypto_generichash_init(&h, NULL, 0, sizeof(sum));
	hash_more(&h, p->app_id);
	hash_more(&h, p->pushkey);
	if (endpoint.n > 0) { /* an app_id is never empty */
		hash_more(&h, STR_NONE);
		hash_more(&h, endpoint);
	}
	if (event.n > 0)
		hash_more(&h, event);
	crypto_generichash_final(&h, sum, sizeof(sum));
	sodium_bin2base64(
	    text, DELAYQ_CHAIN + 1, sum, sizeof(sum), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return str_of(text, DELAYQ_CHAIN);
}

/* --- the words --- */

static void
say_text(struct redis_words *w, struct str text)
{
	if (text.n == 0)
		w->failed = true; /* out of memory; nothing said by this is ever empty */
	else
		redis_words_put(w, text);
}

static struct str
record(struct arena *a, const struct push *p)
{
	size_t n = push_record_size(p);
	char *text = arena_bytes(a, n);

	if (text == NULL)
		return STR_NONE;
	push_record_write(p, text);
	return str_of(text, n);
}

static void
say_push(const struct delayq_redis *q, struct redis_words *w, const struct push *p, clock_ms delay)
{
	bool tells = p->event_id.n > 0 && q->q.cfg.limits.duplicates > 0;

	say_text(w, hash(&w->mem, p, STR_NONE));
	if (tells)
		say_text(w, hash(&w->mem, p, p->event_id));
	else
		redis_words_put(w, STR_NONE);
	redis_words_number(w, p->pushkey_ts > 0 ? (uint64_t)p->pushkey_ts : 0);
	redis_words_number(w, delay);
	redis_words_put(w, str_z(q->q.cfg.lanes[p->lane]));
	say_text(w, record(&w->mem, p));
}

static void
say_limits(const struct delayq_limits *l, struct redis_words *w)
{
	redis_words_number(w, l->count_max);
	redis_words_number(w, l->bytes_max);
	redis_words_number(w, l->per_pushkey_max);
	redis_words_number(w, l->duplicates);
	redis_words_number(w, l->rejected);
	redis_words_number(w, DELAYQ_PUSH_COST);
}

/* --- the answer --- */

static enum err
read_outcomes(struct put *p, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_INTEGER)
		return ERR_QUEUE_FULL;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != p->n)
		return ERR_REDIS_ANSWER;
	for (size_t i = 0; i < p->n; i++) {
		if (!delayq_redis_is(reply, i, REDIS_REPLY_INTEGER))
			return ERR_REDIS_ANSWER;
		switch (reply->element[i]->integer) {
		case 0:
			p->of[i] = DELAYQ_QUEUED;
			break;
		case 1:
			p->of[i] = DELAYQ_DUPLICATE;
			break;
		case 2:
			p->of[i] = DELAYQ_REJECTED;
			break;
		default:
			return ERR_REDIS_ANSWER;
		}
	}
	return OK;
}

static void
on_put(void *arg, enum err err, const redisReply *reply)
{
	struct put *p = arg;
	struct delayq_redis *q = delayq_redis_of(p->call.q);
	struct put told = *p;
	bool queued = false;

	err = delayq_redis_judge(q, err, reply);
	if (err == OK)
		err = read_outcomes(p, reply);
	for (size_t i = 0; err == OK && i < p->n; i++)
		if (p->of[i] == DELAYQ_QUEUED) {
			delayq_redis_due(q, p->one[i].lane, p->one[i].delay);
			queued = true;
		}
	if (queued)
		delayq_redis_writes(q);
	p->of = NULL;
	put_free(p);
	if (told.fn != NULL)
		told.fn(told.arg, err, err == OK ? told.of : NULL, err == OK ? told.n : 0);
	free(told.of);
}

struct delayq_call *
delayq_redis_put(
    struct delayq *of, const struct push *pushes, size_t n, delayq_put_fn *fn, void *arg)
{
	struct delayq_redis *q = delayq_redis_of(of);
	struct put *p = put_new(q, n);
	struct redis_words w;

	if (p == NULL)
		return NULL;
	p->fn = fn;
	p->arg = arg;
	delayq_redis_words(q, &w);
	say_limits(&q->q.cfg.limits, &w);
	for (size_t i = 0; i < n; i++) {
		p->one[i].lane = pushes[i].lane;
		p->one[i].delay = delay_draw(q->q.cfg.limits.delay_max);
		say_push(q, &w, &pushes[i], p->one[i].delay);
	}
	p->sent = redis_script_run(q->conn->redis, &q->scripts[DELAYQ_PUT], &w, on_put, p);
	redis_words_fini(&w);
	if (p->sent == NULL) {
		put_free(p);
		return NULL;
	}
	list_append(&q->puts, &p->node);
	return &p->call;
}

void
delayq_redis_put_cancel(struct delayq_call *c)
{
	((struct put *)(void *)c)->fn = NULL;
}

void
delayq_redis_puts_drop(struct delayq_redis *q)
{
	struct list *node;

	while ((node = list_first(&q->puts)) != NULL) {
		struct put *p = LIST_ENTRY(node, struct put, node);

		redis_script_cancel(p->sent);
		put_free(p);
	}
}
