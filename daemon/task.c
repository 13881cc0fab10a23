#include "daemon/task.h"

#include <string.h>

bool task_may_retry(const struct fault *why)
{
	return why->kind == FAULT_BUSY || why->kind == FAULT_LINK || why->kind == FAULT_SCARCE;
}

void task_wait_for(struct task *task, const char *sentence_or_null)
{
	const char *sentence = sentence_or_null ? sentence_or_null : "";

	if (strcmp(text_is(&task->waiting_for), sentence) == 0)
		return;
	text_clear(&task->waiting_for);
	text_add(&task->waiting_for, sentence);
}

struct log_about task_about(const struct task *task)
{
	return (struct log_about){
		.database = task->database,
		.job = task->job.id,
		.table = task->job.table_name,
		.stage = stage_name(task->job.stage),
	};
}
