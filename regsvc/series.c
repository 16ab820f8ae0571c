/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/series.h"

#define PASSPORT_HELP "PASSporT certificates that are served, by where they come from"
#define PASSPORT_REFUSED_HELP "PASSporT certificates that are known but not served, by reason"
#define ACCEPTED_HELP "Requests of clients that proved who they are, by method"
#define TOKENS_HELP "Requests for tokens, by outcome"
#define VZD_HELP "HTTP calls to the VZD, by call and outcome"
#define VZD_ROW(step, name, outcome, outcome_name) \
	[S_VZD_CALLS + (step)*VZD_OUTCOMES + (outcome)] = { "schleuse_vzd_calls_total", \
		"call=\"" name "\",outcome=\"" outcome_name "\"", METRIC_COUNTER, VZD_HELP }
#define VZD_ROWS(step, name) \
	VZD_ROW(step, name, VZD_GOOD, "good"), VZD_ROW(step, name, VZD_REFUSED, "refused"), \
	    VZD_ROW(step, name, VZD_FAILED, "failed"), \
	    VZD_ROW(step, name, VZD_UNUSABLE, "unusable")
#define TRUST_OF(event, of, label, name, help) \
	[S_TRUST + (event)*SERIES_TRUSTS + (of)] = { name, "of=\"" label "\"", METRIC_COUNTER, \
		help }
#define TRUST_ROW(event, name, help) \
	TRUST_OF(event, SERIES_TRUST_LIST, "list", name, help), \
	    TRUST_OF(event, SERIES_TRUST_PASSPORT, "passport", name, help)

#define API_ROW(id, name, i, class) \
	[S_API_REQUESTS + (id)*6 + (i)] = { "schleuse_api_requests_total", \
		"endpoint=\"" name "\",status=\"" class "\"", METRIC_COUNTER, \
		"Requests answered, by endpoint and status class; none: the client had gone" },
#define API_ROWS(id, name) \
	API_ROW(id, name, 0, "none") \
	API_ROW(id, name, 1, "1xx") \
	API_ROW(id, name, 2, "2xx") \
	API_ROW(id, name, 3, "3xx") \
	API_ROW(id, name, 4, "4xx") \
	API_ROW(id, name, 5, "5xx")
#define API_BYTES_ROW(id, name) \
	[S_API_BYTES + (id)] = { "schleuse_api_bytes_total", "endpoint=\"" name "\"", \
		METRIC_COUNTER, "Bytes of bodies sent, by endpoint" },
#define WAITERS_REFUSED_HELP "Requests for changes that were refused, by the limit reached"

