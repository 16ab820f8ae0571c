/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_routes - the table of what can be asked.  doc/regsvc-openapi.yaml says the same to clients,
 * and tests compare the two: a new row is tested for foreign subscriptions without further ado.
 */
#include "regsvc/api_int.h"

#define V1 "/v1/{subscription}/"

/* clang-format off */
const struct api_route api_routes[] = {
	{ EP_LIST,         H1_GET,  V1 "federation-list.jws",              SCOPE_LIST,               "version", api_list_jws },
	{ EP_LIST_JSON,    H1_GET,  V1 "federation-list.json",             SCOPE_AUDIT,              "",        api_list_json },
	{ EP_STATUS,       H1_GET,  V1 "federation-list/status",           SCOPE_LIST | SCOPE_AUDIT, "",        api_list_status },
	{ EP_DOMAIN,       H1_GET,  V1 "federation-list/domains/{domain}", SCOPE_DIRECTORY,          "",        api_domain },
	{ EP_WHERE_IS,     H1_POST, V1 "where-is",                         SCOPE_DIRECTORY,          "",        api_where_is },
	{ EP_CERTIFICATES, H1_GET,  V1 "passport-certificates",            SCOPE_CERTIFICATES,       "x5u",     api_certificates },
	{ EP_CERTIFICATE,  H1_GET,  V1 "passport-certificates/{fingerprint}", SCOPE_CERTIFICATES,    "",        api_certificate },
	{ EP_CHANGES,      H1_GET,  V1 "changes",                          SCOPE_CHANGES,            "list,status,certificates,wait", api_changes },
	{ EP_TOKEN,        H1_POST, "/token",                              0,                        "",        NULL },
};
/* clang-format on */
const size_t api_n_routes = sizeof(api_routes) / sizeof(api_routes[0]);

#define NAME(id, name) [id] = name,
static const char *const names[EP_COUNT] = { API_ENDPOINTS(NAME) };

const char *
api_endpoint_name(enum api_endpoint e)
{
	return names[e];
}

/* No path here has rows of both kinds. */
enum err
api_route_find(const struct target *t, enum h1_method method, const struct api_route **out,
    const char **allowed)
{
	for (size_t i = 0; i < api_n_routes; i++) {
		const struct api_route *r = &api_routes[i];

		if (!target_is(t, r->path))
			continue;
		*out = r;
		*allowed = r->method == H1_GET ? "GET, HEAD" : "POST";
		return method == r->method || (method == H1_HEAD && r->method == H1_GET)
			   ? OK
			   : ERR_METHOD;
	}
	return ERR_UNRECOGNIZED;
}
