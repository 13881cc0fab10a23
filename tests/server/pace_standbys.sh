#!/usr/bin/env bash
# Standbys that replay late on purpose, and standbys of standbys; how many must be there, and how late they may be; who only
# receives is none of them; what a standby's slot does to the fill.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"
# shellcheck source=tests/server/pace_lib.sh
. "$(dirname "$0")/pace_lib.sh"

# stops_by WHAT SET PERCENT, goes_by WHAT SET: what is told to the numbers job counts within a second, by the server's clock. In the two
# seconds after that there are no more than so many per cent of the rows that were filled in half a second before it was told (a batch of
# the few that may go comes when it comes); or the first one is there.
tell() {
	sql -U shop_owner main "UPDATE backfill.job SET $1 WHERE name = 'numbers'"
	TOLD=$(sql main "SELECT quote_literal(max(at)) || '::timestamptz' FROM backfill.event WHERE kind = 'knob'")
}
stops_by() {
	local before after
	tell "$2"
	wait_until 10 "$2 has been there for a while" "SELECT clock_timestamp() > $TOLD + interval '3.1 s'"
	IFS='|' read -r before after < <(sql main "SELECT count(*) FILTER (WHERE at BETWEEN $TOLD - interval '0.5 s' AND $TOLD),
		count(*) FILTER (WHERE at BETWEEN $TOLD + interval '1 s' AND $TOLD + interval '3 s') FROM touched")
	check "$1, within a second ($before rows in half a second, then $after in two)" test "$before" -gt 0 -a $((100 * after)) -le $(($3 * before))
}
goes_by() {
	local ms
	gauge_start
	tell "$2"
	wait_until 10 "$1" "SELECT count(*) > 0, (SELECT waiting_for FROM backfill.job) FROM touched WHERE at > $TOLD"
	gauge_stop
	ms=$(sql main "SELECT round(1000 * extract(epoch FROM min(at) - $TOLD)) FROM touched WHERE at > $TOLD")
	check "$1, within a second ($ms ms, up to $STALLED_MS of them the machine's)" test $((ms - STALLED_MS)) -lt 1000
}

# missed WHAT REGEX: the row says for replica_grace_s that it vanished; what an event says stays.
missed() {
	wait_until 20 "$1" "SELECT count(*) > 0, (SELECT waiting_for FROM backfill.job) FROM backfill.event WHERE kind = 'throttle on' AND detail ~ '$2'"
	ok "$1"
}

# receiver_start PROGRAM OPTION…: a client that takes the server's WAL and is no standby.
receiver_start() {
	become_server setsid "$PG_BIN/$1" -d "$(conninfo main postgres)" -s 1 "${@:2}" </dev/null >"$WORK/$1.out" 2>&1 &
	echo $! >"$WORK/pids/$1"
	disown $!
	wait_until 10 "$1 streams" "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = '$1' AND state = 'streaming'"
}

# receiver_signal PROGRAM SIGNAL
receiver_signal() {
	if [[ -f $WORK/pids/$1 ]]; then
		kill "-$2" "$(cat "$WORK/pids/$1")"
	fi
}

# holds_nothing_up WHAT: rows are filled a second from now.
holds_nothing_up() {
	local now
	now=$(sql main "SELECT clock_timestamp()")
	wait_until 10 "$1" "SELECT max(at) > timestamptz '$now' + interval '1 second', (SELECT waiting_for FROM backfill.job) FROM touched"
	ok "$1"
}

slow_fill main wal_level=logical
sql main "SELECT pg_create_physical_replication_slot('kept')" >/dev/null
replica_start middle main
replica_start leaf middle
replica_start late main late recovery_min_apply_delay=1h primary_slot_name=kept
daemon_install
slow_numbers
daemon_option database.min_replicas 2
daemon_option database.delayed_replicas '[late]'
daemon_option database.cascades "[\"$(conninfo middle backfilld)\"]"
daemon_option database.replica_grace_s 2
daemon_option defaults.max_lag_ms 500
replica_caught_up leaf main
daemon_start
# A standby that has a slot leaves its feedback there: for a while nothing is pruned.
setting late hot_standby_feedback on
holder_is "a slot that holds the horizon is named" "^replication slot kept\$"
sql -U shop_owner main <<-'SQL'
	CREATE TABLE wide (id int PRIMARY KEY, body text);
	CREATE INDEX ON wide (body);
	INSERT INTO wide SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 30000) g;
	VACUUM ANALYZE wide;
	CREATE FUNCTION slowly(what text) RETURNS text LANGUAGE plpgsql STABLE AS
		$$ BEGIN IF what < '1' THEN PERFORM pg_catalog.pg_sleep(0.001); END IF; RETURN pg_catalog.left(what, 30); END $$;
	INSERT INTO backfill.job (name, table_name, column_name, column_type, value) VALUES ('wide', 'wide', 'c', 'text', 'slowly(body)');
