/*
 * plan: finds out what a job really asks of this server, and writes down every step before one is taken.
 *
 * Types and expressions are the user's texts. They are parsed by the server, as the table's owner, on the
 * worker's session, against an empty temporary copy of the table; the transaction is rolled back, so nothing
 * is left.
 */
#ifndef BACKFILLD_DAEMON_PLAN_H
#define BACKFILLD_DAEMON_PLAN_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/job.h"
#include "daemon/relation.h"

/* What the catalogue alone already forbids. False: `why` says what, and what to do. */
bool plan_allows(const struct job *job, const struct relation *relation, struct fault *why) MUST_USE;

/* Zeroth question, only where the catalogue allows it: is there a privilege missing, or anything else that
 * only the server knows? */
void plan_ask_refusals(struct session *control, const struct job *job, session_answer *answer, void *owner);
bool plan_read_refusals(const struct reply *reply, struct fault *why) MUST_USE;

/* First question: what the type's text means exactly. Only where job->column_type is given. */
void plan_ask_type(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner);
/* Sets job->exact_type; false where the column exists with another type. */
bool plan_read_type(
	const struct reply *reply, struct job *job, const struct relation *relation, struct fault *why) MUST_USE;

/* Which statement of the probe says what. */
struct plan_probe {
	const char **about; /* for each statement: the job's column that it tries, or NULL */
	size_t count;
	size_t reads_at; /* 0: there is no fill expression */
	size_t missing_at;
};

/* Second question: do the expressions parse and fit, are they volatile, is the default fast? job->exact_type
 * is set. */
void plan_ask_probe(struct session *session, struct plan_probe *probe, const struct job *job,
	const struct relation *relation, session_answer *answer, void *owner);
/* Sets adopted, had_not_null, had_default, fast_default and volatile_value; false when the job cannot work.
 */
bool plan_read_probe(const struct reply *reply, const struct plan_probe *probe, struct job *job,
	const struct relation *relation, struct fault *why) MUST_USE;
void plan_probe_free(struct plan_probe *probe);

/* Only where there is a value: how would the server get it row for row, and may it? */
void plan_ask_value(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner);
/* EXPLAIN's JSON replaces *ret_plan, to be freed; NULL: the server could not say. False: the owner lacks a
 * right. */
bool plan_read_value(
	const struct reply *reply, const struct relation *relation, char **ret_plan, struct fault *why) MUST_USE;

/* Adds the statement that writes what may go wrong as step 0 of the plan. `value_plan`: of plan_read_value().
 */
void plan_add_outlook(struct script *script, const struct job *job, const char *value_plan);

/* Third question: how will be called what the job makes? Chosen once, kept in the row. */
void plan_ask_names(struct session *control, const struct job *job, session_answer *answer, void *owner);
/* False: the job is no longer held under this epoch. */
bool plan_read_names(const struct reply *reply, struct job *job) MUST_USE;

/* Writes findings and steps into the control tables. One transaction. */
void plan_store(struct session *control, const struct job *job, const struct relation *relation,
	const char *value_plan, session_answer *answer, void *owner);

/* False: the job is no longer held under this epoch, nothing was written. */
bool plan_read_stored(const struct reply *reply) MUST_USE;

#endif
