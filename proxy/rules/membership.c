/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership - both ends of a federation request are on a list that is still good.
 */
#include "proxy/rules/rules.h"

enum err
rule_membership(struct judged *j)
{
	enum fedlist_ports ports =
	    j->federation->ports_any ? FEDLIST_PORTS_ANY : FEDLIST_PORTS_EXACT;

	if (j->list == NULL)
		return ERR_FEDLIST_MISSING;
	if (j->list_stale)
		return ERR_FEDLIST_STALE;
	if (!fedlist_has(j->list, j->origin, ports))
		return ERR_ORIGIN_UNLISTED;
	if (!fedlist_has(j->list, str_z(j->service->server_name), ports))
		return ERR_SELF_UNLISTED;
	return OK;
}
