#!/usr/bin/env bash
# Constraints and indexes: CHECK, foreign key, UNIQUE, index; what is in their way; and what a failure leaves.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
sql -U shop_owner main "
	CREATE TABLE org (id int PRIMARY KEY, region text); INSERT INTO org SELECT g, 'r' || g % 3 FROM generate_series(1, 50) g;
	CREATE TABLE person (id int PRIMARY KEY, email text, org_id int, doc jsonb);
	INSERT INTO person SELECT g, 'P' || g || '@x.org', g % 50 + 1, jsonb_build_object('n', g) FROM generate_series(1, 3000) g;
	CREATE TABLE \"Odd Name\" (id int PRIMARY KEY, name text); INSERT INTO \"Odd Name\" SELECT g, 'n' || g FROM generate_series(1, 50) g;
	ANALYZE org, person"
defined() { # OBJECT: definition of the constraint or index of that name
	sql main "SELECT coalesce((SELECT pg_get_constraintdef(oid) || CASE WHEN convalidated THEN '' ELSE ' (not valid)' END FROM pg_constraint WHERE conname = '$1'),
		(SELECT pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' (invalid)' END FROM pg_index WHERE indexrelid = to_regclass(quote_ident('$1'))), 'none')"
}
described() { # TABLE, as psql tells it
	psql_at main -d shop -U shop_owner -c "\\d $1"
}
wants() { # JOB WISH
	sql -U shop_owner main "UPDATE backfill.job SET wanted = '$2' WHERE name = '$1'"
}
daemon_start

note "each of them, and all together"
enqueue checked table_name=person column_name=lower column_type=text value='lower(email)' check_expr="lower <> ''"
enqueue referring table_name=person column_name=org column_type=int value='org_id' foreign_key='org (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED'
enqueue unique table_name=person column_name=code column_type=int value='id * 7' is_unique=true not_null=true
enqueue indexed table_name=person column_name=half column_type=int value='id / 2' index=btree index_where='half > 100'
enqueue document table_name=person column_name=facts column_type=jsonb value='doc' index='gin (facts jsonb_path_ops)'
enqueue expression table_name=person column_name=name column_type=text value='email' index="btree (upper(name))"
enqueue all table_name="\"Odd Name\"" column_name="New One" column_type=int value='id' check_expr='"New One" > 0' foreign_key='public.org' is_unique=true \
	not_null=true index=hash
jobs_settle 60
expect_done checked referring unique indexed document expression all
expect_equal "CHECK" "CHECK ((lower <> ''::text))" "$(defined person_lower_check)"
expect_equal "foreign key" "FOREIGN KEY (org) REFERENCES org(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED" "$(defined person_org_fkey)"
expect_equal "UNIQUE" "UNIQUE (code)" "$(defined person_code_key)"
expect_equal "partial index" "CREATE INDEX person_half_idx ON public.person USING btree (half) WHERE (half > 100)" "$(defined person_half_idx)"
expect_equal "index with an operator class" "CREATE INDEX person_facts_idx ON public.person USING gin (facts jsonb_path_ops)" "$(defined person_facts_idx)"
expect_equal "index on an expression" "CREATE INDEX person_name_idx ON public.person USING btree (upper(name))" "$(defined person_name_idx)"
expect_equal "all: CHECK" 'CHECK (("New One" > 0))' "$(defined "Odd Name_New One_check")"
expect_equal "all: foreign key" 'FOREIGN KEY ("New One") REFERENCES org(id)' "$(defined "Odd Name_New One_fkey")"
expect_equal "all: UNIQUE" 'UNIQUE ("New One")' "$(defined "Odd Name_New One_key")"
expect_equal "all: index" 'CREATE INDEX "Odd Name_New One_idx" ON public."Odd Name" USING hash ("New One")' "$(defined "Odd Name_New One_idx")"
expect_clean "nothing else of ours is left" person
expect_sql "the plan has told each statement, none blocks readers and scans" 0 "SELECT count(*) FROM backfill.plan_step WHERE blocks_reads AND scans_table"
expect_sql "every statement of the plan was carried out, and no other" "" "
	SELECT statement FROM backfill.plan_step WHERE statement !~ '^UPDATE|^--|[(]its name[)]' EXCEPT SELECT statement FROM backfill.event WHERE kind = 'statement'
	UNION ALL
	(SELECT statement FROM backfill.event WHERE kind = 'statement' AND (statement !~ 'VALIDATE' OR current_setting('server_version_num')::int < 180000) EXCEPT SELECT statement FROM backfill.plan_step)"

