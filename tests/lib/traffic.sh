# shellcheck shell=bash
# An application at work on public.bench: pgbench, $TRAFFIC_CLIENTS clients (4 unless told otherwise) as shop_app, one update and one
# select by key a transaction. Needs bench.sh and bench_server.
#
#	traffic_capacity SECONDS              transactions a second when nothing holds it back
#	traffic_start NAME RATE               RATE transactions a second on cluster main, until stopped
#	traffic_stop NAME
#	traffic_latencies NAME FROM TO [ms|executing]    once it was stopped: milliseconds of each transaction that ended between two
#	                                      moments (seconds since 1970); with the wait for a free client, as a user would wait, or
#	                                      the execution alone
#	traffic_waits_logged                  from now on the server logs each of its lock waits over 20 ms (shop_app's only)
#	traffic_waits FIRST LAST              of each such wait for somebody who is not shop_app: milliseconds, and who that was;
#	                                      between these lines of main's log

TRAFFIC_CLIENTS=4

traffic_write() {
	as_server tee "$WORK/traffic.sql" >/dev/null <<-SQL
		\set id random(1, $BENCH_ROWS)
		\set other random(1, $BENCH_ROWS)
		UPDATE public.bench SET status = status + 1 WHERE id = :id;
		SELECT id, customer_id, email, status, note FROM public.bench WHERE id = :other;
	SQL
}

traffic_capacity() {
	local pgbench
	pgbench=$(postgres_program pgbench)
	traffic_write
	as_server env "PGHOST=$WORK/main" PGUSER=shop_app PGDATABASE=shop "$pgbench" -n -M prepared -c "$TRAFFIC_CLIENTS" -T "$1" -f "$WORK/traffic.sql" 2>&1 |
		sed -nE 's/^tps = ([0-9]+).*/\1/p'
}

traffic_start() {
	local pgbench
	pgbench=$(postgres_program pgbench)
	traffic_write
	become_server setsid env "PGHOST=$WORK/main" PGUSER=shop_app PGDATABASE=shop "$pgbench" -n -M prepared -c "$TRAFFIC_CLIENTS" -R "$2" -T 36000 \
		-f "$WORK/traffic.sql" -l --log-prefix "$WORK/traffic.$1" </dev/null >"$WORK/traffic.$1.out" 2>&1 &
	echo $! >"$WORK/pids/traffic"
	disown $!
}

# pgbench's log: client, transaction, microseconds, script, seconds since 1970, microseconds, schedule lag. Each second goes to a file of
# its own: the whole, millions of lines, would be read again for each stretch that is looked at.
split_log() {
	mkdir "$WORK/traffic.$1.seconds"
	cat "$WORK/traffic.$1".[0-9]* | awk -v folder="$WORK/traffic.$1.seconds" '
		NF >= 7 && $5 != second { close(file); second = $5; file = folder "/" second }
		NF >= 7 { print >>file }'
}

# SIGALRM is pgbench's own sign that the time is up: it ends in order and writes out its log.
traffic_stop() {
	local pid errors
	pid=$(cat "$WORK/pids/traffic")
	kill -ALRM "$pid" 2>/dev/null || true
	wait_gone "$pid" 20 || give_up "the application ends when asked to"
	rm -f "$WORK/pids/traffic"
	errors=$(grep -i 'error\|abort\|fatal' "$WORK/traffic.$1.out" || true)
	if [[ -n $errors ]]; then
		give_up "the application has no errors" "$errors"
	fi
}

traffic_latencies() {
	local second logs=()
	[[ -d $WORK/traffic.$1.seconds ]] || split_log "$1"
	for ((second = ${2%.*}; second <= ${3%.*}; second++)); do
		logs+=("$WORK/traffic.$1.seconds/$second")
	done
	# In some of them no transaction ended.
	{ cat "${logs[@]}" 2>/dev/null || true; } | awk -v from="$2" -v to="$3" -v what="${4:-ms}" '
		{ at = $5 + $6 / 1e6; if (at >= from && at < to) print ($3 - (what == "executing" ? $7 : 0)) / 1000 }'
}

traffic_waits_logged() {
	sql main "
		ALTER ROLE shop_app SET deadlock_timeout = '20ms';
		ALTER ROLE shop_app SET log_lock_waits = on;
		ALTER SYSTEM SET log_connections = on;
		SELECT pg_catalog.pg_reload_conf()" >/dev/null
}

traffic_waits() {
	awk -v first="$1" -v last="$2" '
		/connection authorized: user=/ { match($0, /\[[0-9]+\]/); pid = substr($0, RSTART + 1, RLENGTH - 2); sub(/.* user=/, ""); user[pid] = $1 }
		NR < first || NR > last { next }
		/shop_app@.* still waiting for / { waiter = $0; sub(/.*process /, "", waiter); sub(/ .*/, "", waiter) }
		/Process(es)? holding the lock: / { sub(/.*holding the lock: /, ""); sub(/[.,].*/, ""); holder[waiter] = user[$0] }
		/shop_app@.* acquired .* after / {
			sub(/.*process /, "")
			if (holder[$1] != "shop_app") { pid = $1; sub(/.* after /, ""); print $1, holder[pid] }
		}' "$(cluster_log main)"
}
