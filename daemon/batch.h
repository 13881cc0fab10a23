/*
 * batch: one transaction that fills the pending rows of a stretch of pages and moves the bookmark with them.
 *
 * Fill and bookmark are one transaction, so they cannot come apart; the whole transaction is one pipeline.
 */
#ifndef BACKFILLD_DAEMON_BATCH_H
#define BACKFILLD_DAEMON_BATCH_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/breath.h"
#include "daemon/job.h"
#include "daemon/lapse.h"
#include "daemon/relation.h"
#include "daemon/window.h"

struct batch_order {
	const struct job *job;
	const struct relation *relation;
	const struct window_batch *stretch;
	uint32_t oid;     /* of the table that it is in */
	const char *leaf; /* its name, ready for SQL; NULL: the job's table itself */
	int filler;
	const char *synchronous_commit;
	int statement_timeout_ms;
	bool server_counts; /* the outcome before said that its statistics do */
	struct breath breath;
	bool skip_locked; /* leave rows that somebody else has locked to the sweep */
	int64_t number;   /* among the batches of its connection */
	bool follows;     /* asked ahead: only if the batch with the number before it has committed */
};

struct batch_outcome {
	int64_t rows;      /* that have a value now */
	int64_t updated;   /* as the server's statistics count them: 0 where they do not */
	int64_t hot;       /* of these, updated in place */
	bool counted;      /* track_counts is on */
	struct lapse took; /* as the server tells it: lapse_bound() has to look at it */
	int64_t wal_bytes; /* written by the fill itself */
	int64_t wal_records;
};

/* Adds the whole transaction, from BEGIN to COMMIT. One that `follows` another which has failed fails as
 * well, at its BEGIN or with BF001. */
void batch_add(struct script *script, const struct batch_order *order);

/* How many statements that is. */
int batch_statements(const struct batch_order *order) MUST_USE;

/* When an answer must have come: beyond the statement's own timeout only a dead server stays silent. */
int64_t batch_deadline_ms(const struct batch_order *order) MUST_USE;

/* The session hands in its statistics with this transaction and not up to a second later, where the server
 * lets it (15 and newer). */
bool batch_hands_in(int server_version) MUST_USE;
void batch_add_hand_in(struct script *script, int server_version);

/* Of a batch that has committed, whose BEGIN was statement `first` of its script. */
void batch_read(const struct reply *reply, size_t first, struct batch_outcome *ret_outcome);

#endif
