#include "daemon/progress.h"

#include "daemon/queue.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Another reason has to last so long, and after each that was told twice as long; until one has lasted for
 * the most. */
#define NEXT_AFTER_MS 2000
#define NEXT_AFTER_MOST_MS 64000

void progress_start(struct progress *progress, int64_t rows_estimate, int64_t throttled_ms)
{
	*progress = (struct progress){.rows_estimate = rows_estimate, .throttled_before_ms = throttled_ms};
}

void progress_clear(struct progress *progress)
{
	text_free(&progress->throttle_reason);
	text_free(&progress->next_reason);
}

static bool is_figure(char c)
{
	return isdigit((unsigned char)c) || c == '.';
}

/* What follows only adds to it: "replica a is 0.9 s behind, and one was more than 1.0 s". */
static bool is_cause(char c)
{
	return c && c != ',' && c != ';';
}

/* Other digits belong to names: standby12, db-2. */
static bool begins_figure(char before, char c)
{
	return isdigit((unsigned char)c) && !isalnum((unsigned char)before) && !strchr("-_.", before);
}

/* Do they differ in figures only? */
static bool same_reason(const char *a, const char *b)
{
	char before = ' ';

	while (is_cause(*a) || is_cause(*b)) {
		if (begins_figure(before, *a) && begins_figure(before, *b)) {
			while (is_figure(*a))
				a++;
			while (is_figure(*b))
				b++;
			before = '.';
			continue;
		}
		if (*a != *b)
			return false;
		before = *a;
		a++;
		b++;
	}
	return true;
}

static void tell_throttle(struct task *task, const char *kind, const char *detail, int64_t duration_ms)
{
	queue_tell(task->control, &task->job,
		&(struct queue_event){
			.kind = kind, .detail = detail, .lock_wait_ms = -1, .duration_ms = duration_ms, .rows = -1},
		NULL, NULL);
}

static bool is_throttled(const struct progress *progress)
{
	return progress->throttle_reason.length > 0;
}

static void begin_throttle(struct progress *progress, struct task *task, const char *reason, int64_t since_ms)
{
	progress->throttled_since_ms = progress->steady_since_ms = since_ms;
	text_clear(&progress->throttle_reason);
	text_add(&progress->throttle_reason, reason);
	text_clear(&progress->next_reason);
	tell_throttle(task, "throttle on", reason, -1);
}

static void end_throttle(struct progress *progress, struct task *task, int64_t now_ms)
{
	tell_throttle(
		task, "throttle off", text_is(&progress->throttle_reason), now_ms - progress->throttled_since_ms);
	text_clear(&progress->throttle_reason);
}

/* Has another reason than the one that was told lasted long enough? */
static bool is_next_due(struct progress *progress, const char *reason, int64_t now_ms)
{
	if (same_reason(reason, text_is(&progress->throttle_reason))) {
		if (progress->next_reason.length > 0)
			progress->steady_since_ms = now_ms;
		text_clear(&progress->next_reason);
		return false;
	}
	if (!same_reason(reason, text_is(&progress->next_reason))) {
		text_clear(&progress->next_reason);
		text_add(&progress->next_reason, reason);
		progress->next_since_ms = now_ms;
	}
	return now_ms - progress->next_since_ms >= progress->next_after_ms;
}

/* After the reason that was told until now. */
static int64_t next_after_ms(const struct progress *progress)
{
	if (progress->next_since_ms - progress->steady_since_ms >= NEXT_AFTER_MOST_MS)
		return NEXT_AFTER_MS;
	return progress->next_after_ms < NEXT_AFTER_MOST_MS ? 2 * progress->next_after_ms : NEXT_AFTER_MOST_MS;
}

bool progress_throttle(
	struct progress *progress, struct task *task, const char *reason_or_null, int64_t now_ms)
{
	const char *reason = reason_or_null && reason_or_null[0] ? reason_or_null : "it is not said why";

	if (!is_throttled(progress) && !reason_or_null)
		return false;
	if (!is_throttled(progress)) {
		progress->next_after_ms = NEXT_AFTER_MS;
		begin_throttle(progress, task, reason, now_ms);
		return true;
	}
	if (!reason_or_null) {
		end_throttle(progress, task, now_ms);
		return true;
	}
	if (!is_next_due(progress, reason, now_ms))
		return false;
	progress->next_after_ms = next_after_ms(progress);
	end_throttle(progress, task, progress->next_since_ms);
	begin_throttle(progress, task, reason, progress->next_since_ms);
	return true;
}

/* As the filling has measured it: a throttle that is on lets a batch go now and then. */
static int64_t throttled_ms(const struct progress *progress)
{
	return progress->throttled_before_ms + progress->throttled_measured_ms;
}

