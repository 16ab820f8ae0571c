/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curlloop - curl says which sockets it waits on and when it wants to be called; a watch is an
 * event on such a socket.
 */
#include "lib/http/curlloop.h"

#include <event2/event.h>
#include <stdlib.h>

struct curlloop {
	struct loop *loop;
	CURLM *multi;
	void (*ended)(void *of_handle, CURLcode code);
	struct timer timer;
	struct task kick; /* curl wants to be called at once */
	struct list watches;
};

struct watch { /* a socket curl waits on */
	struct list node;
	struct event *event;
};

static void
collect(struct curlloop *c)
{
	CURLMsg *m;
	void *of_handle = NULL;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&of_handle);
		c->ended(of_handle, m->data.result);
	}
}

static void
act(struct curlloop *c, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(c->multi, fd, what, &running);
	collect(c);
}

static void
on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct curlloop *c = arg;

	timer_clear(&c->timer);
	if (ms == 0)
		task_defer(c->loop, &c->kick);
	else if (ms > 0)
		timer_set(c->loop, &c->timer, (clock_ms)ms);
	return 0;
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	act(arg, fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
free_watch(struct watch *w)
{
	list_remove(&w->node);
	if (w->event != NULL)
		event_free(w->event);
	free(w);
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct curlloop *c = arg;
	struct watch *w = of_socket;
	short events =
	    (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));

	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			free_watch(w);
		return 0;
	}
	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return -1;
		list_init(&w->node);
		list_append(&c->watches, &w->node);
		curl_multi_assign(c->multi, fd, w);
	}
	if (w->event != NULL)
		event_free(w->event);
	w->event = event_new(loop_base(c->loop), fd, (short)(events | EV_PERSIST), on_socket, c);
	return w->event != NULL && event_add(w->event, NULL) == 0 ? 0 : -1;
}

struct curlloop *
curlloop_new(struct loop *loop, void (*ended)(void *of_handle, CURLcode code))
{
	struct curlloop *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->ended = ended;
	timer_init(&c->timer, on_timer, c);
	task_init(&c->kick, on_timer, c);
	list_init(&c->watches);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	c->multi = curl_multi_init();
	if (c->multi == NULL) {
		curlloop_free(c);
		return NULL;
	}
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return c;
}

void
curlloop_free(struct curlloop *c)
{
	struct list *node;

	if (c == NULL)
		return;
	if (c->multi != NULL)
		curl_multi_cleanup(c->multi);
	while ((node = list_first(&c->watches)) != NULL)
		free_watch(LIST_ENTRY(node, struct watch, node));
	timer_clear(&c->timer);
	task_cancel(&c->kick);
	free(c);
}

void
curlloop_limit(struct curlloop *c, size_t connections, size_t streams)
{
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)connections);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)streams);
}

bool
curlloop_add(struct curlloop *c, CURL *easy)
{
	return curl_multi_add_handle(c->multi, easy) == CURLM_OK;
}

void
curlloop_remove(struct curlloop *c, CURL *easy)
{
	curl_multi_remove_handle(c->multi, easy);
}
