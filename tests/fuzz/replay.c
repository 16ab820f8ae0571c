/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - stands in for the fuzzer: runs a target once over every file of its corpus.
 *
 * Folders are given as arguments; without any, fuzz_<x> takes $srcdir/tests/fuzz/corpus/<x>, which
 * is how `make check` calls it.  A missing or empty folder is a failure, so that no target can
 * silently stop being tested.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL, *more;
	size_t n = 0, got = 0;

	if (f == NULL)
		return perror(path), false;
	do {
		n += got;
		more = realloc(data, n + 65536);
		if (more == NULL)
			abort();
		data = more;
		got = fread(data + n, 1, 65536, f);
	} while (got > 0);
	fclose(f);
	/* An exact copy, so that a sanitizer sees the first byte read behind the input. */
	more = malloc(n > 0 ? n : 1);
	if (more == NULL)
		abort();
	memcpy(more, data, n);
	free(data);
	LLVMFuzzerTestOneInput(more, n);
	free(more);
	return true;
}

static bool
replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	char path[4096];
	size_t files = 0, failed = 0;

	if (dir == NULL)
		return perror(folder), false;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		fflush(stdout);
		failed += !replay_file(path);
		files++;
	}
	closedir(dir);
	printf("%s: %zu inputs replayed, %zu unreadable\n", folder, files, failed);
	return files > 0 && failed == 0;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir"), *name = strstr(argv[0], "fuzz_");
	char folder[4096];
	bool ok = true;

	for (int i = 1; i < argc; i++)
		ok = replay_folder(argv[i]) && ok;
	if (argc > 1)
		return ok ? 0 : 1;
	for (const char *next = name; next != NULL; next = strstr(next + 1, "fuzz_"))
		name = next;
	if (name == NULL) {
		fprintf(stderr, "usage: %s corpus-folder...\n", argv[0]);
		return 2;
	}
	snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", srcdir != NULL ? srcdir : ".",
	    name + strlen("fuzz_"));
	return replay_folder(folder) ? 0 : 1;
}
