#!/usr/bin/env bash
# What is taken back and what is not: columns that were there before, derived ones, columns that others depend on, columns
# that somebody else has made; and a daemon that is killed while it cancels or rolls back.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
daemon_option jobs_at_once 16
owner() {
	sql -U shop_owner main "$1"
}
table() { # NAME [MORE]
	owner "CREATE TABLE $1 (id int PRIMARY KEY, name text${2:+, $2}); INSERT INTO $1 (id, name) SELECT g, 'n' || g FROM generate_series(1, 500) g; ANALYZE $1"
}
kept() { # NAME: the sentences of the history about what stays
	sql main "SELECT detail FROM backfill.event WHERE name = '$1' AND kind = 'kept' ORDER BY id DESC LIMIT 1"
}

note "columns that were there before"
for end in cancel roll_back; do
	for at in sealed "done"; do
		if [[ $end == cancel && $at == "done" ]]; then continue; fi
		table "plain_${end}_$at" "v text"
		table "full_${end}_$at" "v text DEFAULT 'd' NOT NULL"
	done
done
declare -A old=()
for job in plain full; do
	old[$job]=$(shape "${job}_cancel_sealed" | sed "s/${job}_cancel_sealed/T/g")
done
daemon_start
for job in plain_cancel_sealed plain_roll_back_sealed plain_roll_back_done; do
	enqueue "$job" table_name="$job" column_name=v value='upper(name)' default_expr="'new'" not_null=true \
		hold_before="$([[ $job == *sealed ]] && echo '{seal}' || echo '{}')"
done
for job in full_cancel_sealed full_roll_back_sealed full_roll_back_done; do
	enqueue "$job" table_name="$job" column_name=v value='upper(name)' sync=derive not_null=true \
		hold_before="$([[ $job == *sealed ]] && echo '{seal}' || echo '{}')"
done
jobs_settle 30
for job in plain full; do
	expect_sql "$job: done" "done" "SELECT stage FROM backfill.job WHERE name = '${job}_roll_back_done'"
	steer "${job}_cancel_sealed" "wanted = 'cancel'"
	steer "${job}_roll_back_sealed" "wanted = 'roll_back'"
	steer "${job}_roll_back_done" "wanted = 'roll_back'"
done
for at in sealed "done"; do
	for job in plain full; do
		job_ends "${job}_roll_back_$at" rolled_back 20
		expect_equal "$job, rolled back from $at: it has its old self" "${old[$job]}" "$(shape "${job}_roll_back_$at" | sed "s/${job}_roll_back_$at/T/g")"
		expect_sql "... and keeps its values" 500 "SELECT count(*) FROM ${job}_roll_back_$at WHERE v = upper(name)"
		expect_match "... which the history says" 'column v was there before the job and stays.*500 rows were filled' "$(kept "${job}_roll_back_$at")"
	done
done
for job in plain full; do
	job_ends "${job}_cancel_sealed" cancelled 20
	expect_sql "$job, cancelled: the values stay, the triggers are gone" "500|0" "SELECT count(*) FILTER (WHERE v = upper(name)),
		(SELECT count(*) FROM pg_trigger WHERE tgrelid = '${job}_cancel_sealed'::regclass) FROM ${job}_cancel_sealed"
	expect_match "... which the history says" 'column v stays.*500 rows were filled.*triggers are gone' "$(kept "${job}_cancel_sealed")"
done

note "a cancel that is thought better of, half-way: its triggers are gone, and rows are written without them"
sql main "
	CREATE FUNCTION public.not_yet() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = 'not yet';
	END \$\$;
	CREATE TRIGGER zz_not_yet BEFORE UPDATE ON backfill.job FOR EACH ROW WHEN (NEW.stage = 'cancelled') EXECUTE FUNCTION public.not_yet()"
for job in better_fill better_index better_derive; do
	table "$job"
	case $job in
	better_fill) enqueue "$job" table_name="$job" column_name=v column_type=text value='upper(name)' not_null=true hold_before='{seal}' ;;
	better_index) enqueue "$job" table_name="$job" column_name=v column_type=text value='upper(name)' index=btree hold_before='{seal}' ;;
	better_derive) enqueue "$job" table_name="$job" column_name=v column_type=text value='upper(name)' sync=derive index=hash hold_before='{seal}' ;;
	esac
	says "$job" '^held before seal'
	steer "$job" "wanted = 'cancel'"
