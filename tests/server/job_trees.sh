#!/usr/bin/env bash
# Jobs on trees of tables: partitions of every kind and depth, inheritance; tables that come, go and are renamed meanwhile.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world max_connections=40

# ---- every kind of tree
sql -U shop_owner main "
	CREATE TABLE ranged (id int, email text) PARTITION BY RANGE (id);
	CREATE TABLE ranged_1 PARTITION OF ranged FOR VALUES FROM (0) TO (1000);
	CREATE TABLE ranged_2 (gone int, email text, also_gone text, id int);
	ALTER TABLE ranged_2 DROP gone, DROP also_gone;
	ALTER TABLE ranged ATTACH PARTITION ranged_2 FOR VALUES FROM (1000) TO (2000);
	CREATE TABLE ranged_3 PARTITION OF ranged FOR VALUES FROM (2000) TO (3000) PARTITION BY LIST (id);
	CREATE TABLE \"Ranged 3a\" PARTITION OF ranged_3 FOR VALUES IN (2000, 2001, 2002);
	CREATE TABLE ranged_3b PARTITION OF ranged_3 DEFAULT;
	CREATE TABLE ranged_rest PARTITION OF ranged DEFAULT;
	INSERT INTO ranged SELECT g, 'A' || g || '@x.Y' FROM generate_series(0, 3999) g;

	CREATE TABLE listed (id int PRIMARY KEY, email text) PARTITION BY LIST (id);
	CREATE TABLE listed_1 PARTITION OF listed FOR VALUES IN (1, 2, 3);
	CREATE TABLE listed_rest PARTITION OF listed DEFAULT;
	INSERT INTO listed SELECT g, 'A' || g || '@x.Y' FROM generate_series(1, 500) g;

	CREATE TABLE hashed (id int, email text) PARTITION BY HASH (id);
	CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 0);
	CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 1);
	CREATE TABLE hashed_2 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 2);
	INSERT INTO hashed SELECT g, 'A' || g || '@x.Y' FROM generate_series(1, 5000) g;

	CREATE TABLE parent (id int, email text);
	CREATE TABLE child (extra int) INHERITS (parent);
	CREATE TABLE grandchild (more text DEFAULT 'm') INHERITS (child);
	CREATE TABLE other_child (v_own text, v_default text) INHERITS (parent);
	INSERT INTO parent SELECT g, 'A' || g || '@x.Y' FROM generate_series(1, 500) g;
	INSERT INTO child SELECT g, 'A' || g || '@x.Y', g FROM generate_series(1, 500) g;
	INSERT INTO grandchild SELECT g, 'A' || g || '@x.Y', g FROM generate_series(1, 500) g;
	INSERT INTO other_child SELECT g, 'A' || g || '@x.Y', CASE WHEN g % 2 = 0 THEN 'own' END FROM generate_series(1, 500) g;
	CREATE TABLE empty (id int) PARTITION BY RANGE (id);
	ANALYZE ranged, listed, hashed, parent, child, grandchild, other_child"
daemon_start

for table in ranged listed hashed parent; do
	enqueue "$table fill" table_name=$table column_name=v column_type=text value="upper($table.email)" not_null=true workers=2
done
enqueue "empty fill" table_name=empty column_name=v column_type=text value="'x'" not_null=true
jobs_settle 60
for table in ranged listed hashed parent; do
	expect_done "$table fill"
	expect_sql "$table: each row of the tree has its value" 0 "SELECT count(*) FROM $table WHERE v IS DISTINCT FROM upper(email)"
	expect_sql "$table: the column is NOT NULL in every table" 0 "
		SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		 WHERE c.oid IN (WITH RECURSIVE t (oid) AS (SELECT '$table'::regclass::oid UNION SELECT inhrelid FROM t JOIN pg_inherits ON inhparent = t.oid) SELECT oid FROM t)
		   AND a.attname = 'v' AND NOT a.attnotnull"
	expect_clean "$table: nothing of ours is left" $table
done
expect_done "empty fill"
expect_clean "an inheritance child: nothing of ours is left" grandchild
expect_sql "rows are counted once" 4000 "SELECT sum(rows_filled) FROM backfill.job WHERE name = 'ranged fill'"
expect_sql "the progress is that of the whole tree" t "SELECT blocks_done = blocks_total AND blocks_total > 20 FROM backfill.job WHERE name = 'ranged fill'"
expect_sql "planning shows the steps" t "SELECT count(*) > 4 FROM backfill.plan_step WHERE job_id = $(job_id "ranged fill")"

