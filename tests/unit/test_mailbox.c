/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/base/mailbox.h"

#define SENDERS 4
#define EACH 5000

struct note {
	struct letter letter;
	int sender, number;
};

struct reader {
	int next[SENDERS];
	int total;
};

static void
on_note(struct letter *l, void *receiver)
{
	struct note *n = (struct note *)l;
	struct reader *r = receiver;

	if (r != NULL) {
		cr_assert_eq(
		    n->number, r->next[n->sender], "letters of one sender keep their order");
		r->next[n->sender]++;
		r->total++;
	}
	free(n);
}

static struct note *
note(int sender, int number)
{
	struct note *n = malloc(sizeof(*n));

	if (n == NULL)
		abort();
	*n = (struct note){ { .open = on_note }, sender, number };
	return n;
}

struct sender {
	struct mailbox *box;
	int number;
};

static void *
send_notes(void *arg)
{
	struct sender *s = arg;

	for (int i = 0; i < EACH; i++)
		mailbox_post(s->box, &note(s->number, i)->letter);
	return NULL;
}

static bool
is_readable(const struct mailbox *m, int wait_ms)
{
	struct pollfd fd = { .fd = mailbox_fd(m), .events = POLLIN };

	return poll(&fd, 1, wait_ms) == 1;
}

Test(mailbox, is_readable_exactly_while_letters_wait)
{
	struct mailbox *m = mailbox_new();
	struct reader r = { 0 };

	cr_assert_not(is_readable(m, 0));
	mailbox_drain(m, &r); /* without need */
	mailbox_post(m, &note(0, 0)->letter);
	mailbox_post(m, &note(0, 1)->letter);
	cr_assert(is_readable(m, 0));
	mailbox_drain(m, &r);
	cr_assert_eq(r.total, 2);
	cr_assert_not(is_readable(m, 0));
	mailbox_free(m);
}

Test(mailbox, loses_no_letter_of_many_threads)
{
	struct mailbox *m = mailbox_new();
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];
	struct reader r = { 0 };

	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ m, i };
		cr_assert_eq(pthread_create(&threads[i], NULL, send_notes, &senders[i]), 0);
	}
	while (r.total < SENDERS * EACH) {
		cr_assert(is_readable(m, 30000), "a letter waits and nobody is woken");
		mailbox_drain(m, &r);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	mailbox_free(m);
}

Test(mailbox, opens_what_is_left_when_freed)
{
	struct mailbox *m = mailbox_new();

	mailbox_post(m, &note(0, 7)->letter); /* the leak check sees it if not */
	mailbox_free(m);
	mailbox_free(NULL);
}

struct repost {
	struct letter letter;
	struct mailbox *box;
	int opened;
};

static void
on_repost(struct letter *l, void *receiver)
{
	struct repost *p = (struct repost *)l;

	(void)receiver;
	if (p->opened++ == 0)
		mailbox_post(p->box, l);
}

Test(mailbox, keeps_letters_posted_while_draining_for_the_next_time)
{
	struct mailbox *m = mailbox_new();
	struct repost p = { { .open = on_repost }, m, 0 };

	mailbox_post(m, &p.letter);
	mailbox_drain(m, NULL);
	cr_assert_eq(p.opened, 1);
	cr_assert(is_readable(m, 0));
	mailbox_drain(m, NULL);
	cr_assert_eq(p.opened, 2);
	mailbox_free(m);
}
