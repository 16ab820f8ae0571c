/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/courier_fake.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake fake;

static struct list tasks = { &tasks, &tasks };

void
fake_begin(void)
{
	fake = (struct fake){ .now = 100000000 };
	list_init(&tasks);
}

void
fake_end(void)
{
	cr_assert_eq(fake.n_couriers, 0);
	cr_assert(list_empty(&tasks));
	for (size_t i = 0; i < fake.n_posts; i++) {
		cr_assert_not(fake.posts[i].open);
		free(fake.posts[i].body);
	}
}

/* --- courier --- */

struct courier *
courier_new(struct loop *loop, const struct courier_config *cfg)
{
	struct courier *c = calloc(1, sizeof(*c));

	c->cfg = *cfg;
	c->identity = cfg->identity != NULL;
	fake.courier = c;
	fake.n_couriers++;
	return c;
}

void
courier_free(struct courier *c)
{
	fake.n_couriers -= c != NULL;
	free(c);
}

void
courier_renew(struct courier *c)
{
	c->renewed++;
}

struct courier_call *
courier_send(struct courier *c, const struct courier_request *req,
    void (*fn)(void *arg, const struct courier_answer *a), void *arg)
{
	struct post *p = &fake.posts[fake.n_posts];

	if (fake.refuse)
		return NULL;
	cr_assert_lt(fake.n_posts++, POSTS_MAX);
	snprintf(p->url, sizeof(p->url), "%s", req->url);
	for (size_t i = 0; i < req->n_fields; i++) {
		cr_assert_null(strpbrk(req->fields[i], "\r\n"));
		strcat(strcat(p->fields, req->fields[i]), "\n");
	}
	p->body = calloc(1, req->body.n + 1);
	str_put(p->body, req->body);
	p->body_n = req->body.n;
	p->timeout = req->timeout_ms;
	p->fn = fn;
	p->arg = arg;
	p->open = true;
	return (struct courier_call *)(void *)p;
}

void
courier_cancel(struct courier_call *x)
{
	struct post *p = (struct post *)(void *)x;

	if (p != NULL) {
		cr_assert(p->open);
		p->open = false;
	}
}

static void
play(size_t i, const struct courier_answer *a)
{
	struct post *p = &fake.posts[i];

	cr_assert_lt(i, fake.n_posts);
	cr_assert(p->open);
	p->open = false;
	p->fn(p->arg, a);
}

void
fake_answer_after(size_t i, int status, const char *body, const char *retry_after)
{
	char *copy = strdup(body); /* who reads it may wipe it */
	const struct courier_answer a = {
		.status = status, .http2 = true, .body = str_z(copy), .retry_after = retry_after
	};

	play(i, &a);
	free(copy);
}

void
fake_answer(size_t i, int status, const char *body)
{
	fake_answer_after(i, status, body, "");
}

void
fake_answer_too_long(size_t i, int status)
{
	const struct courier_answer a = {
		.err = ERR_TOO_LARGE, .status = status, .retry_after = ""
	};

	play(i, &a);
}

void
fake_fail(size_t i, enum err err)
{
	const struct courier_answer a = { .err = err, .retry_after = "" };

	play(i, &a);
}

const char *
fake_field(size_t i, const char *name)
{
	const char *at = fake.posts[i].fields;

	cr_assert_lt(i, fake.n_posts);
	for (; *at != '\0'; at = strchr(at, '\n') + 1)
		if (strncmp(at, name, strlen(name)) == 0)
			return at + strlen(name);
	return NULL;
}

bool
fake_has(size_t i, const char *field)
{
	const char *rest = fake_field(i, field);

	return rest != NULL && *rest == '\n';
}

bool
fake_sent(const char *text)
{
	for (size_t i = 0; i < fake.n_posts; i++) {
		const struct post *p = &fake.posts[i];

		if (strstr(p->url, text) != NULL || strstr(p->fields, text) != NULL ||
		    memmem(p->body, p->body_n, text, strlen(text)) != NULL)
			return true;
	}
	return false;
}

/* --- loop --- */

clock_ms
loop_now(const struct loop *l)
{
	return fake.now;
}

void
task_init(struct task *t, void (*fn)(void *arg), void *arg)
{
	list_init(&t->node);
	t->fn = fn;
	t->arg = arg;
}

void
task_defer(struct loop *l, struct task *t)
{
	if (list_empty(&t->node))
		list_append(&tasks, &t->node);
}

void
task_cancel(struct task *t)
{
	list_remove(&t->node);
}

void
fake_tasks(void)
{
	struct list due;

	list_init(&due);
	while (!list_empty(&tasks)) {
		struct list *n = tasks.next;

		list_remove(n);
		list_append(&due, n);
	}
	while (!list_empty(&due)) {
		struct task *t = LIST_ENTRY(due.next, struct task, node);

		list_remove(&t->node);
		t->fn(t->arg);
	}
}

/* --- an attempt --- */

void
on_told(void *told, const struct attempt_result *r)
{
	struct told *t = told;

	t->calls++;
	t->r = *r;
}
