/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes - the lanes of one configuration, with all they need on their way out.
 *
 * A reload opens a second set with the new credentials and settings; the old one lasts until
 * nothing of it is in hand any more.
 */
#ifndef SCHLEUSE_PUSHGW_LANES_H
#define SCHLEUSE_PUSHGW_LANES_H

#include "pushgw/delivery/lane.h"

struct lanes {
	struct list node;         /* for whoever holds it */
	struct pushgw_conf *conf; /* one reference */
	struct loop *loop;
	struct resolver *resolver;
	X509_STORE *anchors;
	struct fetch_proxy proxy;
	struct lane *v;
	size_t n;
	size_t in_hand; /* of all lanes */
	const char **names;
	struct grave grave;
};

/* NULL: logged. */
struct lanes *lanes_open(struct loop *loop, struct pushgw_conf *conf) MUST_CHECK;
/* Nothing of it is in hand, or what is will get no verdict.  Its memory goes at the end of the
 * turn.  NULL is allowed. */
void lanes_close(struct lanes *s);

#endif
