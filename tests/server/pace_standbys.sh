#!/usr/bin/env bash
# Standbys that replay late on purpose, and standbys of standbys.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"
# shellcheck source=tests/server/pace_lib.sh
. "$(dirname "$0")/pace_lib.sh"

slow_fill main
replica_start middle main
replica_start leaf middle
replica_start late main late recovery_min_apply_delay=1h
daemon_install
slow_numbers
daemon_option database.delayed_replicas '[late]'
daemon_option database.cascades "[\"$(conninfo middle backfilld)\"]"
daemon_option database.replica_grace_s 3
daemon_option defaults.max_lag_ms 500
replica_caught_up leaf main
daemon_start
numbers_job numbers
wait_until 20 "some rows are filled" "SELECT sum(rows_filled) > 0 FROM backfill.bookmark"
moves_on "rows are filled though a replica replays an hour late on purpose"

sql leaf "SELECT pg_wal_replay_pause()"
waits "a replica behind another standby must be close too" "replica leaf is .* behind"
sql leaf "SELECT pg_wal_replay_resume()"
moves_on "it goes on when that one has caught up"
cluster_stop leaf immediate
waits "it is missed when it vanishes" "replica leaf vanished"
moves_on "and let go after replica_grace_s"


cluster_stop middle immediate
waits "a standby that was to tell of its replicas is missed too" "replica (middle|cascades.0.) vanished"
moves_on "for replica_grace_s"
cluster_resume middle
cluster_resume leaf
wait_until 20 "the standbys are back" "SELECT count(*) = 2 FROM pg_stat_replication WHERE state = 'streaming'"
wait_until -n middle 20 "and what is behind them" "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"
sql leaf "SELECT pg_wal_replay_pause()"
waits "back again it must be close again" "replica leaf is .* behind" 10
sql leaf "SELECT pg_wal_replay_resume()"
moves_on "and is"

sql main "REVOKE pg_monitor FROM backfilld"
waits "without pg_monitor nothing is filled" "GRANT pg_monitor TO .backfilld."
sql main "GRANT pg_monitor TO backfilld"
moves_on "with it the fill goes on"
expect_equal "no replica was given up for that" 3 "$(said replica 'no longer waited')"

setting late hot_standby_feedback on
holder_is "a standby's feedback is" "^standby late .hot_standby_feedback.\$"
setting late hot_standby_feedback off
daemon_stop
