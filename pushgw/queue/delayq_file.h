/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_file - the queue of one machine: in memory, and in a journal in a folder (journal.h).
 *
 * A push is due at a turn of the loop, so up to LOOP_TICK_MS after its delay is over.  The delay
 * runs on the monotonic clock; after a restart what is left of it is what the wall clock says, but
 * never more than delay_max, so a clock that was set neither loses a push nor holds it.
 *
 * A put is answered when the pushes are written to the file, with FSYNC_ALWAYS when they are on the
 * disk.  What was answered survives the death of the process under each policy; the death of the
 * machine under FSYNC_ALWAYS, and but for the last fsync_interval under FSYNC_INTERVAL.
 */
#ifndef SCHLEUSE_PUSHGW_DELAYQ_FILE_H
#define SCHLEUSE_PUSHGW_DELAYQ_FILE_H

#include "pushgw/queue/delayq.h"

struct queue_conf;

/* Reads what the folder (which must exist) holds; takes some seconds for a million pushes.  Of
 * `conf` only the policy of syncing is used.  NULL: logged. */
struct delayq *delayq_file_open(struct loop *loop, const char *folder,
    const struct queue_conf *conf, const struct delayq_config *cfg) MUST_CHECK;

/* The policy of syncing of a new configuration. */
void delayq_file_set_sync(struct delayq *q, const struct queue_conf *conf);

#endif
