/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners_files - the files of unix sockets: their mode, their end.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/listeners.h"

#define UNIX "unix:" /* begins the key of an endpoint */

bool
endpoint_is_unix(const struct endpoint *e)
{
	return str_has_prefix(str_z(e->key), STR(UNIX));
}

static const char *
file_of(const struct endpoint *e)
{
	return e->key + sizeof(UNIX) - 1;
}

static bool
is_in_force(const struct listeners *l, const char *key)
{
	for (size_t i = 0; l != NULL && i < l->n; i++)
		if (l->of[i].until == 0 && strcmp(l->of[i].endpoint->key, key) == 0)
			return true;
	return false;
}

void
listeners_remove_files(const struct listeners *l, const struct listeners *but)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct endpoint *e = l->of[i].endpoint;

		if (!endpoint_is_unix(e) || e->activated || is_in_force(but, e->key))
			continue;
		if (unlink(file_of(e)) != 0 && errno != ENOENT)
			log_warn(
			    "listener %s: its file cannot be removed: %s", e->key, strerror(errno));
	}
}

static void
give_mode(const struct endpoint *e, unsigned mode)
{
	struct stat s;

	if (lstat(file_of(e), &s) == 0 && (s.st_mode & 07777) == mode)
		return;
	if (chmod(file_of(e), mode) != 0)
		log_warn("listener %s: its file cannot be given the mode %03o: %s", e->key, mode,
		    strerror(errno));
}

void
listeners_adopt_files(const struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct listening *of = &l->of[i];

		if (of->until == 0 && endpoint_is_unix(of->endpoint) && !of->endpoint->activated)
			give_mode(of->endpoint, of->conf->mode);
	}
	listeners_remove_files(l, l);
}
