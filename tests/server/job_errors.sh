#!/usr/bin/env bash
# What goes wrong in a job: expressions that are more than one, rows that have no value, columns that do not fit. The
# error says what, where and what to do; what was done stays; after mending it goes on.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
sql -U shop_owner main "
	CREATE TYPE mood AS ENUM ('sad', 'ok');
	CREATE DOMAIN plain AS text;
	CREATE TABLE x (id int PRIMARY KEY); INSERT INTO x VALUES (1);
	CREATE TABLE t (id int PRIMARY KEY, email text, a int);
	INSERT INTO t SELECT g, 'u' || g, g FROM generate_series(1, 1000) g;
	CREATE TABLE zero (a int, b text, n int, PRIMARY KEY (b, a));
	INSERT INTO zero SELECT g, 'b' || g % 7, CASE g WHEN 7777 THEN 0 ELSE g END FROM generate_series(1, 20000) g;
	CREATE TABLE zero_two (id int, n int);
	INSERT INTO zero_two SELECT g, CASE WHEN g IN (50, 19000) THEN 0 ELSE g END FROM generate_series(1, 20000) g;
	CREATE TABLE holes (id int PRIMARY KEY, n int, other int);
	INSERT INTO holes SELECT g, nullif(g, 321), 0 FROM generate_series(1, 1000) g;
	CREATE TABLE has (id int PRIMARY KEY, name text, right_type text, wrong_type int, mods numeric(10,2), feels mood, dom plain,
		with_default text DEFAULT 'a', same_default text DEFAULT 'b', partly text);
	INSERT INTO has SELECT g, 'n' || g, NULL, NULL, NULL, NULL, NULL, NULL, NULL, CASE WHEN g % 2 = 0 THEN 'own' END FROM generate_series(1, 500) g;
	CREATE TABLE moments (id int PRIMARY KEY, stamp timestamptz, new text, old text, found text, tg_op text, job text, v0 text);
	INSERT INTO moments SELECT g, now(), 'n' || g, 'o', 'f', 't', 'j', 'v' FROM generate_series(1, 300) g;
	ANALYZE t, zero, zero_two, holes, has"
fingerprint="SELECT md5(string_agg(x::text, ',')) FROM (
	SELECT 'column', attrelid::regclass::text, attname::text FROM pg_attribute WHERE attrelid IN ('t'::regclass, 'x'::regclass)
	UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgrelid = 't'::regclass
	UNION ALL SELECT 'relation', relname, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
	UNION ALL SELECT 'function', proname, '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
	UNION ALL SELECT 'row', id::text, xmin::text FROM t
	ORDER BY 1, 2, 3) x"
before=$(sql main "$fingerprint")

# Expressions that would be more than one expression: as value, as default and as condition.
# shellcheck disable=SC2016 # a parameter of the server's
attacks=('1) , (2' '1; DROP TABLE x' '1 -- ' '(1' '1)' '1 /*' 'email) FROM pg_class --' "1 \$\$" "'open" '"open' '1) FROM t; DROP TABLE x; SELECT (1'
	'1 AS v' '1, 2' '' ' ' '$1' 'SELECT 1' 'ARRAY[1' '1]) ; --' '1 END' '1 UNION SELECT 2' 'count(*)' 'generate_series(1, 3)' 'sum(a) OVER ()'
	'nothere' 'nosuch(a)' 'a WHERE false' 'a RETURNING 1' 'DEFAULT' "E'\\'" "U&'\\'" 'NEW.a' 'excluded.a')
harmless='^1 -- $' # one expression, whatever follows it in its line
number=0
daemon_start
for attack in "${attacks[@]}"; do
	number=$((number + 1))
	for place in value default_expr fill_where; do
		if [[ ! $attack =~ $harmless && ! ($place == value && $attack == DEFAULT) ]]; then
			value=value=1
			if [[ $place == value ]]; then value="value=$attack"; elif [[ $place == default_expr ]]; then value="default_expr=$attack"; fi
			more=()
			if [[ $place == fill_where ]]; then more=("fill_where=$attack"); fi
			enqueue "attack $number $place" table_name=t column_name="v${number}_$place" column_type=int "$value" "${more[@]}" >/dev/null 2>"$WORK/refused" ||
				expect_match "at once: $place = $attack" "$place is empty" "$(cat "$WORK/refused")"
		fi
	done
done
jobs_settle 40
expect_sql "expressions that are more than one fail in planning, each with an error that says which it was" "" "
	SELECT name || ': ' || concat_ws('|', stage, resume_stage, error, error_code) FROM backfill.job
	 WHERE name LIKE 'attack%' AND (stage <> 'failed' OR resume_stage <> 'planning' OR error IS NULL OR error_code IS NULL
	                                OR error !~ '^(value|default_expr|fill_where|value and fill_where(, as a trigger sees them)?|sync = .*): ') ORDER BY id"
