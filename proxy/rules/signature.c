/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature - the request was signed by the origin, as it stands.
 */
#include "lib/matrix/serverkeys.h"
#include "proxy/rules/rules.h"

bool
rule_keys_unknown(const struct judged *j)
{
	for (size_t i = 0; i < j->n_auth; i++)
		if (serverkeys_find(j->keys, j->auth[i].key_id, j->now_ms) != NULL)
			return false;
	return true;
}

enum err
rule_signature(struct judged *j)
{
	struct str bytes = xmatrix_signed_bytes(
	    j->arena, j->req->method_text, j->req->target, j->origin, j->signed_for, j->content);
	bool verified = false;

	if (bytes.n == 0)
		return ERR_MEMORY;
	for (size_t i = 0; i < j->n_auth; i++) {
		const unsigned char *key = serverkeys_find(j->keys, j->auth[i].key_id, j->now_ms);

		if (key == NULL)
			continue;
		if (!xmatrix_verify(j->auth[i].sig, bytes, key))
			return j->outbound ? ERR_OUT_SIGNATURE : ERR_XMATRIX_SIGNATURE;
		verified = true;
	}
	if (!verified)
		return j->outbound ? ERR_OUT_KEY : ERR_XMATRIX_KEY;
	return OK;
}
