/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_anchors - whom connections to other servers trust.  A file of its own because a
 * configuration is checked without a loop.
 */
#include "lib/base/log.h"
#include "lib/http/fetch.h"

X509_STORE *
fetch_anchors(const char *ca_file, bool ca_system)
{
	X509_STORE *s = X509_STORE_new();

	if (s == NULL)
		return NULL;
	if (ca_system && X509_STORE_set_default_paths(s) != 1)
		log_warn("fetch: the system's CA certificates cannot be read");
	if (ca_file != NULL && X509_STORE_load_file(s, ca_file) != 1) {
		log_error(
		    "fetch: no CA certificate can be read from %s; it must be a PEM file", ca_file);
		X509_STORE_free(s);
		return NULL;
	}
	return s;
}
