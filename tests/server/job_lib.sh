# shellcheck shell=bash
# Sourced by the tests of whole jobs, after lib.sh. A job on a small table takes well under a second, so each test
# sends many at once and looks at all of them afterwards.
#
#	job_world                               a server with the daemon at work in it
#	enqueue NAME COLUMN=VALUE…              as shop_owner; the values are quoted here
#	jobs_settle SECONDS                     until every job has ended, failed, or waits at a hold or a pause
#	expect_done NAME…                       they are done; says the error of those that are not
#	expect_failed WHAT NAME STAGE REGEX     it failed there; message, SQLSTATE and hint match
#	again NAME                              wanted = 'run'
#	steer NAME SET…                         as shop_owner: wanted, knobs
#	proceed NAME
#	says NAME REGEX                         waits until waiting_for matches
#	job_id NAME
#	job_ends NAME STAGE SECONDS             it is at that stage and nobody works on it; failed is a stage like others
#	shape TABLE                             its definition, as text: columns, constraints, indexes, triggers
#	expect_clean WHAT TABLE                 nothing of ours is left on the table and in its schema, but derive's triggers
#	traffic_start NAME CLIENTS RATE         pgbench as shop_app, its script from standard input; traffic_stop NAME;
#	                                        in another database: TRAFFIC_DATABASE

job_world() {
	cluster_start main "$@"
	daemon_option jobs_at_once 4
	daemon_option poll_ms 100
	daemon_install
	sql main "SET client_min_messages = error; GRANT backfill_user TO shop_app"
}

enqueue() {
	local columns=name values="'${1//\'/\'\'}'" pair value
	shift
	for pair in "$@"; do
		value=${pair#*=}
		columns+=", \"${pair%%=*}\""
		values+=", '${value//\'/\'\'}'"
	done
	sql -U shop_owner "$CLUSTER" "INSERT INTO backfill.job ($columns) VALUES ($values)"
}

jobs_settle() {
	wait_until "$1" "every job has ended" "SELECT count(*) = 0, string_agg(concat_ws(' ', name, stage, waiting_for), '; ')
		FROM backfill.job j
		WHERE j.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back') AND (j.held_at IS NULL OR j.held_at = ANY (j.released) OR j.held_at <> ALL (j.hold_before))
		   OR EXISTS (SELECT FROM backfill.claim c WHERE c.job_id = j.id)"
}

expect_done() {
	local name
	for name in "$@"; do
		expect_sql "job $name is done" "done" \
			"SELECT concat_ws(', ', stage, error, error_hint) FROM backfill.job WHERE name = '$name'"
	done
}

expect_failed() {
	local said
	said=$(sql "$CLUSTER" "SELECT concat_ws('|', stage, resume_stage, error, error_code, error_hint) FROM backfill.job WHERE name = '$2'")
	if [[ $said == "failed|$3|"* && $said =~ $4 ]]; then
		ok "$1"
	else
		not_ok "$1" "expected: failed while $3, with a text that matches $4" "but got:  $said"
	fi
}

again() {
	sql -U shop_owner "$CLUSTER" "UPDATE backfill.job SET wanted = 'run' WHERE name = '$1'"
}

steer() {
	sql -U shop_owner "$CLUSTER" "UPDATE backfill.job SET $2 WHERE name = '$1'"
}

proceed() {
	sql -U shop_owner "$CLUSTER" "SELECT backfill.proceed($(job_id "$1"))"
}

says() {
	wait_until 10 "job $1 says why it waits" "SELECT waiting_for ~ '$2', stage, waiting_for, error FROM backfill.job WHERE name = '$1'"
	ok "waiting_for of $1: $2"
}

job_ends() {
	wait_until "$3" "job $1 is $2 and put down" "SELECT stage = '$2' AND NOT EXISTS (SELECT FROM backfill.claim c WHERE c.job_id = j.id),
		stage, wanted, waiting_for, error, error_hint FROM backfill.job j WHERE name = '$1'"
}

shape() {
	sql "$CLUSTER" "
		SELECT 'column ' || attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
		       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
		  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
		 WHERE attrelid = '$1'::regclass AND attnum > 0 AND NOT attisdropped
		UNION ALL
		SELECT 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '$1'::regclass
		UNION ALL
		SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = '$1'::regclass
		UNION ALL
		SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = '$1'::regclass AND NOT tgisinternal
		UNION ALL
		SELECT 'function ' || p.proname FROM pg_proc p JOIN backfill.job j ON p.proname IN ('backfill_fill_' || j.id, 'backfill_derive_' || j.id)
		 WHERE j.table_oid = '$1'::regclass
		ORDER BY 1"
}

job_id() {
	sql "$CLUSTER" "SELECT id FROM backfill.job WHERE name = '$1'"
}

expect_clean() {
	expect_sql "$1" "" "
		SELECT 'constraint ' || conname FROM pg_constraint WHERE conrelid = '$2'::regclass AND conname LIKE '%backfill%'
		UNION ALL
		SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = '$2'::regclass AND tgname LIKE '%backfill%'
		   AND tgname NOT IN (SELECT '~backfill_' || id || e FROM backfill.job, unnest(ARRAY['_insert', '_update']) e WHERE sync = 'derive')
		UNION ALL
		SELECT 'function ' || p.proname FROM pg_proc p JOIN backfill.job j ON p.proname IN ('backfill_fill_' || j.id, 'backfill_derive_' || j.id)
		 WHERE j.table_oid = '$2'::regclass AND j.stage = 'done' AND j.sync <> 'derive'
		UNION ALL
		SELECT 'sequence ' || c.relname FROM pg_class c JOIN backfill.job j ON c.relname IN ('backfill_helped_' || j.id, 'backfill_helped_at_' || j.id)
		 WHERE j.table_oid = '$2'::regclass AND j.stage IN ('done', 'cancelled', 'rolled_back')"
}

traffic_start() {
	local pgbench script=$WORK/traffic.$1.sql
	pgbench=$(postgres_program pgbench)
	as_server tee "$script" >/dev/null
	become_server setsid env "PGHOST=$WORK/$CLUSTER" PGUSER=shop_app "PGDATABASE=${TRAFFIC_DATABASE:-shop}" "$pgbench" -n -c "$2" -R "$3" -T 3600 \
		-f "$script" </dev/null >"$WORK/traffic.$1.out" 2>&1 &
	echo $! >"$WORK/pids/traffic.$1"
	disown $!
}

# Prints what went wrong for it.
traffic_stop() {
	local pid
	pid=$(cat "$WORK/pids/traffic.$1")
	kill -0 "$pid" 2>/dev/null || echo "it has ended"
	kill -INT "$pid" 2>/dev/null || true
	wait_gone "$pid" 10 || true
	rm -f "$WORK/pids/traffic.$1"
	grep -i 'error\|abort\|fatal' "$WORK/traffic.$1.out" || true
}
