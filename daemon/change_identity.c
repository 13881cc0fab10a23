#include "daemon/change_inside.h"

#include "common/memory.h"
#include "common/quote.h"

#include <stdlib.h>

/* Whoever may write to the table may take a number, as from an identity. */
void change_add_helper(struct change_step *step, const struct job *job, struct text *sql)
{
	text_add(sql, "CREATE SEQUENCE ");
	job_add_helper(sql, job);
	text_addf(sql, " AS %s", job->exact_type);
	change_add_statement(step, sql);
	text_add(sql, "GRANT USAGE ON SEQUENCE ");
	job_add_helper(sql, job);
	text_add(sql, " TO PUBLIC");
	change_add_statement(step, sql);
}

/* Goes with the column, and into another schema or to another owner with the table. */
void change_own_helper(struct change_step *step, const struct job *job, struct text *sql)
{
	text_add(sql, "ALTER SEQUENCE ");
	job_add_helper(sql, job);
	text_addf(sql, " OWNED BY %s.", job->table_name);
	quote_name(sql, job->column_name);
	change_add_statement(step, sql);
}

static void add_alter_column(
	struct change_step *step, const struct job *job, const char *action, struct text *sql)
{
	change_start_alter(sql, job);
	text_add(sql, "ALTER COLUMN ");
	quote_name(sql, job->column_name);
	text_addf(sql, " %s", action);
	change_add_statement(step, sql);
}

/* Under the lock nobody takes a number any more, so the one read there is the last. */
static void add_continue(struct change_step *step, const struct job *job, struct text *sql)
{
	text_add(sql, "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(");
	quote_literal(sql, job->table_name);
	text_add(sql, ", ");
	quote_literal(sql, job->column_name);
	text_add(sql, "), h.last_value, h.is_called) FROM ");
	job_add_helper(sql, job);
	text_add(sql, " h");
	change_add_statement(step, sql);
}

static struct change_step step_identity(const struct job *job)
{
	struct change_step step = change_step_make(CHANGE_IDENTITY, "ACCESS EXCLUSIVE");
	char *generated = memory_textf("ADD GENERATED %s AS IDENTITY", job->identity);
	struct text sql = {0};

	add_alter_column(&step, job, "DROP DEFAULT", &sql);
	/* A column that owned two sequences would not say which of them it is. */
	text_add(&sql, "ALTER SEQUENCE ");
	job_add_helper(&sql, job);
	text_add(&sql, " OWNED BY NONE");
	change_add_statement(&step, &sql);
	add_alter_column(&step, job, generated, &sql);
	add_continue(&step, job, &sql);
	text_add(&sql, "DROP SEQUENCE ");
	job_add_helper(&sql, job);
	change_add_statement(&step, &sql);
	free(generated);
	text_free(&sql);
	return step;
}

bool change_next_identity(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!job->identity || relation->column_generated)
		return false;
	*ret_step = step_identity(job);
	return true;
}

void change_assume_identity(struct relation *relation)
{
	relation->column_generated = true;
	memory_set_text(&relation->column_default, NULL);
}