SQL
many="([2-9]|[1-9][0-9])"
passes="FROM backfill.event WHERE name = 'wide' AND kind = 'passes' AND detail ~"
wait_until 20 "the fill has turned to one pass" "SELECT count(*) = 1 $passes '^updates find no room'"
expect_sql "where updates find no room it is told who holds the horizon" 1 "SELECT count(*) $passes 'something holds the xmin horizon .replication slot kept.; filling in one pass'"
setting late hot_standby_feedback off
wait_until 20 "updates find room once the slot lets go" "SELECT count(*) = 1 $passes '^updates find room in their pages again; filling in $many passes\$'"
ok "it is told when that lets go"
wait_until 20 "the passes are back" "SELECT bool_and(detail ~ 'in $many passes'), string_agg(detail, '; ') FROM backfill.event
	WHERE name = 'wide' AND kind = 'window' AND id > (SELECT max(id) $passes 'room in their pages again')"
ok "and windows have their passes again"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel'"
job_reaches wide cancelled 20
sql -U shop_owner main "DELETE FROM backfill.job"

numbers_job numbers
wait_until 20 "some rows are filled" "SELECT sum(rows_filled) > 0 FROM backfill.bookmark"
moves_on "rows are filled though a replica replays an hour late on purpose"

# It stops taking what it is sent, and stays.
only_receives="who only receives, and that no more, holds nothing up"
if [[ -x $PG_BIN/pg_receivewal ]]; then
	as_server mkdir "$WORK/received"
	receiver_start pg_receivewal -D "$WORK/received"
	receiver_signal pg_receivewal STOP
	holds_nothing_up "$only_receives"
else
	skip_one "$only_receives" "this server comes without pg_receivewal"
fi
# Sessions that copy tables for a subscription come and go.
cluster_start subscriber
sql main "CREATE PUBLICATION nothing"
sql subscriber "CREATE SUBSCRIPTION changes CONNECTION '$(conninfo main postgres)' PUBLICATION nothing"
wait_until 20 "a subscription tells how far it is" "SELECT count(replay_lsn) = 1 FROM pg_stat_replication WHERE application_name = 'changes'"
kill -STOP "$(sql subscriber "SELECT pid FROM pg_stat_subscription WHERE subname = 'changes'")"
holds_nothing_up "a subscription that stands still holds nothing up"
cluster_stop subscriber immediate
wait_until 10 "it is gone" "SELECT count(*) = 0 FROM pg_stat_replication WHERE application_name = 'changes'"
holds_nothing_up "nor does one that vanishes"
sql main "SELECT pg_drop_replication_slot('changes')" >/dev/null

sql leaf "SELECT pg_wal_replay_pause()"
waits "a replica behind another standby must be close too" "replica leaf is .* behind"
sql leaf "SELECT pg_wal_replay_resume()"
moves_on "it goes on when that one has caught up"
cluster_stop leaf immediate
missed "it is missed when it vanishes" "replica leaf vanished"
moves_on "and let go after replica_grace_s"

cluster_stop middle immediate
missed "a standby that was to tell of its replicas is missed too" "replica (middle|cascades.0.) vanished"
# Were pg_receivewal one of them, they would be two.
waits "for replica_grace_s; then they are fewer than min_replicas" "^1 of the 2 replicas that must be there are connected\$" 10
cluster_resume middle
wait_until 20 "the standby is back" "SELECT count(*) = 2 FROM pg_stat_replication WHERE state = 'streaming' AND application_name IN ('middle', 'late')"
moves_on "it goes on when they are enough again"
receiver_signal pg_receivewal KILL
cluster_resume leaf
wait_until -n middle 20 "and what is behind it" "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"
sql leaf "SELECT pg_wal_replay_pause()"
waits "back again it must be close again" "replica leaf is .* behind" 10
sql leaf "SELECT pg_wal_replay_resume()"
moves_on "and is"