# ---- defaults, derived values, columns that some tables have already
enqueue "ranged constant" table_name=ranged column_name=c column_type=int default_expr=7
enqueue "ranged random" table_name=ranged column_name=r column_type=float8 default_expr="random()" not_null=true
enqueue "ranged derive" table_name=ranged column_name=d column_type=text value="lower(email)" sync=derive
enqueue "parent own" table_name=parent column_name=v_own column_type=text value="'filled'"
enqueue "parent default" table_name=parent column_name=v_default column_type=text default_expr="'def'"
enqueue "parent derive" table_name=parent column_name=d column_type=text value="lower(email)" sync=derive
enqueue "hashed none" table_name=hashed column_name=n column_type=text value="hashed.email" sync=none workers=2
jobs_settle 60
expect_done "ranged constant" "ranged random" "ranged derive" "parent own" "parent default" "parent derive" "hashed none"
expect_sql "a constant needs no fill" "4000|0" "SELECT count(*) FILTER (WHERE c = 7), (SELECT rows_filled FROM backfill.job WHERE name = 'ranged constant') FROM ranged"
expect_sql "a volatile default is evaluated for each row" t "SELECT count(DISTINCT r) > 3900 FROM ranged"
expect_sql "a child's own column keeps its values, the rest is filled" "250|1750" "SELECT count(*) FILTER (WHERE v_own = 'own'), count(*) FILTER (WHERE v_own = 'filled') FROM parent"
expect_sql "a constant default is filled where a child had the column" 2000 "SELECT count(*) FROM parent WHERE v_default = 'def'"
expect_sql "without a trigger" 5000 "SELECT count(*) FROM hashed WHERE n = email"
sql -U shop_owner main "INSERT INTO ranged (id, email, v) VALUES (1500, 'New', 'x'), (2001, 'New', 'x');
	INSERT INTO grandchild (id, email, v) VALUES (1, 'New', 'x'); UPDATE ranged SET email = 'Other' WHERE id = 2500; UPDATE child SET email = 'Other' WHERE id = 5"
expect_sql "derive goes on in every leaf, whatever the order of its columns" 0 "SELECT count(*) FROM ranged WHERE d IS DISTINCT FROM lower(email)"
expect_sql "... and in children of children" 0 "SELECT count(*) FROM parent WHERE d IS DISTINCT FROM lower(email)"

# ---- what cannot be done is refused in planning
sql main "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; GRANT USAGE ON FOREIGN SERVER elsewhere TO shop_owner" 2>/dev/null || true
if [[ $(sql main "SELECT count(*) FROM pg_foreign_server") == 1 ]]; then
	sql -U shop_owner main "CREATE TABLE far (id int) PARTITION BY RANGE (id); CREATE FOREIGN TABLE far_1 PARTITION OF far FOR VALUES FROM (0) TO (9) SERVER elsewhere"
	enqueue far table_name=far column_name=v column_type=text value="'x'"
	jobs_settle 20
	expect_failed "a foreign table as a partition" far planning 'public.far_1.*foreign table.*Detach'
else
	skip_one "a foreign table as a partition" "this server has no postgres_fdw"
fi
sql -U shop_owner main "CREATE TABLE culprit (id int, n text) PARTITION BY RANGE (id);
	CREATE TABLE culprit_1 PARTITION OF culprit FOR VALUES FROM (0) TO (100); CREATE TABLE culprit_2 PARTITION OF culprit FOR VALUES FROM (100) TO (200);
	INSERT INTO culprit SELECT g, CASE g WHEN 150 THEN 'x' ELSE g::text END FROM generate_series(0, 199) g"
enqueue culprit table_name=culprit column_name=v column_type=int value="n::int"
sql -U shop_owner main "CREATE TABLE hole (id int PRIMARY KEY) PARTITION BY RANGE (id);
	CREATE TABLE hole_1 PARTITION OF hole FOR VALUES FROM (0) TO (100); CREATE TABLE hole_2 PARTITION OF hole FOR VALUES FROM (100) TO (200);
	INSERT INTO hole SELECT g FROM generate_series(0, 199) g"
enqueue hole table_name=hole column_name=v column_type=int value="nullif(id, 120)" not_null=true
jobs_settle 30
expect_failed "the row that fails is named with its table" culprit filling 'row ctid \(0,51\) of (public.)?culprit_2.*Mend'
expect_failed "a row that stays NULL is named with its table" hole sealing 'row ctid \(0,.*\) of (public.)?hole_2, key \(id\)=\(120\)'

