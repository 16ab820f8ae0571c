/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leave - how the process stops serving: alone (SIGTERM) or in favour of a successor (SIGUSR2).
 *
 * Alone, the connections that wait in the queues of the listening sockets are accepted before these
 * are closed.  With a successor they are left to it.
 */
#include <signal.h>

#include "lib/daemon/notify.h"
#include "proxy/control_int.h"
#include "proxy/series.h"

static void
drain(struct control *c, const char *why, bool alone)
{
	c->draining = true;
	log_info("%s: draining; at most %llu s", why,
	    (unsigned long long)(c->conf->drain_timeout / 1000));
	heartbeat_stop(c->heartbeat);
	timer_clear(&c->settle);
	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_drain(c->workers[i], alone))
			loop_stop(c->workers[i]->loop);
	if (alone)
		listeners_remove_files(c->listeners, NULL);
	snapshot_drop(&c->listeners->snap);
	c->listeners = NULL;
}

void
leave(struct control *c, const char *why)
{
	if (c->draining)
		return;
	handover_free(c->handover);
	c->handover = NULL;
	/* The manager's patience must be longer than ours. */
	(void)notify_send("STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=%llu",
	    (unsigned long long)(c->conf->drain_timeout + 10000) * 1000);
	drain(c, why, true);
}

/* --- in favour of a successor --- */

static void
go_on(struct control *c)
{
	metrics_inc(S_HANDOVERS_FAILED);
	log_error("hand-over: failed; this process goes on as before");
	handover_free(c->handover);
	c->handover = NULL;
	outside_resume_federations(&c->out);
	(void)notify_send("STATUS=Serving; the last hand-over failed, see the log");
	if (c->reload_wanted)
		reload(c);
	c->reload_wanted = false;
}

static void
on_handover(void *arg, bool ready)
{
	struct control *c = arg;

	if (!ready) {
		go_on(c);
		return;
	}
	log_info("hand-over: process %d serves now", (int)handover_pid(c->handover));
	(void)notify_send("MAINPID=%d", (int)handover_pid(c->handover));
	admin_free(c->admin); /* its socket is the successor's */
	c->admin = NULL;
	drain(c, "hand-over", false);
}

void
leave_to_successor(struct control *c)
{
	const struct handover_config cfg = {
		.loop = c->loop,
		.argv = c->argv,
		.listeners = c->listeners,
		.tickets = tickets_now(c->tickets),
		.timeout = c->conf->handover_timeout,
		.done = on_handover,
		.arg = c,
	};

	if (c->draining || c->handover != NULL)
		return;
	log_info("hand-over: starting %s", c->argv[0]);
	/* From here on only one of us writes lists to the state folder. */
	outside_pause_federations(&c->out);
	c->handover = handover_start(&cfg);
	if (c->handover == NULL)
		go_on(c);
}