/* Left out where it is not known or there is no limit. */
static void add_figure(struct text *json, const char *name, double figure)
{
	if (isfinite(figure) && figure >= 0.0)
		text_addf(json, ", \"%s\": %.*f", name, figure < 10.0 ? 3 : 1, figure);
}

static void describe(
	const struct forecast_view *view, const struct filling_progress *filled, struct text *json)
{
	const struct pace_view *pace = &filled->pace;

	text_addf(json, "{\"state\": \"%s\"", forecast_state_name(view->state));
	add_figure(json, "rows_per_s_60s", view->rows_per_s);
	add_figure(json, "rows_per_s_15min", view->rows_per_s_15min);
	add_figure(json, "capacity_bytes_per_s", pace->capacity);
	add_figure(json, "allowance_bytes_per_s", pace->allowance);
	add_figure(json, "foreground_bytes_per_s", pace->foreground);
	add_figure(json, "share_bytes_per_s", pace->share);
	text_addf(json, ", \"impact\": \"%s\"", pace->impact_told);
	if (isfinite(pace->impact)) /* the application may well be faster than its baseline */
		text_addf(json, ", \"impact_percent\": %.1f", pace->impact);
	add_figure(json, "batches_at_once", pace->duty);
	if (filled->batch_pages > 0.0)
		add_figure(json, "batch_pages", filled->batch_pages);
	text_add(json, "}");
}

static void add_filling(struct progress *progress, const struct task *task,
	const struct filling_progress *filled, int64_t now_ms, struct forecast_view *view,
	struct queue_report *report)
{
	bool is_open = job_in_window(&task->job, now_ms);
	double done = (double)filled->pages_done;

	if (is_open && progress->noted_ms != 0)
		progress->open_ms += now_ms - progress->noted_ms;
	progress->noted_ms = now_ms;
	forecast_note(&progress->forecast, progress->open_ms, filled->sweep, filled->rows, done);
	forecast_read(&progress->forecast, (double)filled->pages_total - done, view);
	report->blocks_done = filled->sweep == 0 ? filled->pages_done : filled->pages_total;
	report->blocks_total = filled->pages_total;
	report->rows_per_s = is_open ? view->rows_per_s : 0.0;
	report->seconds_left = view->middle_s;
	report->earliest_s = view->earliest_s;
	report->latest_s = view->latest_s;
}

void progress_tell(
	struct progress *progress, struct task *task, const struct filling_progress *filled, int64_t now_ms)
{
	const struct relation *relation = &task->relation;
	bool passed = task->job.stage > STAGE_FILLING && task->job.stage <= STAGE_DONE;
	struct forecast_view view;
	struct text json = {0};
	struct queue_report report = {
		.waiting_for = task->waiting_for.length > 0 ? text_is(&task->waiting_for) : NULL,
		.rows_estimate = relation->rows >= 0 ? (int64_t)relation->rows : progress->rows_estimate,
		.blocks_done = passed ? relation->pages : 0,
		.blocks_total = relation->pages,
		.rows_per_s = -1,
		.seconds_left = -1,
		.earliest_s = -1,
		.latest_s = -1,
		.lag_ms = monitor_lag_ms(task->monitor),
	};

	progress_throttle(progress, task, filled && filled->throttled ? filled->throttle_reason : NULL, now_ms);
	if (filled) {
		if (filled->throttled_ms > progress->throttled_measured_ms)
			progress->throttled_measured_ms = filled->throttled_ms;
		add_filling(progress, task, filled, now_ms, &view, &report);
		describe(&view, filled, &json);
		report.forecast = text_is(&json);
	}
	if (!filled && task->doing.length > 0)
		report.doing = text_is(&task->doing);
	report.throttled_ms = throttled_ms(progress);
	queue_tell_progress(task->control, &task->job, &report);
	text_free(&json);
}

void progress_end(
	struct progress *progress, struct task *task, const struct filling_progress *filled, int64_t now_ms)
{
	struct filling_progress last = *filled;

	last.throttled = false;
	progress_tell(progress, task, &last, now_ms);
	progress->throttled_before_ms = throttled_ms(progress);
	progress->throttled_measured_ms = 0;
}

void progress_describe(const struct job *job, const struct filling_progress *filled, struct text *line)
{
	text_addf(
		line, "job %" PRId64 " %s.%s %s", job->id, job->table_name, job->column_name, stage_name(job->stage));
	if (!filled)
		return;
	if (filled->sweep == 0 && filled->pages_total > 0)
		text_addf(line, " %.0f %%", 100.0 * (double)filled->pages_done / (double)filled->pages_total);
	else
		text_addf(line, " (sweep %d)", filled->sweep);
}
