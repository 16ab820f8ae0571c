/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/admin.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/http/server.h"
#include "lib/net/listener.h"
#include "lib/ops/metrics.h"

#define ANSWER_MAX (1024 * 1024)
#define CONNECTIONS_MAX 64

struct admin {
	struct admin_config cfg;
	struct http_server http;
	struct listener *listener;
};

static void
answer(struct exchange *ex, int status, struct str text)
{
	exchange_answer(
	    ex, status, "text/plain; charset=utf-8", STR("Cache-Control: no-store\r\n"), text);
}

static void
answer_ready(struct admin *a, struct exchange *ex)
{
	struct buf missing;

	buf_init(&missing, ANSWER_MAX);
	a->cfg.missing(a->cfg.arg, &missing);
	if (buf_len(&missing) == 0)
		answer(ex, 200, STR("ready\n"));
	else
		answer(ex, 503, buf_str(&missing));
	buf_fini(&missing);
}

static void
answer_metrics(struct admin *a, struct exchange *ex)
{
	struct buf out;

	if (a->cfg.refresh != NULL)
		a->cfg.refresh(a->cfg.arg);
	buf_init(&out, ANSWER_MAX);
	if (metrics_print(&out) && (a->cfg.more == NULL || a->cfg.more(a->cfg.arg, &out)))
		exchange_answer(ex, 200, "text/plain; version=0.0.4; charset=utf-8",
		    STR("Cache-Control: no-store\r\n"), buf_str(&out));
	else
		answer(ex, 500, STR("metrics: out of memory\n"));
	buf_fini(&out);
}

static void
on_request(void *arg, struct exchange *ex, enum err bad)
{
	struct admin *a = arg;
	struct str path = ex->req.target, query;

	if (bad != OK) {
		answer(ex, err_rows[bad].status, str_z(err_text(bad)));
		return;
	}
	str_cut(path, '?', &path, &query);
	if (ex->req.method != H1_GET && ex->req.method != H1_HEAD)
		answer(ex, 405, STR("only GET and HEAD\n"));
	else if (str_eq(path, STR("/health")))
		answer(ex, 200, STR("ok\n"));
	else if (str_eq(path, STR("/ready")))
		answer_ready(a, ex);
	else if (str_eq(path, STR("/metrics")))
		answer_metrics(a, ex);
	else
		answer(ex, 404, STR("try /health, /ready or /metrics\n"));
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct admin *a = arg;

	(void)peer;
	(void)peer_len;
	if (a->http.n_conns >= CONNECTIONS_MAX)
		close(fd);
	else if (!http_server_open(&a->http, fd, NULL, "", a, NULL))
		log_error("admin: no memory for a connection; closed it");
}

struct admin *
admin_new(struct loop *loop, const struct admin_config *cfg)
{
	struct admin *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->cfg = *cfg;
	http_server_init(&a->http, loop);
	a->http.limits = (struct http_limits){
		.head = { .head_max = 8192, .target_max = 1024, .fields_max = 64 },
		.body_max = 0,
		.request_memory = 65536,
		.handshake_timeout = 5000,
		.head_timeout = 5000,
		.idle_timeout = 30000,
		.body_timeout = 5000,
		.write_timeout = 5000,
	};
	a->http.request = on_request;
	a->listener = listener_new(loop, cfg->socket, on_accept, a);
	if (a->listener == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

void
admin_free(struct admin *a)
{
	if (a == NULL)
		return;
	listener_free(a->listener);
	close(a->cfg.socket);
	http_server_fini(&a->http);
	free(a);
}