done
for job in better_fill better_index better_derive; do
	wait_until 20 "the triggers of $job are gone" "SELECT count(*) = 0 FROM pg_trigger WHERE tgrelid = '$job'::regclass"
	owner "INSERT INTO $job (id, name) SELECT g, 'm' || g FROM generate_series(501, 600) g; UPDATE $job SET v = NULL WHERE id <= 50"
	steer "$job" "wanted = 'pause'"
	says "$job" '^paused'
	steer "$job" "hold_before = '{}', wanted = 'run'"
done
sql main "DROP TRIGGER zz_not_yet ON backfill.job; DROP FUNCTION public.not_yet()"
for job in better_fill better_index better_derive; do
	job_reaches "$job" "done" 30
	expect_sql "$job: run goes on, and every row has its value" 600 "SELECT count(*) FROM $job WHERE v = upper(name)"
done

note "others depend on the column"
table viewed
enqueue viewed table_name=viewed column_name=v column_type=text value='upper(name)' sync=derive
job_reaches viewed "done" 20
owner "CREATE VIEW looks AS SELECT v FROM viewed"
steer viewed "wanted = 'roll_back'"
job_ends viewed failed 20
expect_failed "the job fails, names it and says what to do" viewed rolling_back 'view looks depends on column v of table viewed.*2BP01.*Drop what depends on column v'
expect_sql "... what was taken back already stays away" 0 "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'viewed'::regclass"
owner "DROP VIEW looks"
again viewed
job_ends viewed rolled_back 20
expect_equal "... and it goes on once nobody does" "$(shape viewed | grep -c "column v")" 0

table pointed_at
enqueue pointed_at table_name=pointed_at column_name=v column_type=text value='upper(name)' is_unique=true
job_reaches pointed_at "done" 20
owner "CREATE TABLE points (v text REFERENCES pointed_at (v))"
steer pointed_at "wanted = 'roll_back'"
job_ends pointed_at failed 20
expect_failed "a foreign key to it, too" pointed_at rolling_back 'points_v_fkey on table points depends.*2BP01.Drop what depends on column v'
owner "DROP TABLE points"
again pointed_at
job_ends pointed_at rolled_back 20

table indexed_by
enqueue indexed_by table_name=indexed_by column_name=v column_type=text value='upper(name)' check_expr="v <> ''" index=btree
job_reaches indexed_by "done" 20
owner "CREATE INDEX mine ON indexed_by (id) WHERE v IS NOT NULL; ALTER TABLE indexed_by ADD CONSTRAINT also_mine CHECK (v <> 'x')"
steer indexed_by "wanted = 'roll_back'"
job_ends indexed_by failed 20
expect_failed "an index or a constraint of somebody else's on it does not go along" indexed_by rolling_back \
	'column v of public.indexed_by has constraint also_mine, index mine, which the job has not made.*2BP01.*Drop it'
expect_sql "... they are there, the job's own are not" "also_mine|mine" "SELECT (SELECT string_agg(conname, ',') FROM pg_constraint WHERE conrelid = 'indexed_by'::regclass AND contype = 'c'),
	(SELECT string_agg(indexrelid::regclass::text, ',') FROM pg_index WHERE indrelid = 'indexed_by'::regclass AND NOT indisprimary)"
owner "DROP INDEX mine; ALTER TABLE indexed_by DROP CONSTRAINT also_mine"
again indexed_by
job_ends indexed_by rolled_back 20

owner "CREATE TABLE parted (id int, name text) PARTITION BY RANGE (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
	INSERT INTO parted SELECT g, 'n' || g FROM generate_series(1, 500) g"
enqueue parted table_name=parted column_name=v column_type=text value='upper(name)' index=btree check_expr="v <> ''"
job_reaches parted "done" 20
owner "CREATE INDEX mine_1 ON parted_1 (v); ALTER TABLE parted_1 ADD CONSTRAINT also_mine_1 CHECK (v <> 'x')"
steer parted "wanted = 'roll_back'"
job_ends parted failed 20
expect_failed "... nor what one partition alone has" parted rolling_back \
	'column v of public.parted has constraint also_mine_1 of public.parted_1, index mine_1 of public.parted_1, which the job has not made.*2BP01'
owner "DROP INDEX mine_1; ALTER TABLE parted_1 DROP CONSTRAINT also_mine_1"
again parted
job_ends parted rolled_back 20

