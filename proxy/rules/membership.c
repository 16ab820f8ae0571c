/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership - both ends of a federation request are on a list that is still good.
 */
#include "proxy/rules/rules.h"

bool
rule_is_listed(const struct judged *j, struct str name)
{
	return j->list != NULL &&
	       fedlist_has(j->list, name,
		   j->federation->ports_any ? FEDLIST_PORTS_ANY : FEDLIST_PORTS_EXACT);
}

enum err
rule_membership(struct judged *j)
{
	if (j->list == NULL)
		return ERR_FEDLIST_MISSING;
	if (j->list_stale)
		return ERR_FEDLIST_STALE;
	if (!rule_is_listed(j, j->outbound ? j->destination : j->origin))
		return j->outbound ? ERR_DESTINATION_UNLISTED : ERR_ORIGIN_UNLISTED;
	if (!rule_is_listed(j, str_z(j->service->server_name)))
		return ERR_SELF_UNLISTED;
	return OK;
}
