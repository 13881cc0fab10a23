# shellcheck shell=bash
# A crash at every step. Sourced by crash_*.sh, after lib.sh, faults_lib.sh and job_lib.sh.
#
# The points are made in the server, the daemon knows nothing of them: event triggers before and after each statement
# that changes the catalogue for a job, and a row trigger before each line that is written to backfill.event (intents and
# outcomes of statements, moves from stage to stage). At the chosen point the server itself kills the daemon with -9.
#   * Before a statement, and before an event: the session dies, too. The statement did not happen, though its intent is
#     written; or it did happen, and nothing tells of it.
#   * After a statement: the session lives on and does what it was already sent, as it would with a frozen or killed client.
# One job for each point, on a table of its own: it is killed there, once, and goes on at the next start of the daemon.
#
#	crash_world                            a server with the points in it
#	crash_table SQL                        how the table is made; {t} is its name
#	crash_job COLUMN=VALUE…                the job; {t} in the values, too
#	crash_rows COLUMNS                     what of the rows has to be the same: x, which is all, unless told otherwise
#	crash_right SQL                        true of a table whose job is done; {t}
#	crash_kind NAME [WAY…]                 runs it, killed at each point up to done; then others for each WAY, killed at each
#	                                       point of that: roll_back (done → rolled_back), cancel (held before seal → cancelled)
#	                                       and abandon (held before seal → rolled_back)
#
# The same end state means: columns, constraints, indexes, triggers and comments of the table and of all its parts, and
# the rows. It is compared with that of a job that nobody killed. Environment: CRASH_EVERY=N takes each Nth point only.

