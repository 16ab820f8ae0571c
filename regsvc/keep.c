/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/keep.h"

#include <limits.h>
#include <stdio.h>

#include "lib/store/store_file.h"
#include "regsvc/series.h"

#define REDIS_NAMES "regsvc" /* behind redis.key_prefix; etc/redis-acl.conf */

static void
on_state(void *arg, enum err why)
{
	(void)arg;
	metrics_set(S_STORE_UP, why == OK);
	if (why == OK) {
		log_info("store: works");
		return;
	}
	metrics_inc(S_STORE_FAILURES);
	log_warn("store: does not work: reason=%s: %s; going on with what is in memory, and trying "
		 "again",
	    err_name(why), err_text(why));
}

static struct store *
open_folder(struct loop *loop, const struct regsvc_conf *conf, const struct store_config *cfg)
{
	char folder[PATH_MAX];

	if (snprintf(folder, sizeof(folder), "%s/store", conf->service.state_dir) >=
	    (int)sizeof(folder)) {
		log_error("store: state_dir is too long");
		return NULL;
	}
	return store_file_open(loop, cfg, folder);
}

struct store *
keep_open(struct loop *loop, struct resolver *resolver, const struct regsvc_conf *conf,
    struct store *old, const struct regsvc_conf *old_conf)
{
	const struct store_config cfg = { .value_max = conf->store.value_max,
		.keys_max = conf->store.keys_max,
		.state = on_state };

	if (redis_section_on(&conf->redis))
		return redis_section_store(loop, resolver, &conf->redis, &cfg, REDIS_NAMES);
	if (old != NULL && !redis_section_on(&old_conf->redis))
		return store_hold(old);
	return open_folder(loop, conf, &cfg);
}
