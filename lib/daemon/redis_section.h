/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_section - the settings of Redis that all daemons have, and what is opened by them.
 *
 * A daemon has a struct redis_conf in its configuration, a section of redis_section_rows at it.
 */
#ifndef SCHLEUSE_DAEMON_REDIS_SECTION_H
#define SCHLEUSE_DAEMON_REDIS_SECTION_H

#include "lib/base/clock.h"
#include "lib/conf/load.h"
#include "lib/net/resolver.h"
#include "lib/store/redis.h"
#include "lib/store/store.h"

struct redis_conf {
	char *address;              /* or */
	struct conf_list sentinels; /* and */
	char *master_name;
	bool tls;      /* also made true by rediss:// */
	char *ca_file; /* or NULL: the system's CAs */
	char *user, *password_file, *key_prefix;
	uint64_t db;
	clock_ms timeout; /* of one command */
	/* made while loading */
	struct conf_address where; /* text == NULL: there is no address */
	struct redis_node *nodes;  /* sentinels */
	size_t n_nodes;
	struct str password;
};

extern const struct conf_option redis_section_rows[]; /* of struct redis_conf */

/* What one setting demands of another.  Neither of both: there is no Redis. */
void redis_section_check(struct load *l, struct redis_conf *c, bool test_mode);
void redis_section_files(struct load *l, struct redis_conf *c, bool test_mode);
void redis_section_fini(struct redis_conf *c); /* wipes the password */

bool redis_section_on(const struct redis_conf *c);

/* NULL: out of memory, or a CA file that cannot be read any more, which is logged.  `state` and arg
 * as in redis.h. */
struct redis *redis_section_open(struct loop *loop, struct resolver *resolver,
    const struct redis_conf *c, void (*state)(void *arg, enum err why), void *arg) MUST_CHECK;
/* `daemon`: what its names begin with after key_prefix. */
struct store *redis_section_store(struct loop *loop, struct resolver *resolver,
    const struct redis_conf *c, const struct store_config *cfg, const char *daemon) MUST_CHECK;

#endif
