/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/descriptors.h"

#include <sys/resource.h>

#include "lib/base/log.h"

static uint64_t
raise_limit(void)
{
	struct rlimit r;
	rlim_t had;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return UINT64_MAX;
	had = r.rlim_cur;
	r.rlim_cur = r.rlim_max;
	/* No limit at all is refused: the kernel has one of its own (fs.nr_open). */
	return setrlimit(RLIMIT_NOFILE, &r) == 0 ? r.rlim_cur : had;
}

uint64_t
descriptors_for_clients(uint64_t connections_max)
{
	uint64_t descriptors = raise_limit(), most = descriptors / 4 * 3;

	if (most < connections_max)
		log_warn("limits.connections_max: %llu descriptors allow %llu connections; raise "
			 "LimitNOFILE",
		    (unsigned long long)descriptors, (unsigned long long)most);
	return most;
}
