/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstreams.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "proxy/series.h"

#define NAME_SIZE 1024

/* --- pools --- */

static socklen_t
socket_address(const struct conf_address *a, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_un *un = (struct sockaddr_un *)out;

	memset(out, 0, sizeof(*out));
	if (a->unix_path != NULL) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", a->unix_path);
		return sizeof(*un);
	}
	if (inet_pton(AF_INET, a->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(a->port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, a->host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(a->port);
		return sizeof(*v6);
	}
	return 0;
}

static void
on_count(enum pool_count what, int n)
{
	static const enum series series[] = {
		[POOL_BUSY] = S_UPSTREAM_BUSY,
		[POOL_IDLE] = S_UPSTREAM_IDLE,
		[POOL_QUEUED] = S_UPSTREAM_QUEUED,
		[POOL_QUEUE_FULL] = S_UPSTREAM_QUEUE_FULL,
		[POOL_QUEUE_TIMEOUT] = S_UPSTREAM_QUEUE_TIMEOUT,
		[POOL_CONNECT_FAILED] = S_UPSTREAM_CONNECT_FAILED,
		[POOL_CONNECT_TIMEOUT] = S_UPSTREAM_CONNECT_TIMEOUT,
	};

	metrics_add(series[what], n);
}

static struct pool_config
pool_config(const struct proxy_conf *c)
{
	return (struct pool_config){
		.connections_max = c->upstream_connections_max,
		.idle_max = c->upstream_idle_max,
		.queue_max = c->upstream_queue_max,
		.connect_timeout = c->upstream_connect_timeout,
		.idle_timeout = c->upstream_idle_timeout,
		.queue_timeout = c->upstream_queue_timeout,
		/* A head must fit, and a piece behind it. */
		.buffer_max = c->relay_buffer + c->head_max,
		.count = on_count,
	};
}

/* --- targets --- */

static void
target_drop(struct target *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	pool_free(t->pool);
	free(t->name);
	free(t);
}

static struct target *
target_new(
    struct loop *loop, const struct proxy_conf *c, const struct conf_address *a, const char *name)
{
	struct pool_config cfg = pool_config(c);
	struct target *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->refs = 1;
	t->name = strdup(name);
	t->seed = hash_str(str_z(name));
	cfg.address_len = socket_address(a, &cfg.address);
	t->pool = cfg.address_len > 0 ? pool_new(loop, &cfg) : NULL;
	if (t->name != NULL && t->pool != NULL)
		return t;
	target_drop(t);
	return NULL;
}

/* Mostly it is where it was. */
static struct target *
find(const struct upstreams *old, const char *name, size_t number)
{
	if (old == NULL)
		return NULL;
	if (number < old->n && strcmp(old->of[number]->name, name) == 0)
		return old->of[number];
	for (size_t i = 0; i < old->n; i++)
		if (strcmp(old->of[i]->name, name) == 0)
			return old->of[i];
	return NULL;
}

/* --- those of a configuration --- */

static bool
add(struct upstreams *u, const struct proxy_conf *c, const struct service_conf *s,
    const struct upstream_conf *up, const struct upstreams *old)
{
	char name[NAME_SIZE];

	for (size_t i = 0; i < up->addresses.n; i++) {
		struct target *t;

		snprintf(
		    name, sizeof(name), "%s %s %s", s->server_name, up->name, up->addresses.v[i]);
		t = find(old, name, u->n);
		if (t != NULL)
			t->refs++;
		else
			t = target_new(u->loop, c, &up->address[i], name);
		if (t == NULL)
			return false;
		u->of[u->n++] = t;
	}
	return true;
}

struct upstreams *
upstreams_new(struct loop *loop, const struct proxy_conf *c, const struct upstreams *old)
{
	struct upstreams *u = calloc(1, sizeof(*u) + c->n_addresses * sizeof(struct target *));

	if (u == NULL)
		return NULL;
	u->refs = 1;
	u->loop = loop;
	for (size_t i = 0; i < c->n_services; i++)
		for (size_t k = 0; k <= c->services[i].n_upstreams; k++)
			if (!add(
				u, c, &c->services[i], service_upstream(&c->services[i], k), old)) {
				upstreams_drop(u);
				return NULL;
			}
	return u;
}

void
upstreams_adopt(struct upstreams *u, const struct proxy_conf *c)
{
	struct pool_config cfg = pool_config(c);

	for (size_t i = 0; i < u->n; i++) {
		pool_set_limits(u->of[i]->pool, &cfg);
		u->of[i]->unhealthy = false;
	}
}

struct upstreams *
upstreams_hold(struct upstreams *u)
{
	u->refs++;
	return u;
}

void
upstreams_drop(struct upstreams *u)
{
	if (u == NULL || --u->refs > 0)
		return;
	for (size_t i = 0; i < u->n; i++)
		target_drop(u->of[i]);
	free(u);
}

/* --- choosing --- */

struct target *
upstreams_target(const struct upstreams *u, const struct upstream_conf *up, size_t index)
{
	return u->of[up->first + index];
}

/* Finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

/* Larger is better.  With a key: rendezvous hashing, so that only those of an address that falls
 * move.  Without: the least busy one. */
static uint64_t
fitness(const struct target *t, uint64_t key)
{
	return key != 0 ? mix(key ^ t->seed) : UINT64_MAX - pool_load(t->pool);
}

static bool
is_up(const struct target *t, clock_ms now)
{
	return !t->unhealthy && now >= t->down_until;
}

size_t
upstreams_choose(
    struct upstreams *u, const struct upstream_conf *conf, uint64_t key, uint64_t tried)
{
	size_t n = conf->addresses.n, found = SIZE_MAX;
	bool found_up = false;
	uint64_t best = 0;
	clock_ms now = loop_now(u->loop);

	if (n == 1)
		return tried == 0 ? 0 : SIZE_MAX;
	u->turn++;
	for (size_t k = 0; k < n; k++) {
		size_t i = (u->turn + k) % n;
		const struct target *t = upstreams_target(u, conf, i);
		uint64_t f = fitness(t, key);
		bool up = is_up(t, now);

		if (tried >> i & 1)
			continue;
		if (found == SIZE_MAX || (up && !found_up) || (up == found_up && f > best)) {
			found = i;
			found_up = up;
			best = f;
		}
	}
	/* The second attempt is for an address that is up. */
	return found_up || tried == 0 ? found : SIZE_MAX;
}

/* --- what is learnt --- */

void
upstreams_failed(const struct upstreams *u, const struct upstream_conf *up, size_t index)
{
	struct target *t = upstreams_target(u, up, index);
	clock_ms wait = up->down_min;

	if (up->addresses.n < 2)
		return; /* there is no other to go to */
	if (t->down_until > loop_now(u->loop))
		return; /* one outage, which every request that waited for it tells us of */
	for (unsigned i = 0; i < t->failures && wait > 0 && wait < up->down_max; i++)
		wait *= 2;
	if (wait > up->down_max)
		wait = up->down_max;
	t->down_until = loop_now(u->loop) + wait;
	t->failures++;
	metrics_inc(S_UPSTREAM_AVOIDED);
	if (t->failures == 1)
		log_warn("upstream %s: cannot be connected to; other addresses of it are used; is "
			 "this process of the homeserver running?",
		    t->name);
}

void
upstreams_worked(struct target *t)
{
	if (t->failures > 0)
		log_info("upstream %s: can be connected to again", t->name);
	t->failures = 0;
	t->down_until = 0;
}

void
upstreams_set_health(struct upstreams *u, size_t number, bool up)
{
	if (number < u->n)
		u->of[number]->unhealthy = !up;
}
