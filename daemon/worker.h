/*
 * worker: one job, from claimed to done, failed or put down.
 *
 *	claimed → catalogue → worker session, put on record after a former holder's have ended → stage → stage → …
 * → put down
 *
 * The row in the database is the state: a job that is paused or held is simply put down, and claimed again
 * when it may go on; so is one whose daemon stops or dies.
 */
#ifndef BACKFILLD_DAEMON_WORKER_H
#define BACKFILLD_DAEMON_WORKER_H

#include "common/base.h"
#include "common/text.h"
#include "daemon/monitor.h"
#include "daemon/options.h"
#include "daemon/presence.h"
#include "daemon/queue.h"

struct worker;

struct worker_context {
	struct loop *loop;
	struct session *control;
	struct monitor *monitor;
	struct presence *presence;
	struct pace *pace;
	const struct options *options;
	const struct options_database *database;
	int server_version;
	int64_t window_pages; /* as in struct task */
	int64_t shared_buffers;
};

/* The worker has put its job down; `failed`: the job failed. The callback may free the worker. */
typedef void worker_ended(void *owner, struct worker *worker, bool failed);

/* `context` is on loan for the worker's life; the job was claimed under `epoch`; `entry` is copied. */
struct worker *worker_new(const struct worker_context *context, const struct queue_entry *entry,
	int64_t epoch, worker_ended *ended, void *owner) MUST_USE;
void worker_free(struct worker *worker);

/* What the user's row says now: knobs take effect, a pause stops within a batch or two. So does a wish to
 * cancel the job or to roll it back: that is for a claim of its own. */
void worker_update(struct worker *worker, const struct queue_entry *entry);

/* Puts the job down, resumable: batches under way are answered or cancelled first. */
void worker_stop(struct worker *worker);

/* The claim is somebody else's: stops without another write. */
void worker_abandon(struct worker *worker);

int64_t worker_job_id(const struct worker *worker) MUST_USE;

/* Adds a line of progress: "job 7 public.users.email filling 61 %". */
void worker_describe(const struct worker *worker, struct text *line);

#endif
