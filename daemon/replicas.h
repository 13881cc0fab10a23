/*
 * replicas: who must be kept close, how far each has come, and for how long one that vanished is waited for.
 *
 * Replicas are seen by a source: the primary, or a standby that has replicas of its own (`cascades`). A
 * source gives one list after the other; who is missing in its newest, or whose source has given none for a
 * second, has vanished, and that is not the same as having no lag. A cascade that gives no list has vanished
 * too, under a name of its own. What has been gone for longer than the grace is no longer waited for; but who
 * is behind a source that nobody could ask, from the beginning or now, has not vanished for all that is
 * known.
 *
 * Replicas of one name and source are one replica: the slowest of them, which has vanished when there are
 * fewer of them. (Many have no name but walreceiver, or all have that of their cluster.)
 */
#ifndef BACKFILLD_DAEMON_REPLICAS_H
#define BACKFILLD_DAEMON_REPLICAS_H

#include "common/base.h"
#include "daemon/signals.h"

#define REPLICAS_OF_PRIMARY 0 /* the source; that of cascade number i (from 0) is i + 1 */

struct replicas_rules {
	bool all;            /* that replay WAL; otherwise only those listed, logical ones, too */
	char *const *listed; /* application_name values; the lists are on loan for the replicas' life */
	size_t listed_count;
	char *const *delayed; /* those that replay late on purpose: what they have received counts */
	size_t delayed_count;
	size_t cascades;
	int64_t grace_ms;
};

struct replicas_seen {
	const char *name;
	uint64_t replayed; /* LSN */
	uint64_t received; /* and flushed */
	bool logical;      /* a subscription, or one of the sessions that copy its tables and then vanish */
};

/* Is it one of those that must be kept close? */
bool replicas_want(const struct replicas_rules *rules, const struct replicas_seen *seen) MUST_USE;

struct replicas;

struct replicas *replicas_new(const struct replicas_rules *rules) MUST_USE;
void replicas_free(struct replicas *replicas);

/* Nobody has looked for a while: those that were there are missed from now on, should they be gone. */
void replicas_resume(struct replicas *replicas, int64_t now_ms);

/* The same, and the primary may be another server: its positions are learnt anew. */
void replicas_restart(struct replicas *replicas, int64_t now_ms);

/* The primary has flushed its WAL up to `lsn`. */
void replicas_note_primary(struct replicas *replicas, int64_t now_ms, uint64_t lsn);

/* A new list of the source follows: replicas_note() for each. */
void replicas_begin(struct replicas *replicas, size_t source, int64_t now_ms);
void replicas_note(
	struct replicas *replicas, size_t source, const struct replicas_seen *seen, int64_t now_ms);

/* This cascade cannot be asked, for another reason than that it is gone: until its next list neither it nor
 * who was seen there is let go. So it is until its first. */
void replicas_keep(struct replicas *replicas, size_t source);

/* It is gone after all: the grace begins. */
void replicas_keep_no_more(struct replicas *replicas, size_t source, int64_t now_ms);

/* After the first list of the primary: of those listed by name who is not there at all is gone from now on.
 */
void replicas_miss_listed(struct replicas *replicas, int64_t now_ms);

/* The name (and how many of it) of one that has been gone for longer than the grace and is not waited for
 * from now on, to be freed by the caller, and its source; NULL: there is none. */
char *replicas_let_go(struct replicas *replicas, int64_t now_ms, size_t *ret_source) MUST_USE;

/* As seen at `now_ms`; on loan until the next call of any function here. */
const struct signals_replica *replicas_read(
	struct replicas *replicas, int64_t now_ms, size_t *ret_count) MUST_USE;

#endif
