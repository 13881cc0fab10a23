#!/usr/bin/env bash
# Every way through a job's life, held, stopped, taken back and told: a row of the README's table each.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"
# shellcheck source=tests/server/matrix_lib.sh
. "$TOP/tests/server/matrix_lib.sh"

matrix_world
sql -U shop_owner main "CREATE TABLE looked (job text, what text, said text)"

# What the job shows at this phase: the checks look at it at the end. WHAT EXPRESSION
look() {
	phase "INSERT INTO looked SELECT '{t}', '$1', ($2)::text FROM backfill.job j WHERE j.name = '{t}'"
}

saw() {
	right "EXISTS (SELECT FROM looked WHERE job = '{t}' AND what = '$1' AND said ~ '$2')"
}

steer() {
	phase "UPDATE backfill.job SET wanted = '$1' WHERE name = '{t}'"
}

has_column="EXISTS (SELECT FROM pg_attribute WHERE attrelid = '{t}'::regclass AND attname = 'v' AND NOT attisdropped)"
whole=(column_type=text value='upper(name)' default_expr="'new'" not_null=true)

feature "hold_before add: the dry run"
job "${whole[@]}" hold_before='{add}'
look held "concat_ws(' ', stage, waiting_for, (SELECT count(*) > 1 FROM backfill.plan_step p WHERE p.job_id = j.id), $has_column)"
phase "SELECT backfill.proceed({id})"
saw held '^planning held before add.* t f$'
every "v IN (upper(name), 'new')"

feature "hold_before fill"
job "${whole[@]}" hold_before='{fill}'
look held "concat_ws(' ', stage, waiting_for, (SELECT count(*) FROM {t} WHERE v = upper(name)))"
phase "SELECT backfill.proceed({id})"
saw held '^adding held before fill.* 0$'
every "v IN (upper(name), 'new')"

feature "hold_before seal, with the evidence"
job column_type=text value='upper(name)' not_null=true hold_before='{seal}'
look held "concat_ws(' ', stage, waiting_for)"
phase "SELECT backfill.proceed({id})"
saw held '^(filling|indexing) held before seal'
every "v = upper(name)"

feature "seal_after_quiet: lets go by itself"
unwritten
job column_type=text value='upper(name)' not_null=true hold_before='{seal}' seal_after_quiet='1 s'
phase "CALL backfill.wait_for('{t}', 'done', '20 s')"
every "v = upper(name)"

feature "depends_on"
job "${whole[@]}" depends_on='{{t}_first}'
look waits "concat_ws(' ', stage, waiting_for)"
phase "INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('{t}_first', 'org', 'c_{t}', 'int')"
phase "CALL backfill.wait_for('{t}', 'done', '20 s')"
saw waits '^queued .*{t}_first'
right "(SELECT j.started_at >= f.finished_at FROM backfill.job j, backfill.job f WHERE j.name = '{t}' AND f.name = '{t}_first')"

feature "not_before"
job "${whole[@]}" not_before='2100-01-01'
look waits "concat_ws(' ', stage, waiting_for)"
phase "UPDATE backfill.job SET not_before = NULL WHERE name = '{t}'"
saw waits '^queued not before 2100'

feature "wait_for: for deploy scripts"
job "${whole[@]}"
phase "CALL backfill.wait_for('{t}', 'done', '10 s')"
right "(SELECT stage = 'done' FROM backfill.job WHERE name = '{t}')"

feature "pause, then run"
job "${whole[@]}" wanted=pause
look paused "concat_ws(' ', stage, waiting_for)"
steer run
saw paused '^queued paused'
every "v IN (upper(name), 'new')"

feature "cancel: the column and its values stay"
job "${whole[@]}" hold_before='{seal}'
steer cancel
ends cancelled
right "(SELECT count(*) >= 1500 FROM {t} WHERE v = upper(name))"

