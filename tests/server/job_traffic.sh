#!/usr/bin/env bash
# Jobs on a table that people write to all the while: rows come, change, move, change their keys and go. With every way
# to keep up, and one or two workers; each row looked at in one snapshot while the writing goes on.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

rows=40000
job_world shared_buffers=4MB max_connections=40
replica_start standby1 main hot_standby_feedback=on
shop_fill main $rows
sql -U shop_owner main "
	CREATE SEQUENCE given;
	CREATE TABLE log (id bigint PRIMARY KEY); -- which of the first rows the application has deleted
	CREATE FUNCTION note_deleted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log VALUES (abs(OLD.id)) ON CONFLICT DO NOTHING; RETURN OLD; END';
	CREATE TRIGGER note_deleted BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION note_deleted()"
first=$(sql main "SELECT max(id) FROM orders")
foreground_start main $rows 150 stir
daemon_start

# Writes to the new column itself, once it is there.
write_column() { # COLUMN
	traffic_start "$1" 2 60 <<-SQL
		\set id random(1, $rows)
		\set way random(1, 3)
		\if :way = 1
		UPDATE public.orders SET $1 = 'OWN' WHERE id = :id;
		\elif :way = 2
		UPDATE public.orders SET $1 = NULL, customer_id = -1 WHERE id = :id;
		\else
		INSERT INTO public.orders (customer_id, email, $1) VALUES (:id, 'Own.' || :id || '@Example.com', 'OWN');
		\endif
	SQL
}

await_hold() { # NAME HOLD
	wait_until 60 "job $1 is held before $2" \
		"SELECT held_at = '$2', concat_ws('|', stage, waiting_for, error, error_hint) FROM backfill.job WHERE name = '$1'"
}

for workers in 1 2; do
	for sync in fill derive none; do
		name=${sync}_$workers
		# the hold lets us look while its trigger is still there
		enqueue "$name" table_name=orders column_name="$name" column_type=text value='upper(email)' sync=$sync workers=$workers batch_ms=3 hold_before='{fill,seal}'
		await_hold "$name" fill
		write_column "$name"
		sql -U shop_owner main "SELECT backfill.proceed($(job_id "$name"))" >/dev/null
		await_hold "$name" seal
		case $sync in
		fill)
			expect_sql "fill, workers $workers: no row is without a value, while writing goes on" 0 "SELECT count(*) FROM orders WHERE $name IS NULL"
			expect_sql "... and each value is the application's own, or its e-mail's" 0 "SELECT count(*) FROM orders
				WHERE $name NOT IN ('OWN', upper(email)) AND NOT (email LIKE 'Moved.%' AND $name ~ '^([0-9A-F]{32}|NEW.CUSTOMER[0-9]+|OWN.[0-9]+|MOVED.-?[0-9]+)@EXAMPLE.COM$')"
			;;
		derive)
			expect_sql "derive, workers $workers: each row has its e-mail's value, while writing goes on" 0 "SELECT count(*) FROM orders WHERE $name IS DISTINCT FROM upper(email)"
			;;
		none)
			expect_sql "none, workers $workers: only rows that were written meanwhile are without" 0 \
				"SELECT count(*) FROM orders WHERE $name IS NULL AND id BETWEEN 1 AND $first AND customer_id <> -1"
			expect_sql "... and nothing else is in it" 0 "SELECT count(*) FROM orders
				WHERE $name NOT IN ('OWN', upper(email)) AND NOT (email LIKE 'Moved.%' AND $name ~ '^([0-9A-F]{32}|NEW.CUSTOMER[0-9]+|OWN.[0-9]+|MOVED.-?[0-9]+)@EXAMPLE.COM$')"
			;;
		esac
		expect_equal "the application writes undisturbed" "" "$(traffic_stop "$name")$(foreground_errors)"
		sql -U shop_owner main "SELECT backfill.proceed($(job_id "$name"))" >/dev/null
		job_reaches "$name" "done" 20
		if [[ $sync != derive ]]; then
			sql -U shop_owner main "ALTER TABLE orders DROP COLUMN $name"
		fi
	done
done
enqueue auto table_name=orders column_name=auto column_type=bigint default_expr="nextval('given')" batch_ms=3 workers=2 not_null=true
job_reaches auto "done" 60
expect_sql "auto without a value: every row has a default of its own" "0|t" "SELECT count(*) - count(DISTINCT auto), count(auto) = count(*) FROM orders"
enqueue auto_value table_name=orders column_name=auto_value column_type=text value='lower(email)' default_expr="'new'" batch_ms=3 not_null=true
job_reaches auto_value "done" 60
expect_sql "auto with a value and a default: NOT NULL in full traffic" 0 "SELECT count(*) FROM orders WHERE auto_value IS NULL"
expect_equal "the application writes undisturbed to the end" "" "$(foreground_errors)"
foreground_stop
wait_until 10 "its last transactions are through, too" "SELECT count(*) = 0, count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'"
expect_sql "derived values follow to the end" 0 "SELECT count(*) FROM orders WHERE derive_1 IS DISTINCT FROM upper(email) OR derive_2 IS DISTINCT FROM upper(email)"
expect_sql "the application has deleted, moved, and inserted rows meanwhile" t "SELECT count(*) > 20 AND (SELECT count(*) FROM orders WHERE id < 0) > 20
	AND (SELECT max(id) > $first FROM orders) FROM log"
expect_sql "no row was lost or doubled" 0 "
	SELECT count(*) FROM generate_series(1, $first) g
	 WHERE (SELECT count(*) FROM orders o WHERE o.id = g) + (SELECT count(*) FROM orders o WHERE o.id = -g)
	     + CASE WHEN EXISTS (SELECT FROM log l WHERE l.id = g) THEN 1 ELSE 0 END < 1"
replica_caught_up standby1 main
hash="SELECT count(*), md5(string_agg(md5(x::text), ',' ORDER BY id)) FROM orders x"
expect_sql "the replica has the same rows" "$(sql main "$hash")" -n standby1 "$hash"
daemon_stop
