/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tickets.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "proxy/series.h"
#include "proxy/ticketshare.h"

struct tickets {
	struct loop *loop;
	struct proxy_conf *conf; /* one reference */
	struct tls_tickets *now; /* one reference */
	struct ticketshare *share;
	struct timer timer;
	struct stat seen; /* the file as it was last read */
	bool failing;
	void (*changed)(void *arg, struct tls_tickets *now);
	void *arg;
};

static void
put_in_force(struct tickets *t, struct tls_tickets *next)
{
	bool other =
	    t->now != NULL && memcmp(&next->keys[0], &t->now->keys[0], sizeof(next->keys[0])) != 0;

	snapshot_drop((struct snapshot *)t->now);
	t->now = next;
	if (other)
		metrics_inc(S_TICKET_ROTATIONS);
	t->changed(t->arg, next);
}

/* --- our own --- */

static void
rotate(struct tickets *t)
{
	struct tls_tickets *next = tls_tickets_rotate(t->now);

	if (next != NULL) /* else the old key serves until the next time */
		put_in_force(t, next);
}

/* --- file --- */

static bool
changed_on_disk(struct tickets *t, const struct stat *st)
{
	return st->st_ino != t->seen.st_ino || st->st_size != t->seen.st_size ||
	       st->st_mtim.tv_sec != t->seen.st_mtim.tv_sec ||
	       st->st_mtim.tv_nsec != t->seen.st_mtim.tv_nsec;
}

static const char *
read_file(struct tickets *t, struct tls_ticket_key keys[TLS_TICKET_KEYS], size_t *n)
{
	const char *why = NULL;
	struct buf b;

	if (!t->conf->test_mode && fs_is_private(t->conf->ticket_file) != 1)
		return "others can read it";
	buf_init(&b, TLS_TICKET_KEYS * sizeof(*keys));
	if (buf_reserve(&b, b.max) == NULL)
		why = "out of memory";
	else if (fs_read(t->conf->ticket_file, &b) != 0)
		why = strerror(errno);
	else if ((*n = tls_tickets_read(buf_str(&b), keys)) == 0)
		why = "it is not one to eight different records of 80 bytes";
	if (b.mem != NULL)
		sodium_memzero(b.mem, b.cap);
	buf_fini(&b);
	return why;
}

static void
look_at_file(struct tickets *t)
{
	struct tls_ticket_key keys[TLS_TICKET_KEYS];
	struct tls_tickets *next = NULL;
	struct stat st = { 0 };
	const char *why;
	size_t n = 0;

	if (stat(t->conf->ticket_file, &st) == 0 && !changed_on_disk(t, &st))
		return;
	why = read_file(t, keys, &n);
	if (why == NULL)
		next = tls_tickets_of(keys, n);
	sodium_memzero(keys, sizeof(keys));
	t->seen = st;
	if (next != NULL) {
		if (t->failing)
			log_info("tls: ticket_file is fine again");
		t->failing = false;
		put_in_force(t, next);
		return;
	}
	metrics_inc(S_TICKET_FAILURES);
	if (!t->failing)
		log_error("tls: ticket_file %s is not used: %s; the last keys stay in force",
		    t->conf->ticket_file, why != NULL ? why : "out of memory");
	t->failing = true;
}

/* --- Redis --- */

static void
on_shared(void *arg, const struct tls_ticket_key *keys, size_t n)
{
	struct tickets *t = arg;
	struct tls_tickets *next = tls_tickets_of(keys, n);

	if (next != NULL)
		put_in_force(t, next);
	else
		log_error("tls: new ticket keys are not in force: out of memory");
}

static void
share(struct tickets *t, struct redis *redis)
{
	const struct ticketshare_config cfg = { .redis = redis,
		.prefix = t->conf->redis.key_prefix != NULL ? t->conf->redis.key_prefix : "",
		.secret = t->conf->ticket_secret,
		.period = t->conf->ticket_lifetime / 2,
		.changed = on_shared,
		.arg = t };

	t->share = ticketshare_new(t->loop, &cfg, t->now);
	if (t->share == NULL)
		log_error("tls: session ticket keys are not shared: out of memory");
}

/* --- */

static void
on_timer(void *arg)
{
	struct tickets *t = arg;

	if (t->conf->ticket_file != NULL) {
		timer_set(t->loop, &t->timer, TICKETS_LOOK_MS);
		look_at_file(t);
	} else if (t->share == NULL) {
		/* A ticket must stay readable for its lifetime: two older keys, each half a
		 * lifetime. */
		timer_set(t->loop, &t->timer, t->conf->ticket_lifetime / 2);
		rotate(t);
	}
}

static void
begin(struct tickets *t, struct redis *redis)
{
	memset(&t->seen, 0, sizeof(t->seen));
	t->failing = false;
	if (t->conf->ticket_file != NULL)
		timer_set(t->loop, &t->timer, 0);
	else if (t->conf->ticket_redis && redis != NULL)
		share(t, redis);
	if (t->conf->ticket_file == NULL && t->share == NULL)
		timer_set(t->loop, &t->timer, t->conf->ticket_lifetime / 2);
}

struct tickets *
tickets_open(struct loop *loop, struct proxy_conf *conf, struct redis *redis,
    struct tls_tickets *first, void (*changed)(void *arg, struct tls_tickets *now), void *arg)
{
	struct tickets *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->loop = loop;
	t->conf = snapshot_hold(&conf->snap);
	t->changed = changed;
	t->arg = arg;
	t->now = first != NULL ? snapshot_hold(&first->snap) : tls_tickets_rotate(NULL);
	timer_init(&t->timer, on_timer, t);
	if (t->now == NULL) {
		tickets_close(t);
		return NULL;
	}
	begin(t, redis);
	return t;
}

void
tickets_adopt(struct tickets *t, struct proxy_conf *conf, struct redis *redis)
{
	ticketshare_free(t->share);
	t->share = NULL;
	timer_clear(&t->timer);
	snapshot_drop(&t->conf->snap);
	t->conf = snapshot_hold(&conf->snap);
	begin(t, redis);
}

void
tickets_close(struct tickets *t)
{
	if (t == NULL)
		return;
	ticketshare_free(t->share);
	timer_clear(&t->timer);
	snapshot_drop((struct snapshot *)t->now);
	snapshot_drop(&t->conf->snap);
	free(t);
}

struct tls_tickets *
tickets_now(const struct tickets *t)
{
	return t->now;
}
