/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticketshare - a round: MGET of the periods around now; SET NX of those that are missing and due;
 * then once more MGET, to see whose proposal won.
 */
#include "proxy/ticketshare.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "proxy/series.h"

#define ROUND_MAX_MS 30000
#define ROUND_MIN_MS 100
#define WINDOW 4 /* periods asked for: two before, the present one, the next one */
#define BEFORE 2
#define NAME_MAX_BYTES 256

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SEALED (NONCE + sizeof(struct tls_ticket_key) + crypto_aead_xchacha20poly1305_ietf_ABYTES)

struct known {
	int64_t period;
	bool stored; /* is, or was, what Redis has */
	struct tls_ticket_key key;
};

struct ticketshare {
	struct loop *loop;
	struct ticketshare_config cfg;
	char *prefix; /* with the secret's fingerprint and the length of a period */
	unsigned char seal[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
	struct known
	    known[TLS_TICKET_KEYS]; /* newest period first; of one period, the stored first */
	size_t n;
	struct tls_ticket_key told[TLS_TICKET_KEYS];
	size_t n_told;
	struct timer timer;
	struct redis_call *call; /* NULL: no round under way */
	int64_t asked;           /* first period of the window */
	unsigned proposals;      /* of this round, not answered yet */
	bool second;             /* look of a round */
	bool failing;
};

static int64_t
present(const struct ticketshare *t)
{
	return clock_wall_ms() / (int64_t)t->cfg.period;
}

static struct str
name_of(const struct ticketshare *t, int64_t period, char out[NAME_MAX_BYTES])
{
	return str_of(
	    out, (size_t)snprintf(out, NAME_MAX_BYTES, "%s%lld", t->prefix, (long long)period));
}

/* --- sealing --- */

static void
seal(const struct ticketshare *t, struct str name, const struct tls_ticket_key *key,
    unsigned char out[SEALED])
{
	randombytes_buf(out, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, NULL, (const unsigned char *)key,
	    sizeof(*key), (const unsigned char *)name.p, name.n, NULL, out, t->seal);
}

static bool
unseal(const struct ticketshare *t, struct str name, const unsigned char *in, size_t n,
    struct tls_ticket_key *key)
{
	return n == SEALED &&
	       crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)key, NULL, NULL,
		   in + NONCE, n - NONCE, (const unsigned char *)name.p, name.n, in, t->seal) == 0;
}

/* --- what is known --- */

static bool
before(const struct known *a, const struct known *b)
{
	return a->period != b->period ? a->period > b->period : a->stored && !b->stored;
}

static void
note(struct ticketshare *t, const struct known *k)
{
	size_t at = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (memcmp(t->known[i].key.name, k->key.name, sizeof(k->key.name)) != 0)
			continue;
		/* Of which period it is, Redis knows best: after a reload we only guess. */
		t->n--;
		memmove(&t->known[i], &t->known[i + 1], (t->n - i) * sizeof(*t->known));
		break;
	}
	if (t->n == TLS_TICKET_KEYS)
		t->n--; /* the oldest */
	while (at < t->n && before(&t->known[at], k))
		at++;
	memmove(&t->known[at + 1], &t->known[at], (t->n - at) * sizeof(*t->known));
	t->known[at] = *k;
	t->n++;
}

static const struct known *
find(const struct ticketshare *t, int64_t period)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->known[i].period == period)
			return &t->known[i];
	return NULL;
}

static void
forget_old(struct ticketshare *t, int64_t now)
{
	while (t->n > 0 && t->known[t->n - 1].period < now - BEFORE)
		t->n--;
	sodium_memzero(&t->known[t->n], (TLS_TICKET_KEYS - t->n) * sizeof(*t->known));
}

static void
tell(struct ticketshare *t)
{
	struct tls_ticket_key keys[TLS_TICKET_KEYS];
	int64_t now = present(t);
	const struct known *first;
	size_t n = 0;

	forget_old(t, now);
	first = find(t, now);
	if (first == NULL && t->failing) { /* Redis is away for long: on our own */
		struct known k = { .period = now };

		randombytes_buf(&k.key, sizeof(k.key));
		note(t, &k);
		first = find(t, now);
	}
	if (first == NULL)
		return; /* a period has just begun: the next round finds its key */
	keys[n++] = first->key;
	for (size_t i = 0; i < t->n; i++)
		if (&t->known[i] != first)
			keys[n++] = t->known[i].key;
	if (n != t->n_told || memcmp(keys, t->told, n * sizeof(*keys)) != 0) {
		memcpy(t->told, keys, n * sizeof(*keys));
		t->n_told = n;
		t->cfg.changed(t->cfg.arg, keys, n);
	}
	sodium_memzero(keys, sizeof(keys));
}

/* --- rounds --- */

static void look(struct ticketshare *t);

static void
end_round(struct ticketshare *t, const char *why)
{
	clock_ms wait = t->cfg.period / 4;

	if (why != NULL) {
		metrics_inc(S_TICKET_FAILURES);
		if (!t->failing)
			log_warn("tls: session ticket keys are not shared through Redis: %s; known "
				 "keys go on, new ones are made here",
			    why);
	} else if (t->failing) {
		log_info("tls: session ticket keys are shared through Redis again");
	}
	t->failing = why != NULL;
	tell(t);
	if (wait > ROUND_MAX_MS)
		wait = ROUND_MAX_MS;
	timer_set(t->loop, &t->timer, wait > ROUND_MIN_MS ? wait : ROUND_MIN_MS);
}

