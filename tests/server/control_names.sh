#!/usr/bin/env bash
# backfill.object_name() gives the names that the server itself would give.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

control_cluster

expect_sql "a short name" "orders_region_idx" "SELECT backfill.object_name('orders', 'region', 'idx')"
expect_sql "without a tail, without a column" "a_b|a_idx" "SELECT backfill.object_name('a', 'b', NULL), backfill.object_name('a', NULL, 'idx')"

# named WHAT TABLE COLUMN
named() {
	sql main "SET client_min_messages = warning; DROP SCHEMA IF EXISTS named CASCADE; CREATE SCHEMA named; SET search_path = named; CREATE TABLE r (id int PRIMARY KEY);
		CREATE TABLE $2 ($3 int UNIQUE CHECK ($3 > 0) REFERENCES r); CREATE INDEX ON $2 ($3);"
	expect_sql "$1: index, key, check and foreign key" 4 "
		WITH made AS (SELECT c.conrelid AS relation, c.conname AS name, CASE c.contype WHEN 'u' THEN 'key' WHEN 'c' THEN 'check' ELSE 'fkey' END AS tail
			FROM pg_constraint c WHERE c.contype IN ('u', 'c', 'f') AND c.conrelid = to_regclass('named.' || '$2')
			UNION ALL SELECT i.indrelid, c.relname, 'idx' FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			WHERE NOT i.indisunique AND i.indrelid = to_regclass('named.' || '$2'))
		SELECT count(*) FROM made m JOIN pg_class t ON t.oid = m.relation JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = 1
		WHERE m.name = backfill.object_name(t.relname, a.attname, m.tail) AND octet_length(m.name) < 64"
}
long=$(printf 'x%.0s' {1..60})
named "short" a b
named "a long table" "$long" b
named "a long column" t "$long"
named "both as long as they get" "${long}tab" "${long}col"
named "a column a little longer" "${long:0:30}" "${long:0:40}"
named "63 bytes just so" "${long:0:28}" "${long:0:29}"
named "characters of two bytes" "ü${long:0:20}$(printf 'ü%.0s' {1..20})" "$(printf 'ö%.0s' {1..31})"
named "of two bytes, the other way round" "$(printf 'ü%.0s' {1..31})" "a$(printf 'ö%.0s' {1..30})"
named "of three bytes" "$(printf '語%.0s' {1..21})" "b$(printf '語%.0s' {1..20})"
named "of four bytes" "ab$(printf '😀%.0s' {1..15})" "$(printf '😀%.0s' {1..15})"
