#include "tests/sim/scenarios.h"

/* What the forecast says at the end against what the run's own speed says. */
static void the_forecast_is_right(struct scene *scene)
{
	double pages_left = 1e6;
	double right_s = pages_left / scene->jobs[0].pages * scene->jobs[0].present_ms / 1e3;
	struct forecast_view view;

	forecast_read(&scene->forecast, pages_left, &view);
	if (view.earliest_s > right_s || view.latest_s < right_s)
		scene_complain(scene, "the forecast says %.0f to %.0f s, and it will take %.0f s", view.earliest_s,
			view.latest_s, right_s);
}

/* Time between batches is no work of the server's. */
static void hidden_turns(struct scene *scene)
{
	const struct sim_job *job = &scene->jobs[0];
	double part = job->executed_ms / job->present_ms;

	if (part < 0.97)
		scene_complain(scene, "batches executed for %.1f %% of the time", 100 * part);
}

static const struct scenario table[] = {
	{
		.name = "idle",
		.what = "on an idle server it runs at full speed",
		.seconds = 120,
		.replicas = {{.name = "standby1", .replay = STEADY(200), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.busy = 97, .throttled_most = 3, .lag_p99_ms = 50},
		.check = the_forecast_is_right,
	},
	{
		.name = "alone",
		.what = "without replicas it runs at full speed, with two connections",
		.seconds = 60,
		.foreground = STEADY(3),
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 2, JOB_USUAL}},
		.bounds = {.busy = 97, .throttled_most = 3},
	},
	{
		.name = "far_server",
		.what = "the daemon is 20 ms away from the server: volleys hide it",
		.seconds = 60,
		.foreground = STEADY(3),
		.fill = {FILL_PAGES_BUT_TURN, .turnaround_ms = 20},
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.busy = 97, .throttled_most = 3},
		.check = hidden_turns,
	},
	{
		.name = "step",
		.what = "the replica's rate falls to a third and comes back",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = {.at = {{0, 30}, {80, 10}, {160, 30}}}, REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 500, .lag_max_ms = 1100},
	},
	{
		.name = "images",
		.what = "a replica that replays page images faster than anything else, byte for byte",
		.seconds = 240,
		.foreground = STEADY(1),
		.replicas = {{.name = "standby1", .replay = STEADY(14), REPLICA_NEAR}},
		.fill = {FILL_PAGES, .image_replay = 1.0 / 6},
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 400, .lag_max_ms = 700},
	},
	{
		.name = "images_slower",
		.what = "the same becomes slower, stands still, and is as fast as before",
		.seconds = 300,
		.foreground = STEADY(1),
		.replicas = {{.name = "standby1",
			.replay = {.at = {{0, 14}, {80, 6}, {160, 14}, {220, 0}, {230, 14}}},
			REPLICA_NEAR}},
		.fill = {FILL_PAGES, .image_replay = 1.0 / 10},
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 93, .lag_p99_ms = 400, .lag_max_ms = 1000},
	},
	{
		.name = "stall",
		.what = "the replica stands still for 30 s",
		.seconds = 180,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = {.at = {{0, 30}, {60, 0}, {90, 30}}}, REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 500, .lag_max_ms = 700, .throttled_least = 56},
	},
	{
		.name = "slow_drain",
		.what = "the foreground outruns the replica for two minutes, then it drains",
		.seconds = 480,
		.foreground = {.at = {{0, 4}, {60, 12}, {180, 4}}},
		.replicas = {{.name = "standby1", .replay = STEADY(10), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 96, .lag_p99_ms = 500, .lag_max_ms = 650},
	},
	{
		.name = "noise",
		.what = "foreground and replay are noisy",
		.seconds = 300,
		.noise = 0.4,
		.seed = 11,
		.foreground = STEADY(6),
		.replicas = {{.name = "standby1", .replay = STEADY(25), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 90, .lag_p99_ms = 750, .lag_max_ms = 1650},
	},
	{
		.name = "hangs",
		.what = "the primary's disk hangs for 0.7 s again and again",
		.seconds = 240,
		.foreground = STEADY(3),
		.hangs = {.period_s = 10, .at = {{0, 0}, {5, 1}, {5.7, 0}}},
		.replicas = {{.name = "standby1", .replay = STEADY(30), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 90, .lag_p99_ms = 450, .lag_max_ms = 700},
	},
	{
		.name = "hangs_long",
		.what = "the primary's disk hangs for 8 s",
		.seconds = 120,
		.foreground = STEADY(3),
		.hangs = {.at = {{0, 0}, {60, 1}, {68, 0}}},
		.replicas = {{.name = "standby1", .replay = STEADY(30), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 87, .lag_p99_ms = 500, .lag_max_ms = 700},
	},
	{
		.name = "checkpoints",
		.what = "page images after checkpoints come in bursts",
		.seconds = 300,
		.foreground = STEADY(3),
		.image_factor = 5,
		.checkpoint_s = 60,
		.replicas = {{.name = "standby1", .replay = STEADY(30), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 500, .lag_max_ms = 800},
	},
	{
		.name = "added_far_behind",
		.what = "a replica is added 500 MB behind: it catches up first",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(60), REPLICA_NEAR},
			{.name = "standby2",
				.replay = STEADY(30),
				.absent = {.at = {{0, 1}, {60, 0}}},
				.behind_mb = 500,
				REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 91, .lag_p99_ms = 450, .lag_max_ms = 550},
	},
	{
		.name = "vanish",
		.what = "a replica vanishes for 40 s and returns",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1",
			.replay = STEADY(30),
			.absent = {.at = {{0, 0}, {60, 1}, {100, 0}}},
			REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 450, .lag_max_ms = 700, .throttled_least = 57},
	},
	{
		.name = "gone",
		.what = "a replica vanishes, and is no longer waited for after its grace",
		.seconds = 240,
		.replicas =
			{{.name = "standby1", .replay = STEADY(10), .absent = {.at = {{0, 0}, {60, 1}}}, REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 89, .lag_p99_ms = 300, .lag_max_ms = 450},
	},
	{
		.name = "flapping",
		.what = "a replica comes and goes every 20 s",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1",
			.replay = STEADY(30),
			.absent = {.period_s = 20, .at = {{0, 0}, {16, 1}}},
			REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 91, .lag_p99_ms = 400, .lag_max_ms = 700},
	},
	{
		.name = "hiccup",
		.what = "the replica stops for 0.7 s, every 5 s: the gate stays open",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1",
			.replay = {.period_s = 5, .at = {{0, 30}, {4.3, 0}}},
			REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 81, .lag_p99_ms = 500, .lag_max_ms = 700},
	},
	{
		.name = "stutter",
		.what = "the replica stops for a second, every 5 s: the gate closes each time, and after that the "
				"start is at half",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = {.period_s = 5, .at = {{0, 30}, {4, 0}}}, REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 70, .lag_p99_ms = 400, .lag_max_ms = 700},
	},
	{
		.name = "far_away",
		.what = "the replica is 100 ms away and reports twice a second",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(20), .transport_ms = 100, .report_ms = 500}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 93, .lag_p99_ms = 550, .lag_max_ms = 700},
	},
	{
		.name = "other_side",
		.what =
			"the replica is 0.3 s away, and 0.6 s behind because of that alone; once it stands still for 2 s",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1",
			.replay = {.at = {{0, 20}, {100, 0}, {102, 20}}},
			.transport_ms = 300,
			.report_ms = 20}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 74, .lag_p99_ms = 500, .lag_max_ms = 900},
	},
	{
		.name = "foreground_alone",
		.what = "the lag that the foreground causes alone is waited for",
		.seconds = 300,
		.foreground = {.period_s = 60, .at = {{0, 3}, {30, 28}, {40, 3}}},
		.replicas = {{.name = "standby1", .replay = STEADY(20), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 400, .lag_max_ms = 550},
	},
	{
		.name = "comes_and_goes",
		.what = "the foreground comes and goes",
		.seconds = 300,
		.foreground = {.period_s = 30, .at = {{0, 1}, {10, 15}, {20, 1}}},
		.replicas = {{.name = "standby1", .replay = STEADY(25), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 450, .lag_max_ms = 600},
	},
	{
		.name = "three_replicas",
		.what = "the slowest of three replicas sets the pace",
		.seconds = 180,
		.noise = 0.2,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(60), REPLICA_NEAR},
			{.name = "standby2", .replay = STEADY(25), .transport_ms = 30, .report_ms = 50},
			{.name = "standby3", .replay = {.at = {{0, 40}, {90, 15}}}, REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 2, JOB_USUAL}},
		.bounds = {.headroom = 91, .lag_p99_ms = 500, .lag_max_ms = 750},
	},
	{
		.name = "narrow_network",
		.what = "the network to the replica is what is slow",
		.seconds = 180,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(100), .feed_mb_per_s = 20, REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 450, .lag_max_ms = 550},
	},
};

struct scenarios scenarios_of_lag(void)
{
	return (struct scenarios){table, COUNT_OF(table)};
}

/* pace.md's: a replica of 25 MB/s with a drop to 10 and a stall of 30 s. */
const struct scenario scenarios_reference = {
	.name = "reference",
	.what = "900 s: a replica of 25 MB/s, a drop to 10, a stall of 30 s",
	.seconds = 900,
	.foreground = STEADY(4),
	.replicas = {{.name = "standby1",
		.replay = {.at = {{0, 25}, {300, 10}, {500, 25}, {650, 0}, {680, 25}}},
		REPLICA_NEAR}},
	.fill = FILL_USUAL,
	.jobs = {{.fillers = 1, JOB_USUAL}},
};
