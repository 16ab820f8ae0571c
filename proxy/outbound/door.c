/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outbound/door.h"

#include "proxy/outbound/connect.h"
#include "proxy/outbound/credential.h"
#include "proxy/outbound/passage_out.h"

/* The service whose secret is shown, if this listener serves it. */
static const struct service_conf *
tenant(const struct worker_listener *l, struct exchange *ex)
{
	const struct service_conf *s = credential_service(&ex->arena, l->worker->conf, &ex->req);
	const struct service_conf *only = l->conf != NULL ? l->conf->only : NULL;

	/* By name: the listener may be of another configuration than the worker. */
	return s == NULL || only == NULL || strcmp(only->server_name, s->server_name) == 0 ? s
											   : NULL;
}

void
door_open(void *listener, struct exchange *ex, enum err bad)
{
	struct worker_listener *l = listener;
	const struct service_conf *s = bad == OK ? tenant(l, ex) : NULL;

	if (s == NULL)
		passage_out_refuse(l->worker, ex, bad == OK ? ERR_PROXY_AUTH : bad);
	else if (ex->req.method == H1_CONNECT)
		connect_open(l->worker, ex, s);
	else
		passage_out_open(l->worker, ex, s);
}
