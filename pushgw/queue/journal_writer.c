/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/journal_writer.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/log.h"

struct journal_writer {
	struct letter letter; /* first: that the work is done */
	struct loop *loop;
	struct journal_disk *disk;
	void (*done)(void *arg, struct journal_work *work);
	void *arg;
	struct journal_work *given;
	bool busy;   /* for the loop: given, and not told that it is done */
	bool closed; /* the loop's owner has gone; the letter frees us */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct journal_work *work; /* what is to be done */
	bool stop;
};

static void
carry_out(struct journal_writer *w, struct journal_work *work)
{
	work->err = journal_disk_write(
	    w->disk, work->segment, buf_str(&work->head), buf_str(&work->bytes), work->sync);
	log_flush();
	loop_post(w->loop, &w->letter);
}

static void *
run(void *arg)
{
	struct journal_writer *w = arg;
	struct journal_work *work;

	log_thread("journal");
	pthread_mutex_lock(&w->lock);
	while (w->work != NULL || !w->stop) {
		work = w->work;
		w->work = NULL;
		if (work == NULL) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		carry_out(w, work);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void
bury(struct journal_writer *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	free(w);
}

static void
open_letter(struct letter *l, void *receiver)
{
	struct journal_writer *w = (struct journal_writer *)l;

	(void)receiver;
	w->busy = false;
	if (w->closed)
		bury(w);
	else
		w->done(w->arg, w->given);
}

struct journal_writer *
journal_writer_new(struct loop *loop, struct journal_disk *disk,
    void (*done)(void *arg, struct journal_work *work), void *arg)
{
	struct journal_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->letter.open = open_letter;
	w->loop = loop;
	w->disk = disk;
	w->done = done;
	w->arg = arg;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	if (pthread_create(&w->thread, NULL, run, w) != 0) {
		bury(w);
		return NULL;
	}
	return w;
}

void
journal_writer_free(struct journal_writer *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	w->closed = true;
	if (!w->busy)
		bury(w); /* else its letter is in the box */
}

void
journal_writer_give(struct journal_writer *w, struct journal_work *work)
{
	w->busy = true;
	w->given = work;
	pthread_mutex_lock(&w->lock);
	w->work = work;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}
