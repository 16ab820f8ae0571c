/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/problem.h"

#include <stdio.h>

#include "regsvc/series.h"

#define BODY_MAX 512
#define FIELDS_MAX 1024

static const char *
title(int status)
{
	/* clang-format off */
	switch (status) {
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 417: return "Expectation Failed";
	case 421: return "Misdirected Request";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	default:  return "Internal Server Error";
	}
	/* clang-format on */
}

void
problem_answer(struct exchange *ex, enum err why, struct str fields)
{
	int status = err_rows[why].status != 0 ? err_rows[why].status : 500, n;
	char body[BODY_MAX], lines[FIELDS_MAX];

	n = snprintf(lines, sizeof(lines), "Cache-Control: no-store\r\n" STR_FMT, STR_ARG(fields));
	if (n < 0 || (size_t)n >= sizeof(lines))
		n = 0; /* rather no fields than half of one */
	snprintf(body, sizeof(body),
	    "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\"}\n",
	    title(status), status, err_text(why));
	series_response(status);
	exchange_answer(
	    ex, status, "application/problem+json", str_of(lines, (size_t)n), str_z(body));
}
