# shellcheck shell=bash
# Every kind of column, table and way through a job's life, one row each: sourced by matrix_*.sh, after lib.sh and
# job_lib.sh. One server, one daemon; all jobs of a script are sent at once, beside an application that writes.
#
#	feature NAME              begins a row; NAME is what the README's table says, so it stands literally in the script
#	unwritten                 the application does not write to this table
#	table SQL                 how the table is made, as its owner; default: a copy of standard, see matrix_world. {t} is its
#	                          name; it has the columns of standard unless it is unwritten
#	prepare SQL               besides, as superuser
#	job COLUMN=VALUE…         default: table_name={t} column_name=v
#	jobless                   there is nothing to send: the checks say it all
#	refused SQLSTATE REGEX    its INSERT is refused so
#	ends STAGE [REGEX]        default done; error, SQLSTATE and hint match
#	phase SQL                 after all jobs have settled, as the owner; each one a phase of its own, after which they settle again
#	phase_as_superuser SQL    the same
#	right SQL                 true at the end; {t}, {id} of the job, {sealed} when its trigger began to go
#	every SQL                 true of each row that was there before {sealed}
#	matrix_run                all rows; a check for each
#
# What the daemon refuses with "cannot … yet" has failed. Environment: BACKFILLD_MATRIX is a folder for the results,
# a file of lines VERSION SCRIPT OUTCOME FEATURE, separated by tabs, for tests/lib/matrix.sh.

MATRIX_NAMES=()
declare -A MATRIX=() MATRIX_SAID=()
MATRIX_PHASES=0
MATRIX_VERSION="" # of the server: what it cannot do is refused, which its row says
MATRIX_UNIT=$'\x1f'

feature() {
	MATRIX_NAMES+=("$1")
	MATRIX[$(row).table]="CREATE TABLE {t} (LIKE standard INCLUDING ALL); INSERT INTO {t} SELECT * FROM standard"
	MATRIX[$(row).stage]="done"
}

row() {
	echo "${#MATRIX_NAMES[@]}"
}

# row_of N FIELD
row_of() {
	echo "${MATRIX[$1.$2]:-}"
}

unwritten() { MATRIX[$(row).unwritten]=yes; }
jobless() { MATRIX[$(row).jobless]=yes; }
table() { MATRIX[$(row).table]=$1; }
prepare() { MATRIX[$(row).prepare]=$1; }
right() { MATRIX[$(row).right]+=$1$MATRIX_UNIT; }
every() { right "NOT EXISTS (SELECT FROM {t} WHERE at < {sealed} AND ($1) IS NOT TRUE)"; }
phase() { row_phase phase "$1"; }
phase_as_superuser() { row_phase super "$1"; }

refused() {
	MATRIX[$(row).refused]=$1
	MATRIX[$(row).regex]=$2
}

ends() {
	MATRIX[$(row).stage]=$1
	MATRIX[$(row).regex]=${2:-}
}

row_phase() {
	local n
	n=$((${MATRIX[$(row).phases]:-0} + 1))
	MATRIX[$(row).phases]=$n
	MATRIX[$(row).$1.$n]=$2
	MATRIX_PHASES=$((n > MATRIX_PHASES ? n : MATRIX_PHASES))
}