# ---- the same by hand
sql -U shop_owner main "CREATE TABLE byhand (id int, email text) PARTITION BY LIST (id);
	CREATE TABLE \"byhand SET 1\" PARTITION OF byhand FOR VALUES IN (1); CREATE TABLE byhand_rest PARTITION OF byhand DEFAULT;
	INSERT INTO byhand SELECT g % 3, 'A' || g FROM generate_series(1, 3000) g"
sql -U shop_owner main "INSERT INTO backfill.job (table_name, column_name, column_type, value, not_before) VALUES ('byhand', 'w', 'int', '1', 'infinity')"
expect_sql "before it is planned, as_sql() looks for the tables of the tree" t "SELECT backfill.as_sql(id) ~ 'pg_inherits.* AS byhand SET' FROM backfill.job WHERE column_name = 'w'"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel' WHERE column_name = 'w'"
enqueue "by hand" table_name=byhand column_name=v column_type=text value="lower(byhand.email)" not_null=true hold_before='{add}'
wait_until 20 "job by hand is held" "SELECT held_at IS NOT NULL, stage FROM backfill.job WHERE name = 'by hand'"
sql main "SELECT backfill.as_sql($(job_id "by hand"))" | psql_at main -U shop_owner -v ON_ERROR_STOP=1 -Atq >/dev/null
expect_sql "as_sql() fills each table of the tree" "3000|t" \
	"SELECT count(*) FILTER (WHERE v = lower(email)), (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'byhand'::regclass AND attname = 'v') FROM byhand"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel' WHERE name = 'by hand'"

# ---- never two jobs on one tree, and a leaf that somebody holds
enqueue first table_name=parent column_name=w1 column_type=int value=1 hold_before='{seal}'
wait_until 20 "job first is held" "SELECT held_at = 'seal', stage FROM backfill.job WHERE name = 'first'"
expect_sql "a tree is known by one number from wherever in it one asks" 1 "SELECT count(DISTINCT backfill.tree_of(t)) FROM unnest('{parent,child,grandchild,other_child}'::regclass[]) t"
sql -U shop_owner main "SELECT backfill.proceed($(job_id first))" >/dev/null
job_reaches first "done" 20
session_open holder main -U shop_owner
session_do holder "BEGIN; SELECT count(*) FROM ONLY grandchild" >/dev/null
enqueue second table_name=parent column_name=w2 column_type=int value=1
wait_until 20 "who holds a table of the tree is named, with the table" \
	"SELECT waiting_for ~ 'has held AccessShareLock on public.grandchild', concat_ws('|', stage, waiting_for) FROM backfill.job WHERE name = 'second'"
ok "who holds a table of the tree is named, with the table"
enqueue third table_name=child column_name=w3 column_type=int value=1
wait_until 20 "a job elsewhere in the tree waits for it" \
	"SELECT waiting_for ~ 'works on the same table or tree', concat_ws('|', stage, waiting_for) FROM backfill.job WHERE name = 'third'"
ok "a job elsewhere in the tree waits for it"
session_close holder
jobs_settle 30
expect_done second third

