/*
 * survey: what a server's statistics say of its health, part by part, so that one that cannot be read hides
 * no other.
 */
#ifndef BACKFILLD_DAEMON_SURVEY_H
#define BACKFILLD_DAEMON_SURVEY_H

#include "common/base.h"
#include "common/fault.h"
#include "common/session.h"
#include "daemon/signals.h"

/* Rights come first: without them the others are not refused but shown empty. */
enum survey_part {
	SURVEY_RIGHTS,
	SURVEY_TRACKING,
	SURVEY_SLOTS,
	SURVEY_ARCHIVER,
	SURVEY_CHECKPOINTS,
	SURVEY_HORIZON,
	SURVEY_TRAFFIC,
	SURVEY_VACUUMS,
	SURVEY_TABLES,
	SURVEY_PARTS
};

/* What the last surveys said: zeroed at first, then filled part by part. */
struct survey {
	struct signals_slot *slots; /* names are ours */
	size_t slots_count;
	char *newly_lost; /* names of slots that were not lost yet when last seen; NULL: none */
	int64_t archiver_waiting;
	char *archiver_failing;
	int64_t checkpoints_asked;
	int64_t horizon_xids;
	int64_t horizon_held_s;
	char *horizon_who;
	int connection; /* number of the one that it is taken on */
	struct signals_traffic traffic;
	int cores;
	struct survey_vacuum {
		uint32_t table_oid; /* a partition or a child as any other */
		bool wraparound;
	} * vacuums; /* autovacuums at work in the database */
	size_t vacuums_count;
	struct survey_table {
		uint32_t oid;
		int64_t surveyed_ms; /* 0: not yet */
		int64_t dead_rows;
	} * tables; /* those that somebody wants to know of */
	size_t tables_count;
};

/* The server's own name for a part, for people. */
const char *survey_part_name(enum survey_part part) MUST_USE;

/* What is wrong with this login when it may not read all statistics, and what to do; to be freed. */
char *survey_missing_rights(const char *login) MUST_USE;

/* The same of a part that survey_read() says cannot be seen. */
char *survey_missing(enum survey_part part, const char *login) MUST_USE;

/* From now on the table is surveyed too; until survey_drop_table(). */
void survey_add_table(struct survey *survey, uint32_t oid);
void survey_drop_table(struct survey *survey, uint32_t oid);

/* What is known of the table `oid`, and of the worst autovacuum at `parts`: those tables of its tree, or
 * itself, that are being filled; 0: none. False: it was not surveyed yet. */
bool survey_read_table(const struct survey *survey, uint32_t oid, const uint32_t *parts, size_t parts_count,
	struct signals_table *ret_table) MUST_USE;

/* Asks for the parts from `first` to `last`, in one question. */
void survey_ask(struct session *session, const struct survey *survey, enum survey_part first,
	enum survey_part last, session_answer *answer, void *owner);

/* Takes what statement number `statement` of the reply says of a part. False: it cannot be seen so
 * (survey_missing()). */
bool survey_read(struct survey *survey, enum survey_part part, const struct reply *reply, size_t statement,
	int64_t now_ms) MUST_USE;

/* Puts everything but `survey_ms`, `unreadable` and the tables into the signals; texts are on loan until the
 * next survey_read(). */
void survey_tell(const struct survey *survey, struct signals *signals);

void survey_free(struct survey *survey);

#endif
