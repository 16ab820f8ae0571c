/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/mailbox.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
	pthread_mutex_t lock;
	struct letter *first;
	struct letter **last;
	int fd;
};

struct mailbox *
mailbox_new(void)
{
	struct mailbox *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd < 0) {
		free(m);
		return NULL;
	}
	pthread_mutex_init(&m->lock, NULL);
	m->last = &m->first;
	return m;
}

void
mailbox_free(struct mailbox *m)
{
	if (m == NULL)
		return;
	mailbox_drain(m, NULL);
	pthread_mutex_destroy(&m->lock);
	close(m->fd);
	free(m);
}

int
mailbox_fd(const struct mailbox *m)
{
	return m->fd;
}

void
mailbox_post(struct mailbox *m, struct letter *l)
{
	uint64_t one = 1;
	bool wake;

	l->next = NULL;
	pthread_mutex_lock(&m->lock);
	wake = m->first == NULL;
	*m->last = l;
	m->last = &l->next;
	pthread_mutex_unlock(&m->lock);
	if (wake) {
		ssize_t n = write(m->fd, &one, sizeof(one));

		/* Fails only when the counter is full, that is when the receiver is awake anyway.
		 */
		(void)n;
	}
}

void
mailbox_drain(struct mailbox *m, void *receiver)
{
	uint64_t count;
	struct letter *l, *next;
	ssize_t n = read(m->fd, &count, sizeof(count));

	(void)n; /* EAGAIN when called without a wake-up */
	pthread_mutex_lock(&m->lock);
	l = m->first;
	m->first = NULL;
	m->last = &m->first;
	pthread_mutex_unlock(&m->lock);
	for (; l != NULL; l = next) {
		next = l->next;
		l->open(l, receiver);
	}
}