static const struct metric_row rows[S_COUNT] = {
	SERVICE_SERIES_ROWS,
	[S_STORE_UP] = { "schleuse_store_up", "", METRIC_GAUGE,
	    "1 while the store (Redis or the state directory) works, else 0" },
	[S_STORE_FAILURES] = { "schleuse_store_failures_total", "", METRIC_COUNTER,
	    "Times the store stopped working" },
	API_ENDPOINTS(API_ROWS) API_ENDPOINTS(
	    API_BYTES_ROW)[S_API_SLOW] = { "schleuse_api_slow_total", "", METRIC_COUNTER,
	    "Requests but those for changes that were answered after more than 10 s" },
	[S_API_WAITERS] = { "schleuse_api_waiters", "", METRIC_GAUGE,
	    "Requests that wait for changes" },
	[S_API_WAITERS_REFUSED_ALL] = { "schleuse_api_waiters_refused_total",
	    "reason=\"changes_waiters\"", METRIC_COUNTER, WAITERS_REFUSED_HELP },
	[S_API_WAITERS_REFUSED_CLIENT] = { "schleuse_api_waiters_refused_total",
	    "reason=\"changes_per_client\"", METRIC_COUNTER, WAITERS_REFUSED_HELP },
	VZD_ROWS(VZD_TOKEN, "token"),
	VZD_ROWS(VZD_EXCHANGE, "exchange"),
	VZD_ROWS(VZD_LIST, "list"),
	VZD_ROWS(VZD_CERTIFICATES, "certificates"),
	VZD_ROWS(VZD_LOCALIZATION, "localization"),
	[S_VZD_HEALTHY] = { "schleuse_vzd_healthy", "", METRIC_GAUGE,
	    "Whether the VZD answered the last question about the list in time" },
	[S_LIST_CHECKS] = { "schleuse_federation_list_checks_total", "", METRIC_COUNTER,
	    "Questions to the VZD about the federation list" },
	[S_LIST_CHECKS_FAILED] = { "schleuse_federation_list_checks_failed_total", "",
	    METRIC_COUNTER, "Those to which it gave no answer in time" },
	[S_LIST_CHECKS_LATE] = { "schleuse_federation_list_checks_late_total", "", METRIC_COUNTER,
	    "Requests answered before the check was over, by list.check_timeout" },
	[S_LIST_INCIDENTS] = { "schleuse_federation_list_incidents_total", "", METRIC_COUNTER,
	    "Incidents: the VZD is away, or the list is outdated" },
	[S_LIST_REFUSED] = { "schleuse_federation_list_refused_total", "", METRIC_COUNTER,
	    "Federation lists that were not adopted" },
	[S_LIST_VERSION] = { "schleuse_federation_list_version", "", METRIC_GAUGE,
	    "Version of the federation list in force; -1: none" },
	[S_LIST_ENTRIES] = { "schleuse_federation_list_entries", "", METRIC_GAUGE,
	    "Entries of the federation list in force" },
	[S_LIST_AS_OF] = { "schleuse_federation_list_as_of_seconds", "", METRIC_GAUGE,
	    "When the VZD last confirmed the federation list, Unix time; 0: unknown" },
	[S_LIST_STATUS] = { "schleuse_federation_list_status", "", METRIC_GAUGE,
	    "0: there is no list, 1: it is current, 2: it is outdated" },
	[S_LIST_ELECTED] = { "schleuse_federation_list_elected", "", METRIC_GAUGE,
	    "Whether this instance asks the VZD on schedule for all that share the store" },
	TRUST_ROW(
	    TRUST_OCSP_ASKED, "schleuse_trust_ocsp_requests_total", "Questions to OCSP responders"),
	TRUST_ROW(TRUST_OCSP_FAILED, "schleuse_trust_ocsp_failures_total",
	    "Those without a usable answer"),
	TRUST_ROW(TRUST_OCSP_CACHED, "schleuse_trust_ocsp_cached_total",
	    "OCSP answers at hand served once more"),
	TRUST_ROW(TRUST_REVOKED, "schleuse_trust_revoked_total",
	    "OCSP answers that a certificate is revoked"),
	TRUST_ROW(
	    TRUST_DOWNLOADED, "schleuse_trust_downloads_total", "Roots and sub-CAs asked for"),
	TRUST_ROW(TRUST_DOWNLOAD_FAILED, "schleuse_trust_download_failures_total",
	    "Those that did not come"),
	[S_PASSPORT_VZD] = { "schleuse_passport_certificates", "source=\"vzd\"", METRIC_GAUGE,
	    PASSPORT_HELP },
	[S_PASSPORT_REGISTERED] = { "schleuse_passport_certificates", "source=\"registered\"",
	    METRIC_GAUGE, PASSPORT_HELP },
	[S_PASSPORT_REFUSED_REVOKED] = { "schleuse_passport_certificates_refused",
	    "reason=\"revoked\"", METRIC_GAUGE, PASSPORT_REFUSED_HELP },
	[S_PASSPORT_REFUSED_VALIDITY] = { "schleuse_passport_certificates_refused",
	    "reason=\"validity\"", METRIC_GAUGE, PASSPORT_REFUSED_HELP },
	[S_PASSPORT_REFUSED_UNCHECKED] = { "schleuse_passport_certificates_refused",
	    "reason=\"unchecked\"", METRIC_GAUGE, PASSPORT_REFUSED_HELP },
	[S_PASSPORT_REFUSED_UNTRUSTED] = { "schleuse_passport_certificates_refused",
	    "reason=\"untrusted\"", METRIC_GAUGE, PASSPORT_REFUSED_HELP },
	[S_PASSPORT_DROPPED] = { "schleuse_passport_certificates_dropped_total", "", METRIC_COUNTER,
	    "Certificates of the VZD that could not be read or were beyond passport.max_vzd" },
	[S_PASSPORT_CHECKED] = { "schleuse_passport_checked_seconds", "", METRIC_GAUGE,
	    "When the PASSporT certificate judged longest ago was judged, Unix time" },
	[S_PASSPORT_FETCHED] = { "schleuse_passport_fetched_seconds", "", METRIC_GAUGE,
	    "When this instance got the certificates of the VZD last, Unix time" },
	[S_CLIENTS] = { "schleuse_clients", "", METRIC_GAUGE,
	    "Registered clients, revoked ones too" },
	[S_AUTH_BASIC] = { "schleuse_auth_accepted_total", "method=\"basic\"", METRIC_COUNTER,
	    ACCEPTED_HELP },
	[S_AUTH_OAUTH] = { "schleuse_auth_accepted_total", "method=\"oauth\"", METRIC_COUNTER,
	    ACCEPTED_HELP },
	[S_AUTH_MTLS] = { "schleuse_auth_accepted_total", "method=\"mtls\"", METRIC_COUNTER,
	    ACCEPTED_HELP },
	[S_AUTH_FAILED] = { "schleuse_auth_failed_total", "", METRIC_COUNTER,
	    "Wrong secrets, unknown clients, forged tokens" },
	[S_AUTH_SLOWED] = { "schleuse_auth_slowed_total", "", METRIC_COUNTER,
	    "Attempts not looked at because their address has failed too often" },
	[S_PASSWORDS_VERIFIED] = { "schleuse_passwords_verified_total", "", METRIC_COUNTER,
	    "Secrets verified with Argon2id" },
	[S_PASSWORDS_REFUSED] = { "schleuse_passwords_refused_total", "", METRIC_COUNTER,
	    "Secrets not verified because clients.password_queue were waiting" },
	[S_PASSWORDS_WAITING] = { "schleuse_passwords_waiting", "", METRIC_GAUGE,
	    "Secrets that wait to be verified" },
	[S_TOKENS_ISSUED] = { "schleuse_tokens_total", "outcome=\"issued\"", METRIC_COUNTER,
	    TOKENS_HELP },
	[S_TOKENS_REFUSED] = { "schleuse_tokens_total", "outcome=\"refused\"", METRIC_COUNTER,
	    TOKENS_HELP },
	[S_ACCESS_LINES] = { "schleuse_access_log_lines_total", "", METRIC_COUNTER,
	    "Lines of the access log" },
	[S_ACCESS_LOST] = { "schleuse_access_log_lost_total", "", METRIC_COUNTER,
	    "Lines of the access log that could not be written" },
	[S_ACCESS_FAILED] = { "schleuse_access_log_failed", "", METRIC_GAUGE,
	    "1 while the access log cannot be written" },
};

bool
series_declare(void)
{
	metrics_declare(rows, S_COUNT);
	return metrics_thread();
}

void
series_response(int status)
{
	metrics_inc(S_RESPONSES + (unsigned)(status / 100 % 6));
}

void
series_trust(enum series_trust of, enum trust_event event)
{
	metrics_inc(S_TRUST + (unsigned)event * SERIES_TRUSTS + (unsigned)of);
}

void
series_api(enum api_endpoint e, int status)
{
	metrics_inc(S_API_REQUESTS + (unsigned)e * 6 + (unsigned)(status / 100 % 6));
}
