/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists_int - what the files of lists share; nobody else includes it.
 */
#ifndef SCHLEUSE_REGSVC_LISTS_INT_H
#define SCHLEUSE_REGSVC_LISTS_INT_H

#include "regsvc/listkeep.h"
#include "regsvc/lists.h"
#include "regsvc/listshare.h"
#include "regsvc/listsign.h"

enum lists_phase {
	LISTS_IDLE,
	LISTS_ASKING,  /* the VZD */
	LISTS_SIGNING, /* what came unsigned */
	LISTS_JUDGING, /* what the VZD gave */
	LISTS_SHARED,  /* judging what another instance gave */
};

struct lists {
	struct loop *loop;
	struct vzd *vzd;
	struct lists_config cfg;
	struct listkeep *keep;   /* NULL: no anchors are configured */
	struct listshare *share; /* NULL: there is one instance */
	bool look_again;         /* at what is shared */
	bool lacks_word;         /* what the store has was refused for want of OCSP */
	/* the attempt under way */
	enum lists_phase phase;
	bool scheduled;
	int64_t asked_at; /* wall-clock second */
	struct vzd_call *call;
	struct listsign *signing;
	/* the next one */
	struct timer due;
	clock_ms next;
	clock_ms ended;    /* the last one; 0: none */
	bool healthy;      /* HealthState_VZD */
	bool retrying;     /* at list.retry_interval */
	uint64_t failures; /* HealthStateCheck_VZD */
	/* who is told */
	struct list calls, watches;
	struct timer stale; /* when the list will be outdated */
	struct task tell;
	struct lists_view told; /* pointers in it are only compared */
};

/* Asks the VZD; phase is LISTS_IDLE and there is a keep. */
void lists_attempt(struct lists *l, bool scheduled);
void lists_schedule(struct lists *l, clock_ms after);
void lists_on_due(void *arg);
void lists_stop_judging(struct lists *l);
void lists_incident(const struct lists *l, const char *what);

/* A list that is not adopted: counted, logged with advice. */
void lists_refused(struct lists *l, enum err err, const char *from);

void lists_open_share(struct lists *l); /* what other instances have, by the settings in force */
void lists_look_again(struct lists *l); /* something was found while we were busy */

/* What is held, its status or the VZD's health may have changed. */
void lists_changed(struct lists *l);

void lists_answer(struct lists *l); /* all who wait for a check */
void lists_tell(void *arg);         /* all who watch */

#endif
