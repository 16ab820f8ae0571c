/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedsource_file - a file is looked at every few seconds, and read when it has changed.
 */
#include "lib/base/log.h"
#include "proxy/fedsource_int.h"

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
look_later(struct fedsource *s)
{
	clock_ms wait = s->cfg.interval;

	timer_set(
	    s->loop, &s->timer, wait < FEDSOURCE_FILE_LOOK_MS ? wait : FEDSOURCE_FILE_LOOK_MS);
}

static void
look(struct fedsource *s)
{
	struct stat st;

	if (stat(s->file, &st) != 0) {
		memset(&s->seen, 0, sizeof(s->seen));
		fedsource_settle(s, ERR_FILE, 0, 0);
		return;
	}
	look_later(s);
	if (fedintake_busy(s->intake) ||
	    (same_file(&st, &s->seen) &&
		(s->state.error == OK || loop_now(s->loop) < s->read_again)))
		return;
	s->seen = st;
	s->read_again = loop_now(s->loop) + FEDSOURCE_RETRY_MS;
	if (s->cfg.interval < FEDSOURCE_RETRY_MS)
		s->read_again = loop_now(s->loop) + s->cfg.interval;
	fedsource_offer(s, NULL, st.st_mtim.tv_sec, 0, "");
}

static void
cancel(struct fedsource *s)
{
	memset(&s->seen, 0, sizeof(s->seen));
}

const struct fedsource_kind fedsource_by_file = {
	.look = look,
	.cancel = cancel,
	.retry = FEDSOURCE_FILE_LOOK_MS,
	.always = true,
};
