/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs_register - judged, written to the store, in force; then the operator is told.
 */
#include <stdlib.h>

#include "lib/daemon/setting.h"
#include "regsvc/certs_int.h"

#define X5U_MAX 2048
#define LABEL_MAX 128

struct certs_call {
	struct list node;
	struct certs *all;
	bool registers;
	struct certs_cert cert; /* to be registered */
	char *x5u, *label;
	char fingerprint[CERTS_FINGERPRINT + 1];
	struct trust_question *question;
	struct store_call *writing;
	struct task end;
	enum err why; /* with which it ends */
	certs_done_fn *fn;
	void *arg;
};

static void
free_call(struct certs_call *k)
{
	trust_cancel(k->question);
	store_cancel(k->writing);
	task_cancel(&k->end);
	list_remove(&k->node);
	certs_cert_fini(&k->cert);
	free(k->x5u);
	free(k->label);
	free(k);
}

void
certs_cancel(struct certs_call *k)
{
	if (k != NULL)
		free_call(k);
}

static void
on_end(void *arg)
{
	struct certs_call *k = arg;
	char fingerprint[CERTS_FINGERPRINT + 1];
	certs_done_fn *fn = k->fn;
	void *to = k->arg;
	enum err why = k->why;

	memcpy(fingerprint, k->fingerprint, sizeof(fingerprint));
	free_call(k);
	fn(to, why, fingerprint);
}

static void
end_call(struct certs_call *k, enum err why)
{
	k->why = why;
	task_defer(k->all->loop, &k->end);
}

static struct certs_call *
new_call(struct certs *c, bool registers, certs_done_fn *fn, void *arg)
{
	struct certs_call *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->all = c;
	k->registers = registers;
	k->fn = fn;
	k->arg = arg;
	task_init(&k->end, on_end, k);
	list_append(&c->calls, &k->node);
	return k;
}

/* --- the store --- */

/* Memory goes with it at once: who asked sees what was done. */
static enum err
put_in_force(struct certs_call *k)
{
	struct certs *c = k->all;
	struct cert *x = certs_find(c, str_z(k->fingerprint));

	if (k->registers) {
		if (!certs_enter(c, &k->cert, k->x5u, k->label))
			return ERR_MEMORY;
	} else if (x != NULL) {
		certs_leave(x);
		certs_reap(c);
	}
	certs_publish(c);
	certs_keep_look(c->keep);
	return OK;
}

static void
on_written(void *arg, enum err err)
{
	struct certs_call *k = arg;

	k->writing = NULL;
	end_call(k, err == OK ? put_in_force(k) : err);
}

static void
write_call(struct certs_call *k)
{
	char key[CERTS_KEY_MAX];
	struct store_op op = { .key = certs_record_key(true, k->fingerprint, key) };
	struct buf value;
	bool ok = true;

	buf_init(&value, CERTS_RECORD_MAX);
	if (k->registers)
		ok = certs_record_print(k->cert.pem, k->x5u, k->label, 0, &value);
	op.value = buf_str(&value);
	if (ok)
		k->writing = store_apply(k->all->store, &op, 1, STR(CERTS_CHANNEL), on_written, k);
	if (k->writing == NULL)
		end_call(k, ERR_MEMORY);
	buf_fini(&value);
}

/* --- registering --- */

static void
on_judged(void *arg, enum err err, struct trust_verdict *v)
{
	struct certs_call *k = arg;

	(void)v;
	k->question = NULL;
	if (err == OK)
		write_call(k);
	else
		end_call(k, err);
}

static void
judge_call(struct certs_call *k)
{
	static const struct trust_demands none = { 0 };
	struct trust *trust = k->all->cfg.trust;

	if (trust == NULL) {
		end_call(k, ERR_CERTS_OFF);
		return;
	}
	k->question = trust_judge(trust, k->cert.chain, &none, on_judged, k);
	if (k->question == NULL)
		end_call(k, ERR_MEMORY);
}

void
certs_calls_end(struct certs *c)
{
	LIST_FOR(node, &c->calls) {
		struct certs_call *k = LIST_ENTRY(node, struct certs_call, node);

		if (k->question == NULL && k->writing == NULL)
			continue;
		trust_cancel(k->question);
		store_cancel(k->writing);
		k->question = NULL;
		k->writing = NULL;
		end_call(k, ERR_CANCELLED);
	}
}

/* A file's last line break is none of the label. */
static bool
label_ok(const char *s)
{
	size_t n = 0;

	for (; s[n] != '\0'; n++)
		if (s[n] < ' ' || s[n] > '~')
			return false;
	return n > 0 && n <= LABEL_MAX;
}

static bool
x5u_ok(const char *s)
{
	for (const char *p = s; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '#' || *p == '"' || *p == '\\')
			return false;
	return strlen(s) <= X5U_MAX && setting_is_https(s);
}

static bool
has_room(const struct certs *c, const char *fingerprint)
{
	size_t n = 0;

	LIST_FOR(node, &c->certs) {
		const struct cert *x = LIST_ENTRY(node, struct cert, node);

		if (x->registered && strcmp(x->c.fingerprint, fingerprint) == 0)
			return true;
		n += x->registered;
	}
	return n < c->cfg.conf->max_registered;
}

static enum err
check_call(struct certs_call *k, struct str pem, const char *x5u, const char *label)
{
	struct certs *c = k->all;
	enum err err;

	if (c->cfg.trust == NULL)
		return ERR_CERTS_OFF;
	if (x5u != NULL && !x5u_ok(x5u))
		return ERR_CERTS_X5U;
	if (!label_ok(label))
		return ERR_CERTS_LABEL;
	err = certs_cert_read(pem, &k->cert);
	if (err != OK)
		return err;
	memcpy(k->fingerprint, k->cert.fingerprint, sizeof(k->fingerprint));
	if (!k->cert.es256)
		return ERR_X5C_CURVE;
	if (!has_room(c, k->fingerprint))
		return ERR_CERTS_FULL;
	k->x5u = x5u != NULL ? strdup(x5u) : NULL;
	k->label = strdup(label);
	return k->label != NULL && (x5u == NULL || k->x5u != NULL) ? OK : ERR_MEMORY;
}

struct certs_call *
certs_register(struct certs *c, struct str pem, const char *x5u, const char *label,
    certs_done_fn *fn, void *arg)
{
	struct certs_call *k = new_call(c, true, fn, arg);
	enum err err;

	if (k == NULL)
		return NULL;
	err = check_call(k, pem, x5u, label);
	if (err == OK)
		judge_call(k);
	else
		end_call(k, err);
	return k;
}

/* --- removing --- */

struct certs_call *
certs_remove(struct certs *c, struct str fingerprint, certs_done_fn *fn, void *arg)
{
	struct certs_call *k = new_call(c, false, fn, arg);
	const struct cert *x = certs_find(c, fingerprint);

	if (k == NULL)
		return NULL;
	if (x == NULL || !x->registered) {
		end_call(k, ERR_NOT_FOUND);
		return k;
	}
	memcpy(k->fingerprint, x->c.fingerprint, sizeof(k->fingerprint));
	write_call(k);
	return k;
}
