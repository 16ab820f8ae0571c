/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_endpoint - the names of what can be asked; labels of metrics, words of the access log.
 */
#ifndef SCHLEUSE_REGSVC_API_ENDPOINT_H
#define SCHLEUSE_REGSVC_API_ENDPOINT_H

/* clang-format off */
#define API_ENDPOINTS(X) \
	X(EP_LIST,          "federation-list") \
	X(EP_LIST_JSON,     "federation-list-json") \
	X(EP_STATUS,        "federation-list-status") \
	X(EP_DOMAIN,        "domain") \
	X(EP_WHERE_IS,      "where-is") \
	X(EP_CERTIFICATES,  "passport-certificates") \
	X(EP_CERTIFICATE,   "passport-certificate") \
	X(EP_CHANGES,       "changes") \
	X(EP_TOKEN,         "token") \
	X(EP_OTHER,         "other")
/* clang-format on */

#define API_ENDPOINT_ID(id, name) id,
enum api_endpoint { API_ENDPOINTS(API_ENDPOINT_ID) EP_COUNT };
#undef API_ENDPOINT_ID

#endif