# ---- tables that come, go and change their names under the fill, while people write
sql -U shop_owner main "
	CREATE TABLE moving (id int, email text, slow text) PARTITION BY RANGE (id);
	SELECT format('CREATE TABLE moving_%s PARTITION OF moving FOR VALUES FROM (%s) TO (%s)', g, g * 1000, g * 1000 + 1000) FROM generate_series(0, 9) g \gexec
	INSERT INTO moving SELECT g, 'A' || g || '@x.Y', repeat('x', 200) FROM generate_series(0, 9999) g;
	CREATE FUNCTION slowly(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(0.0005); RETURN upper(t); END';
	GRANT ALL ON moving TO shop_app;
	CREATE TABLE growing (id int, email text);
	CREATE TABLE growing_1 () INHERITS (growing);
	CREATE TABLE growing_3 () INHERITS (growing);
	INSERT INTO growing SELECT g, 'A' || g || '@x.Y' FROM generate_series(0, 999) g;
	INSERT INTO growing_1 SELECT g, 'A' || g || '@x.Y' FROM generate_series(0, 3999) g;
	ANALYZE moving, growing, growing_1"
enqueue moving table_name=moving column_name=v column_type=text value="slowly(email)" not_null=true batch_ms=20 hold_before='{fill,seal}'
wait_until 20 "job moving is held" "SELECT held_at = 'fill', stage FROM backfill.job WHERE name = 'moving'"
traffic_start moving 2 100 <<-SQL
	\set id random(0, 5999)
	UPDATE public.moving SET email = 'B' || :id || '@x.Y' WHERE id = :id AND v IS NULL;
	INSERT INTO public.moving (id, email) VALUES (:id, 'C' || :id);
	DELETE FROM public.moving WHERE id = :id + 1;
SQL
enqueue growing table_name=growing column_name=v column_type=text value="slowly(email)" batch_ms=20
sql -U shop_owner main "SELECT backfill.proceed($(job_id moving))" >/dev/null
wait_until 20 "the fill is under way" "SELECT sum(rows_filled) > 500, sum(rows_filled) FROM backfill.bookmark WHERE job_id = $(job_id moving)"
sql -U shop_owner main "
	ALTER TABLE moving DETACH PARTITION moving_9;
	DROP TABLE moving_8;
	ALTER TABLE moving_7 RENAME TO moving_seven;
	CREATE TABLE moving_10 (email text, slow text, v text, id int);
	INSERT INTO moving_10 SELECT 'A' || g || '@x.Y', '', NULL, g FROM generate_series(10000, 10999) g;
	ALTER TABLE moving ATTACH PARTITION moving_10 FOR VALUES FROM (10000) TO (11000)"
wait_until 20 "the other fill is under way" "SELECT sum(rows_filled) > 500, sum(rows_filled) FROM backfill.bookmark WHERE job_id = $(job_id growing)"
sql -U shop_owner main "
	CREATE TABLE growing_2 (id int, email text, v text);
	INSERT INTO growing_2 SELECT g, 'A' || g || '@x.Y' FROM generate_series(0, 999) g;
	ALTER TABLE growing_2 INHERIT growing;
	ALTER TABLE growing_3 NO INHERIT growing"
daemon_kill
sql main "UPDATE backfill.claim SET lease_until = now() - interval '1 s'"
daemon_start
wait_until 90 "both fills are over" "SELECT bool_and(stage IN ('done', 'failed') OR held_at IS NOT DISTINCT FROM 'seal'), string_agg(concat_ws(' ', name, stage, waiting_for), '; ')
	FROM backfill.job WHERE name IN ('moving', 'growing')"
# from then on they have to give the column a value themselves
expect_equal "the application has seen no error" "" "$(traffic_stop moving | head -n 3)"
sql -U shop_owner main "SELECT backfill.proceed($(job_id moving))" >/dev/null
job_reaches moving "done" 30
expect_done moving growing
expect_sql "each row of the tree has a value, in the table that was attached as well" "0|1000" "SELECT count(*) FILTER (WHERE v IS NULL), count(*) FILTER (WHERE id >= 10000) FROM moving"
expect_sql "the renamed one was filled" 0 "SELECT count(*) FROM moving_seven WHERE v IS NULL"
expect_sql "the detached one was left alone" t "SELECT count(*) > 0 FROM moving_9 WHERE v IS NULL"
expect_sql "that is told" t "SELECT count(*) >= 1 FROM backfill.event WHERE job_id = $(job_id moving) AND kind = 'leaf' AND detail ~ 'left out'"
expect_sql "a child that joined is filled, too" 0 "SELECT count(*) FROM growing WHERE v IS DISTINCT FROM upper(email)"
expect_clean "nothing of ours is left on the tree" moving
expect_clean "nothing of ours is left on the child that joined" growing_2
expect_clean "... on the child that left" growing_3
expect_clean "... on the partition that left" moving_9

note "hundreds of partitions are planned like one"
sql -U shop_owner main <<-SQL
	CREATE TABLE hundreds (id int PRIMARY KEY, email text) PARTITION BY RANGE (id);
	SELECT format('CREATE TABLE hundreds_%s PARTITION OF hundreds FOR VALUES FROM (%s) TO (%s)', i, i, i + 1) FROM generate_series(1, 250) i \gexec
SQL
enqueue hundreds table_name=hundreds column_name=v column_type=text value="upper(email)" hold_before='{add}'
wait_until 40 "a tree of 250 partitions is planned" "SELECT waiting_for ~ '^held before add', stage, waiting_for FROM backfill.job WHERE name = 'hundreds'"
ok "a tree of 250 partitions is planned"
daemon_stop