static void
on_proposed(void *arg, enum err err, const redisReply *reply)
{
	struct ticketshare *t = arg;

	t->call = NULL;
	if (err != OK)
		end_round(t, err_text(err));
	else if (reply->type == REDIS_REPLY_ERROR)
		end_round(t, "Redis refuses to store them");
	else
		look(t); /* ours or another's: what is there now counts */
}

/* Proposes a key for the period: ours, if we had to make one, or a new one. */
static void
propose(struct ticketshare *t, int64_t period)
{
	const struct known *ours = find(t, period);
	struct tls_ticket_key key;
	unsigned char sealed[SEALED];
	char name_text[NAME_MAX_BYTES], px[24];
	struct str name = name_of(t, period, name_text);
	int64_t lives = (period + BEFORE + 2) * (int64_t)t->cfg.period - clock_wall_ms();
	struct str words[] = { STR("SET"), name, str_of((char *)sealed, sizeof(sealed)), STR("NX"),
		STR("PX"), STR_NONE };

	if (ours != NULL)
		key = ours->key;
	else
		randombytes_buf(&key, sizeof(key));
	seal(t, name, &key, sealed);
	sodium_memzero(&key, sizeof(key));
	words[5] = str_of(px, (size_t)snprintf(px, sizeof(px), "%lld", (long long)lives));
	t->call = redis_send(t->cfg.redis, words, 6, on_proposed, t);
	if (t->call == NULL)
		end_round(t, err_text(ERR_OVERLOAD));
}

/* The first period that has no key though it should; 0: all have. */
static int64_t
due(const struct ticketshare *t, const bool *there)
{
	int64_t now = present(t), period = (int64_t)t->cfg.period;
	bool late = clock_wall_ms() % period >= period / 2;

	for (int64_t p = now; p <= now + (late ? 1 : 0); p++)
		if (p - t->asked < WINDOW && !there[p - t->asked])
			return p;
	return 0;
}

static void
on_keys(void *arg, enum err err, const redisReply *reply)
{
	struct ticketshare *t = arg;
	bool there[WINDOW] = { false };
	const char *why = NULL;
	int64_t missing;

	t->call = NULL;
	if (err != OK || reply->type != REDIS_REPLY_ARRAY || reply->elements != WINDOW) {
		end_round(t, err_text(err != OK ? err : ERR_REDIS_ANSWER));
		return;
	}
	for (int i = 0; i < WINDOW; i++) {
		const redisReply *e = reply->element[i];
		struct known k = { .period = t->asked + i, .stored = true };
		char name[NAME_MAX_BYTES];

		there[i] = e->type == REDIS_REPLY_STRING;
		if (!there[i])
			continue;
		if (unseal(t, name_of(t, k.period, name), (const unsigned char *)e->str,
			(size_t)e->len, &k.key))
			note(t, &k);
		else
			why = "what it holds was not made with tls.ticket_secret_file";
		sodium_memzero(&k, sizeof(k));
	}
	missing = due(t, there);
	if (why != NULL || missing == 0)
		end_round(t, why);
	else if (t->proposals-- > 0)
		propose(t, missing);
	else
		end_round(t, "it does not keep what is stored");
}

static void
look(struct ticketshare *t)
{
	char names[WINDOW][NAME_MAX_BYTES];
	struct str words[1 + WINDOW] = { STR("MGET") };

	t->asked = present(t) - BEFORE;
	for (int i = 0; i < WINDOW; i++)
		words[1 + i] = name_of(t, t->asked + i, names[i]);
	t->call = redis_send(t->cfg.redis, words, 1 + WINDOW, on_keys, t);
	if (t->call == NULL)
		end_round(t, err_text(ERR_OVERLOAD));
}

static void
on_timer(void *arg)
{
	struct ticketshare *t = arg;

	t->proposals = 2; /* at most: the present period's and the next one's */
	look(t);
}

/* --- */

/* Proxies with another secret or other periods do not disturb us: their names differ. */
static bool
set_names(struct ticketshare *t)
{
	unsigned char mark[8];
	char hex[2 * sizeof(mark) + 1];
	size_t room = strlen(t->cfg.prefix) + 80;

	crypto_generichash(
	    mark, sizeof(mark), (const unsigned char *)"name", 4, t->seal, sizeof(t->seal));
	sodium_bin2hex(hex, sizeof(hex), mark, sizeof(mark));
	t->prefix = malloc(room);
	if (t->prefix != NULL)
		snprintf(t->prefix, room, "%stls-ticket:%s:%llu:", t->cfg.prefix, hex,
		    (unsigned long long)t->cfg.period);
	return t->prefix != NULL && strlen(t->prefix) < NAME_MAX_BYTES - 24;
}

struct ticketshare *
ticketshare_new(
    struct loop *loop, const struct ticketshare_config *cfg, const struct tls_tickets *now)
{
	static const char purpose[] = "schleuse session ticket keys";
	struct ticketshare *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->loop = loop;
	t->cfg = *cfg;
	timer_init(&t->timer, on_timer, t);
	crypto_generichash(t->seal, sizeof(t->seal), (const unsigned char *)cfg->secret.p,
	    cfg->secret.n, (const unsigned char *)purpose, sizeof(purpose) - 1);
	t->cfg.secret = STR_NONE;
	if (!set_names(t)) {
		ticketshare_free(t);
		return NULL;
	}
	for (size_t i = 0; i < now->n && i < TLS_TICKET_KEEP; i++)
		note(t, &(struct known){ .period = present(t) - (int64_t)i, .key = now->keys[i] });
	timer_set(loop, &t->timer, 0);
	return t;
}

void
ticketshare_free(struct ticketshare *t)
{
	if (t == NULL)
		return;
	redis_cancel(t->call);
	timer_clear(&t->timer);
	free(t->prefix);
	sodium_memzero(t, sizeof(*t));
	free(t);
}