expect_sql "... and touch nothing" "$before" "$fingerprint"
expect_equal "the table that they would have dropped is there" 1 "$(sql main 'SELECT count(*) FROM x')"
sql main "UPDATE backfill.job SET wanted = 'cancel' WHERE stage = 'failed'; DELETE FROM backfill.job"

# A row that the expression cannot take.
enqueue zero table_name=zero column_name=v column_type=int value='1000000 / n' batch_ms=5
enqueue zero_two table_name=zero_two column_name=v column_type=int value='1000000 / n' workers=2 sync=derive
enqueue holes table_name=holes column_name=v column_type=int value='n * 2' not_null=true
enqueue zero_where table_name=t column_name=v column_type=int value='a' fill_where='10 / (a - 500) >= 0'
enqueue deferred table_name=t column_name=never column_type=text value=email hold_before='{add}'
jobs_settle 40
expect_failed "a row that the expression fails on is named: place and key" zero filling \
	'row ctid \([0-9]+,[0-9]+\), key \(b, a\)=\(b0,7777\): division by zero\|22012\|.*wanted = .run.'
expect_failed "a table without key: place only; two workers" zero_two filling 'row ctid \([0-9]+,[0-9]+\): division by zero\|22012'
expect_failed "so it is with fill_where" zero_where filling 'key \(id\)=\(500\): division by zero'
expect_sql "the place is right" 0 "SELECT n FROM zero WHERE ctid = (SELECT substring(error FROM 'ctid (\([0-9,]+\))') FROM backfill.job WHERE name = 'zero')::tid"
expect_sql "what was filled stays" t "SELECT count(v) > 0 AND bool_and(v = 1000000 / nullif(n, 0)) FROM zero WHERE v IS NOT NULL"
expect_sql "... and is counted" t "SELECT rows_filled = (SELECT count(v) FROM zero) FROM backfill.job WHERE name = 'zero'"
sql -U shop_app main "INSERT INTO zero (a, b, n) VALUES (-1, 'new', 5), (-2, 'new', 0)"
expect_sql "writers are helped while it waits, and never broken" "-2||-1|200000" "SELECT string_agg(a || '|' || coalesce(v::text, ''), '|' ORDER BY a) FROM zero WHERE b = 'new'"
sql -U shop_app main "UPDATE zero SET n = 1 WHERE n = 0; UPDATE zero_two SET n = 1 WHERE id = (SELECT min(id) FROM zero_two WHERE n = 0); UPDATE t SET a = -1 WHERE a = 500"
again zero
again zero_two
again zero_where
jobs_settle 30
expect_done zero zero_where
expect_sql "after mending every row has its value" 0 "SELECT count(*) FROM zero WHERE v IS DISTINCT FROM 1000000 / n"
expect_sql "... in the sum, too" "20002" "SELECT rows_filled + 1 FROM backfill.job WHERE name = 'zero'"
expect_failed "the next such row is found in its turn" zero_two filling 'division by zero'
sql -U shop_app main "UPDATE zero_two SET n = 1 WHERE n = 0"
again zero_two
jobs_settle 30
expect_done zero_two
expect_sql "... and then it ends" 0 "SELECT count(*) FROM zero_two WHERE v IS DISTINCT FROM 1000000 / n"

expect_failed "NOT NULL with a NULL left fails in sealing and names the row" holes sealing 'row ctid .*key \(id\)=\(321\).*23502\|.*still NULL.*wanted = .run.'
said=$(sql -U shop_app main "UPDATE holes SET other = 1 WHERE id = 321" 2>&1) || true
expect_equal "... and the application can still write that row" "" "$said"
sql -U shop_app main "UPDATE holes SET n = 0 WHERE id = 321"
again holes
jobs_settle 20
expect_done holes
expect_sql "after mending it is NOT NULL" "t|0" "SELECT attnotnull, (SELECT count(*) FROM holes WHERE v IS DISTINCT FROM n * 2) FROM pg_attribute WHERE attrelid = 'holes'::regclass AND attname = 'v'"
for table in zero holes; do
	expect_clean "nothing of ours is left on $table" $table
done

# Columns that are there.
enqueue adopt table_name=has column_name=right_type column_type=text value=name
enqueue adopt_some table_name=has column_name=partly value=name not_null=true
enqueue adopt_mods table_name=has column_name=mods column_type='numeric(10,2)' value='id / 3.0'
enqueue adopt_enum table_name=has column_name=feels column_type=mood value="'ok'"
enqueue adopt_domain table_name=has column_name=dom column_type=public.plain value=name
enqueue adopt_default table_name=has column_name=with_default column_type=text value="'old'" default_expr="'b'"
enqueue adopt_same_default table_name=has column_name=same_default value="'old'" default_expr="'b'"
enqueue other_mods table_name=has column_name=mods2 column_type='numeric(10,2)' value='id / 3.0' hold_before='{add}'
expect_error "a column of another type is refused at once" 42804 'wrong_type.*integer.*text.*HINT' -U shop_owner \
	"INSERT INTO backfill.job (table_name, column_name, column_type, value) VALUES ('has', 'wrong_type', 'text', 'name')"
