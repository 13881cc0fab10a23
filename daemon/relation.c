#include "daemon/relation.h"

#include <stdlib.h>

void relation_clear(struct relation *relation)
{
	free(relation->table_name);
	free(relation->schema_name);
	free(relation->owner);
	free(relation->update_triggers);
	free(relation->update_rules);
	free(relation->function_name);
	free(relation->publication);
	free(relation->key_columns);
	free(relation->stored_generated);
	free(relation->column_type);
	free(relation->column_default);
	free(relation->not_null_unvalidated);
	*relation = (struct relation){0};
}
