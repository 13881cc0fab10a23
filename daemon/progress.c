#include "daemon/progress.h"

#include "daemon/queue.h"

void progress_start(struct progress *progress, int64_t rows_estimate, int64_t throttled_ms, int64_t now_ms)
{
	*progress = (struct progress){
		.rows_estimate = rows_estimate,
		.throttled_ms = throttled_ms,
		.told_ms = now_ms,
	};
}

static void tell_throttle(struct task *task, const char *kind, const char *detail, int64_t duration_ms)
{
	queue_tell(task->control, &task->job,
		&(struct queue_event){
			.kind = kind, .detail = detail, .lock_wait_ms = -1, .duration_ms = duration_ms, .rows = -1},
		NULL, NULL);
}

static void note_throttle(
	struct progress *progress, struct task *task, const struct filling_progress *filled, int64_t now_ms)
{
	if (filled->throttled) {
		progress->throttled_ms += now_ms - progress->told_ms;
		if (progress->throttled_since_ms != 0)
			return;
		progress->throttled_since_ms = now_ms;
		tell_throttle(task, "throttle on", filled->throttle_reason, -1);
	} else if (progress->throttled_since_ms != 0) {
		tell_throttle(task, "throttle off", NULL, now_ms - progress->throttled_since_ms);
		progress->throttled_since_ms = 0;
	}
}

static void add_filling(struct progress *progress, struct task *task, const struct filling *filling,
	int64_t now_ms, struct queue_report *report)
{
	struct filling_progress filled;

	filling_read_progress(filling, &filled);
	forecast_note(&progress->forecast, now_ms, filled.rows, (double)filled.pages_done);
	note_throttle(progress, task, &filled, now_ms);
	report->blocks_done = filled.sweep == 0 ? filled.pages_done : filled.pages_total;
	report->blocks_total = filled.pages_total;
	report->rows_per_s = forecast_rows_per_s(&progress->forecast);
	if (filled.sweep == 0)
		report->seconds_left =
			forecast_seconds_left(&progress->forecast, (double)(filled.pages_total - filled.pages_done));
}

void progress_tell(
	struct progress *progress, struct task *task, const struct filling *filling, int64_t now_ms)
{
	const struct relation *relation = &task->relation;
	bool filled = task->job.stage > STAGE_FILLING && task->job.stage <= STAGE_DONE;
	struct queue_report report = {
		.waiting_for = task->waiting_for.length > 0 ? text_is(&task->waiting_for) : NULL,
		.rows_estimate = relation->rows >= 0 ? (int64_t)relation->rows : progress->rows_estimate,
		.blocks_done = filled ? relation->pages : 0,
		.blocks_total = relation->pages,
		.rows_per_s = -1,
		.seconds_left = -1,
		.lag_ms = monitor_lag_ms(task->monitor),
	};

	if (filling)
		add_filling(progress, task, filling, now_ms, &report);
	report.throttled_ms = progress->throttled_ms;
	progress->told_ms = now_ms;
	queue_tell_progress(task->control, &task->job, &report);
}
