/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookups_invites - the letters about invites: which were accepted, and whether these were.
 */
#include <stdlib.h>

#include "proxy/control.h"
#include "proxy/invites.h"
#include "proxy/lookups.h"
#include "proxy/worker.h"

#define SECOND_LOOK_MS 250

static struct invite_digest
digest(const struct worker *w, const struct service_conf *s, const struct invite *in)
{
	struct invite_key key;

	memcpy(key.bytes, w->invite_key, sizeof(key.bytes));
	return invite_digest(&key, str_z(s->server_name), in->room, in->sender, in->invitee);
}

struct note {
	struct letter letter;
	struct invite_digest digest;
};

static void
open_note(struct letter *l, void *receiver) /* on the control thread */
{
	struct note *n = (struct note *)l;

	if (receiver != NULL)
		control_note_invite(receiver, &n->digest);
	free(n);
}

bool
lookups_note_invite(struct worker *w, const struct service_conf *s, const struct invite *in)
{
	struct note *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return false;
	n->letter.open = open_note;
	n->digest = digest(w, s, in);
	loop_post(control_loop(w->control), &n->letter);
	return true;
}

struct invite_question {
	struct letter letter;
	struct worker *worker;
	/* NULL: cancelled; read and written on the worker only. */
	void (*fn)(void *arg, const bool *known);
	void *arg;
	struct list node; /* on the control thread, like the next */
	struct timer again;
	struct control *control;
	size_t n;
	bool known[INVITES_MAX];
	struct invite_digest digests[INVITES_MAX];
};

static void
open_invite_answer(struct letter *l, void *receiver) /* on the worker */
{
	struct invite_question *q = (struct invite_question *)l;

	if (receiver != NULL && q->fn != NULL)
		q->fn(q->arg, q->known);
	free(q);
}

static bool
all_known(struct control *c, struct invite_question *q)
{
	bool all = true;

	for (size_t i = 0; i < q->n; i++) {
		q->known[i] = control_knows_invite(c, &q->digests[i]);
		all &= q->known[i];
	}
	return all;
}

static void
answer_invites(struct invite_question *q)
{
	q->letter.open = open_invite_answer;
	loop_post(q->worker->loop, &q->letter);
}

static void
on_second_look(void *arg)
{
	struct invite_question *q = arg;

	list_remove(&q->node);
	(void)all_known(q->control, q);
	answer_invites(q);
}

static void
open_invite_question(struct letter *l, void *receiver) /* on the control thread */
{
	struct invite_question *q = (struct invite_question *)l;

	if (receiver == NULL) {
		free(q); /* shutting down */
		return;
	}
	q->control = receiver;
	if (all_known(receiver, q) || !control_shares_state(receiver)) {
		answer_invites(q);
		return;
	}
	/* The invite may just have been answered by the other process, and be on its way to the
	 * disk there. */
	list_init(&q->node);
	list_append(control_invite_questions(receiver), &q->node);
	timer_init(&q->again, on_second_look, q);
	timer_set(control_loop(receiver), &q->again, SECOND_LOOK_MS);
}

struct invite_question *
lookups_ask_invites(struct worker *w, const struct service_conf *s, const struct invite *in,
    size_t n, void (*fn)(void *arg, const bool *known), void *arg)
{
	struct invite_question *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->letter.open = open_invite_question;
	q->worker = w;
	q->fn = fn;
	q->arg = arg;
	q->n = n;
	for (size_t i = 0; i < n; i++)
		q->digests[i] = digest(w, s, &in[i]);
	loop_post(control_loop(w->control), &q->letter);
	return q;
}

void
lookups_cancel_invites(struct invite_question *q)
{
	if (q != NULL)
		q->fn = NULL;
}

void
lookups_drop_invites(struct control *c)
{
	LIST_FOR(node, control_invite_questions(c)) {
		struct invite_question *q = LIST_ENTRY(node, struct invite_question, node);

		timer_clear(&q->again);
		list_remove(node);
		free(q);
	}
}
