#!/usr/bin/env bash
# Every cell of the table stage x wanted, each with a job and a table of its own: what the wish does at once, where the job
# ends, what is left on the table; and that what was stopped or taken back gets done when it is wanted again.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

STAGES=(queued planning adding filling indexing sealing analyzing failed "done" cancelled rolling_back rolled_back)
WISHES=(run pause cancel roll_back)

job_world
daemon_option jobs_at_once 64
sql -U shop_owner main "
	CREATE FUNCTION slowly(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(0.01); RETURN upper(\$1); END'"

declare -A BEFORE=()
cells() { # COMMAND…: runs it with STAGE WISH of each cell
	local stage wish
	for stage in "${STAGES[@]}"; do
		for wish in "${WISHES[@]}"; do
			"$@" "$stage" "$wish"
		done
	done
}
table_of() {
	echo "t_${1/./_}"
}

make_table() {
	sql -U shop_owner main "CREATE TABLE t_$1_$2 (id int PRIMARY KEY, name text, CHECK (id > 0));
		INSERT INTO t_$1_$2 SELECT g, 'n' || g FROM generate_series(1, 400) g; ANALYZE t_$1_$2"
	BEFORE[$1.$2]=$(shape "t_$1_$2")
}

# How each stage is reached, and made to last.
make_job() {
	local how=()
	case $1 in
	queued) how=(value='upper(name)' not_null=true not_before='2100-01-01 00:00+00') ;;
	planning) how=(value='upper(name)' not_null=true hold_before='{add}') ;;
	adding | cancelled | rolled_back) how=(value='upper(name)' not_null=true hold_before='{fill}') ;;
	filling) how=(value='slowly(name)' not_null=true batch_ms=50 hold_before='{fill}') ;;
	indexing) how=(value='upper(name)' not_null=true index=btree) ;;
	sealing) how=(value='upper(name)' not_null=true hold_before='{seal}') ;;
	analyzing) how=(default_expr="'D'" hold_before='{seal}') ;;
	failed) how=(value="nullif(upper(name), 'N7')" not_null=true) ;;
	"done" | rolling_back) how=(value='upper(name)' not_null=true) ;;
	esac
	enqueue "$1.$2" table_name="t_$1_$2" column_name=v column_type=text "${how[@]}"
}

wish() { # JOB: as the second half of its name says
	steer "$1" "wanted = '${1#*.}'"
}
lock_of() { # JOB MODE
	session_do locker "LOCK TABLE $(table_of "$1") IN $2 MODE" >/dev/null
}
is_refused() {
	expect_error "$1 is refused" 55000 'HINT' -U shop_owner "UPDATE backfill.job SET wanted = '${1#*.}' WHERE name = '$1'"
}
stays() { # JOB STAGE
	job_ends "$1" "$2" 10
	ok "$1: it stays $2"
}
is_paused() {
	says "$1" "^paused: UPDATE backfill.job SET wanted = "
	job_ends "$1" "${1%.*}" 10
}
is_cancelled() {
	local table
	table=$(table_of "$1")
	job_ends "$1" cancelled 20
	ok "$1: it ends cancelled"
	expect_sql "$1: no trigger, function or check of ours is left" "" "
		SELECT tgname::text FROM pg_trigger WHERE tgrelid = '$table'::regclass
		UNION ALL SELECT conname FROM pg_constraint WHERE conrelid = '$table'::regclass AND conname LIKE '%backfill%'
		UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE '%\_$(job_id "$1")'"
	if [[ ${1%.*} != queued && ${1%.*} != planning ]]; then # those are ended at once
		expect_sql "$1: ... and the row says what stays" t "SELECT waiting_for ~ '^cancelled: ' FROM backfill.job WHERE name = '$1'"
	fi
}
is_rolled_back() {
	job_ends "$1" rolled_back 20
	ok "$1: it ends rolled back"
	expect_equal "$1: the table is what it was" "${BEFORE[$1]}" "$(shape "$(table_of "$1")")"
	expect_sql "$1: ... and so are its rows" 400 "SELECT count(*) FROM $(table_of "$1") WHERE name = 'n' || id"
}
gets_done() { # JOB: whatever stands in its way is taken away
	local table value="upper(name)"
	table=$(table_of "$1")
	if [[ $1 == failed.* ]]; then
		sql -U shop_owner main "UPDATE $table SET name = 'm7' WHERE id = 7"
	fi
	if [[ $1 == analyzing.* ]]; then
		value="'D'"
	fi
	steer "$1" "hold_before = '{}', not_before = NULL, wanted = 'run'"
	job_reaches "$1" "done" 30
	job_ends "$1" "done" 10
	expect_sql "$1: done, each row has its value, the constraint holds" "0|$([[ $1 == analyzing.* ]] && echo f || echo t)" \
		"SELECT count(*), (SELECT attnotnull FROM pg_attribute WHERE attrelid = '$table'::regclass AND attname = 'v') FROM $table WHERE v IS DISTINCT FROM $value"
	expect_clean "$1: nothing else is left" "$table"
}

