/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/manage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/net/listener.h"
#include "regsvc/jsonput.h"
#include "regsvc/manage_int.h"

#define CONNECTIONS_MAX 16
#define BODY_MAX 65536
#define REFUSAL_MAX 1024

/* A segment "*" is a name. */
static const struct route {
	enum h1_method method;
	const char *path;
	void (*run)(struct manage_call *c);
} routes[] = {
	{ H1_GET, "/status", manage_status },
	{ H1_GET, "/clients", manage_client_list },
	{ H1_POST, "/clients", manage_client_add },
	{ H1_GET, "/clients/*", manage_client_show },
	{ H1_POST, "/clients/*/rotate", manage_client_rotate },
	{ H1_POST, "/clients/*/revoke", manage_client_revoke },
	{ H1_GET, "/certificates", manage_certificate_list },
	{ H1_POST, "/certificates", manage_certificate_add },
	{ H1_POST, "/certificates/*/remove", manage_certificate_remove },
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

/* --- answers --- */

static void
call_free(struct manage_call *c)
{
	if (c->gone != NULL)
		*c->gone = true;
	password_cancel(c->job);
	clients_put_cancel(c->put);
	certs_cancel(c->certs_call);
	claims_free(c->in);
	buf_fini(&c->body);
	sodium_memzero(c, sizeof(*c));
	free(c);
}

void
manage_answer(struct manage_call *c, int status, struct str json)
{
	struct exchange *ex = c->ex;

	exchange_answer(ex, status, "application/json", STR("Cache-Control: no-store\r\n"), json);
	call_free(c);
}

void
manage_refuse(struct manage_call *c, int status, const char *text)
{
	struct buf json;

	buf_init(&json, REFUSAL_MAX);
	if (buf_put(&json, STR("{")) && jsonput_text(&json, "error", str_z(text)) &&
	    jsonput_end(&json))
		manage_answer(c, status, buf_str(&json));
	else
		manage_answer(c, status, STR("{\"error\":\"out of memory\"}"));
	buf_fini(&json);
}

void
manage_fail(struct manage_call *c, enum err why)
{
	int status = err_rows[why].status;

	manage_refuse(c, status >= 400 ? status : 500, err_text(why));
}

struct str
manage_text(const struct manage_call *c, const char *name)
{
	struct str text;

	return c->in != NULL && claims_text(claims_get(c->in, name), &text) ? text : STR_NONE;
}

/* --- requests --- */

/* Whether the path is of that form; its name goes to *name. */
static bool
path_fits(struct str path, struct str form, struct str *name)
{
	struct str want, have;

	while (form.n > 0 || path.n > 0) {
		if (form.n == 0 || path.n == 0 || form.p[0] != '/' || path.p[0] != '/')
			return false;
		str_cut(str_from(form, 1), '/', &want, &form);
		str_cut(str_from(path, 1), '/', &have, &path);
		form = form.n > 0 ? str_of(form.p - 1, form.n + 1) : form;
		path = path.n > 0 ? str_of(path.p - 1, path.n + 1) : path;
		if (str_eq(want, STR("*")) && have.n > 0)
			*name = have;
		else if (!str_eq(want, have))
			return false;
	}
	return true;
}

static bool
find_route(struct manage_call *c)
{
	for (size_t i = 0; i < N_ROUTES; i++) {
		if (routes[i].method != c->ex->req.method ||
		    !path_fits(c->ex->req.target, str_z(routes[i].path), &c->name))
			continue;
		c->run = routes[i].run;
		return true;
	}
	return false;
}

static void
run(struct manage_call *c)
{
	if (buf_len(&c->body) > 0) {
		c->in = claims_read_object(buf_str(&c->body));
		if (c->in == NULL) {
			manage_refuse(c, 400, "the body is no JSON object");
			return;
		}
	}
	c->run(c);
}

static void
on_body(void *arg)
{
	struct manage_call *c = arg;
	struct str data;
	enum err why = OK;

	for (;;) {
		switch (exchange_peek(c->ex, &data, &why)) {
		case EXCHANGE_AGAIN:
			return;
		case EXCHANGE_DATA:
			if (!buf_put(&c->body, data)) {
				manage_fail(c, ERR_BODY_SIZE);
				return;
			}
			exchange_consume(c->ex, data.n);
			break;
		case EXCHANGE_BAD:
			manage_fail(c, why);
			return;
		case EXCHANGE_END:
			exchange_want_body(c->ex, false);
			run(c);
			return;
		}
	}
}

static void
on_room(void *arg)
{
	(void)arg; /* answers are written at once */
}

static void
on_gone(void *arg, enum err why)
{
	(void)why;
	call_free(arg);
}

static const struct exchange_events events = {
	.body = on_body,
	.room = on_room,
	.gone = on_gone,
};

static void
on_request(void *arg, struct exchange *ex, enum err bad)
{
	struct manage_call *c = calloc(1, sizeof(*c));
	bool gone = false;

	if (c == NULL) {
		exchange_abort(ex);
		return;
	}
	c->manage = arg;
	c->ex = ex;
	buf_init(&c->body, BODY_MAX);
	ex->events = &events;
	ex->arg = c;
	if (bad != OK) {
		manage_fail(c, bad);
		return;
	}
	if (!find_route(c)) {
		manage_refuse(c, 404, "no such operation; is schleusectl of the same version?");
		return;
	}
	c->gone = &gone;
	exchange_want_body(ex, true);
	if (gone) /* it left when it was told to continue */
		return;
	c->gone = NULL;
	on_body(c);
}

/* --- the socket --- */

static bool
is_trusted(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
	struct manage *m = arg;

	(void)peer;
	(void)peer_len;
	if (!is_trusted(fd)) {
		log_warn("control: a connection of another user to %s; closed it", m->path);
		close(fd);
	} else if (m->http.n_conns >= CONNECTIONS_MAX) {
		close(fd);
	} else if (!http_server_open(&m->http, fd, NULL, "", m, NULL)) {
		log_error("control: no memory for a connection; closed it");
	}
}

struct manage *
manage_new(struct loop *loop, struct auth *auth, struct certs *certs, const char *state_dir)
{
	struct manage *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->loop = loop;
	m->auth = auth;
	m->certs = certs;
	http_server_init(&m->http, loop);
	m->http.limits = (struct http_limits){
		.head = { .head_max = 8192, .target_max = 1024, .fields_max = 64 },
		.body_max = BODY_MAX,
		.request_memory = 4 * BODY_MAX,
		.head_timeout = 5000,
		.idle_timeout = 30000,
		.body_timeout = 5000,
		.write_timeout = 5000,
	};
	m->http.request = on_request;
	snprintf(m->path, sizeof(m->path), "%s/" MANAGE_SOCKET, state_dir);
	m->fd = listener_bind(m->path, NULL, 0);
	if (m->fd >= 0 && chmod(m->path, 0600) == 0)
		m->listener = listener_new(loop, m->fd, on_accept, m);
	if (m->listener != NULL)
		return m;
	log_error("control: cannot listen on %s: %s", m->path, strerror(errno));
	manage_free(m);
	return NULL;
}

void
manage_free(struct manage *m)
{
	if (m == NULL)
		return;
	http_server_fini(&m->http);
	if (m->listener != NULL)
		listener_free(m->listener);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}
