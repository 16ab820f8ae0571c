/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox - letters from any thread to one thread.
 *
 * A letter is embedded in whatever is sent and belongs to the receiver from mailbox_post() on.  The
 * receiving thread waits on mailbox_fd() and calls mailbox_drain(), which calls each letter's open
 * function in the order of posting.  Posting takes a short lock and never waits for the receiver.
 */
#ifndef SCHLEUSE_BASE_MAILBOX_H
#define SCHLEUSE_BASE_MAILBOX_H

#include <stdbool.h>

struct letter {
	struct letter *next;
	void (*open)(struct letter *l, void *receiver); /* runs on the receiving thread, owns l */
};

struct mailbox;

struct mailbox *mailbox_new(void); /* NULL: out of memory or descriptors */
/* Letters still inside are opened with receiver NULL, to free themselves. */
void mailbox_free(struct mailbox *m);
int mailbox_fd(const struct mailbox *m); /* readable while letters wait */
void mailbox_post(struct mailbox *m, struct letter *l);
void mailbox_drain(struct mailbox *m, void *receiver);

#endif
