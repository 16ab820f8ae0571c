/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/heartbeat.h"

#include <stdlib.h>

struct pulse {
	struct letter letter;
	struct heartbeat *of;
	struct loop *loop;
};

struct heartbeat {
	struct loop *own;
	clock_ms interval;
	void (*beat)(void *arg);
	void *arg;
	struct timer timer;
	size_t n, away; /* letters on their way */
	bool stopped;
	struct pulse pulses[];
};

static void
on_return(struct letter *l, void *receiver) /* on our own loop */
{
	struct heartbeat *h = ((struct pulse *)l)->of;

	if (receiver == NULL || --h->away > 0 || h->stopped)
		return;
	h->beat(h->arg);
	timer_set(h->own, &h->timer, h->interval);
}

static void
on_visit(struct letter *l, void *receiver) /* on a watched loop */
{
	if (receiver == NULL)
		return;
	l->open = on_return;
	loop_post(((struct pulse *)l)->of->own, l);
}

static void
send_round(void *arg)
{
	struct heartbeat *h = arg;

	h->away = h->n;
	for (size_t i = 0; i < h->n; i++) {
		h->pulses[i].letter.open = on_visit;
		loop_post(h->pulses[i].loop, &h->pulses[i].letter);
	}
}

struct heartbeat *
heartbeat_new(struct loop *own, size_t n, clock_ms interval, void (*beat)(void *arg), void *arg)
{
	struct heartbeat *h = calloc(1, sizeof(*h) + n * sizeof(h->pulses[0]));

	if (h == NULL)
		return NULL;
	h->own = own;
	h->interval = interval;
	h->beat = beat;
	h->arg = arg;
	timer_init(&h->timer, send_round, h);
	return h;
}

void
heartbeat_watch(struct heartbeat *h, struct loop *loop)
{
	h->pulses[h->n++] = (struct pulse){ .of = h, .loop = loop };
}

void
heartbeat_start(struct heartbeat *h)
{
	send_round(h);
}

void
heartbeat_stop(struct heartbeat *h)
{
	if (h == NULL)
		return;
	h->stopped = true;
	timer_clear(&h->timer);
}

void
heartbeat_free(struct heartbeat *h)
{
	free(h);
}
