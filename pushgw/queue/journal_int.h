/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_int - what the files of journal share; nobody else includes it.
 */
#ifndef SCHLEUSE_PUSHGW_JOURNAL_INT_H
#define SCHLEUSE_PUSHGW_JOURNAL_INT_H

#include "lib/net/errand.h"
#include "pushgw/queue/journal.h"
#include "pushgw/queue/journal_writer.h"

struct journal_segment {
	struct list node;
	uint32_t number;
	uint32_t next;        /* index of the next push */
	uint64_t size;        /* bytes written */
	int64_t begun;        /* wall-clock ms */
	int64_t newest;       /* wall-clock ms of its latest push */
	uint32_t live;        /* pushes that wait */
	uint32_t used;        /* slots in use: no place beyond */
	struct place **slots; /* of the pushes by index; NULL: done with, or not yet written */
	size_t room;
	size_t swept;      /* slots looked at by journal_carry() */
	bool suspect;      /* the disk may have lost some of it: it is written again */
	uint64_t repeated; /* the batch with its rejected pushkeys once more; 0: none */
};

struct journal_add_ref {
	struct place *place, at;
	size_t begin; /* of its bytes in the batch */
};

struct journal_move {
	struct place from, to;
};

/* What is being collected, or written. */
struct journal_batch {
	struct journal_work work;
	uint64_t number;
	struct journal_segment *segment;
	struct journal_add_ref *adds;
	size_t n_adds, room_adds;
	struct journal_move *moves;
	size_t n_moves, room_moves;
	size_t n_dones; /* of the journal's, the first ones */
	bool joined;
};

struct journal {
	struct loop *loop;
	struct journal_settings set;
	struct journal_owner owner;
	struct journal_disk *disk;
	struct journal_writer *writer;
	unsigned char key[MARK_KEY];
	enum err err;
	uint64_t written; /* the last batch that was */
	uint64_t seq;
	uint64_t bytes;
	struct list segments; /* the oldest first */
	struct journal_segment *current;
	uint32_t last_number;
	struct journal_batch batches[2], *collecting, *writing; /* writing: NULL while idle */
	struct place *dones;                                    /* not yet written */
	size_t n_dones, room_dones;
	struct task hand; /* gives the batch to the writer */
	struct timer again, sync, tend;
	bool unsynced; /* something was written since the last sync */
	bool sync_due; /* as soon as nothing is being written */
	struct errand *syncing;
	int sync_fd, sync_errno;
	uint32_t sync_segment;
};

/* --- journal_segments --- */

struct journal_segment *journal_segment_new(struct journal *j, uint32_t number);
struct journal_segment *journal_segment_find(const struct journal *j, uint32_t number);
void journal_segment_free(struct journal *j, struct journal_segment *s);
bool journal_segment_reserve(struct journal_segment *s, uint32_t index) MUST_CHECK;
/* There is room for it.  Says so in *place. */
void journal_segment_set(struct journal_segment *s, uint32_t index, struct place *place);
/* The push that is there, or NULL. */
struct place *journal_segment_get(const struct journal *j, struct place at);
void journal_segment_clear(struct journal *j, struct place at);
/* Room for n things of that size in *v, of which *room are there; false: out of memory. */
bool journal_reserve(void **v, size_t *room, size_t n, size_t size) MUST_CHECK;

void journal_carry(struct journal *j); /* into the batch that is being collected */
void journal_drop(struct journal *j);  /* removes what is not needed */

/* --- journal_read --- */

bool journal_read_all(struct journal *j) MUST_CHECK;
void journal_forget_all(struct journal *j); /* tells the owner that all of it is over */

/* --- journal_sync --- */

void journal_sync_init(struct journal *j);
void journal_sync_fini(struct journal *j);
void journal_sync_wrote(struct journal *j); /* the writer is idle */

/* --- journal --- */

/* The segment of the batch that is being collected, and the place of its next push there; NULL and
 * false: out of memory. */
struct journal_segment *journal_batch_segment(struct journal *j);
bool journal_next_place(struct journal *j, struct place *at) MUST_CHECK;
void journal_mark_done(struct journal *j, struct place at); /* to be written */

/* --- journal_batch --- */

void journal_batch_init(struct journal *j);
void journal_batch_start(struct journal *j);
void journal_batch_written(void *arg, struct journal_work *work); /* what the writer tells */
void journal_batch_rest(struct journal *j); /* writes what is left, on this thread */
void journal_batch_fini(struct journal *j);

#endif
