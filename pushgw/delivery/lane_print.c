/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane_print - the metrics of lanes: what the operator named is the label.
 */
#include "pushgw/delivery/lane.h"

const char *const verdict_names[VERDICTS] = { "delivered", "dead", "suspect", "drop", "busy",
	"failed", "fault" };

/* A label value: what the text format escapes is escaped. */
static bool
put_label(struct buf *out, const char *id)
{
	for (; *id != '\0'; id++) {
		if ((*id == '\\' || *id == '"') && !buf_put(out, str_of("\\", 1)))
			return false;
		if (!buf_put(out, str_of(id, 1)))
			return false;
	}
	return true;
}

static bool
put_head(struct buf *out, const char *name, const char *type, const char *help)
{
	return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static bool
put_value(struct buf *out, const char *name, const struct lane *l, int64_t value)
{
	return buf_printf(out, "%s{app=\"", name) && put_label(out, l->app->id) &&
	       buf_printf(out, "\"} %lld\n", (long long)value);
}

static bool
put_verdicts(struct buf *out, const struct lane *l)
{
	for (size_t v = 0; v < VERDICTS; v++)
		if (!buf_printf(out, "schleuse_push_app_attempts_total{app=\"") ||
		    !put_label(out, l->app->id) ||
		    !buf_printf(out, "\",verdict=\"%s\"} %llu\n", verdict_names[v],
			(unsigned long long)l->verdicts[v]))
			return false;
	return true;
}

static int64_t
in_hand(const struct lane *l)
{
	return (int64_t)l->in_hand;
}

static int64_t
stopped(const struct lane *l)
{
	return l->breaker.open;
}

static int64_t
away(const struct lane *l)
{
	return lane_away(l);
}

static int64_t
not_after(const struct lane *l)
{
	return l->app->apns.not_after;
}

bool
lane_print(const struct lane *lanes, size_t n, struct buf *out)
{
	static const struct gauge {
		const char *name, *help;
		int64_t (*value)(const struct lane *l);
	} gauges[] = {
		{ "schleuse_push_app_in_flight", "Requests to the push provider under way, by app",
		    in_hand },
		{ "schleuse_push_app_stopped",
		    "1 while an app is stopped because its settings seem to be wrong", stopped },
		{ "schleuse_push_app_away", "1 while the push provider of an app is away", away },
		{ "schleuse_push_credential_not_after_seconds",
		    "When the client certificate of an app expires, Unix time; 0: it has none",
		    not_after },
	};
	bool ok = put_head(out, "schleuse_push_app_attempts_total", "counter",
	    "Attempts at delivery since the last reload, by app and verdict");

	for (size_t i = 0; ok && i < n; i++)
		ok = put_verdicts(out, &lanes[i]);
	for (size_t g = 0; ok && g < sizeof(gauges) / sizeof(gauges[0]); g++) {
		ok = put_head(out, gauges[g].name, "gauge", gauges[g].help);
		for (size_t i = 0; ok && i < n; i++)
			ok = put_value(out, gauges[g].name, &lanes[i], gauges[g].value(&lanes[i]));
	}
	return ok;
}
