#!/usr/bin/env bash
# Tables that become part of the tree behind the last sweep, while the job builds its indexes or waits at a hold; and names
# of what is made on each of them.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world max_connections=40
sql -U shop_owner main "
	CREATE TABLE aside (id int);
	SELECT format('CREATE TABLE %1\$s (id int, email text) PARTITION BY RANGE (id);
		CREATE TABLE %1\$s_0 PARTITION OF %1\$s FOR VALUES FROM (0) TO (1000);
		CREATE TABLE %1\$s_1 PARTITION OF %1\$s FOR VALUES FROM (1000) TO (2000);
		INSERT INTO %1\$s SELECT g, ''A'' || g FROM generate_series(0, 1999) g', name)
	  FROM unnest('{daily,quiet,sealed,customer_order_events_history_of_2024}'::text[]) name \gexec
	CREATE TABLE parent (id int);
	CREATE TABLE child () INHERITS (parent);
	ALTER TABLE child ADD CONSTRAINT parent_v_check CHECK (id > 0), ADD CONSTRAINT parent_v_fkey CHECK (id > -1);
	INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2);
	CREATE TABLE ref (id int PRIMARY KEY);
	INSERT INTO ref VALUES (1);
	CREATE TABLE typed (id int);
	CREATE TABLE typed_child (v int) INHERITS (typed);
	INSERT INTO typed VALUES (1)"
daemon_start
enqueue names table_name=customer_order_events_history_of_2024 column_name=normalized_email_address column_type=text value='upper(email)' \
	index=btree not_null=true
enqueue taken table_name=parent column_name=v column_type=int value=1 check_expr='v = 1' foreign_key=ref
enqueue typed table_name=typed column_name=v column_type=text value="'x'"
jobs_settle 30
expect_done names taken
expect_sql "each partition has an index of its own, though their names have to be cut" "2|t" "
	SELECT count(*), bool_and(i.indisvalid) FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid
	 WHERE h.inhparent = (SELECT to_regclass(object_names->>'index') FROM backfill.job WHERE name = 'names')"
expect_sql "a name that a child has for something else is not taken" "parent_v_check1, parent_v_fkey1" \
	"SELECT string_agg(conname, ', ' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'parent'::regclass"
expect_failed "a child that has the column with another type is found in planning" typed planning \
	'typed_child.*has a column v of type integer'

# ---- while the index is built, and while the job waits
session_open old main -U shop_app
session_do old "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM aside" >/dev/null
enqueue daily table_name=daily column_name=v column_type=text value='upper(email)' index='btree (lower(v))' not_null=true
enqueue quiet table_name=quiet column_name=v column_type=text value='upper(email)' index=btree
enqueue sealed table_name=sealed column_name=v column_type=text value='upper(email)' index=btree not_null=true hold_before='{seal}'
for job in daily quiet sealed; do
	says $job 'build the index'
done
sql -U shop_owner main "
	CREATE TABLE daily_2 PARTITION OF daily FOR VALUES FROM (2000) TO (3000);
	INSERT INTO daily SELECT g, 'A' || g FROM generate_series(2000, 2999) g;
	CREATE TABLE quiet_2 (id int, email text, v text);
	INSERT INTO quiet_2 SELECT g, 'A' || g FROM generate_series(2000, 2999) g;
	ALTER TABLE quiet ATTACH PARTITION quiet_2 FOR VALUES FROM (2000) TO (3000)"
session_do old "COMMIT" >/dev/null
session_close old
jobs_settle 30
wait_until 20 "sealed is held" "SELECT held_at = 'seal', stage, waiting_for FROM backfill.job WHERE name = 'sealed'"
sql -U shop_owner main "
	CREATE TABLE sealed_2 (id int, email text, v text);
	INSERT INTO sealed_2 SELECT g, 'A' || g FROM generate_series(2000, 2999) g;
	ALTER TABLE sealed ATTACH PARTITION sealed_2 FOR VALUES FROM (2000) TO (3000)"
