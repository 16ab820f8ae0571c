/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - every reason for which a request, a token or a list is refused.
 *
 * One row per reason: constant, name (in logs and as a metrics label), HTTP status and Matrix
 * errcode of the answer (0 and "" where the reason never reaches a peer), public text.  The text
 * says which condition failed and echoes nothing of the request.  lib/matrix/reply turns a row into
 * the answer.
 */
#ifndef SCHLEUSE_BASE_ERR_H
#define SCHLEUSE_BASE_ERR_H

/* clang-format off */
#define ERR_ROWS(X) \
	X(OK,                        "ok",                     200, "",                "") \
	/* ours */ \
	X(ERR_MEMORY,                "memory",                 503, "M_UNKNOWN",       "Out of memory for this request; try again later") \
	X(ERR_INTERNAL,              "internal",               500, "M_UNKNOWN",       "Internal error of the proxy") \
	X(ERR_OVERLOAD,              "overload",               503, "M_UNKNOWN",       "Too many requests in progress; try again later") \
	X(ERR_DRAINING,              "draining",               503, "M_UNKNOWN",       "The proxy is shutting down; try again") \
	/* HTTP/1.1 (RFC 9112) */ \
	X(ERR_HTTP_LINE,             "http_line",              400, "M_UNKNOWN",       "Malformed request line") \
	X(ERR_HTTP_VERSION,          "http_version",           505, "M_UNKNOWN",       "HTTP version not supported; use HTTP/1.1") \
	X(ERR_HTTP_TARGET,           "http_target",            400, "M_UNKNOWN",       "Malformed request target") \
	X(ERR_HTTP_TARGET_SIZE,      "http_target_size",       414, "M_UNKNOWN",       "Request target too long") \
	X(ERR_HTTP_FIELD,            "http_field",             400, "M_UNKNOWN",       "Malformed header field") \
	X(ERR_HTTP_HEAD_SIZE,        "http_head_size",         431, "M_UNKNOWN",       "Header fields too large or too many") \
	X(ERR_HTTP_FRAMING,          "http_framing",           400, "M_UNKNOWN",       "Ambiguous message length: bad Content-Length or Transfer-Encoding") \
	X(ERR_HTTP_CHUNK,            "http_chunk",             400, "M_UNKNOWN",       "Malformed chunked body") \
	X(ERR_HTTP_HOST,             "http_host",              400, "M_UNKNOWN",       "Missing, repeated or malformed Host") \
	X(ERR_HTTP_CONNECTION,       "http_connection",        400, "M_UNKNOWN",       "Connection names a header field that must not be removed") \
	X(ERR_HTTP_EXPECT,           "http_expect",            417, "M_UNKNOWN",       "Unsupported expectation") \
	X(ERR_HTTP_BODY,             "http_body",              400, "M_UNKNOWN",       "This method must not carry a body here") \
	X(ERR_BODY_SIZE,             "body_size",              413, "M_TOO_LARGE",     "Request body too large") \
	X(ERR_SLOW_HEAD,             "slow_head",              408, "M_UNKNOWN",       "Request head did not arrive in time") \
	X(ERR_SLOW_BODY,             "slow_body",              408, "M_UNKNOWN",       "Request body did not arrive in time") \
	X(ERR_BODY_RATE,             "body_rate",              408, "M_UNKNOWN",       "Request body arrives too slowly") \
	X(ERR_RATE,                  "rate_limited",           429, "M_LIMIT_EXCEEDED", "Too many requests; try again later") \
	X(ERR_MISDIRECTED,           "misdirected",            421, "M_UNKNOWN",       "This connection does not serve the requested host") \
	/* routing */ \
	X(ERR_PATH,                  "path",                   400, "M_UNRECOGNIZED",  "Request path is not in its plain form") \
	X(ERR_UNRECOGNIZED,          "unrecognized",           404, "M_UNRECOGNIZED",  "Unrecognized request") \
	X(ERR_METHOD,                "method",                 405, "M_UNRECOGNIZED",  "Method not allowed on this path") \
	X(ERR_ADMIN_PATH,            "admin_path",             403, "M_FORBIDDEN",     "Administrative paths are not served here") \
	/* the registration service's API */ \
	X(ERR_QUERY,                 "query",                  400, "M_UNKNOWN",       "Unknown, repeated or malformed query parameter") \
	X(ERR_URL_SECRET,            "url_secret",             400, "M_UNKNOWN",       "Secrets and names of users do not belong in a URL") \
	X(ERR_SUBSCRIPTION,          "subscription",           403, "M_FORBIDDEN",     "This subscription is not the client's own") \
	X(ERR_SCOPE,                 "scope",                  403, "M_FORBIDDEN",     "The client's scopes do not allow this") \
	X(ERR_DOMAIN,                "domain",                 400, "M_UNKNOWN",       "Not a valid domain") \
	X(ERR_CERTIFICATE_UNKNOWN,   "certificate_unknown",    404, "M_NOT_FOUND",     "No certificate with this fingerprint is served") \
	X(ERR_CHANGES_OPEN,          "changes_open",           429, "M_LIMIT_EXCEEDED", "The client is waiting for changes already") \
	X(ERR_CHANGES_FULL,          "changes_full",           503, "M_UNKNOWN",       "Too many clients wait for changes; try again later") \
	/* X-Matrix (Matrix server-server API, request authentication; FD-5.2.1.2-10/-11) */ \
	X(ERR_XMATRIX_MISSING,       "xmatrix_missing",        401, "M_UNAUTHORIZED",  "Missing X-Matrix authorization") \
	X(ERR_XMATRIX_SYNTAX,        "xmatrix_syntax",         400, "M_UNAUTHORIZED",  "Malformed X-Matrix authorization") \
	X(ERR_XMATRIX_DESTINATION,   "xmatrix_destination",    401, "M_UNAUTHORIZED",  "X-Matrix destination is not this server") \
	X(ERR_XMATRIX_KEY,           "xmatrix_key",            401, "M_UNAUTHORIZED",  "No valid signing key of the origin for this request") \
	X(ERR_XMATRIX_SIGNATURE,     "xmatrix_signature",      401, "M_UNAUTHORIZED",  "X-Matrix signature does not verify") \
	X(ERR_ORIGIN_UNLISTED,       "origin_unlisted",        403, "M_FORBIDDEN",     "Origin is not part of the federation") \
	X(ERR_SELF_UNLISTED,         "self_unlisted",          403, "M_FORBIDDEN",     "This server is not part of the federation") \
	X(ERR_FEDLIST_MISSING,       "fedlist_missing",        503, "M_UNKNOWN",       "No valid federation list at hand; federation is closed") \
	X(ERR_FEDLIST_STALE,         "fedlist_stale",          503, "M_UNKNOWN",       "The federation list is outdated; federation is closed") \
	/* JSON bodies */ \
	X(ERR_JSON_SYNTAX,           "json_syntax",            400, "M_NOT_JSON",      "Body is not valid JSON") \
	X(ERR_JSON_DUPLICATE,        "json_duplicate",         400, "M_BAD_JSON",      "Body repeats a member name") \
	X(ERR_JSON_DEPTH,            "json_depth",             400, "M_BAD_JSON",      "Body is nested too deeply") \
	X(ERR_JSON_SHAPE,            "json_shape",             400, "M_BAD_JSON",      "Body does not have the form this endpoint needs") \
	/* invites (FD-5.2.1.2-15) */ \
	X(ERR_INVITE_ORIGIN,         "invite_origin",          403, "M_FORBIDDEN",     "Inviting user does not belong to the origin") \
	X(ERR_INVITE_TARGET,         "invite_target",          403, "M_FORBIDDEN",     "Invited user does not belong to this server") \
	X(ERR_INVITE_UNKNOWN,        "invite_unknown",         403, "M_FORBIDDEN",     "Transaction carries an invite that was not accepted through the invite endpoint") \
	X(ERR_PASSPORT_MISSING,      "passport_missing",       403, "M_FORBIDDEN",     "Invite carries no PASSporT for the invited user") \
	X(ERR_PASSPORT_SYNTAX,       "passport_syntax",        403, "M_FORBIDDEN",     "PASSporT is malformed") \
	X(ERR_PASSPORT_TYPE,         "passport_type",          403, "M_FORBIDDEN",     "PASSporT has the wrong type") \
	X(ERR_PASSPORT_ALG,          "passport_alg",           403, "M_FORBIDDEN",     "PASSporT is not signed with ES256") \
	X(ERR_PASSPORT_PPT,          "passport_ppt",           403, "M_FORBIDDEN",     "PASSporT needs an unknown extension") \
	X(ERR_PASSPORT_CERTIFICATE,  "passport_certificate",   403, "M_FORBIDDEN",     "PASSporT certificate is not known here") \
	X(ERR_PASSPORT_CHAIN,        "passport_chain",         403, "M_FORBIDDEN",     "PASSporT certificate does not chain to a trusted issuer") \
	X(ERR_PASSPORT_VALIDITY,     "passport_validity",      403, "M_FORBIDDEN",     "PASSporT certificate is not valid at this time") \
	X(ERR_PASSPORT_USAGE,        "passport_usage",         403, "M_FORBIDDEN",     "PASSporT certificate is not meant for signing") \
	X(ERR_PASSPORT_SIGNATURE,    "passport_signature",     403, "M_FORBIDDEN",     "PASSporT signature does not verify") \
	X(ERR_PASSPORT_ORIG,         "passport_orig",          403, "M_FORBIDDEN",     "PASSporT was not issued for the inviting user") \
	X(ERR_PASSPORT_DEST,         "passport_dest",          403, "M_FORBIDDEN",     "PASSporT was not issued by the invited user") \
	X(ERR_PASSPORT_IAT,          "passport_iat",           403, "M_FORBIDDEN",     "PASSporT has no time of issue") \
	X(ERR_PASSPORT_FUTURE,       "passport_future",        403, "M_FORBIDDEN",     "PASSporT was issued in the future") \
	X(ERR_PASSPORT_OLD,          "passport_old",           403, "M_FORBIDDEN",     "PASSporT is too old") \
	/* client side (FD-5.2.1.2-19/-20) */ \
	X(ERR_DISPLAYNAME,           "displayname",            403, "M_FORBIDDEN",     "Display names are set by the organisation's administrator") \
	/* homeserver */ \
	X(ERR_UPSTREAM_DOWN,         "upstream_down",          502, "M_UNKNOWN",       "The homeserver cannot be reached") \
	X(ERR_UPSTREAM_BAD,          "upstream_bad",           502, "M_UNKNOWN",       "The homeserver gave an unusable answer") \
	X(ERR_UPSTREAM_SLOW,         "upstream_slow",          504, "M_UNKNOWN",       "The homeserver did not answer in time") \
	X(ERR_UPSTREAM_TOTAL,        "upstream_total",         504, "M_UNKNOWN",       "The homeserver did not finish its answer in time") \
	X(ERR_UPSTREAM_BUSY,         "upstream_busy",          503, "M_UNKNOWN",       "Too many requests wait for the homeserver; try again later") \
	X(ERR_LOOKUP,                "lookup",                 503, "M_UNKNOWN",       "A look-up this request needs failed; try again later") \
	/* outbound: what the homeserver wants of others (FD-5.2.1.2-7 to -9, O-11, O-13) */ \
	X(ERR_PROXY_AUTH,            "proxy_auth",             407, "M_UNAUTHORIZED",  "Credentials for the forward proxy are missing or wrong") \
	X(ERR_PROXY_FORM,            "proxy_form",             400, "M_UNKNOWN",       "This listener is a forward proxy: it takes matrix-federation://, https:// and CONNECT") \
	X(ERR_OUT_TARGET,            "out_target",             400, "M_UNKNOWN",       "Target is no server name, or no host and port") \
	X(ERR_OUT_TARGET_REFUSED,    "out_target_refused",     403, "M_FORBIDDEN",     "Target is neither a federation request nor on the list of allowed destinations") \
	X(ERR_OUT_PLAIN,             "out_plain",              403, "M_FORBIDDEN",     "Requests without TLS leave only for allowed destinations") \
	X(ERR_OUT_UNSIGNED,          "out_unsigned",           403, "M_FORBIDDEN",     "Missing X-Matrix authorization") \
	X(ERR_OUT_ORIGIN,            "out_origin",             403, "M_FORBIDDEN",     "Origin is not the server name of this homeserver") \
	X(ERR_OUT_DESTINATION,       "out_destination",        403, "M_FORBIDDEN",     "X-Matrix destination is missing or is not the server that is contacted") \
	X(ERR_OUT_KEY,               "out_key",                403, "M_FORBIDDEN",     "Request is not signed with a valid key of this homeserver") \
	X(ERR_OUT_SIGNATURE,         "out_signature",          403, "M_FORBIDDEN",     "Signature of this homeserver does not verify") \
	X(ERR_OUT_INVITER,           "out_inviter",            403, "M_FORBIDDEN",     "Inviting user does not belong to this homeserver") \
	X(ERR_OUT_INVITEE,           "out_invitee",            403, "M_FORBIDDEN",     "Invited user does not belong to the server that is contacted") \
	X(ERR_DESTINATION_UNLISTED,  "destination_unlisted",   403, "M_FORBIDDEN",     "Domain kann nicht in der Föderation gefunden werden") \
	X(ERR_DOMAIN_UNLISTED,       "domain_unlisted",        403, "M_FORBIDDEN",     "Domain kann nicht in der Föderation gefunden werden") \
	X(ERR_REMOTE_DNS,            "remote_dns",             502, "M_UNKNOWN",       "Name of the other server cannot be resolved") \
	X(ERR_REMOTE_ADDRESS,        "remote_address",         502, "M_UNKNOWN",       "Other server's name leads to no public address") \
	X(ERR_REMOTE_OFF,            "remote_off",             502, "M_UNKNOWN",       "Other server's domain says that it offers no federation") \
	X(ERR_REMOTE_CONNECT,        "remote_connect",         502, "M_UNKNOWN",       "Connection to the other server refused or unreachable") \
	X(ERR_REMOTE_PROXY,          "remote_proxy",           502, "M_UNKNOWN",       "The HTTP proxy on the way to the other server refuses the connection") \
	X(ERR_REMOTE_TLS,            "remote_tls",             502, "M_UNKNOWN",       "TLS handshake with the other server failed") \
	X(ERR_REMOTE_TLS_NAME,       "remote_tls_name",        502, "M_UNKNOWN",       "Certificate of the other server is for another name") \
	X(ERR_REMOTE_TLS_CHAIN,      "remote_tls_chain",       502, "M_UNKNOWN",       "Certificate of the other server does not chain to a trusted CA") \
	X(ERR_REMOTE_TLS_EXPIRED,    "remote_tls_expired",     502, "M_UNKNOWN",       "Certificate of the other server is expired or not yet valid") \
	X(ERR_REMOTE_TIMEOUT,        "remote_timeout",         504, "M_UNKNOWN",       "The other server did not answer in time") \
	X(ERR_REMOTE_DOWN,           "remote_down",            502, "M_UNKNOWN",       "The other server closed the connection without an answer") \
	X(ERR_REMOTE_BAD,            "remote_bad",             502, "M_UNKNOWN",       "The other server gave an unusable answer") \
	X(ERR_REMOTE_BUSY,           "remote_busy",            503, "M_UNKNOWN",       "Too many requests wait for the other server; try again later") \
	/* who asks the registration service (CP-1.2.2, CP-1.2.3; RFC 7617, RFC 6750, RFC 6749) */ \
	X(ERR_AUTH_MISSING,          "auth_missing",           401, "M_UNAUTHORIZED",  "Authenticate with the method agreed on for this client") \
	X(ERR_AUTH_SYNTAX,           "auth_syntax",            401, "M_UNAUTHORIZED",  "Credentials are malformed or of an unknown scheme") \
	X(ERR_AUTH_SEVERAL,          "auth_several",           400, "M_UNAUTHORIZED",  "More than one Authorization field") \
	X(ERR_AUTH_URL,              "auth_url",               401, "M_UNAUTHORIZED",  "Credentials do not belong in a URL") \
	X(ERR_AUTH_REFUSED,          "auth_refused",           401, "M_UNAUTHORIZED",  "Unknown client, wrong credentials, or not the method agreed on") \
	X(ERR_AUTH_TOKEN,            "auth_token",             401, "M_UNAUTHORIZED",  "Token is not valid here or not valid any more") \
	X(ERR_AUTH_SLOWED,           "auth_slowed",            429, "M_LIMIT_EXCEEDED", "Too many failed attempts; try again later") \
	X(ERR_AUTH_CLIENTS,          "auth_clients",           503, "M_UNKNOWN",       "The clients are not known yet; try again later") \
	X(ERR_TOKEN_REQUEST,         "token_request",          400, "M_UNKNOWN",       "Malformed token request") \
	X(ERR_TOKEN_GRANT,           "token_grant",            400, "M_UNKNOWN",       "Grant type of a token request is not client_credentials") \
	X(ERR_TOKEN_SCOPE,           "token_scope",            400, "M_UNKNOWN",       "Token request asks for a scope the client does not have") \
	X(ERR_TOKEN_KEY,             "token_key",              503, "M_UNKNOWN",       "No key to sign tokens with yet; try again later") \
	/* the push gateway (Matrix Push Gateway API; ML-123618) */ \
	X(ERR_NOTIFY_SHAPE,          "notify_shape",           400, "M_BAD_JSON",      "Body is not a notification with devices") \
	X(ERR_NOTIFY_SIZE,           "notify_size",            400, "M_TOO_LARGE",     "Notification has too many devices or too long fields") \
	X(ERR_NOTIFY_NETWORK,        "notify_network",         403, "M_FORBIDDEN",     "Notifications are not accepted from this network") \
	X(ERR_NOTIFY_CERTIFICATE,    "notify_certificate",     403, "M_FORBIDDEN",     "Homeserver's certificate is missing or none of those allowed") \
	X(ERR_NOTIFY_CLIENT,         "notify_client",          401, "M_UNAUTHORIZED",  "Homeserver has to prove who it is") \
	X(ERR_QUEUE_FULL,            "queue_full",             503, "M_LIMIT_EXCEEDED", "Too many pushes wait already; try again later") \
	X(ERR_QUEUE_DOWN,            "queue_down",             503, "M_UNKNOWN",       "The queue cannot keep pushes at present; try again later") \
	/* ends without an answer */ \
	X(ERR_CLIENT_GONE,           "client_gone",              0, "",                "Peer closed the connection") \
	X(ERR_CLIENT_SLOW,           "client_slow",              0, "",                "Peer did not read in time") \
	X(ERR_CLIENT_RATE,           "client_rate",              0, "",                "Peer reads too slowly") \
	X(ERR_UPSTREAM_BROKE,        "upstream_broke",           0, "",                "The homeserver broke off in mid answer") \
	X(ERR_REMOTE_BROKE,          "remote_broke",             0, "",                "The other server broke off in mid answer") \
	X(ERR_TUNNEL_IDLE,           "tunnel_idle",              0, "",                "Nothing went through the tunnel for too long") \
	/* look-ups and downloads */ \
	X(ERR_DNS,                   "dns",                      0, "",                "Name cannot be resolved") \
	X(ERR_ADDRESS,               "address",                  0, "",                "Name resolves to an address that is not public") \
	X(ERR_CONNECT,               "connect",                  0, "",                "Connection refused or unreachable") \
	X(ERR_TLS,                   "tls",                      0, "",                "TLS handshake or certificate check failed") \
	X(ERR_TIMEOUT,               "timeout",                  0, "",                "Not answered in time") \
	X(ERR_TOO_LARGE,             "too_large",                0, "",                "Answer larger than allowed") \
	X(ERR_HTTP_ANSWER,           "http_answer",              0, "",                "Unexpected HTTP status") \
	X(ERR_REDIS_ANSWER,          "redis_answer",             0, "",                "Redis gave an error or an unusable answer") \
	X(ERR_STORE_FULL,            "store_full",               0, "",                "Redis or the state directory has no room") \
	X(ERR_STORE_READONLY,        "store_readonly",           0, "",                "Redis is a replica and does not write") \
	X(ERR_STORE_DAMAGED,         "store_damaged",            0, "",                "Stored value is damaged") \
	X(ERR_TRUNCATED,             "truncated",                0, "",                "Answer ended before it was complete") \
	X(ERR_SECRET,                "secret",                   0, "",                "Client secret cannot be read") \
	X(ERR_VZD_LOGIN,             "vzd_login",                0, "",                "The VZD refuses our credentials or token") \
	X(ERR_VZD_FORBIDDEN,         "vzd_forbidden",            0, "",                "The VZD does not serve this provider") \
	X(ERR_VZD_OFF,               "vzd_off",                  0, "",                "No VZD is configured") \
	X(ERR_VZD_ANSWER,            "vzd_answer",               0, "",                "Unusable answer of the VZD") \
	X(ERR_SERVER_NAME,           "server_name",              0, "",                "Not a valid Matrix server name") \
	X(ERR_NOT_FOUND,             "not_found",                0, "",                "Not found") \
	X(ERR_CANCELLED,             "cancelled",                0, "",                "Given up because of shutdown or reload") \
	X(ERR_KEYS_SHAPE,            "keys_shape",               0, "",                "Key answer is malformed") \
	X(ERR_KEYS_NAME,             "keys_name",                0, "",                "Key answer names another server") \
	X(ERR_KEYS_SIGNATURE,        "keys_signature",           0, "",                "Key answer is not signed by its own keys") \
	X(ERR_KEYS_EXPIRED,          "keys_expired",             0, "",                "Key answer has expired") \
	/* the directory of PASSporT certificates */ \
	X(ERR_CERTS_OFF,             "certs_off",              409, "M_UNKNOWN",       "No trust anchors for PASSporT certificates are configured") \
	X(ERR_CERTS_X5U,             "certs_x5u",              400, "M_UNKNOWN",       "x5u must be an https URL without user, password and fragment") \
	X(ERR_CERTS_LABEL,           "certs_label",            400, "M_UNKNOWN",       "The label must be a line of printable ASCII") \
	X(ERR_CERTS_FULL,            "certs_full",             409, "M_UNKNOWN",       "No more certificates can be held") \
	/* JWS, certificates, federation list */ \
	X(ERR_FILE,                  "file",                     0, "",                "File cannot be read or written") \
	X(ERR_JWS_SYNTAX,            "jws_syntax",               0, "",                "Not a compact JWS") \
	X(ERR_JWS_ALG,               "jws_alg",                  0, "",                "Signature algorithm not allowed") \
	X(ERR_JWS_SIGNATURE,         "jws_signature",            0, "",                "Signature does not verify") \
	X(ERR_X5C_SYNTAX,            "x5c_syntax",               0, "",                "Certificate cannot be parsed") \
	X(ERR_X5C_CURVE,             "x5c_curve",                0, "",                "Certificate key does not fit the algorithm") \
	X(ERR_X5C_CHAIN,             "x5c_chain",                0, "",                "Certificate does not chain to a trust anchor") \
	X(ERR_X5C_VALIDITY,          "x5c_validity",             0, "",                "Certificate is expired or not yet valid") \
	X(ERR_X5C_USAGE,             "x5c_usage",                0, "",                "Certificate keyUsage lacks digitalSignature") \
	X(ERR_X5C_ROLE,              "x5c_role",                 0, "",                "Certificate lacks the required role or name") \
	X(ERR_OCSP_SYNTAX,           "ocsp_syntax",              0, "",                "Not a successful OCSP response") \
	X(ERR_OCSP_SIGNATURE,        "ocsp_signature",           0, "",                "OCSP response is not signed by the issuer or its responder") \
	X(ERR_OCSP_SUBJECT,          "ocsp_subject",             0, "",                "OCSP response is about another certificate") \
	X(ERR_OCSP_DATES,            "ocsp_dates",               0, "",                "OCSP response is not current") \
	X(ERR_OCSP_REVOKED,          "ocsp_revoked",             0, "",                "Certificate is revoked") \
	X(ERR_OCSP_UNKNOWN,          "ocsp_unknown",             0, "",                "OCSP responder does not know the certificate") \
	X(ERR_OCSP_NONCE,            "ocsp_nonce",               0, "",                "OCSP response answers another question") \
	X(ERR_REVOCATION,            "revocation",               0, "",                "No current word on whether the certificate is revoked") \
	X(ERR_ISSUER,                "issuer",                   0, "",                "Issuer of the certificate is not at hand") \
	X(ERR_ROOTS,                 "roots",                    0, "",                "List of roots is not usable") \
	X(ERR_FEDLIST_SHAPE,         "fedlist_shape",            0, "",                "Federation list is not of a known form") \
	X(ERR_FEDLIST_DATES,         "fedlist_dates",            0, "",                "Federation list is outside its own dates (iat, exp)") \
	X(ERR_FEDLIST_LOWER,         "fedlist_lower",            0, "",                "Federation list has a lower version than the one held") \
	X(ERR_FEDLIST_SIZE,          "fedlist_size",             0, "",                "Federation list exceeds the configured size")
/* clang-format on */

#define ERR_ID(id, name, status, errcode, text) id,
enum err { ERR_ROWS(ERR_ID) ERR_COUNT };
#undef ERR_ID

struct err_row {
	const char *name;
	int status;          /* HTTP status of the answer, 0: never answered */
	const char *errcode; /* Matrix errcode */
	const char *text;    /* public */
};

extern const struct err_row err_rows[ERR_COUNT];

static inline const char *
err_name(enum err e)
{
	return err_rows[e].name;
}

static inline const char *
err_text(enum err e)
{
	return err_rows[e].text;
}

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