jobs_settle 30
expect_done adopt adopt_some adopt_mods adopt_enum adopt_domain adopt_same_default
expect_sql "an existing column is filled where it is NULL" 0 "SELECT count(*) FROM has WHERE right_type IS DISTINCT FROM name OR mods IS DISTINCT FROM (id / 3.0)::numeric(10,2)
	OR feels IS DISTINCT FROM 'ok' OR dom IS DISTINCT FROM name OR partly IS DISTINCT FROM CASE WHEN id % 2 = 0 THEN 'own' ELSE name END OR same_default IS DISTINCT FROM 'old'"
expect_failed "one with another default than the job asks for is refused in planning" adopt_default planning "default 'a'.*asks for 'b'.*default_expr out"
sql -U shop_owner main "ALTER TABLE has ADD COLUMN mods2 numeric(12,3)"
sql -U shop_owner main "SELECT backfill.proceed($(job_id other_mods))" >/dev/null
jobs_settle 20
expect_failed "one that came meanwhile with other modifiers is refused in planning" other_mods planning 'exists with type numeric\(12,3\).*numeric\(10,2\)'

# What a trigger could not keep up with is refused in planning.
for expression in 'now()' 'CURRENT_DATE' 'age(stamp)' 'CURRENT_USER' 'least(now(), stamp)' "lower(txid_current()::text)"; do
	enqueue "moment $expression" table_name=moments column_name="v $expression" column_type=text value="($expression)::text" sync=derive
done
enqueue place table_name=moments column_name=place column_type=text value='ctid::text'
enqueue place_where table_name=moments column_name=place_where column_type=text value="'x'" fill_where="tableoid > 0"
enqueue place_none table_name=moments column_name=place_none column_type=text value='tableoid::regclass::text' sync=none
enqueue names table_name=moments column_name='NEW' column_type=text value='new || old || found || tg_op || job || v0' sync=derive
enqueue whole table_name=moments column_name=whole column_type=text value="to_jsonb(moments)->>'new'" sync=derive
enqueue dropped table_name=moments column_name=dropped column_type=text value='new' hold_before='{fill}'
jobs_settle 20
expect_sql "derive of what changes with the moment or the user fails in planning" "6" "SELECT count(*) FROM backfill.job
	WHERE name LIKE 'moment %' AND stage = 'failed' AND resume_stage = 'planning' AND error ~ 'does not depend on the moment' AND error_hint IS NOT NULL"
expect_failed "so does a value that no trigger can see" place planning 'trigger.*ctid'
expect_failed "... or condition" place_where planning 'trigger.*tableoid'
expect_done place_none names whole
sql -U shop_app main "INSERT INTO moments (id, new, old, found, tg_op, job, v0) VALUES (-1, 'N', 'O', 'F', 'T', 'J', 'V')"
expect_sql "columns that are called like a trigger's variables are the columns" "NOFTJV|N|0" "
	SELECT \"NEW\", whole, (SELECT count(*) FROM moments WHERE \"NEW\" IS DISTINCT FROM new || old || found || tg_op || job || v0) FROM moments WHERE id = -1"
sql -U shop_owner main "ALTER TABLE moments DROP COLUMN dropped CASCADE; SELECT backfill.proceed($(job_id dropped))" >/dev/null
jobs_settle 20
expect_done dropped
expect_sql "a column that somebody dropped meanwhile, trigger and all, is added again" 0 "SELECT count(*) FROM moments WHERE dropped IS DISTINCT FROM new"
expect_clean "... and nothing of ours but the derive triggers is left" moments

# The table gets another name while a job waits.
sql -U shop_owner main "CREATE TABLE renamed (id int PRIMARY KEY, name text); INSERT INTO renamed SELECT g, 'n' || g FROM generate_series(1, 300) g"
enqueue renamed table_name=renamed column_name=v column_type=text value='upper(name)' hold_before='{fill}' not_null=true
jobs_settle 20
sql -U shop_owner main "ALTER TABLE renamed RENAME TO \"New name\"; SELECT backfill.proceed($(job_id renamed))" >/dev/null
jobs_settle 20
expect_done renamed
expect_sql "a table renamed meanwhile is filled all the same" 0 "SELECT count(*) FROM \"New name\" WHERE v IS DISTINCT FROM upper(name)"
expect_clean "... and nothing of ours is left" '"New name"'

# The table goes away.
sql -U shop_owner main "DROP TABLE t"
sql -U shop_owner main "SELECT backfill.proceed($(job_id deferred))" >/dev/null
jobs_settle 20
expect_sql "a dropped table fails the job with a clear error" "failed|t|t" "SELECT stage, error ~ 'table public.t is gone', error_hint IS NOT NULL FROM backfill.job WHERE name = 'deferred'"
daemon_stop
