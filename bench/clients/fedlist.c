/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedlist - what a federation list costs: time to verify and load, memory, time of a look-up.
 *
 * Does with the list what the proxy does (fs_read, fedstore_judge; no state directory, so that no
 * disk is measured), in a process of its own, whose memory is that of the list alone:
 *
 *   load_s         verify and parse, the text being in memory
 *   peak_bytes     most memory held from before the file is read until the list is there
 *   resident_bytes what stays after the text is freed
 *   member_ns, stranger_ns  one fedlist_has(), names in random order
 *
 * The members' names are made by bench/listing.py: number N below ENTRIES is a member, above a
 * stranger.  Bytes freed but kept by malloc count as held, as they would in the proxy.
 *
 * usage: fedlist LIST.jws ANCHORS.pem ENTRIES
 */
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clients/client.h"
#include "lib/base/buf.h"
#include "lib/base/fsutil.h"
#include "lib/federation/fedstore.h"

#define NAME_FORMAT "m%07ld.messenger.bench.test"
#define LOOKUPS 200000
#define TEXT_MAX ((size_t)4 << 30)

static const char *const usage = "usage: fedlist LIST.jws ANCHORS.pem ENTRIES\n";

/* A line of /proc/self/status in bytes. */
static long
status_bytes(const char *name)
{
	FILE *in = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;

	while (in != NULL && fgets(line, sizeof(line), in) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtol(line + strlen(name), NULL, 10);
	if (in != NULL)
		fclose(in);
	return kb * 1024;
}

/* From now on VmHWM counts anew. */
static void
forget_peak(void)
{
	FILE *out = fopen("/proc/self/clear_refs", "w");

	if (out == NULL || fputs("5", out) < 0 || fclose(out) != 0)
		fprintf(stderr, "fedlist: no peak of its own: clear_refs is not writable\n");
}

static X509_STORE *
read_anchors(const char *path)
{
	X509_STORE *store = X509_STORE_new();
	FILE *in = fopen(path, "r");
	X509 *cert = in != NULL ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;

	if (store == NULL || cert == NULL || X509_STORE_add_cert(store, cert) != 1) {
		fprintf(stderr, "fedlist: cannot use %s\n", path);
		exit(1);
	}
	X509_free(cert);
	fclose(in);
	return store;
}

/* Reads the list and puts it in force; returns the seconds that took without the reading. */
static double
load(struct fedstore *s, const char *path)
{
	struct fedstore_offer offer;
	struct buf text;
	uint64_t took;
	enum err err;

	buf_init(&text, TEXT_MAX);
	if (fs_read(path, &text) != 0) {
		perror(path);
		exit(1);
	}
	took = now_us();
	err = fedstore_judge(s, buf_str(&text), NULL, &offer);
	took = now_us() - took;
	buf_fini(&text);
	if (err != OK) {
		fprintf(stderr, "fedlist: %s: %s\n", path, err_name(err));
		exit(1);
	}
	fedstore_adopt(s, &offer, 1);
	return (double)took / 1e6;
}

/* Nanoseconds of one look-up of a name with a number from `first` on; ends if one answers wrongly.
 */
static double
lookup_ns(const struct fedlist *l, long first, long entries, bool listed)
{
	char(*names)[64] = calloc(LOOKUPS, sizeof(*names));
	uint64_t began;
	long wrong = 0;

	if (names == NULL)
		exit(1);
	for (long i = 0; i < LOOKUPS; i++)
		snprintf(names[i], sizeof(names[i]), NAME_FORMAT, first + random() % entries);
	began = now_us();
	for (long i = 0; i < LOOKUPS; i++)
		wrong += fedlist_has(l, str_z(names[i]), FEDLIST_PORTS_EXACT) != listed;
	began = now_us() - began;
	free(names);
	if (wrong > 0) {
		fprintf(stderr, "fedlist: %ld look-ups answered wrongly\n", wrong);
		exit(1);
	}
	return (double)began * 1e3 / LOOKUPS;
}

int
main(int argc, char **argv)
{
	struct fedstore_config cfg = { .name = "bench", .max_bytes = TEXT_MAX };
	struct fedstore *s;
	double load_s, member, stranger;
	long before, peak, resident, entries;

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	entries = argument(argv[3], "ENTRIES", 1, 100000000);
	cfg.max_entries = (size_t)entries;
	cfg.anchors = read_anchors(argv[2]);
	s = fedstore_new(&cfg);
	if (s == NULL)
		return 1;
	forget_peak();
	before = status_bytes("VmRSS:");
	load_s = load(s, argv[1]);
	peak = status_bytes("VmHWM:") - before;
	resident = status_bytes("VmRSS:") - before;
	member = lookup_ns(fedstore_list(s), 0, entries, true);
	stranger = lookup_ns(fedstore_list(s), entries, entries, false);
	printf("RESULT {\"entries\": %zu, \"load_s\": %.6f, \"peak_bytes\": %ld, "
	       "\"resident_bytes\": %ld, "
	       "\"member_ns\": %.1f, \"stranger_ns\": %.1f}\n",
	    fedlist_count(fedstore_list(s)), load_s, peak, resident, member, stranger);
	fedstore_free(s);
	X509_STORE_free(cfg.anchors);
	return 0;
}
