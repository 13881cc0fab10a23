/*
 * progress: what a job's row says while it runs: waiting_for, rows, blocks, rate, ETA, lag, throttling.
 */
#ifndef BACKFILLD_DAEMON_PROGRESS_H
#define BACKFILLD_DAEMON_PROGRESS_H

#include "common/base.h"
#include "daemon/filling.h"
#include "daemon/forecast.h"
#include "daemon/task.h"

struct progress {
	struct forecast forecast;
	int64_t rows_estimate; /* -1: not known */
	int64_t throttled_ms;
	int64_t told_ms;            /* clock when the row was last written */
	int64_t throttled_since_ms; /* 0: not throttled */
};

/* `rows_estimate` and `throttled_ms`: as the row had them when the job was claimed. */
void progress_start(struct progress *progress, int64_t rows_estimate, int64_t throttled_ms, int64_t now_ms);

/* Writes the row, without waiting for an answer. `filling` is NULL in every other stage. */
void progress_tell(
	struct progress *progress, struct task *task, const struct filling *filling, int64_t now_ms);

#endif