in_stage() { # JOB REGEX: is there, and says why it stands
	wait_until 20 "job $1 gets to its stage" "SELECT stage = '${1%.*}' AND waiting_for ~ '$2', stage, waiting_for, error FROM backfill.job WHERE name = '$1'"
}
gets_there() { # STAGE WISH
	local job=$1.$2
	case $1 in
	queued) in_stage "$job" '^not before' ;;
	planning) in_stage "$job" '^held before add' ;;
	adding) in_stage "$job" '^held before fill' ;;
	indexing) in_stage "$job" '^to build the index' ;; # it waits for an old snapshot
	failed | "done") job_ends "$job" "$1" 20 ;;
	filling) job_says "$job" '^held before fill' ;; # it fills when its wish comes
	sealing | analyzing)
		job_says "$job" '^held before seal'
		lock_of "$job" "$([[ $1 == sealing ]] && echo 'ACCESS SHARE' || echo 'SHARE UPDATE EXCLUSIVE')"
		proceed "$job" >/dev/null
		in_stage "$job" '^a transaction .* has held'
		;;
	cancelled | rolled_back)
		job_says "$job" '^held before fill'
		steer "$job" "wanted = '$([[ $1 == cancelled ]] && echo cancel || echo roll_back)'"
		job_ends "$job" "$1" 20
		;;
	rolling_back)
		job_ends "$job" "done" 20
		lock_of "$job" 'ACCESS SHARE'
		steer "$job" "wanted = 'roll_back'"
		in_stage "$job" '^a transaction .* has held'
		;;
	esac
	ok "$job: it gets to $1"
}
job_says() {
	wait_until 20 "job $1 says $2" "SELECT waiting_for ~ '$2', stage, waiting_for, error FROM backfill.job WHERE name = '$1'"
}

cells make_table
daemon_start
session_open locker main -U shop_owner
session_do locker "BEGIN" >/dev/null
session_open old main -U shop_app
session_do old "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1" >/dev/null

note "each job gets to its stage"
cells make_job
cells gets_there

note "each wish, at once"
cells_wish() {
	case $1.$2 in
	done.cancel | rolling_back.run | rolling_back.cancel) is_refused "$1.$2" ;;
	filling.*)
		proceed "$1.$2" >/dev/null
		wait_until 20 "job $1.$2 fills" "SELECT sum(rows_filled) > 0, sum(rows_filled) FROM backfill.bookmark WHERE job_id = $(job_id "$1.$2")"
		wish "$1.$2"
		;;
	*) wish "$1.$2" ;;
	esac
}
cells cells_wish
for stage in queued planning adding filling indexing sealing analyzing; do
	is_paused "$stage.pause"
done
is_paused rolling_back.pause
expect_sql "... to be gone on with as what it is" t "SELECT waiting_for ~ 'roll_back' FROM backfill.job WHERE name = 'rolling_back.pause'"
stays failed.pause failed
for wish in run pause cancel; do stays "done.$wish" "done"; done
for wish in pause cancel; do
	stays "cancelled.$wish" cancelled
	stays "rolled_back.$wish" rolled_back
done
stays rolled_back.roll_back rolled_back
in_stage queued.run '^not before'
in_stage planning.run '^held before add'
in_stage adding.run '^held before fill'
job_says cancelled.run '^held before fill'
job_says rolled_back.run '^held before fill'
wait_until 10 "what failed is tried again" "SELECT count(*) >= 2, count(*) FROM backfill.event WHERE name = 'failed.run' AND kind = 'stage' AND stage = 'sealing' OR name = 'failed.run' AND kind = 'error'"
job_ends failed.run failed 10
ok "failed.run: it goes on where it failed"
wait_until 20 "what is locked waits to be taken back" "SELECT array_agg(stage ORDER BY stage) = '{adding,rolling_back}', string_agg(stage, ', ')
	FROM backfill.job WHERE name IN ('sealing.cancel', 'rolling_back.roll_back') AND waiting_for ~ 'has held'"
ok "what is locked waits to be taken back"

note "... and where it leads"
session_do locker "COMMIT" >/dev/null
session_do old "COMMIT" >/dev/null
for stage in queued planning adding filling indexing sealing analyzing failed; do
	is_cancelled "$stage.cancel"
done
for stage in queued planning adding filling indexing sealing analyzing failed "done" cancelled rolling_back; do
	is_rolled_back "$stage.roll_back"
done
for stage in filling indexing sealing analyzing; do
	job_ends "$stage.run" "done" 20
	ok "$stage.run: it goes on"
done
steer rolling_back.pause "wanted = 'roll_back'"
for wish in run pause cancel; do is_rolled_back "rolling_back.$wish"; done
expect_error "wait_for of a cancelled job raises" P0001 'is cancelled' "CALL backfill.wait_for('filling.cancel')"
expect_error "... of one that is rolled back, too" P0001 'is rolled_back' "CALL backfill.wait_for('filling.roll_back')"

note "run afterwards"
cells_done() {
	gets_done "$1.$2"
}
sql -U shop_owner main "CREATE OR REPLACE FUNCTION slowly(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(\$1)'"
cells cells_done
daemon_stop
expect_sql "nobody fell out of the daemon" "" "SELECT name, stage, error FROM backfill.job WHERE stage <> 'done'"
