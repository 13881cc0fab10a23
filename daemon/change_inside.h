/*
 * change_inside: what the files of the change room share. Not for others.
 *
 *	change.c		which step is next, its name, its text, what it would leave behind
 *	change_add.c		column, default and triggers
 *	change_not_null.c	NOT NULL by way of a CHECK, or of NOT VALID where the server knows that
 *	change_identity.c	numbers: the helper sequence, and the identity that takes its place
 *	change_undo.c		taking away what the job has made
 *	change_constraint.c	CHECK and foreign key
 *	change_index.c		index and UNIQUE
 *
 * Each next_x() names the first step of its kind that is missing; false: none is, *ret_step is untouched.
 */
#ifndef BACKFILLD_DAEMON_CHANGE_INSIDE_H
#define BACKFILLD_DAEMON_CHANGE_INSIDE_H

#include "common/text.h"
#include "daemon/change.h"

/* Changing the catalogue takes milliseconds once there is the lock. */
#define CHANGE_CATALOGUE_TIMEOUT_MS 30000
/* A scan of the biggest table there is; it blocks neither readers nor writers meanwhile. */
#define CHANGE_VALIDATE_TIMEOUT_MS (INT64_C(3) * 24 * 3600 * 1000)

/* A step without statements yet, of the table itself. */
struct change_step change_step_make(enum change_kind kind, const char *lock_mode);

/* Adds what was composed to the step and empties it. */
void change_add_statement(struct change_step *step, struct text *sql);

/* "ALTER TABLE x " */
void change_start_alter(struct text *sql, const struct job *job);

bool change_next_add(const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_watch(const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_drop_trigger(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_not_null(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);

/* The statements that drop our triggers and their function, whichever of them there are. */
struct change_step change_step_drop_trigger(
	enum change_kind kind, const struct job *job, const struct relation *relation);

bool change_next_undo_index(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_undo_unique(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_undo_reference(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_undo_rule(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
/* What is not whole: a job that is cancelled leaves nothing that half works. */
bool change_next_cancel_index(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_cancel_constraint(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);

bool change_next_undo_check(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_undo_not_null(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_undo_trigger(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_undo_default(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_undo_column(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_identity(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);

/* The statements that make the helper sequence, before its column and behind it. */
void change_add_helper(struct change_step *step, const struct job *job, struct text *sql);
void change_own_helper(struct change_step *step, const struct job *job, struct text *sql);

bool change_next_rule(const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_reference(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_index(const struct job *job, const struct relation *relation, struct change_step *ret_step);
bool change_next_unique(const struct job *job, const struct relation *relation, struct change_step *ret_step);

/* What each kind of step leaves behind; see change_assume(). */
void change_assume_add(struct relation *relation, const struct job *job);
void change_assume_watch(struct relation *relation);
void change_assume_drop_trigger(struct relation *relation, const struct job *job);
void change_assume_not_null(struct relation *relation, enum change_kind kind);
void change_assume_identity(struct relation *relation);
void change_assume_constraint(struct member *member, enum change_kind kind);
void change_assume_index(struct member *member, enum change_kind kind);

#endif
