/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/crowd.h"

#include <stdlib.h>

struct crowd_host {
	struct hash_node node;
	uint64_t n;
	char name[];
};

void
crowd_init(struct crowd *c)
{
	hash_init(&c->hosts);
}

void
crowd_fini(struct crowd *c)
{
	hash_fini(&c->hosts);
}

static struct crowd_host *
find(const struct crowd *c, const char *host)
{
	for (struct hash_node *n = hash_first(&c->hosts, hash_str(str_z(host))); n != NULL;
	     n = hash_next(n)) {
		struct crowd_host *h = HASH_ENTRY(n, struct crowd_host, node);

		if (strcmp(h->name, host) == 0)
			return h;
	}
	return NULL;
}

uint64_t
crowd_size(const struct crowd *c, const char *host)
{
	const struct crowd_host *h = find(c, host);

	return h != NULL ? h->n : 0;
}

struct crowd_host *
crowd_enter(struct crowd *c, const char *host)
{
	struct crowd_host *h = find(c, host);

	if (h == NULL) {
		h = malloc(sizeof(*h) + strlen(host) + 1);
		if (h == NULL || !hash_insert(&c->hosts, &h->node, hash_str(str_z(host)))) {
			free(h);
			return NULL;
		}
		h->n = 0;
		strcpy(h->name, host);
	}
	h->n++;
	return h;
}

void
crowd_leave(struct crowd *c, struct crowd_host *h)
{
	if (h == NULL || --h->n > 0)
		return;
	hash_remove(&c->hosts, &h->node);
	free(h);
}
