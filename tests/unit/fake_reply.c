#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_inside.h"

#include <stdlib.h>
#include <string.h>

static const struct result *result_of(const struct reply *reply, size_t statement)
{
	if (!reply->rule || statement >= reply->script->count ||
		(reply->why.kind != FAULT_NONE && statement >= reply->failed_at))
		return NULL;
	for (const struct result *result = reply->rule->results; result; result = result->next)
		if (fake_contains(&reply->script->statements[statement], result->part))
			return result;
	return NULL;
}

const struct fault *reply_fault(const struct reply *reply)
{
	return reply->why.kind == FAULT_NONE ? NULL : &reply->why;
}

size_t reply_fault_at(const struct reply *reply)
{
	return reply->failed_at;
}

size_t reply_rows(const struct reply *reply, size_t statement)
{
	const struct result *result = result_of(reply, statement);

	return result ? result->rows : 0;
}

int64_t reply_affected(const struct reply *reply, size_t statement)
{
	const struct result *result = result_of(reply, statement);

	return result ? result->affected : 0;
}

const char *reply_text(const struct reply *reply, size_t statement, size_t row, const char *column)
{
	const struct result *result = result_of(reply, statement);

	if (!result || row >= result->rows) {
		fail_msg("no row %zu in what statement %zu was told to answer", row, statement);
		return NULL;
	}
	for (size_t i = 0; i < result->columns_count; i++)
		if (strcmp(result->columns[i], column) == 0)
			return result->values[row * result->columns_count + i];
	fail_msg("no column \"%s\" in what \"%s\" was told to answer", column, result->part);
	return NULL;
}

int64_t reply_int(
	const struct reply *reply, size_t statement, size_t row, const char *column, int64_t when_null)
{
	const char *text = reply_text(reply, statement, row, column);

	return text ? strtoll(text, NULL, 10) : when_null;
}

double reply_real(
	const struct reply *reply, size_t statement, size_t row, const char *column, double when_null)
{
	const char *text = reply_text(reply, statement, row, column);

	return text ? strtod(text, NULL) : when_null;
}

bool reply_bool(const struct reply *reply, size_t statement, size_t row, const char *column)
{
	const char *text = reply_text(reply, statement, row, column);

	return text && strcmp(text, "t") == 0;
}

size_t reply_columns(const struct reply *reply, size_t statement)
{
	const struct result *result = result_of(reply, statement);

	return result ? result->columns_count : 0;
}

const char *reply_text_at(const struct reply *reply, size_t statement, size_t row, size_t column)
{
	const struct result *result = result_of(reply, statement);

	if (!result || row >= result->rows || column >= result->columns_count) {
		fail_msg("no row %zu, column %zu in what statement %zu was told to answer", row, column, statement);
		return NULL;
	}
	return result->values[row * result->columns_count + column];
}

void reply_first_type(const struct reply *reply, size_t statement, uint32_t *ret_oid, int32_t *ret_modifier)
{
	const struct result *result = result_of(reply, statement);

	*ret_oid = result ? result->oid : 0;
	*ret_modifier = result ? result->modifier : -1;
}
