/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/vzd_answer.h"

#include "lib/base/log.h"
#include "regsvc/series.h"

static const char *const step_names[VZD_STEPS] = {
	[VZD_TOKEN] = "token",
	[VZD_EXCHANGE] = "exchange",
	[VZD_LIST] = "list",
	[VZD_CERTIFICATES] = "certificates",
	[VZD_LOCALIZATION] = "localization",
};

static enum err
err_of_status(enum vzd_step step, int status)
{
	if (status == 401 || (status == 400 && step == VZD_TOKEN))
		return ERR_VZD_LOGIN;
	if (status == 403)
		return ERR_VZD_FORBIDDEN;
	return status == 404 ? ERR_NOT_FOUND : ERR_HTTP_ANSWER;
}

/* Portals and gateways in between answer with a page of their own. */
static bool
is_page(const struct fetch_result *r)
{
	return r->status == 200 && str_has_prefix(str_z(r->content_type), STR("text/html"));
}

struct vzd_verdict
vzd_judge(enum vzd_step step, const struct fetch_result *r)
{
	struct vzd_verdict v = { .err = r->err, .step = step, .status = r->status };

	if (r->err == ERR_TOO_LARGE || r->err == ERR_HTTP_ANSWER) {
		v.outcome = VZD_UNUSABLE;
	} else if (r->err != OK) {
		v.outcome = VZD_FAILED;
	} else if (is_page(r)) {
		v.err = ERR_VZD_ANSWER;
		v.outcome = VZD_UNUSABLE;
	} else if (r->status != 200 && r->status != 204) {
		v.err = err_of_status(step, r->status);
		v.outcome = r->status >= 400 && r->status < 500 ? VZD_REFUSED
			    : r->status >= 500                  ? VZD_FAILED
								: VZD_UNUSABLE;
	}
	return v;
}

struct vzd_verdict
vzd_unusable(enum vzd_step step, int status)
{
	return (struct vzd_verdict){
		.err = ERR_VZD_ANSWER, .outcome = VZD_UNUSABLE, .step = step, .status = status
	};
}

static const char *
advice(const struct vzd_verdict *v)
{
	switch (v->err) {
	case ERR_VZD_LOGIN:
		return v->step == VZD_TOKEN
			   ? "check vzd.client_id, the client secret and vzd.client_auth"
			   : "the token was refused; if it stays so, check vzd.exchange_url";
	case ERR_VZD_FORBIDDEN:
		return "this provider is not listed at the VZD, or not for this service; have it "
		       "registered by the operator of the VZD";
	case ERR_VZD_ANSWER:
		return "something between us and the VZD answers for it, or a URL is wrong; check "
		       "the URLs in vzd";
	case ERR_NOT_FOUND:
		return "check vzd.services_url and vzd.list_path";
	case ERR_TOO_LARGE:
		return "raise list.max_bytes or vzd.answer_max if the answer is genuine";
	case ERR_TRUNCATED:
		return "the connection broke off; check the network if it stays so";
	case ERR_JWS_ALG:
		return "vzd.sig_alg asks for another algorithm; if the VZD cannot sign with it, "
		       "set "
		       "it to any";
	case ERR_TLS:
		return "check vzd.ca_file and the server's certificate";
	case ERR_ADDRESS:
		return "set lookups.private_addresses if the server is meant to be inside your "
		       "network";
	case ERR_DNS:
	case ERR_CONNECT:
	case ERR_TIMEOUT:
		return "check name, network and firewall";
	default:
		return v->outcome == VZD_FAILED ? "the VZD has a fault; it is asked again"
						: "see the table of reasons in doc/operations.md";
	}
}

void
vzd_count(const struct vzd_verdict *v)
{
	metrics_inc(S_VZD_CALLS + (unsigned)v->step * VZD_OUTCOMES + v->outcome);
}

void
vzd_note(const struct vzd_verdict *v)
{
	vzd_count(v);
	/* an unknown user is an answer as good as any */
	if (v->err == OK || (v->step == VZD_LOCALIZATION && v->err == ERR_NOT_FOUND))
		return;
	log_error("vzd: call failed: call=%s reason=%s status=%d: %s; %s", step_names[v->step],
	    err_name(v->err), v->status, err_text(v->err), advice(v));
}