feature "cancel, then run: goes on where it stopped"
job "${whole[@]}" hold_before='{seal}'
steer cancel
phase "UPDATE backfill.job SET wanted = 'run' WHERE name = '{t}'"
phase "SELECT backfill.proceed({id})"
every "id >= 1000000 OR v = upper(name)"
right "NOT EXISTS (SELECT FROM {t} WHERE v IS NULL)"

feature "roll_back from a hold"
job "${whole[@]}" hold_before='{seal}'
steer roll_back
ends rolled_back
right "NOT $has_column"

feature "roll_back of what is done"
job "${whole[@]}"
steer roll_back
ends rolled_back
right "NOT $has_column"

feature "roll_back of constraints and index"
job column_type=int value=id not_null=true is_unique=true check_expr='v >= 0' foreign_key='standard(id) ON DELETE CASCADE' index=btree
unwritten
steer roll_back
ends rolled_back
right "NOT $has_column"
right "(SELECT count(*) = 1 FROM pg_index WHERE indrelid = '{t}'::regclass)"

feature "roll_back of an adopted column: it keeps its old self"
table "CREATE TABLE {t} (LIKE standard INCLUDING ALL, v text DEFAULT 'own'); INSERT INTO {t} SELECT s.*, CASE WHEN id % 2 = 0 THEN 'old' END FROM standard s"
job value='upper(name)' not_null=true
steer roll_back
ends rolled_back
right "$has_column"
right "(SELECT NOT attnotnull AND atthasdef FROM pg_attribute WHERE attrelid = '{t}'::regclass AND attname = 'v')"
right "(SELECT count(*) = 750 FROM {t} WHERE v = 'old')"

feature "roll_back, then run: forward again"
job "${whole[@]}"
steer roll_back
steer run
every "v IN (upper(name), 'new')"
right "$has_column"

feature "a failed job goes on when it is told to run"
job column_type=text value='CASE WHEN id <> 700 THEN name END' not_null=true
look failed "concat_ws(' ', stage, error_code)"
phase "UPDATE {t} SET v = 'mended' WHERE id = 700; UPDATE backfill.job SET wanted = 'run' WHERE name = '{t}'"
saw failed '^failed 23502'
right "NOT EXISTS (SELECT FROM {t} WHERE v IS NULL AND at < {sealed})"

feature "pause_all and resume_all"
job "${whole[@]}" hold_before='{fill}'
for _ in {1..4}; do phase ""; done # all jobs are paused, so the others' ways come first
phase_as_superuser "SELECT backfill.pause_all()"
look paused "waiting_for"
phase_as_superuser "SELECT backfill.resume_all()"
phase "SELECT backfill.proceed({id})"
saw paused paused

feature "a live job cannot be deleted"
job "${whole[@]}" hold_before='{fill}'
look refused "1"
phase_as_superuser "DO \$do\$ BEGIN DELETE FROM backfill.job WHERE name = '{t}'; INSERT INTO looked VALUES ('{t}', 'delete', 'deleted');
	EXCEPTION WHEN OTHERS THEN INSERT INTO looked VALUES ('{t}', 'delete', SQLSTATE); END \$do\$"
phase "SELECT backfill.proceed({id})"
saw delete '^55'

feature "history: the whole story"
job "${whole[@]}"
right "(SELECT string_agg(h::text, ' ') ~ 'ADD COLUMN.*SET NOT NULL' OR string_agg(h::text, ' ') ~ 'ADD COLUMN.*NOT NULL' FROM backfill.history('{t}') h)"

feature "as_sql: the same by hand"
unwritten
job "${whole[@]}"
phase "CREATE TABLE {t}_twin (LIKE standard INCLUDING ALL); INSERT INTO {t}_twin SELECT * FROM standard"
right "backfill.as_sql({id}) ~ 'ADD COLUMN' AND backfill.as_sql({id}) ~ 'NOT NULL'"

matrix_run