note "names that are taken"
sql -U shop_owner main "CREATE INDEX person_taken_idx ON org (region)"
enqueue taken table_name=person column_name=taken column_type=int value=id index=btree
jobs_settle 20
expect_done taken
expect_equal "the next free one" "CREATE INDEX person_taken_idx1 ON public.person USING btree (taken)" "$(defined person_taken_idx1)"

note "a tree of tables"
sql -U shop_owner main "
	CREATE TABLE region (id int, country text, amount int) PARTITION BY LIST (country);
	CREATE TABLE region_de PARTITION OF region FOR VALUES IN ('de');
	CREATE TABLE region_rest PARTITION OF region DEFAULT PARTITION BY RANGE (id);
	CREATE TABLE region_rest_1 PARTITION OF region_rest FOR VALUES FROM (0) TO (500);
	CREATE TABLE region_rest_2 PARTITION OF region_rest FOR VALUES FROM (500) TO (2000);
	INSERT INTO region SELECT g, CASE g % 3 WHEN 0 THEN 'de' ELSE 'fr' END, g FROM generate_series(1, 1500) g;
	CREATE TABLE city (id int); CREATE TABLE capital (since int) INHERITS (city);
	INSERT INTO city SELECT generate_series(1, 300); INSERT INTO capital SELECT g, 1800 FROM generate_series(301, 400) g; ANALYZE region, city, capital"
enqueue tree table_name=region column_name=org column_type=int value='id % 50 + 1' not_null=true index=btree foreign_key='org ON DELETE CASCADE' check_expr='org > 0'
enqueue family table_name=city column_name=org column_type=int value='id % 50 + 1' index=btree foreign_key=org check_expr='org > 0' is_unique=false
jobs_settle 40
expect_done tree family
expect_sql "every table has its index, valid and attached" "region_de|t|t,region_rest|t|t,region_rest_1|t|t,region_rest_2|t|t" "
	SELECT string_agg(concat_ws('|', t.relname, x.indisvalid, i.relispartition), ',' ORDER BY t.relname) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
	  JOIN pg_class t ON t.oid = x.indrelid WHERE i.relname ~ '^region_.*_org_idx'"
expect_equal "that of the partitioned table is valid" "CREATE INDEX region_org_idx ON ONLY public.region USING btree (org)" "$(defined region_org_idx)"
expect_sql "foreign key and CHECK are valid everywhere" "region|2,region_de|2,region_rest|2,region_rest_1|2,region_rest_2|2" "
	SELECT string_agg(t || '|' || n, ',' ORDER BY t) FROM (SELECT conrelid::regclass::text AS t, count(*) AS n FROM pg_constraint
	 WHERE conrelid::regclass::text LIKE 'region%' AND contype IN ('c', 'f') AND convalidated GROUP BY 1) c"
expect_error "a row without its reference is refused" 23503 'region_org_fkey|region_rest_1_org_fkey' -U shop_owner "INSERT INTO region VALUES (3, 'x', 1, 4711)"
expect_sql "children have theirs" "capital_org_idx|city_org_idx" "SELECT string_agg(relname, '|' ORDER BY relname) FROM pg_class WHERE relname ~ '^(city|capital)_org_idx'"
expect_sql "... and their foreign keys" 2 "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND conrelid IN ('city'::regclass, 'capital'::regclass)"
for job in tree family; do
	wants "$job" roll_back
	job_reaches "$job" rolled_back 20
done
expect_sql "taken back in every table" 0 "SELECT (SELECT count(*) FROM pg_class WHERE relname ~ '_org_idx') + (SELECT count(*) FROM pg_constraint WHERE conname ~ '(region|city|capital).*(check|fkey)')
	+ (SELECT count(*) FROM pg_attribute WHERE attname = 'org' AND attrelid::regclass::text ~ 'region|city|capital')"

note "rows that do not fit"
enqueue twice table_name=person column_name=twice column_type=int value='id / 2' is_unique=true
enqueue orphan table_name=person column_name=orphan column_type=int value='CASE WHEN id = 77 THEN 4711 ELSE org_id END' foreign_key='org(id)'
enqueue violated table_name=person column_name=small column_type=int value='id' check_expr='small < 3000'
jobs_settle 30
expect_failed "duplicates are named" twice sealing 'could not create unique index "person_twice_key".*23505.*Let every row have a value of its own \(SELECT "twice", count'
expect_equal "... and the index is gone at once" none "$(defined person_twice_key)"
expect_failed "a reference to nothing is named" orphan sealing 'Key \(orphan\)=\(4711\)|violates foreign key constraint "person_orphan_fkey".*23503'
expect_failed "a row that violates the CHECK is named" violated sealing 'key \(id\)=\(3000\): check_expr \(small < 3000\) is false.*23514.*does not fit check_expr'
sql -U shop_owner main "UPDATE person SET small = 0 WHERE id = 3000; UPDATE person SET orphan = 1 WHERE id = 77; UPDATE person SET twice = -id"
for job in twice orphan violated; do
	again "$job"