# The INSERT, with what was not said.
job() {
	local columns="name" values="'{t}'" pair value said=" "
	for pair in "$@"; do
		said+="${pair%%=*} "
	done
	[[ $said == *" column_name "* ]] || set -- column_name=v "$@"
	[[ $said == *" table_name "* ]] || set -- table_name='{t}' "$@"
	for pair in "$@"; do
		value=${pair#*=}
		columns+=", \"${pair%%=*}\""
		values+=", '${value//\'/\'\'}'"
	done
	MATRIX[$(row).job]="INSERT INTO backfill.job ($columns) VALUES ($values)"
}

# A row's text for its own table.
filled_in() {
	local name=m$1 text=$2 id sealed
	id="(SELECT id FROM backfill.job WHERE name = '$name')"
	sealed="matrix.sealed('$name')"
	text=${text//\{id\}/$id}
	text=${text//\{sealed\}/$sealed}
	echo "${text//\{t\}/$name}"
}

matrix_world() {
	job_world "$@"
	MATRIX_VERSION=$(($(sql main "SHOW server_version_num") / 10000))
	sql main <<-SQL
		CREATE SCHEMA matrix;
		GRANT USAGE ON SCHEMA matrix TO PUBLIC;
		CREATE TABLE matrix.written (table_name text PRIMARY KEY);
		CREATE SEQUENCE matrix.number START 1000000;
		-- What the application was refused.
		CREATE TABLE matrix.refusal (table_name text, at timestamptz, sqlstate text, message text);
		GRANT SELECT ON matrix.written TO shop_app;
		GRANT INSERT ON matrix.refusal TO shop_app;
		GRANT USAGE ON SEQUENCE matrix.number TO shop_app;

		CREATE FUNCTION matrix.write() RETURNS void LANGUAGE plpgsql AS \$\$
		DECLARE
			t text := (SELECT w.table_name FROM matrix.written w ORDER BY random() LIMIT 1);
			begun timestamptz := clock_timestamp();
		BEGIN
			EXECUTE format('UPDATE %s SET a = a + 1 WHERE id = \$1', t) USING 1 + (random() * 1499)::int;
			EXECUTE format('INSERT INTO %s (id, a, name, org_id) SELECT n, 0, ''written '' || n, n %% 100 FROM nextval(''matrix.number'') n', t);
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO matrix.refusal VALUES (t, begun, SQLSTATE, SQLERRM);
		END \$\$;

		CREATE FUNCTION matrix.sealed(job text) RETURNS timestamptz LANGUAGE sql STABLE AS \$\$
			SELECT coalesce((SELECT min(e.at) FROM backfill.event e
			                  WHERE e.name = job AND e.kind = 'stage' AND e.stage IN ('sealing', 'analyzing', 'done')), 'infinity') \$\$;

		CREATE FUNCTION matrix.holds(condition text) RETURNS text LANGUAGE plpgsql AS \$\$
		DECLARE
			answer text;
		BEGIN
			EXECUTE 'SELECT (' || condition || ')::text' INTO answer;
			RETURN CASE WHEN answer IS DISTINCT FROM 'true' THEN translate('not true: ' || condition, E'\n\t', '  ') END;
		EXCEPTION WHEN OTHERS THEN
			RETURN translate(SQLERRM || ': ' || condition, E'\n\t', '  ');
		END \$\$;

		-- The SQLSTATE with which a statement is refused; null: it is not.
		CREATE FUNCTION matrix.error(statement text) RETURNS text LANGUAGE plpgsql AS \$\$
		BEGIN
			EXECUTE statement;
			RETURN NULL;
		EXCEPTION WHEN OTHERS THEN
			RETURN SQLSTATE;
		END \$\$;

		-- What a job that has ended left of its own.
		CREATE FUNCTION matrix.left_of(job text) RETURNS text LANGUAGE sql AS \$\$
			SELECT string_agg(o.what, ', ') FROM backfill.job j CROSS JOIN LATERAL (
				SELECT 'function ' || p.proname FROM pg_proc p WHERE p.proname ~ ('^backfill_[a-z]+_' || j.id || '\$') AND j.sync <> 'derive'
				UNION ALL SELECT 'relation ' || c.relname FROM pg_class c WHERE c.relname ~ ('^backfill_([a-z]+_)*' || j.id || '(_|\$)')
				UNION ALL SELECT 'constraint ' || k.conname FROM pg_constraint k WHERE k.conname ~ ('^backfill_([a-z]+_)*' || j.id || '(_|\$)')
				UNION ALL SELECT 'trigger ' || g.tgname FROM pg_trigger g WHERE g.tgname ~ ('^~backfill_' || j.id || '_') AND j.sync <> 'derive'
				UNION ALL SELECT 'invalid index ' || x.indexrelid::regclass FROM pg_index x WHERE x.indrelid = j.table_oid AND NOT x.indisvalid
			) AS o (what) WHERE j.name = job AND j.stage IN ('done', 'cancelled', 'rolled_back') \$\$;
	SQL
	sql -U shop_owner main <<-SQL
		CREATE TABLE org (id int PRIMARY KEY, region text);
		INSERT INTO org SELECT g, 'region ' || g % 7 FROM generate_series(0, 99) g;
		CREATE TABLE standard (id int PRIMARY KEY, a int NOT NULL, name text, org_id int, at timestamptz NOT NULL DEFAULT clock_timestamp());
		INSERT INTO standard SELECT g, g % 10, 'name ' || g, g % 100 FROM generate_series(1, 1500) g;
	SQL
}

# matrix_each COMMAND: what it prints for each row that was not given up, as one script.
matrix_each() {
	local n
	for ((n = 1; n <= ${#MATRIX_NAMES[@]}; n++)); do
		if [[ -z ${MATRIX_SAID[$n]:-} ]]; then
			"$1" "$n" "${@:2}"
		fi
	done
}

matrix_made() {
	printf '%s;\n' "$(filled_in "$1" "$(row_of "$1" table)")"
	if [[ -z $(row_of "$1" unwritten) ]]; then
		printf "INSERT INTO matrix.written SELECT 'm%s';\n" "$1"
	fi
}

matrix_prepared() {
	printf '%s;\n' "$(filled_in "$1" "$(row_of "$1" prepare)")"
}

matrix_sent() {
	if [[ -n $(row_of "$1" job) ]]; then
		printf '\\echo row %s\n%s;\n' "$1" "$(filled_in "$1" "$(row_of "$1" job)")"
	fi
}

matrix_in_phase() {
	local text
	text=$(row_of "$1" "$2")
	if [[ -n $text ]]; then
		printf '\\echo row %s\n%s;\n' "$1" "$(filled_in "$1" "$text")"
	fi
}

# matrix_ask USER: sends a script from standard input; what went wrong for a row is that row's.
matrix_ask() {
	local n="" line
	while read -r line; do
		if [[ $line =~ ^row\ ([0-9]+)$ ]]; then
			n=${BASH_REMATCH[1]}
		elif [[ -n $n && -n $line ]]; then
			MATRIX_SAID[$n]+="$line "
		fi
	done < <(PGOPTIONS="-c client_min_messages=warning" psql_at main -U "$1" -v ON_ERROR_STOP=0 -v VERBOSITY=verbose -Atq -o /dev/null 2>&1)
}

matrix_settle() {
	wait_until 90 "every job has ended or waits" "SELECT count(*) = 0, string_agg(concat_ws(' ', name, stage, waiting_for), '; ') FROM backfill.job j
		WHERE EXISTS (SELECT FROM backfill.claim c WHERE c.job_id = j.id)
		   OR j.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back') AND
		      CASE WHEN j.wanted = 'pause' THEN coalesce(j.waiting_for, '') !~ '^paused'
		           ELSE j.held_at IS NULL AND coalesce(j.waiting_for, 'a free place') ~ 'free place|same table|^paused' END
		   OR j.wanted = 'roll_back' AND j.stage NOT IN ('rolled_back', 'failed')"
}

matrix_checked() {
	local n=$1 condition said
	said=$(row_of "$n" stage)
	if [[ -z $(row_of "$n" jobless) ]]; then
		printf "SELECT %s, 'job: ' || concat_ws(', ', stage, waiting_for, error, error_code, error_hint) FROM backfill.job WHERE name = 'm%s' AND (stage <> '%s' OR concat_ws(' ', error, error_code, error_hint) !~ '%s');\n" \
			"$n" "$n" "$said" "$(row_of "$n" regex | sed "s/'/''/g")"
		printf "SELECT %s, 'there is no job' WHERE NOT EXISTS (SELECT FROM backfill.job WHERE name = 'm%s');\n" "$n" "$n"
	fi
	printf "SELECT %s, 'left: ' || matrix.left_of('m%s') WHERE matrix.left_of('m%s') IS NOT NULL;\n" "$n" "$n" "$n"
	# Once the trigger goes, a writer who does not know the column yet may be refused what the job made required.
	printf "SELECT %s, 'the application was refused: ' || sqlstate || ' ' || message FROM matrix.refusal WHERE table_name = 'm%s' AND (at < matrix.sealed('m%s') OR sqlstate NOT IN ('23502', '23514')) LIMIT 1;\n" "$n" "$n" "$n"
	while IFS= read -r -d "$MATRIX_UNIT" condition; do
		printf "SELECT %s, matrix.holds(\$holds\$%s\$holds\$);\n" "$n" "$(filled_in "$n" "$condition")"
	done <<<"$(row_of "$n" right)"
}

matrix_outcome() {
	local n=$1 outcome=$2 script
	script=$(basename "$0" .sh)
	if [[ -n ${BACKFILLD_MATRIX:-} ]]; then
		printf '%s\t%s\t%s\t%s\n' "$MATRIX_VERSION" "$script" "$outcome" "${MATRIX_NAMES[n - 1]}" >>"$BACKFILLD_MATRIX/$MATRIX_VERSION.$script"
	fi
}

# matrix_refusals: those rows whose INSERT was not taken have their verdict.
matrix_tell() {
	local n=$1 said=${MATRIX_SAID[$1]:-} state regex
	state=$(row_of "$n" refused) regex=$(row_of "$n" regex)
	if [[ -n $state && $said =~ ERROR:\ +$state: && $said =~ $regex ]]; then
		ok "${MATRIX_NAMES[n - 1]}"
		matrix_outcome "$n" ok
	elif [[ $said =~ ERROR:\ +0A000:.*cannot.*yet ]]; then
		not_ok "${MATRIX_NAMES[n - 1]}" "it is refused as not built: $said"
		matrix_outcome "$n" "not built"
	elif [[ -n $state ]]; then
		not_ok "${MATRIX_NAMES[n - 1]}" "expected: error $state that matches $regex" "but got:  ${said:-no error}"
		matrix_outcome "$n" failed
	elif [[ -n $said ]]; then
		not_ok "${MATRIX_NAMES[n - 1]}" "m$n: $said"
		matrix_outcome "$n" failed
	else
		ok "${MATRIX_NAMES[n - 1]}"
		matrix_outcome "$n" ok
	fi
}

matrix_run() {
	local n phase complaint
	if [[ -n ${BACKFILLD_MATRIX:-} ]]; then
		mkdir -p "$BACKFILLD_MATRIX"
		rm -f "$BACKFILLD_MATRIX/$MATRIX_VERSION.$(basename "$0" .sh)"
	fi
	sql main "GRANT INSERT ON matrix.written TO shop_owner"
	matrix_each matrix_made >"$WORK/made.sql"
	sql -U shop_owner main <"$WORK/made.sql" >/dev/null
	matrix_each matrix_prepared >"$WORK/prepared.sql"
	sql main <"$WORK/prepared.sql" >/dev/null
	traffic_start writers 2 300 <<<"SELECT matrix.write();"
	daemon_start
	matrix_ask shop_owner < <(matrix_each matrix_sent)
	matrix_settle
	for ((phase = 1; phase <= MATRIX_PHASES; phase++)); do
		matrix_ask shop_owner < <(matrix_each matrix_in_phase "phase.$phase")
		matrix_ask postgres < <(matrix_each matrix_in_phase "super.$phase")
		matrix_settle
	done
	expect_equal "the application was at work all the time" "" "$(traffic_stop writers)"
	while IFS='|' read -r n complaint; do
		if [[ $n =~ ^[0-9]+$ && -n $complaint ]]; then
			MATRIX_SAID[$n]+="$complaint; "
		fi
	done < <(PGOPTIONS="-c client_min_messages=warning" psql_at main -v ON_ERROR_STOP=0 -Atq < <(matrix_each matrix_checked) 2>&1)
	for ((n = 1; n <= ${#MATRIX_NAMES[@]}; n++)); do
		matrix_tell "$n"
	done
	daemon_stop
}