crash_world() {
	local config
	cluster_start main "$@"
	daemon_option jobs_at_once 1
	daemon_option poll_ms 50
	daemon_install
	CRASH_BINARY=$(daemon_binary)
	config=$(daemon_config)
	CRASH_CONFIG=$config
	sql main <<-SQL
		CREATE SCHEMA crash;
		GRANT USAGE ON SCHEMA crash TO PUBLIC;
		CREATE TABLE crash.victim (job_id bigint PRIMARY KEY, table_name text, at int NOT NULL);
		CREATE TABLE crash.want (kind text, way text, table_name text, shape text, rows text);

		CREATE FUNCTION crash.point(job bigint, what text, dies boolean) RETURNS void
		LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS \$\$
		DECLARE
			-- A point that was passed stays passed when its transaction is rolled back: a sequence counts them.
			chosen int := (SELECT v.at FROM crash.victim v WHERE v.job_id = job);
			seen bigint;
		BEGIN
			IF chosen IS NULL THEN
				RETURN;
			END IF;
			seen := nextval(format('crash.seen_%s', job));
			RAISE LOG 'point % of job %: %', seen, job, what;
			IF seen <> chosen THEN
				RETURN;
			END IF;
			EXECUTE 'COPY (SELECT 1) TO PROGRAM ' || quote_literal('kill -9 \$(cat $WORK/pids/crash)');
			IF dies THEN
				PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(60);
			END IF;
		END \$\$;

		CREATE FUNCTION crash.at_event() RETURNS trigger LANGUAGE plpgsql AS
			\$\$ BEGIN
				IF session_user LIKE 'backfilld%' THEN
					PERFORM crash.point(NEW.job_id, concat_ws(' ', 'event', NEW.kind, NEW.stage, NEW.detail), true);
				END IF;
				RETURN NEW;
			END \$\$;
		CREATE TRIGGER crash BEFORE INSERT ON backfill.event FOR EACH ROW EXECUTE FUNCTION crash.at_event();

		CREATE FUNCTION crash.at_statement() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$
		DECLARE
			job bigint := pg_catalog.substring(pg_catalog.current_setting('application_name'), '^backfilld job (\d+)');
		BEGIN
			-- Planning makes temporary things only, which go away with their session.
			IF job IS NOT NULL AND (SELECT j.stage FROM backfill.job j WHERE j.id = job) <> 'planning' THEN
				PERFORM crash.point(job, TG_EVENT || ' ' || TG_TAG, TG_EVENT = 'ddl_command_start');
			END IF;
		END \$\$;
		CREATE EVENT TRIGGER crash_before ON ddl_command_start EXECUTE FUNCTION crash.at_statement();
		CREATE EVENT TRIGGER crash_after ON ddl_command_end EXECUTE FUNCTION crash.at_statement();

		-- Everything that belongs to a table and its parts, as text in which neither its own name nor a job's number occurs.
		CREATE FUNCTION crash.shape(root regclass) RETURNS text LANGUAGE sql SET search_path = pg_catalog, pg_temp AS \$\$
			WITH RECURSIVE part AS (
				SELECT root::oid AS oid
				UNION SELECT i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.oid
			), line AS (
				SELECT c.relname || ' column ' || concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
				       nullif(a.attidentity, ''), nullif(a.attgenerated, ''), a.attcollation::regcollation::text, a.attinhcount::text,
				       pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)) AS said
				  FROM part p JOIN pg_class c USING (oid) JOIN pg_attribute a ON a.attrelid = c.oid
				  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
				 WHERE a.attnum > 0 AND NOT a.attisdropped
				UNION ALL
				SELECT c.relname || ' constraint ' || concat_ws(' ', k.conname, pg_get_constraintdef(k.oid), k.convalidated::text, k.conislocal::text)
				  FROM part p JOIN pg_class c USING (oid) JOIN pg_constraint k ON k.conrelid = c.oid
				UNION ALL
				SELECT c.relname || ' index ' || concat_ws(' ', pg_get_indexdef(x.indexrelid), x.indisvalid::text, x.indisready::text,
				       EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = x.indexrelid)::text)
				  FROM part p JOIN pg_class c USING (oid) JOIN pg_index x ON x.indrelid = c.oid
				UNION ALL
				SELECT c.relname || ' trigger ' || concat_ws(' ', pg_get_triggerdef(g.oid), f.prosrc)
				  FROM part p JOIN pg_class c USING (oid) JOIN pg_trigger g ON g.tgrelid = c.oid JOIN pg_proc f ON f.oid = g.tgfoid
				 WHERE NOT g.tgisinternal
				UNION ALL
				SELECT c.relname || ' options ' || concat_ws(' ', c.reloptions::text, c.relrowsecurity::text, c.relreplident::text)
				  FROM part p JOIN pg_class c USING (oid)
			)
			SELECT regexp_replace(replace(string_agg(l.said, E'\n' ORDER BY l.said COLLATE "C"), (SELECT relname FROM pg_class WHERE oid = root), 't'), '(backfill_[a-z_]*|job )\d+', '\1N', 'g') FROM line l
		\$\$;

		CREATE FUNCTION crash.compared() RETURNS text LANGUAGE sql AS \$\$ SELECT 'x' \$\$;
		CREATE FUNCTION crash.rows(root regclass) RETURNS text LANGUAGE plpgsql AS \$\$
		DECLARE
			found text;
		BEGIN
			EXECUTE format('SELECT count(*) || '' rows '' || coalesce(md5(string_agg((%s)::text, '','' ORDER BY x.id)), '''') FROM %s x', crash.compared(), root) INTO found;
			RETURN found;
		END \$\$;
	SQL
	crash_rows x
}

crash_table() {
	CRASH_TABLE=$1
}

crash_job() {
	CRASH_JOB=("$@")
}

crash_rows() {
	sql main "CREATE OR REPLACE FUNCTION crash.compared() RETURNS text LANGUAGE sql AS \$\$ SELECT '$*' \$\$"
}

crash_right() {
	CRASH_RIGHT=$1
}

# Starts the daemon again and again until it finds nothing more to do. $CRASHES: how often it was killed meanwhile.
crash_drive() {
	local pid status
	CRASHES=0
	while true; do
		status=0
		become_server "$CRASH_BINARY" --config "$CRASH_CONFIG" --once </dev/null >>"$WORK/crash.log" 2>&1 &
		pid=$!
		echo "$pid" >"$WORK/pids/crash"
		{
			wait_gone "$pid" 60 || give_up "$1: the daemon ends within a minute" "$(crash_jobs)"
			wait "$pid" || status=$?
		} 2>/dev/null # where bash would tell that it was killed
		if ((status != 137)); then
			break
		fi
		CRASHES=$((CRASHES + 1))
		lease_lapses
	done
	if ((status != 0)); then
		note "$1: the daemon ended with status $status" "$(crash_jobs)"
	fi
}

# The jobs that are not where they should be.
crash_jobs() {
	sql main "SELECT concat_ws(' ', table_name, stage, waiting_for, error, error_hint) FROM backfill.job
		WHERE stage NOT IN ('done', 'cancelled', 'rolled_back') ORDER BY id LIMIT 5"
}

# crash_tables KIND FIRST LAST [COLUMN=VALUE…]: makes the tables and sends a job for each. False where this version of the
# daemon cannot do that yet, which is then told.
crash_tables() {
	local kind=$1 first=$2 last=$3 i t pair columns="name, table_name" values
	shift 3
	for pair in "${CRASH_JOB[@]}" "$@"; do
		columns+=", \"${pair%%=*}\""
	done
	for ((i = first; i <= last; i++)); do
		t=${kind}_$i
		echo "${CRASH_TABLE//\{t\}/$t};"
		values="'$t', '$t'"
		for pair in "${CRASH_JOB[@]}" "$@"; do
			pair=${pair#*=}
			pair=${pair//\{t\}/$t}
			values+=", '${pair//\'/\'\'}'"
		done
		echo "INSERT INTO backfill.job ($columns) VALUES ($values);"
	done >"$WORK/$kind.sql"
	crash_asks "$kind: the jobs are taken" <"$WORK/$kind.sql"
}

# crash_asks WHAT: statements from standard input.
crash_asks() {
	local said
	said=$(sql -U shop_owner main 2>&1) || give_up "$1" "$said"
}

# crash_points KIND WAY EVERY: from now on each job of the kind dies at a point of its own; the first one at none.
crash_points() {
	sql main <<-SQL >/dev/null
		INSERT INTO crash.victim SELECT j.id, j.table_name, 0 FROM backfill.job j
		 WHERE j.name LIKE '$1\_%' AND j.name ~ '^$1_\d+\$' ON CONFLICT DO NOTHING;
		UPDATE crash.victim v SET at = $2 * pg_catalog.substring(v.table_name, '\d+\$')::int WHERE v.table_name ~ '^public\.$1_\d+\$';
		SELECT pg_catalog.format('CREATE SEQUENCE IF NOT EXISTS crash.seen_%1\$s; ALTER SEQUENCE crash.seen_%1\$s RESTART', v.job_id)
		  FROM crash.victim v WHERE v.table_name ~ '^public\.$1_\d+\$' \gexec
	SQL
}

# How many points the first job of the kind has passed.
crash_seen() {
	local id
	id=$(job_id "$1_0")
	sql main "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM crash.seen_$id"
}

# crash_compare WHAT KIND STAGE RIGHT: each table of the kind is as the first one, whose job nobody killed.
crash_compare() {
	local wrong
	wrong=$(sql main "SELECT concat_ws(' ', j.table_name, j.stage, j.waiting_for, j.error, j.error_hint) FROM backfill.job j
		WHERE j.name ~ '^$2_\d+\$' AND j.stage <> '$3' ORDER BY j.id LIMIT 5")
	expect_equal "$1: every job is $3" "" "$wrong"
	wrong=$(sql main "WITH all_of AS (SELECT j.name, crash.shape(j.table_oid) AS shape, crash.rows(j.table_oid) AS rows
			FROM backfill.job j WHERE j.name ~ '^$2_\d+\$'),
		good AS (SELECT * FROM all_of WHERE name = '$2_0')
		SELECT a.name || CASE WHEN a.shape <> g.shape THEN E':\n' || a.shape || E'\nbut without a crash:\n' || g.shape ELSE ': other rows' END
		  FROM all_of a, good g WHERE a.shape IS DISTINCT FROM g.shape OR a.rows IS DISTINCT FROM g.rows ORDER BY a.name LIMIT 2")
	expect_equal "$1: the tables are as without a crash" "" "$wrong"
	if [[ -n $wrong ]]; then
		crash_tell "$wrong"
	fi
	# A cancelled job's column keeps its default, and with it the sequence that the default reads.
	expect_sql "$1: nothing of the jobs is left" "" "
		SELECT 'function ' || p.proname FROM pg_proc p JOIN backfill.job j ON p.proname ~ ('^backfill_[a-z]+_' || j.id || '\$')
		 WHERE j.name ~ '^$2_\d+\$' AND NOT (j.stage = 'done' AND j.sync = 'derive')
		UNION ALL SELECT 'relation ' || c.relname FROM pg_class c JOIN backfill.job j ON c.relname ~ ('^backfill_[a-z_]+_' || j.id || '\$')
		 WHERE j.name ~ '^$2_\d+\$' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refobjid = c.oid AND d.classid = 'pg_attrdef'::regclass)
		UNION ALL SELECT 'claim ' || j.name FROM backfill.claim c JOIN backfill.job j ON j.id = c.job_id WHERE j.name ~ '^$2_\d+\$'
		ORDER BY 1 LIMIT 5"
	if [[ -n $4 ]]; then
		wrong=""
		while read -r t; do
			wrong+="SELECT '$t' WHERE NOT coalesce((${4//\{t\}/$t}), false) UNION ALL "
		done < <(sql main "SELECT name FROM backfill.job WHERE name ~ '^$2_\d+\$' ORDER BY id")
		expect_sql "$1: the rows are right" "" "${wrong% UNION ALL } LIMIT 5"
	fi
}

# Which points these were.
crash_tell() {
	local id
	id=$(job_id "$(head -n 1 <<<"$1" | sed -E 's/[: ].*//')")
	note "its points: $(grep -o "point [0-9]* of job $id: .*" "$(cluster_log main)")"
}

# crash_leg WHAT KIND STAGE RIGHT: drives all jobs of the kind to STAGE, and checks that each one was killed.
crash_leg() {
	local seen most begun=$SECONDS
	crash_drive "$1"
	note "$1: $CRASHES crashes in $((SECONDS - begun)) s"
	seen=$(crash_seen "$2")
	most=$((seen / CRASH_EACH < CRASH_LAST ? seen / CRASH_EACH : CRASH_LAST))
	check "$1: of $seen points $CRASHES were the end of a daemon" test "$CRASHES" -ge "$most" -a "$CRASHES" -gt 0
	if ((seen >= CRASH_EACH * (CRASH_LAST + 1))); then
		note "$1: more points than were counted before: $seen instead of $CRASH_POINTS"
	fi
	crash_compare "$1" "$2" "$3" "$4"
}

crash_want() {
	crash_asks "$1: $2 is taken" <<<"UPDATE backfill.job SET wanted = '$2' WHERE name ~ '^$1_\d+\$'"
}

# $CRASH_POINTS: how many there are on the way, as a job tells that nobody kills, on a table of its own.
crash_measure() {
	local kind=$1 way=$2
	shift 2
	crash_tables "$kind" 0 0 "$@" || return 1
	crash_points "$kind" 0
	crash_drive "$kind"
	if [[ -n $way ]]; then
		crash_points "$kind" 0
		crash_want "$kind" "$way" || return 1
		crash_drive "$kind"
	fi
	CRASH_POINTS=$(crash_seen "$kind")
}

# $CRASH_EACH: each how many-th of $CRASH_POINTS is taken; $CRASH_LAST: how many that are.
crash_choose() {
	CRASH_EACH=${CRASH_EVERY:-1}
	if ((CRASH_EACH > CRASH_POINTS)); then
		CRASH_EACH=$CRASH_POINTS
	fi
	CRASH_LAST=$((CRASH_POINTS / CRASH_EACH))
}

crash_kind() {
	local kind=$1 way
	shift
	crash_measure "${kind}_measure" "" || return 0
	crash_choose
	crash_tables "$kind" 0 "$CRASH_LAST"
	crash_points "$kind" "$CRASH_EACH"
	crash_leg "$kind" "$kind" "done" "$CRASH_RIGHT"
	for way in "$@"; do
		case $way in
		roll_back) crash_ways "$kind" roll_back roll_back rolled_back ;;
		cancel) crash_ways "$kind" cancel cancel cancelled "hold_before={seal}" ;;
		abandon) crash_ways "$kind" abandon roll_back rolled_back "hold_before={seal}" ;;
		esac
	done
}

# crash_ways KIND WAY WANTED STAGE [COLUMN=VALUE]: jobs get done, or to their hold, undisturbed; then they are not wanted any more.
crash_ways() {
	local kind=${1}_$2 wanted=$3 stage=$4
	shift 4
	crash_measure "${kind}_measure" "$wanted" "$@" || return 0
	crash_choose
	crash_tables "$kind" 0 "$CRASH_LAST" "$@"
	crash_drive "$kind"
	crash_points "$kind" "$CRASH_EACH"
	crash_want "$kind" "$wanted"
	crash_leg "$kind" "$kind" "$stage" ""
	if [[ $stage == rolled_back ]]; then
		sql -U shop_owner main "${CRASH_TABLE//\{t\}/${kind}_before}"
		expect_sql "$kind: the tables are as they were before their jobs" 0 "SELECT count(*) FROM backfill.job j, crash.shape('${kind}_before') AS old_shape, crash.rows('${kind}_before') AS old_rows
			WHERE j.name ~ '^${kind}_\d+\$' AND (crash.shape(j.table_oid), crash.rows(j.table_oid)) IS DISTINCT FROM (old_shape, old_rows)"
	fi
}
