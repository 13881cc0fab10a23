#!/usr/bin/env bash
# backfill.as_sql(): run by hand on another database's copy of the table, it ends where the daemon ends.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

tables="
	CREATE TABLE org (id int PRIMARY KEY, name text); INSERT INTO org SELECT g, 'o' || g FROM generate_series(0, 9) g;
	CREATE TABLE item (id int PRIMARY KEY, name text, org_id int, doc jsonb, papers jsonb, old int);
	INSERT INTO item SELECT g, 'n' || g, g % 10, jsonb_build_object('n', g), jsonb_build_object('n', g), CASE WHEN g % 2 = 0 THEN g END FROM generate_series(1, 3000) g;
	CREATE TABLE cut (id int, name text, day date) PARTITION BY RANGE (day);
	CREATE TABLE \"cut A\" PARTITION OF cut FOR VALUES FROM ('2025-01-01') TO ('2025-07-01') PARTITION BY HASH (id);
	CREATE TABLE cut_a1 PARTITION OF \"cut A\" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE cut_a2 PARTITION OF \"cut A\" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	CREATE TABLE cut_b PARTITION OF cut FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
	INSERT INTO cut SELECT g, 'n' || g, date '2025-01-01' + g % 365 FROM generate_series(1, 2000) g;
	CREATE TABLE parent (id int PRIMARY KEY, name text); CREATE TABLE child (more int) INHERITS (parent);
	INSERT INTO parent SELECT g, 'p' || g FROM generate_series(1, 500) g; INSERT INTO child SELECT g, 'c' || g, g FROM generate_series(501, 900) g;
	ANALYZE org, item, cut, parent, child"
job_world
for database in planned sketched; do
	sql main "CREATE DATABASE $database OWNER shop_owner"
	sql -U shop_owner -d "$database" main "$tables" # in public, as in shop
done
sql -U shop_owner main "$tables"

# Each job waits before anything is touched, so that its plan can be read; one that this version does not take is left out.
jobs=()
ask() { # NAME COLUMN=VALUE...
	local said
	if said=$(enqueue "$@" 2>&1); then
		jobs+=("$1")
		psql_at main -U shop_owner -Atq -c "SELECT backfill.as_sql(id) FROM backfill.job WHERE name = '$1'" >"$WORK/$1.sketched"
	elif [[ $said == *" yet"* ]]; then
		skip_one "by hand: $1" "${said%%$'\n'*}"
	else
		not_ok "job $1 is taken" "$said"
	fi
}
ask constant table_name=item column_name=constant column_type=text default_expr="'x'" not_null=true hold_before='{add}'
ask volatile table_name=item column_name=volatile column_type=int default_expr='(random() * 0)::int' not_null=true hold_before='{add}'
ask filled table_name=item column_name=filled column_type='varchar(20)' value='upper(name)' fill_where='id > 5' collation=C hold_before='{add}'
ask derived table_name=item column_name=derived column_type=text value='lower(item.name)' sync=derive is_unique=true hold_before='{add}'
ask adopted table_name=item column_name=old value='id' default_expr='7' not_null=true hold_before='{add}'
ask checked table_name=item column_name=checked column_type=int value='id * 2' check_expr='checked > 0' hold_before='{add}'
ask referring table_name=item column_name=referring column_type=int value='org_id' foreign_key='org ON DELETE SET NULL DEFERRABLE' index=btree index_where='referring IS NOT NULL' hold_before='{add}'
ask everything table_name=item column_name='every "thing' column_type=int value='org_id' not_null=true check_expr='"every ""thing" >= 0' foreign_key=org index='btree ("every ""thing" DESC, id)' hold_before='{add}'
ask unique table_name=item column_name=unique column_type=int value='id' not_null=true is_unique=true index=hash hold_before='{add}'
ask quiet table_name=item column_name=quiet column_type=text value='name' seal_after_quiet='1 hour' hold_before='{add,seal}'
ask numbered table_name=item column_name=numbered column_type=bigint identity=always hold_before='{add}'
ask optional table_name=item column_name=optional column_type=int identity='by default' is_unique=true hold_before='{add}'
ask field table_name=item column_name=doc field='{a,b}' value='to_jsonb(name)' hold_before='{add}'
ask needed table_name=item column_name=papers field='{c}' value='to_jsonb(id)' not_null=true hold_before='{add}'
ask partitioned table_name=cut column_name=v column_type=text value='upper(cut.name)' not_null=true check_expr="v <> ''" index=btree hold_before='{add}'
ask references table_name=cut column_name=o column_type=int value='id % 10' foreign_key='org(id) ON DELETE CASCADE' hold_before='{add}'
ask inherited table_name=parent column_name=v column_type=text value='upper(parent.name)' not_null=true check_expr="v <> ''" index=btree hold_before='{add}'

daemon_start
jobs_settle 60
for job in "${jobs[@]}"; do
	psql_at main -U shop_owner -Atq -c "SELECT backfill.as_sql(id) FROM backfill.job WHERE name = '$job'" >"$WORK/$job.planned"
	proceed "$job" >/dev/null
done
jobs_settle 120
if [[ " ${jobs[*]} " == *" quiet "* ]]; then
	proceed quiet >/dev/null
	jobs_settle 20
fi
expect_done "${jobs[@]}"

for kind in planned sketched; do
	for job in "${jobs[@]}"; do
		expect_exit "$job, $kind, runs by hand" 0 '' psql_at main -U shop_owner -d "$kind" -q -f "$WORK/$job.$kind"
	done
done

# described DATABASE TABLE: its definition as psql shows it, and its rows but for what numbers them, which may be in any
# order; names that carry a job's number are left out.
described() {
	psql_at main -U shop_owner -d "$1" -Atq -c "\\d $2" -c "\\d+ $2" -c "SELECT to_jsonb(t) - 'numbered' - 'optional' FROM $2 t ORDER BY id" \
		-c "SELECT count(DISTINCT to_jsonb(t)->'numbered'), count(DISTINCT to_jsonb(t)->'optional') FROM $2 t" | sed -E 's/~?(backfill_|sync_)([a-z]+_)?[0-9]+(_[a-z]+)?/OURS/g' | grep -v 'EXECUTE FUNCTION' || true
}
for kind in planned sketched; do
	tables=(item org)
	if [[ $kind == planned ]]; then
		tables+=(cut '"cut A"' cut_a1 cut_a2 cut_b parent child)
	fi
	for table in "${tables[@]}"; do
		if differs=$(diff <(described shop "$table") <(described "$kind" "$table")); then
			ok "table $table, $kind, is what the daemon has made of it"
		else
			not_ok "table $table, $kind, is what the daemon has made of it" "${differs:0:1500}"
		fi
	done
done
