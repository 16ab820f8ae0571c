/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"

#define ANSWER_MAX (64 * 1024)
#define SPREAD 20 /* first checks are spread over so many ticks */

struct probe { /* one address */
	struct health *health;
	const struct service_conf *service;
	const struct upstream_conf *upstream;
	size_t index; /* of the address in the upstream */
	bool down;
	uint64_t streak; /* checks in a row that speak against the state */
	uint64_t failed; /* all of them */
	struct timer timer;
	struct fetch *fetch;
};

struct health {
	struct loop *loop;
	struct fetcher *fetcher;
	health_fn *fn;
	void *arg;
	size_t n;
	struct probe probes[];
};

static const char *
address_of(const struct probe *p)
{
	return p->upstream->addresses.v[p->index];
}

static void
tell(const struct probe *p)
{
	p->health->fn(p->health->arg, p->upstream->first + p->index, !p->down);
}

static void
change(struct probe *p, const char *why)
{
	p->down = !p->down;
	p->streak = 0;
	if (p->down)
		log_error("upstream %s %s %s: down after %llu bad checks of %s, the last: %s; it "
			  "gets no requests while others are up; look at this process of the "
			  "homeserver",
		    p->service->server_name, p->upstream->name, address_of(p),
		    (unsigned long long)p->upstream->check_fall, p->upstream->check_path, why);
	else
		log_info("upstream %s %s %s: up again", p->service->server_name, p->upstream->name,
		    address_of(p));
	tell(p);
}

static void
judge(struct probe *p, bool good, const char *why)
{
	const struct upstream_conf *u = p->upstream;

	p->failed += !good;
	p->streak = good == p->down ? p->streak + 1 : 0;
	if (p->streak >= (p->down ? u->check_rise : u->check_fall))
		change(p, why);
	timer_set(p->health->loop, &p->timer, u->check_interval);
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct probe *p = arg;
	char why[64];

	p->fetch = NULL;
	if (r->err == OK)
		snprintf(why, sizeof(why), "status %d", r->status);
	else
		snprintf(why, sizeof(why), "%s", err_text(r->err));
	judge(p, r->err == OK && r->status / 100 == 2, why);
}

static void
on_timer(void *arg)
{
	struct probe *p = arg;
	const struct conf_address *a = &p->upstream->address[p->index];
	char url[2048], base[256];
	struct fetch_request req = { .url = url,
		.local = true,
		.unix_path = a->unix_path,
		.max_bytes = ANSWER_MAX,
		.timeout_ms = p->upstream->check_timeout };

	snprintf(url, sizeof(url), "%s%s", conf_address_url(a, base, sizeof(base)),
	    p->upstream->check_path);
	p->fetch = fetch_start(p->health->fetcher, &req, on_answer, p);
	if (p->fetch == NULL) {
		/* nothing about the upstream */
		log_warn("upstream %s %s: not checked: out of memory", p->service->server_name,
		    p->upstream->name);
		timer_set(p->health->loop, &p->timer, p->upstream->check_interval);
	}
}

/* --- public --- */

static void
add(struct health *h, const struct service_conf *s, const struct upstream_conf *u)
{
	for (size_t i = 0; u->checked && i < u->addresses.n; i++) {
		struct probe *p = &h->probes[h->n];

		*p = (struct probe){ .health = h, .service = s, .upstream = u, .index = i };
		timer_init(&p->timer, on_timer, p);
		timer_set(h->loop, &p->timer, h->n % SPREAD * LOOP_TICK_MS);
		h->n++;
	}
}

struct health *
health_new(struct loop *loop, struct fetcher *fetcher, const struct proxy_conf *conf, health_fn *fn,
    void *arg)
{
	struct health *h = calloc(1, sizeof(*h) + conf->n_addresses * sizeof(struct probe));

	if (h == NULL)
		return NULL;
	h->loop = loop;
	h->fetcher = fetcher;
	h->fn = fn;
	h->arg = arg;
	for (size_t i = 0; i < conf->n_services; i++)
		for (size_t k = 0; k < conf->services[i].n_upstreams; k++)
			add(h, &conf->services[i], &conf->services[i].upstreams[k]);
	return h;
}

void
health_free(struct health *h)
{
	for (size_t i = 0; i < h->n; i++) {
		fetch_cancel(h->probes[i].fetch);
		timer_clear(&h->probes[i].timer);
	}
	free(h);
}

static bool
is_same(const struct probe *a, const struct probe *b)
{
	return strcmp(a->service->server_name, b->service->server_name) == 0 &&
	       strcmp(a->upstream->name, b->upstream->name) == 0 &&
	       strcmp(address_of(a), address_of(b)) == 0;
}

void
health_carry(struct health *h, const struct health *old)
{
	for (size_t i = 0; i < h->n; i++)
		for (size_t k = 0; k < old->n; k++)
			if (is_same(&h->probes[i], &old->probes[k])) {
				h->probes[i].down = old->probes[k].down;
				h->probes[i].streak = old->probes[k].streak;
				h->probes[i].failed = old->probes[k].failed;
			}
}

void
health_tell(const struct health *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->probes[i].down)
			tell(&h->probes[i]);
}

static bool
print_one(const struct health *h, struct buf *out, const char *name, bool state)
{
	bool ok = true;

	for (size_t i = 0; ok && i < h->n; i++) {
		const struct probe *p = &h->probes[i];

		ok = buf_printf(out, "%s{service=\"%s\",upstream=\"%s\",address=\"%zu\"} %llu\n",
		    name, p->service->server_name, p->upstream->name, p->index + 1,
		    (unsigned long long)(state ? !p->down : p->failed));
	}
	return ok;
}

bool
health_print(const struct health *h, struct buf *out)
{
	return h->n == 0 ||
	       (buf_printf(out,
		    "# HELP schleuse_upstream_up Whether an address of an upstream answers its "
		    "checks\n# TYPE schleuse_upstream_up gauge\n") &&
		   print_one(h, out, "schleuse_upstream_up", true) &&
		   buf_printf(out,
		       "# HELP schleuse_upstream_checks_failed_total Bad checks of an address of "
		       "an upstream\n# TYPE schleuse_upstream_checks_failed_total counter\n") &&
		   print_one(h, out, "schleuse_upstream_checks_failed_total", false));
}