done
jobs_settle 30
expect_done twice orphan violated
expect_equal "mended: UNIQUE" "UNIQUE (twice)" "$(defined person_twice_key)"
expect_equal "mended: foreign key" "FOREIGN KEY (orphan) REFERENCES org(id)" "$(defined person_orphan_fkey)"
expect_equal "mended: CHECK" "CHECK ((small < 3000))" "$(defined person_small_check)"

note "an index build waits for old transactions of other tables, and says so"
session_open old main -U shop_app
session_do old "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM org" >/dev/null
enqueue waits table_name=person column_name=waits column_type=int value=id index=btree
wait_until 20 "it says what it waits for" "SELECT waiting_for ~ 'build the index public.\"person_waits_idx\" it waits for every transaction that began before; the oldest is of pid [0-9]+ \(psql, idle in transaction, [0-9]+ s old\): SELECT count', stage, waiting_for
	FROM backfill.job WHERE name = 'waits'"
ok "waiting_for tells who is in its way"
expect_sql "status says what it does" t "SELECT doing ~ '^build the index public.\"person_waits_idx\": waiting for' FROM backfill.status WHERE name = 'waits'"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'pause' WHERE name = 'waits'"
wait_until 10 "paused in the middle of a build" "SELECT NOT EXISTS (SELECT FROM backfill.claim) AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index)"
ok "a build can be paused"
expect_equal "... and leaves an invalid index" "CREATE INDEX person_waits_idx ON public.person USING btree (waits) (invalid)" "$(defined person_waits_idx)"
session_do old "COMMIT" >/dev/null
session_close old
again waits
job_reaches waits "done" 20
expect_equal "which is dropped and built again" "CREATE INDEX person_waits_idx ON public.person USING btree (waits)" "$(defined person_waits_idx)"

note "taken back, and asked for again"
before=$(described "\"Odd Name\"")
for job in all unique referring indexed; do
	wants "$job" roll_back
done
for job in all unique referring indexed; do
	job_reaches "$job" rolled_back 20
done
expect_equal "nothing of them is left" "" "$(sql main "SELECT string_agg(name, ', ') FROM (SELECT conname AS name FROM pg_constraint UNION ALL SELECT relname FROM pg_class) n
	WHERE name ~ '(New One|person_(code|org|half))_(check|key|fkey|idx)'")"
expect_sql "the index went CONCURRENTLY" "DROP INDEX CONCURRENTLY public.\"person_half_idx\";" \
	"SELECT statement FROM backfill.event WHERE name = 'indexed' AND kind = 'statement' AND statement LIKE 'DROP INDEX%'"
again all
job_reaches all "done" 20
expect_equal "all over again" "$before" "$(described "\"Odd Name\"")"

note "cancelled in the middle of a build"
session_open old main -U shop_app
session_do old "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM org" >/dev/null
enqueue stopped table_name=person column_name=stopped column_type=int value=id index=btree
wait_until 20 "it builds" "SELECT waiting_for ~ 'build the index', stage, waiting_for FROM backfill.job WHERE name = 'stopped'"
wants stopped cancel
wait_until 10 "it has stopped building" "SELECT NOT EXISTS (SELECT FROM pg_stat_progress_create_index)"
session_do old "COMMIT" >/dev/null
session_close old
job_reaches stopped cancelled 20
expect_equal "no invalid index stays" none "$(defined person_stopped_idx)"
expect_sql "the column and its values do" 0 "SELECT count(*) FROM person WHERE stopped IS DISTINCT FROM id"

note "texts that the server does not take"
enqueue "no class" table_name=person column_name=a column_type=int index='gin (a)'
enqueue "no check" table_name=person column_name=b column_type=int check_expr='c > 0'
jobs_settle 20
expect_failed "an operator class that there is not" "no class" planning 'index.*data type integer has no default operator class for access method "gin"'
expect_failed "a column that there is not" "no check" planning 'check_expr.*column "c" does not exist'