# It goes on replaying, but two seconds late. The target first: what stays the same for a quarter of a minute beside a fill that hardly
# writes is taken for the network's.
sql -U shop_owner main "UPDATE backfill.job SET max_lag_ms = 60000, lag_target_ms = 60000"
wait_until 20 "it is at full speed" "SELECT count(*) > 100, count(*) FROM touched WHERE at > clock_timestamp() - interval '0.5 s'"
setting leaf recovery_min_apply_delay 2s
wait_until 20 "a replica lags" "SELECT lag_ms > 1500, lag_ms FROM backfill.job"
stops_by "a smaller lag_target_ms leaves it hardly anything" "lag_target_ms = 100" 100
waits "which says so" "replica leaf takes no more WAL than this without falling behind"
goes_by "a larger one gives it back" "lag_target_ms = 60000"
stops_by "a smaller max_lag_ms stops the fill" "max_lag_ms = 1000" 0
waits "which says so too" "replica leaf is .* behind"
goes_by "a larger one lets it go on" "max_lag_ms = 60000"
setting leaf recovery_min_apply_delay 0
sql -U shop_owner main "UPDATE backfill.job SET max_lag_ms = NULL, lag_target_ms = NULL"

sql main "REVOKE pg_monitor FROM backfilld"
waits "without pg_monitor nothing is filled" "GRANT pg_monitor TO .backfilld."
sql main "GRANT pg_monitor TO backfilld"
moves_on "with it the fill goes on"
expect_equal "no replica was given up for that" 3 "$(said replica 'no longer waited')"

setting middle hot_standby_feedback on
holder_is "a standby's feedback is" "^standby middle .hot_standby_feedback.\$"
setting middle hot_standby_feedback off
daemon_stop

# What cannot be asked has not vanished: twice as long as replica_grace_s is waited for it.
still_waits() {
	sleep 4
	expect_sql "$1 is not let go after replica_grace_s" t "SELECT coalesce(waiting_for, 'nothing') ~ '$2' FROM backfill.job WHERE name = 'numbers'"
}
lost() {
	sql main "SELECT count(*) FILTER (WHERE kind = 'signal lost') || ' ' || count(*) FILTER (WHERE kind = 'signal back') || ' ' || count(*) FILTER (WHERE kind = 'replica')
		FROM backfill.event WHERE detail ~ 'cascades.0.' AND at > timestamptz '$since'"
}
# hba_of CLUSTER LINE…
hba_of() {
	printf '%s\n' "${@:2}" | as_server tee "$WORK/$1/data/pg_hba.conf" >/dev/null
	sql "$1" "SELECT pg_reload_conf()" >/dev/null
}
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel' WHERE stage <> 'done'"
since=$(sql main "SELECT clock_timestamp()")
daemon_option database.cascades "[\"$(conninfo middle backfilld | sed "s|$WORK/middle|$WORK/elsewhere|")\"]"
daemon_start
wait_until 20 "the job has ended" "SELECT stage IN ('done', 'cancelled'), stage FROM backfill.job WHERE name = 'numbers'"
sql -U shop_owner main "DELETE FROM backfill.job; INSERT INTO backfill.job (name, table_name, column_name, column_type, value) VALUES ('numbers', 'numbers', 'again', 'bigint', 'draw()')"
nowhere="^the server.s health cannot be read: pg_stat_replication of cascades.0. cannot be read: connection to server .*No such file"
waits "a cascade that cannot be reached closes the gate, and is said with the reason" "$nowhere" 20
still_waits "a cascade that never answered" "$nowhere"
expect_equal "it is told once" "1 0 0" "$(lost)"
as_server ln -s "$WORK/middle" "$WORK/elsewhere"
moves_on "it goes on when it can be reached"
expect_equal "which is told too" "1 1 0" "$(lost)"
hba_of middle "local all postgres trust" "local replication all trust" "local all all reject"
sleep 1.1 # a connection that stood that long is made anew at once, before replica_grace_s is over
sql middle "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'backfilld'" >/dev/null
refused="pg_stat_replication of cascades.0. cannot be read: .*pg_hba.conf"
waits "a cascade that refuses us closes the gate, too" "$refused"
still_waits "a cascade that answered, and now refuses us," "$refused"
expect_equal "it is told once as well" "2 1 0" "$(lost)"
hba_of middle "local all all trust" "local replication all trust"
moves_on "it goes on when it lets us in again"
cluster_stop middle immediate
wait_until 10 "it is let go with what was known of it" "SELECT count(*) = 1, string_agg(detail, '; ') FROM backfill.event
	WHERE kind = 'replica' AND detail ~ '^replica cascades.0. .*is no longer waited for: .*connection' AND at > timestamptz '$since'"
ok "it is let go with what was known of it"
daemon_stop
