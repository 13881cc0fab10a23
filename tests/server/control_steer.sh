#!/usr/bin/env bash
# What a stage answers to a wish, cell by cell, with no daemon: stages are set as the control login would.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

control_cluster
job=$(enqueue shop_owner main orders v text)

# at_stage STAGE [RESUME_STAGE]: the job as a daemon would have left it there.
at_stage() {
	sql -U backfilld main "UPDATE backfill.job SET stage = '$1', resume_stage = nullif('${2:-}', ''), waiting_for = 'before',
		error = CASE '$1' WHEN 'failed' THEN 'no' END, error_code = NULL, finished_at = CASE WHEN '$1' ~ 'ed\$|done' THEN now() END WHERE id = $job"
}

# Each line: STAGE[:RESUME_STAGE], then what run, pause, cancel and roll_back lead to: a stage or an error, and with a ! that the
# wish itself is not kept; = is as before, and the wish is kept for the daemon.
while read -r stage answers; do
	wishes=(run pause cancel roll_back)
	for answer in $answers; do
		wish=${wishes[0]}
		wishes=("${wishes[@]:1}")
		at_stage "${stage%:*}" "$([[ $stage == *:* ]] && echo "${stage#*:}")"
		steer="BEGIN; UPDATE backfill.job SET wanted = '$wish' WHERE id = $job RETURNING stage, wanted; ROLLBACK"
		if [[ $answer =~ ^[0-9] ]]; then
			expect_error "$stage, $wish: refused" "$answer" 'DETAIL:.*HINT:' -U shop_owner "$steer"
			continue
		fi
		kept=$wish
		if [[ $answer == *! ]]; then
			kept=run
		elif [[ $answer == rolling_back && $wish == run ]]; then
			kept=roll_back
		fi
		reached=${answer%!}
		expect_sql "$stage, $wish: ${reached/#=/stays}" "${reached/#=/${stage%:*}}|$kept" -U shop_owner "$steer"
	done
done <<'WISHES'
queued              =            =     cancelled rolled_back
planning            =            =     cancelled rolled_back
adding              =            =     =         rolling_back
filling             =            =     =         rolling_back
indexing            =            =     =         rolling_back
sealing             =            =     =         rolling_back
analyzing           =            =     =         rolling_back
failed:queued       queued       =     cancelled rolled_back
failed:planning     planning     =     cancelled rolled_back
failed:sealing      sealing      =     sealing   rolling_back
failed:rolling_back rolling_back =     adding    rolling_back
done                =!           =!    55000     rolling_back
cancelled           queued       =!    =!        rolled_back
cancelled:adding    adding       =!    =!        rolling_back
rolling_back        55000        =     55000     =
rolled_back         planning     =!    =!        =!
WISHES

# What each way out of a stage leaves in the row
at_stage failed planning
expect_sql "a cancelled job has no error, an end, and knows where to go on" "cancelled||||planning|t" -U shop_owner \
	"UPDATE backfill.job SET wanted = 'cancel' RETURNING stage, error, error_code, waiting_for, resume_stage, finished_at IS NOT NULL"
expect_sql "and goes on there" "planning|run||f" -U shop_owner \
	"UPDATE backfill.job SET wanted = 'run' RETURNING stage, wanted, resume_stage, finished_at IS NOT NULL"
at_stage failed rolling_back
expect_sql "a failed roll-back that is to run goes on rolling back" "rolling_back|roll_back|||" -U shop_owner \
	"UPDATE backfill.job SET wanted = 'run' RETURNING stage, wanted, resume_stage, error, finished_at"

sql -U backfilld main "
	UPDATE backfill.job SET object_names = '{\"index\": \"i\"}', had = '{\"not_null\": true}', rows_filled = 7, blocks_done = 3, blocks_total = 3,
		released = '{fill}', helped = 4, last_helped_at = now(), helped_by = 'shop', adopted = true, wanted = 'roll_back';
	INSERT INTO backfill.walk (job_id, relation) VALUES ($job, 1);
	INSERT INTO backfill.leaf (job_id, relation, first_page, pages) VALUES ($job, 1, 0, 3);
	INSERT INTO backfill.plan_step (job_id, step, statement) VALUES ($job, 1, 'SELECT');
	INSERT INTO backfill.bookmark (job_id, filler, epoch, login, relation, window_from, window_to, passes, pass, page) VALUES ($job, 0, 1, 'x', 1, 0, 1, 1, 0, 0)"
at_stage rolled_back
expect_sql "a job that was rolled back begins anew" "planning|run|{}|{}|0|0||{}|0||f" -U shop_owner "UPDATE backfill.job SET wanted = 'run'
	RETURNING stage, wanted, object_names, had, rows_filled, blocks_done, blocks_total, released, helped, last_helped_at, adopted"
expect_sql "and nothing is left of the first time" "0|0|0|0" "SELECT (SELECT count(*) FROM backfill.walk), (SELECT count(*) FROM backfill.leaf),
	(SELECT count(*) FROM backfill.plan_step), (SELECT count(*) FROM backfill.bookmark)"
expect_sql "it is told" "shop_owner|steer|stage: from rolled_back to planning" "SELECT actor, kind, detail FROM backfill.event WHERE detail LIKE 'stage:%' ORDER BY id DESC LIMIT 1"

# A claimed job has begun
at_stage queued
sql -U backfilld main "INSERT INTO backfill.claim (job_id, root_oid, holder, epoch, lease_until) SELECT id, table_oid, 'here', 1, now() FROM backfill.job"
for wish in cancel roll_back; do
	expect_sql "a claimed job has begun, and is left to who has claimed it: $wish" "queued|$wish" -U shop_owner "UPDATE backfill.job SET wanted = '$wish' RETURNING stage, wanted"
done
sql -U backfilld main "DELETE FROM backfill.claim"

# One live job a column
at_stage cancelled
other=$(enqueue shop_owner other orders v text)
expect_error "a cancelled job cannot go on beside a live one" 23505 "has a live job already.*job $other \"other\", in stage queued, so that job $job cannot go to queued.*wanted = 'cancel' WHERE id = $other" \
	-U shop_owner "UPDATE backfill.job SET wanted = 'run' WHERE id = $job"
at_stage rolled_back
expect_error "nor one that was rolled back" 23505 "has a live job already" -U shop_owner "UPDATE backfill.job SET wanted = 'run' WHERE id = $job"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel' WHERE id = $other"
expect_sql "once that one has ended it can" planning -U shop_owner "UPDATE backfill.job SET wanted = 'run' WHERE id = $job RETURNING stage"
expect_error "then the other cannot" 23505 "job $job \"main\", in stage planning.*backfill.status WHERE id = $job" -U shop_owner "UPDATE backfill.job SET wanted = 'run' WHERE id = $other"

# Two ended jobs on one column: what the later one has built upon stays until that is taken back
sql -U backfilld main "UPDATE backfill.job SET stage = 'done', finished_at = now() WHERE id IN ($job, $other)"
expect_error "the earlier one is not rolled back under the later" 55000 "job $job cannot be rolled back under job $other.*wanted = 'roll_back' WHERE id = $other" \
	-U shop_owner "UPDATE backfill.job SET wanted = 'roll_back' WHERE id = $job"
expect_sql "the later one is" rolling_back -U shop_owner "UPDATE backfill.job SET wanted = 'roll_back' WHERE id = $other RETURNING stage"
