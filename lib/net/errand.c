/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/errand.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"

struct errand {
	struct letter letter; /* that the work is over */
	struct loop *loop;
	const char *name;
	pthread_t thread;
	bool joined;
	void (*work)(void *arg);
	void (*done)(void *arg); /* NULL: cancelled */
	void *arg;
};

static void *
run(void *arg)
{
	struct errand *e = arg;

	log_thread(e->name);
	e->work(e->arg);
	arena_drop_cache();
	buf_drop_cache();
	log_flush();
	loop_post(e->loop, &e->letter);
	return NULL;
}

static void
join(struct errand *e)
{
	if (!e->joined)
		pthread_join(e->thread, NULL);
	e->joined = true;
}

static void
open_letter(struct letter *l, void *receiver)
{
	struct errand *e = (struct errand *)l;

	(void)receiver;
	join(e);
	if (e->done != NULL)
		e->done(e->arg);
	free(e);
}

struct errand *
errand_start(struct loop *loop, const char *name, void (*work)(void *arg), void (*done)(void *arg),
    void *arg)
{
	struct errand *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	*e = (struct errand){ .letter.open = open_letter,
		.loop = loop,
		.name = name,
		.work = work,
		.done = done,
		.arg = arg };
	if (pthread_create(&e->thread, NULL, run, e) != 0) {
		free(e);
		return NULL;
	}
	return e;
}

void
errand_cancel(struct errand *e)
{
	if (e == NULL)
		return;
	e->done = NULL;
	join(e); /* its letter is in the box, and frees it */
}
