/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliverylab - a delivery between a queue and a provider that do as the test says and note what
 * they are told.
 */
#ifndef SCHLEUSE_TESTS_DELIVERYLAB_H
#define SCHLEUSE_TESTS_DELIVERYLAB_H

#include "pushgw/delivery/delivery.h"
#include "pushgw/queue/delayq_int.h"

#define DELIVERYLAB_APPS 2

enum told { NOTHING, FINISHED, REJECTED, LATER };

struct deliverylab {
	struct {
		struct delayq base;
		enum told told;
		clock_ms after;
		unsigned kicked; /* a bit for each lane */
		bool adopts;
	} queue;
	struct {
		void (*fn)(void *arg, const struct attempt_result *r);
		void *arg;
		unsigned sent, cancelled, closed;
		int64_t expires;
		bool no_memory, crowded;
	} provider;
	struct app_conf apps[DELIVERYLAB_APPS]; /* "org.example" and "org.other" */
	struct pushgw_conf conf;
	bool conf_dropped;
	struct loop *loop;
	struct delivery *delivery;
	struct delayq_config cfg; /* what the queue was told */
	struct delayq_job job;    /* of the first app */
};

extern struct deliverylab dl;

void deliverylab_start(void);
void deliverylab_finish(void);
/* As lanes_open() makes them, but with the provider of the test. */
struct lanes *deliverylab_make_lanes(void);
void deliverylab_hand_out(void);
void deliverylab_answer(struct attempt_result r);
void deliverylab_try_once(enum verdict v);

#endif
