#!/usr/bin/env bash
# The ground the other tests of this suite stand on: clusters, replicas, waiting, refusals.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"

cluster_start main
replica_start standby1 main
expect_sql "a replica answers" t -n standby1 "SELECT pg_is_in_recovery()"
sql -U shop_owner main "CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t VALUES (1);"
replica_caught_up standby1 main
expect_sql "it has what the primary has" 1 -n standby1 "SELECT id FROM public.t"
expect_sql "the application may write" 2 -U shop_app "INSERT INTO public.t VALUES (2) RETURNING id"
expect_error "a refusal is seen with its code" 23505 'Key \(id\)=\(1\) already exists' "INSERT INTO public.t VALUES (1)"
expect_sql "the control login is no superuser" f "SELECT rolsuper FROM pg_roles WHERE rolname = 'backfilld'"

session_open holder main -U shop_owner
session_open waiter main
expect_equal "a session answers" 7 "$(session_do holder "BEGIN; LOCK TABLE public.t; SELECT 7")"
session_send waiter "SELECT count(*) FROM public.t"
session_waits waiter
expect_match "an error does not end a session" 'division by zero' "$(session_do holder "SELECT 1/0")"
session_close holder
expect_equal "what waited goes on when the holder is closed" 2 "$(session_answer waiter)"
session_close waiter
expect_exit "a command's end is seen" 3 '^gone$' bash -c 'echo gone; exit 3'

shop_fill main 1000
foreground_start main 1000 200 stir
wait_until 20 "the application works" "SELECT count(*) FILTER (WHERE id < 0) > 5 AND max(id) > 1005, count(*) FROM public.orders"
expect_equal "no transaction of the application fails" "" "$(foreground_errors)"
foreground_stop

cluster_kill main
cluster_resume main
wait_until 20 "the replica comes back" "SELECT count(*) = 1 FROM pg_stat_replication"
expect_sql "a killed server comes back with its rows" 2 "SELECT count(*) FROM public.t"
cluster_promote standby1
wait_until -n standby1 20 "the replica is promoted" "NOT pg_is_in_recovery()"
ok "a replica can be promoted"
