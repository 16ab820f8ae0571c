/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/accesslog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/http/caller.h"
#include "regsvc/jsonput.h"
#include "regsvc/series.h"

#define FLUSH_MS 1000
#define PURGE_MS (3600 * 1000)
#define LINE_MAX_BYTES 1024
#define DAY_TEXT 16 /* "2026-01-31" with room */
#define PATH_BYTES 4200

struct accesslog {
	struct loop *loop;
	char folder[4096];
	struct access_log_conf conf;
	struct buf lines;
	struct timer flush, purge;
	int fd; /* of today's file, or -1 */
	char day[DAY_TEXT];
	bool failed; /* told */
};

static void
day_of(time_t t, char out[DAY_TEXT])
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, DAY_TEXT, "%Y-%m-%d", &tm);
}

/* --- a line --- */

static bool
put_line(struct buf *out, const struct exchange *ex, const char *operation,
    const struct principal *who, int status, enum err why)
{
	char when[CLOCK_TEXT_MAX];
	struct str agent;

	(void)caller_read(&ex->req, &agent);
	return buf_put(out, STR("{")) &&
	       jsonput_text(out, "time", str_z(clock_text(clock_wall_ms(), when))) &&
	       (who == NULL ||
		   (jsonput_text(out, "client", str_z(who->client)) &&
		       jsonput_text(out, "subscription_id", str_z(who->subscription)))) &&
	       jsonput_text(out, "operation", str_z(operation)) &&
	       buf_printf(out, "\"status\":%d,", status) &&
	       jsonput_text(out, "result", str_z(err_name(why))) &&
	       (agent.n == 0 || jsonput_text(out, "agent", agent)) && jsonput_end(out) &&
	       buf_put(out, STR("\n"));
}

void
access_note(struct accesslog *l, const struct exchange *ex, const char *operation,
    const struct principal *who, int status, enum err why)
{
	struct buf line;

	metrics_inc(S_ACCESS_LINES);
	buf_init(&line, LINE_MAX_BYTES);
	if (put_line(&line, ex, operation, who, status, why) &&
	    buf_put(&l->lines, buf_str(&line))) {
		if (l->flush.due == 0)
			timer_set(l->loop, &l->flush, FLUSH_MS);
	} else {
		metrics_inc(S_ACCESS_LOST);
	}
	buf_fini(&line);
}

/* --- writing --- */

static bool
open_day(struct accesslog *l)
{
	char day[DAY_TEXT], path[PATH_BYTES];

	day_of(time(NULL), day);
	if (l->fd >= 0 && strcmp(day, l->day) == 0)
		return true;
	if (l->fd >= 0)
		close(l->fd);
	memcpy(l->day, day, sizeof(day));
	snprintf(path, sizeof(path), "%s/%s.log", l->folder, day);
	l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	return l->fd >= 0;
}

/* What could be written is gone from the buffer; half a line stays for the next time. */
static bool
write_all(struct accesslog *l)
{
	while (buf_len(&l->lines) > 0) {
		struct str s = buf_str(&l->lines);
		ssize_t n = write(l->fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf_consume(&l->lines, (size_t)n);
	}
	buf_release(&l->lines);
	return true;
}

/* Lines wait in the buffer while it has room, for the disk may have some again. */
static void
flush(void *arg)
{
	struct accesslog *l = arg;
	bool good = open_day(l) && write_all(l);

	if (!good) {
		if (!l->failed)
			log_error(
			    "access log: cannot write in %s: %s; make room or repair it, lines "
			    "are lost when access_log.buffer_max is reached",
			    l->folder, strerror(errno));
		timer_set(l->loop, &l->flush, FLUSH_MS);
	} else if (l->failed) {
		log_info("access log: is written again");
	}
	l->failed = !good;
	metrics_set(S_ACCESS_FAILED, l->failed);
}

/* --- keeping --- */

static bool
is_day_file(const char *name)
{
	static const char form[] = "0000-00-00.log";

	if (strlen(name) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == '0' ? name[i] < '0' || name[i] > '9' : name[i] != form[i])
			return false;
	return true;
}

/* A file is as old as its last line may be, so the day after its day counts. */
static void
purge(void *arg)
{
	struct accesslog *l = arg;
	time_t oldest = time(NULL) - (time_t)(l->conf.retention / 1000) - 24 * 3600;
	char first[DAY_TEXT];
	struct dirent *e;
	DIR *d = opendir(l->folder);

	timer_set(l->loop, &l->purge, PURGE_MS);
	day_of(oldest, first);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!is_day_file(e->d_name) || strncmp(e->d_name, first, strlen(first)) >= 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0)
			log_info("access log: %s is past access_log.retention, removed", e->d_name);
		else
			log_error("access log: cannot remove %s: %s", e->d_name, strerror(errno));
	}
	if (d != NULL)
		closedir(d);
}

/* --- life --- */

static void
set_values(struct accesslog *l, const struct access_log_conf *conf)
{
	l->conf = *conf;
	l->lines.max = conf->buffer_max;
}

void
accesslog_adopt(struct accesslog *l, const struct access_log_conf *conf)
{
	set_values(l, conf);
	timer_set(l->loop, &l->purge, 0);
}

struct accesslog *
accesslog_new(struct loop *loop, const char *state_dir, const struct access_log_conf *conf)
{
	struct accesslog *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->loop = loop;
	l->fd = -1;
	buf_init(&l->lines, conf->buffer_max);
	timer_init(&l->flush, flush, l);
	timer_init(&l->purge, purge, l);
	snprintf(l->folder, sizeof(l->folder), "%s/access", state_dir);
	if ((mkdir(l->folder, 0750) != 0 && errno != EEXIST) || !open_day(l)) {
		log_error("access log: cannot write in %s: %s", l->folder, strerror(errno));
		accesslog_free(l);
		return NULL;
	}
	accesslog_adopt(l, conf);
	return l;
}

void
accesslog_free(struct accesslog *l)
{
	if (l == NULL)
		return;
	timer_clear(&l->flush);
	timer_clear(&l->purge);
	if (l->fd >= 0 && buf_len(&l->lines) > 0)
		flush(l);
	timer_clear(&l->flush);
	if (l->fd >= 0)
		close(l->fd);
	buf_fini(&l->lines);
	free(l);
}
