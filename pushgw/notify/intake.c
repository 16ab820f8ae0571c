/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/notify/intake.h"

#include <stdlib.h>

#include "lib/matrix/canonical.h"

struct sorter {
	struct arena *arena;
	const struct pushgw_conf *conf;
	const struct notification *n;
	int64_t now;
	struct intake *out;
	struct buf kept; /* of one device */
};

/* --- one device --- */

/* By whose entry; S_DEVICE_QUEUED if there is one. */
static enum series
find_app(const struct sorter *s, const struct device *d, size_t *lane)
{
	if (d->app_id.n == 0)
		return S_DEVICE_UNKNOWN;
	switch (pushgw_conf_app(s->conf, d->app_id, lane)) {
	case APP_FOUND:
		return S_DEVICE_QUEUED;
	case APP_AMBIGUOUS:
		return S_DEVICE_AMBIGUOUS;
	default:
		return S_DEVICE_UNKNOWN;
	}
}

static bool
has_consent(const struct app_conf *app, const struct device *d)
{
	return app->opt_in != OPT_IN_REQUIRED ||
	       json_type(json_get(d->data, str_z(app->opt_in_flag))) == JSON_TRUE;
}

/* Whether the device asked for encryption and this is encrypted.  Of what is incomplete it could
 * make nothing. */
static bool
is_encrypted(const struct notification *n, const struct device *d)
{
	return n->ephemeral.n > 0 && n->ciphertext.n > 0 && n->mac.n > 0 &&
	       json_type(json_get(d->data, STR("algorithm"))) == JSON_STRING;
}

static enum series
judge(struct sorter *s, const struct device *d, size_t *lane)
{
	enum series outcome = find_app(s, d, lane);
	const struct app_conf *app;
	struct device asked = *d;

	if (outcome != S_DEVICE_QUEUED)
		return outcome;
	if (d->unusable || d->pushkey.n == 0)
		return S_DEVICE_UNUSABLE;
	app = &s->conf->apps[*lane];
	if (!has_consent(app, d))
		return S_DEVICE_OPTED_OUT;
	asked.counts_only = s->n->event_id.n == 0 && !is_encrypted(s->n, d);
	if (asked.counts_only && app->counts_only == COUNTS_DROP)
		return S_DEVICE_COUNTS;
	buf_consume(&s->kept, buf_len(&s->kept));
	switch (provider_of(app->provider)->admit(app, &asked, &s->kept)) {
	case ADMIT_OK:
		return S_DEVICE_QUEUED;
	case ADMIT_DROP:
		return S_DEVICE_UNWANTED;
	default:
		return S_DEVICE_UNUSABLE;
	}
}

static enum err
add_push(struct sorter *s, const struct device *d, size_t lane)
{
	const struct notification *n = s->n;
	struct push *p = &s->out->pushes[s->out->n_pushes++];
	struct str kept = buf_str(&s->kept);

	*p = (struct push){
		.lane = (unsigned)lane,
		.app_id = d->app_id,
		.pushkey = d->pushkey,
		.pushkey_ts = d->pushkey_ts,
		.event_id = n->event_id,
		.room_id = n->room_id,
		.prio = n->prio,
		.accepted = s->now,
	};
	if (is_encrypted(n, d)) {
		p->ephemeral = n->ephemeral;
		p->ciphertext = n->ciphertext;
		p->mac = n->mac;
	}
	if (kept.n > 0)
		p->data = arena_dup(s->arena, kept);
	return kept.n > 0 && p->data.p == NULL ? ERR_MEMORY : OK;
}

static enum err
sort_one(struct sorter *s, struct intake_device *e)
{
	size_t lane = 0;

	e->outcome = judge(s, e->device, &lane);
	e->rejected = e->outcome == S_DEVICE_UNKNOWN || e->outcome == S_DEVICE_AMBIGUOUS ||
		      e->outcome == S_DEVICE_UNUSABLE;
	return e->outcome == S_DEVICE_QUEUED ? add_push(s, e->device, lane) : OK;
}

/* --- all of them --- */

