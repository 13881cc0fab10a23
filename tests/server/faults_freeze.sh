#!/usr/bin/env bash
# A daemon that is frozen for longer than its lease, alone and with a second one that takes over; two daemons beside
# each other.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

slow_fill main
daemon_install
numbers_table 12000
daemon_option defaults.batch_ms 20
daemon_start
holder=$(sql main "SELECT holder FROM backfill.daemon_seen")
numbers_job numbers
filled_beyond 1000

daemon_signal STOP
lease_lapses
daemon_signal CONT
before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark")
filled_beyond $((before + 500))
expect_sql "frozen for longer than its lease while nobody took over, it goes on by itself" "$holder" "SELECT holder FROM backfill.claim"

# The same for a claim whose answer never came: the table says it is ours, so it is worked on.
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'pause'"
wait_until 10 "the job is put down" "SELECT count(*) = 0 FROM backfill.claim"
sql main "BEGIN; UPDATE backfill.job SET wanted = 'run', epoch = epoch + 1;
	INSERT INTO backfill.claim (job_id, root_oid, holder, epoch, lease_until)
	SELECT id, table_oid, '$holder', epoch, now() + interval '15 s' FROM backfill.job; COMMIT"
before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark")
filled_beyond $((before + 500))
ok "a claim that the daemon never heard of is worked on"

wait_until 10 "the fillers are enlisted" "SELECT count(*) > 1 FROM backfill.backend b JOIN pg_stat_activity a USING (pid, backend_start)"
daemon_signal STOP
old=$(backends '^backfilld job' | sort | paste -sd,)
daemon_option poll_ms 100
daemon_start second
expect_sql "the second daemon leaves a claimed job alone" "$holder" "SELECT holder FROM backfill.claim"
wait_until 25 "the second daemon takes over once the lease has run out" "SELECT holder <> '$holder', holder FROM backfill.claim"
wait_until 5 "the frozen daemon's sessions are ended" "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid IN ($old)"
before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark")
filled_beyond "$before"
daemon_signal CONT
wait_for 10 "the frozen daemon notices" grep -q "no longer held by this daemon" "$(daemon_log daemon)"
expect_sql "the successor still holds it" t "SELECT holder <> '$holder' FROM backfill.claim"
job_reaches numbers "done" 40
numbers_right "after a takeover"
expect_sql "the frozen daemon did nothing under an old epoch" 0 \
	"SELECT count(*) FROM backfill.bookmark b WHERE b.epoch <> (SELECT epoch FROM backfill.job)"
daemon_stop
daemon_stop second