note "a job whose triggers go on outlives a purge"
table kept
enqueue kept table_name=kept column_name=v column_type=text value='upper(name)' sync=derive
job_reaches kept "done" 20
expect_sql "others are" t "SELECT backfill.purge('0') > 0"
expect_sql "... and it is not" 1 "SELECT count(*) FROM backfill.job WHERE name = 'kept'"
expect_match "deleting it says what stays" 'WARNING:.*the triggers of job [0-9]+ stay.*keeping column v of table public.kept up to date.*DROP FUNCTION public.backfill_derive_[0-9]+\(\) CASCADE' \
	"$(sql -U shop_owner main "DELETE FROM backfill.job WHERE name = 'kept'" 2>&1)"

note "a column that somebody else has made"
for job in replaced replaced_twice; do
	table "$job"
	enqueue "$job" table_name="$job" column_name=v column_type=text value='upper(name)'
	job_reaches "$job" "done" 20
	owner "ALTER TABLE $job DROP COLUMN v; ALTER TABLE $job ADD COLUMN v int NOT NULL DEFAULT 7"
done
session_open lock_replaced main -U shop_owner
session_do lock_replaced "BEGIN; LOCK TABLE replaced_twice IN ACCESS SHARE MODE" >/dev/null
steer replaced "wanted = 'roll_back'"
steer replaced_twice "wanted = 'roll_back'"
job_ends replaced rolled_back 20
sleep 0.5
steer replaced_twice "wanted = 'pause'"
session_close lock_replaced
steer replaced_twice "wanted = 'roll_back'"
job_ends replaced_twice rolled_back 20
for job in replaced replaced_twice; do
	expect_sql "$job: in the place of the job's own it is not dropped" 3500 "SELECT sum(v) FROM $job"
	expect_match "... which the history says" 'column v was not added by the job and stays' "$(kept "$job")"
done
table foreign_column
enqueue foreign_column table_name=foreign_column column_name=v column_type=text value='upper(name)' hold_before='{add}'
says foreign_column '^held before add'
owner "ALTER TABLE foreign_column ADD COLUMN v text DEFAULT 'theirs'"
proceed foreign_column >/dev/null
job_reaches foreign_column "done" 20
steer foreign_column "wanted = 'roll_back'"
job_ends foreign_column rolled_back 20
expect_sql "is not dropped" t "SELECT count(*) = 500 FROM foreign_column WHERE v IS NOT NULL"

note "a table that is gone"
table gone
enqueue gone table_name=gone column_name=v column_type=text value='upper(name)' hold_before='{fill}'
says gone '^held before fill'
owner "DROP TABLE gone"
steer gone "wanted = 'roll_back'"
job_ends gone rolled_back 20
ok "there is nothing to take back"

note "the daemon is killed meanwhile"
daemon_stop
for number in 1 2 3; do
	for wish in cancel roll_back; do
		job=killed_${wish}_$number
		table "$job"
		before=$(shape "$job")
		enqueue "$job" table_name="$job" column_name=v column_type=text value='upper(name)' default_expr="'new'" not_null=true hold_before='{seal}'
		daemon_run --once >>"$WORK/once.log" 2>&1
		if [[ $number == 3 ]]; then # in the middle of its sealing
			session_open "lock_$wish" main -U shop_owner
			session_do "lock_$wish" "BEGIN; LOCK TABLE $job IN ACCESS SHARE MODE" >/dev/null
			steer "$job" "hold_before = '{}'"
			daemon_start
			wait_until 10 "job $job is sealing" "SELECT stage = 'sealing', stage FROM backfill.job WHERE name = '$job'"
			daemon_kill
			session_close "lock_$wish"
			lease_lapses
		fi
		steer "$job" "wanted = '$wish'"
		if [[ $wish == cancel ]]; then
			kill_until "$job" cancelled
			expect_sql "$job: cancelled, column and values are there, triggers are not" "500|0" "SELECT count(*) FILTER (WHERE v = upper(name)),
				(SELECT count(*) FROM pg_trigger WHERE tgrelid = '$job'::regclass) FROM $job"
		else
			kill_until "$job" rolled_back
			expect_equal "$job: the table is what it was" "$before" "$(shape "$job")"
		fi
	done
done
lease_lapses
daemon_start
for number in 1 2 3; do
	for wish in cancel roll_back; do
		steer "killed_${wish}_$number" "wanted = 'run', hold_before = '{}'"
		job_reaches "killed_${wish}_$number" "done" 20
		expect_sql "killed_${wish}_$number: done afterwards" "500|t" "SELECT count(*) FILTER (WHERE v = upper(name)),
			(SELECT attnotnull FROM pg_attribute WHERE attrelid = 'killed_${wish}_$number'::regclass AND attname = 'v') FROM killed_${wish}_$number"
	done
done
daemon_stop