proceed sealed >/dev/null
job_reaches sealed "done" 30
expect_done daily quiet sealed
for table in daily quiet sealed; do
	expect_sql "$table: each row has its value, in the table that joined as well" "3000|0" \
		"SELECT count(*), count(*) FILTER (WHERE v IS DISTINCT FROM upper(email)) FROM $table"
	expect_sql "$table: each partition has one index, and they are one" "3|3" "
		SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid))
		  FROM pg_index i WHERE i.indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = '$table'::regclass)"
	expect_clean "$table: nothing of ours is left" "$table"
done
expect_sql "that is told" t "SELECT bool_and(detail ~ 'has become one of the tree') AND count(*) = 2 FROM backfill.event
	WHERE name IN ('quiet', 'sealed') AND kind = 'stage' AND stage = 'adding' AND detail ~ 'tree'"

# ---- an index that a job gets long after it was done: partitions that came since are their writers' own
sql -U shop_owner main "
	CREATE TABLE quiet_3 (id int, email text, v text);
	INSERT INTO quiet_3 SELECT g, 'A' || g FROM generate_series(3000, 3999) g;
	ALTER TABLE quiet ATTACH PARTITION quiet_3 FOR VALUES FROM (3000) TO (4000)"
enqueue later table_name=quiet column_name=w column_type=text value='lower(email)'
jobs_settle 20
sql -U shop_owner main "
	CREATE TABLE quiet_4 (id int, email text, v text, w text);
	INSERT INTO quiet_4 SELECT g, 'A' || g FROM generate_series(4000, 4999) g;
	ALTER TABLE quiet ATTACH PARTITION quiet_4 FOR VALUES FROM (4000) TO (5000)"
steer later "index = 'btree'"
jobs_settle 20
expect_done later
expect_sql "it is indexed, and not filled again" "5|1000" "
	SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'quiet_w_idx'::regclass), count(*) FILTER (WHERE w IS NULL) FROM quiet"

# ---- an index that was made by hand since, under the name that planning had chosen
enqueue handmade table_name=aside column_name=h column_type=int value=1
job_reaches handmade "done" 20
sql -U shop_owner main "CREATE INDEX aside_h_idx ON aside (h) WHERE h > 7"
steer handmade "index = 'btree'"
jobs_settle 20
expect_done handmade
expect_sql "is not taken for the job's" "aside_h_idx, aside_h_idx1" \
	"SELECT string_agg(indexrelid::regclass::text, ', ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'aside'::regclass"
steer handmade "wanted = 'roll_back'"
job_ends handmade failed 20
expect_failed "roll back does not drop it" handmade rolling_back 'has index aside_h_idx, which the job has not made'
sql -U shop_owner main "DROP INDEX aside_h_idx"
again handmade
job_ends handmade rolled_back 20

# ---- a name that is taken after it was chosen
enqueue robbed table_name=parent column_name=w column_type=int value=1 index=btree hold_before='{fill}'
wait_until 20 "robbed is held" "SELECT held_at = 'fill', stage FROM backfill.job WHERE name = 'robbed'"
sql -U shop_owner main "CREATE INDEX parent_w_idx ON aside (id)"
proceed robbed >/dev/null
job_ends robbed failed 20
expect_failed "what to do about it is said" robbed indexing '"parent_w_idx" already exists.*rename that'
sql -U shop_owner main "ALTER INDEX parent_w_idx RENAME TO aside_idx"
again robbed
job_reaches robbed "done" 20

# ---- ... by an index of the job's own table that somebody else has tried to build
enqueue broken table_name=parent column_name=x column_type=int value=1 index=btree hold_before='{fill}'
wait_until 20 "broken is held" "SELECT held_at = 'fill', stage FROM backfill.job WHERE name = 'broken'"
sql -U shop_owner main "INSERT INTO parent VALUES (1)"
expect_error "somebody's index fails, and stays invalid" 23505 'parent_x_idx' -U shop_owner "CREATE UNIQUE INDEX CONCURRENTLY parent_x_idx ON parent (id)"
proceed broken >/dev/null
job_ends broken failed 20
expect_failed "it is not dropped as if the job had left it" broken indexing '"parent_x_idx" already exists.*rename that'
expect_sql "... it is still there" 1 "SELECT count(*) FROM pg_index WHERE indexrelid = 'parent_x_idx'::regclass AND NOT indisvalid"
sql -U shop_owner main "DROP INDEX parent_x_idx"
again broken
job_reaches broken "done" 20
daemon_stop
