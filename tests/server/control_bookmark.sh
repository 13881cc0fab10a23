#!/usr/bin/env bash
# The fence: a bookmark is moved only by its own login, under the epoch of a claim whose lease holds.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

control_cluster
job=$(enqueue shop_owner fill orders v text)
sql -U backfilld main "
	INSERT INTO backfill.claim (job_id, root_oid, holder, epoch, lease_until) SELECT id, table_oid, 'here', 3, now() + interval '1 hour' FROM backfill.job;
	INSERT INTO backfill.bookmark (job_id, filler, epoch, login, relation, window_from, window_to, passes, pass, page)
	SELECT id, 1, 3, 'backfilld_shop', table_oid, 0, 4096, 8, 0, 0 FROM backfill.job;"

# move [EPOCH [FILLER]]: the statement of a batch that does it.
place="SELECT pass, page, rows_filled, sweep_rows FROM backfill.bookmark"
move() {
	echo "SELECT backfill.move_bookmark($job, ${2:-1}, ${1:-3}, 2, 512, 100)"
}

expect_sql "its own login moves it" 100 -U backfilld_shop "$(move)"
expect_sql "there it is" "2|512|100|100" "$place"
expect_sql "as the table's owner within the batch too" "100" -U backfilld_shop "BEGIN; SET LOCAL ROLE shop_owner; $(move); COMMIT"
expect_sql "rows add up" "2|512|200|200" "$place"
expect_error "another login does not" BF001 'login alice holds no bookmark.*another login.*Roll back' -U alice "$(move)"
expect_error "not even the owner of the table" BF001 'login shop_owner holds no bookmark' -U shop_owner "$(move)"
expect_error "nor who acts as the login" BF001 'login postgres holds no bookmark' "SET ROLE backfilld_shop; $(move)"
expect_error "an old epoch does not" BF001 'under epoch 2.*claimed the job since' -U backfilld_shop "$(move 2)"
expect_error "nor one to come" BF001 'under epoch 4' -U backfilld_shop "$(move 4)"
expect_error "nor a batch that must not be kept" BF001 'filler 1 of backfill job 1 is not kept.*batch before it.*goes on' -U backfilld_shop "$(move -1)"
expect_error "another filler does not" BF001 'bookmark of filler 2' -U backfilld_shop "$(move 3 2)"
sql -U backfilld main "UPDATE backfill.claim SET lease_until = clock_timestamp()"
expect_error "a lapsed lease does not" BF001 "lease on backfill job $job has lapsed.*held it until.*claim the job again" -U backfilld_shop "$(move)"
sql -U backfilld main "UPDATE backfill.claim SET lease_until = now() + interval '1 hour', epoch = 4"
expect_error "a claim that is newer than the bookmark does not" BF001 'holds no bookmark' -U backfilld_shop "$(move)"
sql -U backfilld main "DELETE FROM backfill.claim"
expect_error "no claim does not" BF001 'holds no bookmark' -U backfilld_shop "$(move)"
expect_sql "and it is where it was" "2|512|200|200" "$place"

# Taken over in the middle of a batch
sql -U backfilld main "INSERT INTO backfill.claim (job_id, root_oid, holder, epoch, lease_until) SELECT id, table_oid, 'here', 3, now() + interval '1 hour' FROM backfill.job"
coproc takeover { psql_at main -U backfilld -Atq; }
taker=$!
echo "BEGIN; UPDATE backfill.claim SET epoch = 4, holder = 'there'; UPDATE backfill.bookmark SET epoch = 4 RETURNING epoch;" >&"${takeover[1]}"
read -r seen <&"${takeover[0]}"
expect_equal "a daemon is taking the job over" 4 "$seen"
psql_at main -U backfilld_shop -v VERBOSITY=verbose -Atq -c "$(move)" >"$WORK/moved" 2>&1 &
mover=$!
wait_until 20 "the old one's batch waits for it" "EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
echo "COMMIT;" >&"${takeover[1]}"
eval "exec ${takeover[1]}>&-"
wait "$taker"
wait "$mover" || true
expect_match "and is turned away" 'BF001: login backfilld_shop holds no bookmark' "$(<"$WORK/moved")"
expect_sql "the new one moves on" 100 -U backfilld_shop "$(move 4)"

# Other people's objects
expect_sql "a function of the caller's own does not come between" 100 -U backfilld_shop "
	CREATE TEMP TABLE bookmark (job_id bigint); CREATE TEMP TABLE claim (job_id bigint);
	SET search_path = pg_temp, public; $(move 4)"
expect_sql "moving is a HOT update" "100
1" -U backfilld_shop "BEGIN; $(move 4); SELECT pg_stat_get_xact_tuples_hot_updated('backfill.bookmark'::regclass); COMMIT"