static int
by_pushkey(const void *x, const void *y)
{
	const struct intake_device *a = *(struct intake_device *const *)x;
	const struct intake_device *b = *(struct intake_device *const *)y;
	int order = str_cmp(a->device->pushkey, b->device->pushkey);

	if (order == 0)
		order = str_cmp(a->device->app_id, b->device->app_id);
	return order != 0 ? order : (a > b) - (a < b);
}

/* A device named twice counts once. */
static void
mark_repeated(struct intake *in)
{
	const struct device *a, *b;

	for (size_t i = 1; i < in->n; i++) {
		a = in->sorted[i - 1]->device;
		b = in->sorted[i]->device;
		if (str_eq(a->pushkey, b->pushkey) && str_eq(a->app_id, b->app_id))
			in->sorted[i]->outcome = S_DEVICE_DUPLICATE;
	}
}

static bool
begin(struct arena *a, const struct notification *n, struct intake *in)
{
	in->n = n->n_devices;
	in->n_pushes = 0;
	in->devices = arena_alloc(a, (in->n + 1) * sizeof(*in->devices));
	in->sorted = arena_alloc(a, (in->n + 1) * sizeof(struct intake_device *));
	in->pushes = arena_alloc(a, (in->n + 1) * sizeof(*in->pushes));
	if (in->devices == NULL || in->sorted == NULL || in->pushes == NULL)
		return false;
	for (size_t i = 0; i < in->n; i++) {
		in->devices[i].device = &n->devices[i];
		in->devices[i].outcome = S_DEVICE_QUEUED;
		in->sorted[i] = &in->devices[i];
	}
	qsort(in->sorted, in->n, sizeof(struct intake_device *), by_pushkey);
	mark_repeated(in);
	return true;
}

enum err
intake_sort(struct arena *a, const struct pushgw_conf *conf, const struct notification *n,
    int64_t now, struct intake *out)
{
	struct sorter s = { .arena = a, .conf = conf, .n = n, .now = now, .out = out };
	enum err err = OK;

	if (!begin(a, n, out))
		return ERR_MEMORY;
	buf_init(&s.kept, INTAKE_KEPT_MAX);
	for (size_t i = 0; i < out->n && err == OK; i++)
		if (out->devices[i].outcome == S_DEVICE_QUEUED)
			err = sort_one(&s, &out->devices[i]);
	buf_fini(&s.kept);
	return err;
}

/* --- the answer --- */

static void
take_outcomes(struct intake *in, const enum delayq_outcome *of)
{
	static const enum series counted[] = {
		[DELAYQ_QUEUED] = S_DEVICE_QUEUED,
		[DELAYQ_DUPLICATE] = S_DEVICE_DUPLICATE,
		[DELAYQ_REJECTED] = S_DEVICE_REJECTED,
	};
	size_t at = 0;

	for (size_t i = 0; i < in->n; i++) {
		struct intake_device *e = &in->devices[i];

		if (e->outcome == S_DEVICE_QUEUED) {
			e->outcome = counted[of[at++]];
			e->rejected = e->outcome == S_DEVICE_REJECTED;
		}
		metrics_inc(e->outcome);
	}
}

/* Of all devices that have a rejected pushkey the first one stands for it. */
static void
choose_listed(struct intake *in)
{
	struct intake_device *first = NULL;

	for (size_t i = 0; i < in->n; i++) {
		struct intake_device *e = in->sorted[i];

		if (!e->rejected)
			continue;
		if (first != NULL && str_eq(first->device->pushkey, e->device->pushkey)) {
			if (e > first)
				continue;
			first->listed = false;
		}
		e->listed = true;
		first = e;
	}
}

bool
intake_finish(struct intake *in, const enum delayq_outcome *of, struct buf *out)
{
	const char *before = "";

	take_outcomes(in, of);
	choose_listed(in);
	if (!buf_put(out, STR("{\"rejected\":[")))
		return false;
	for (size_t i = 0; i < in->n; i++) {
		if (!in->devices[i].listed)
			continue;
		if (!buf_put(out, str_z(before)) ||
		    !json_put_string(out, in->devices[i].device->pushkey))
			return false;
		before = ",";
	}
	return buf_put(out, STR("]}"));
}
