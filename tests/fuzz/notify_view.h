/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_view - what a notification says by jansson; a file of its own, since jansson.h and
 * canonical.h have names in common.
 */
#ifndef SCHLEUSE_FUZZ_NOTIFY_VIEW_H
#define SCHLEUSE_FUZZ_NOTIFY_VIEW_H

#include "pushgw/notify/notification.h"

/* Whether the body says the same as n, by the rules of the API. */
bool notify_view_same(struct str body, const struct notification *n);
/* Whether the body has all that a notification needs, of the right types and within limits; false
 * also where jansson cannot tell, and for bodies longer than `data` may be. */
bool notify_view_good(struct str body, const struct notify_conf *limits);

#endif
