/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage_status - how the service is, for whoever is called at night.
 */
#include <stdio.h>

#include "regsvc/jsonput.h"
#include "regsvc/manage_int.h"

#define MISSING_MAX 4096
#define STATUS_MAX 16384

void
manage_adopt(struct manage *m, const struct manage_sources *of)
{
	m->of = *of;
}

static bool
put_list(const struct lists_view *v, struct buf *out)
{
	char as_of[CLOCK_TEXT_MAX];

	return buf_put(out, STR("\"list\":{")) &&
	       (v->version < 0 || buf_printf(out, "\"version\":%lld,\"entries\":%zu,",
				      (long long)v->version, v->entries)) &&
	       (v->as_of == 0 ||
		   jsonput_text(out, "as_of", str_z(clock_text(v->as_of * 1000, as_of)))) &&
	       jsonput_text(out, "status", str_z(lists_status_names[v->status])) &&
	       jsonput_end(out) && buf_put(out, STR(",")) &&
	       jsonput_text(out, "vzd", v->healthy ? STR("healthy") : STR("unhealthy"));
}

static bool
put_certificates(const struct certs_set *set, struct buf *out)
{
	return buf_printf(out, "\"certificates\":{\"served\":%zu,\"refused\":%zu},", set->n_served,
	    set->n - set->n_served);
}

static bool
put_store(const struct manage_sources *of, struct buf *out)
{
	enum err state = store_state(of->store);
	char text[256];

	snprintf(text, sizeof(text), "%s, %s", of->redis ? "Redis" : "folder in state_dir",
	    state == OK          ? "works"
	    : state == ERR_COUNT ? "not used yet"
				 : err_text(state));
	return jsonput_text(out, "store", str_z(text));
}

void
manage_status(struct manage_call *c)
{
	const struct manage *m = c->manage;
	const struct lists_view list = lists_current(m->of.lists);
	struct buf missing, json;

	buf_init(&missing, MISSING_MAX);
	buf_init(&json, STATUS_MAX);
	lists_missing(m->of.lists, &missing);
	auth_missing(m->auth, &missing);
	if (buf_printf(&json, "{\"version\":\"%s\",", PACKAGE_VERSION) && put_list(&list, &json) &&
	    put_certificates(certs_current(m->certs), &json) && put_store(&m->of, &json) &&
	    buf_printf(&json, "\"clients\":%zu,", clients_count(m->auth->login.clients)) &&
	    jsonput_text(&json, "issuer", str_z(m->auth->issuer)) &&
	    jsonput_text(&json, "missing", buf_str(&missing)) && jsonput_end(&json))
		manage_answer(c, 200, buf_str(&json));
	else
		manage_fail(c, ERR_MEMORY);
	buf_fini(&missing);
	buf_fini(&json);
}
