# shellcheck shell=bash
# Sourced by the tests of the control schema, after lib.sh. They need no daemon: they send conf/control/*.sql as it would.

# control_send FILE|- [-U USER] [-d DATABASE]: that text, or the control schema, as --install does it: one string through the
# simple protocol.
control_send() {
	local file=$1
	shift
	if [[ $file == - ]]; then
		file=$WORK/control.sql
		[[ -s $file ]] || cat "$TOP"/conf/control/*.sql >"$file"
	fi
	psql_at "$CLUSTER" "$@" -Atq <<<"\\set control \`cat '$file'\`
SELECT :'control' \\gexec" 2>&1
}

# shellcheck disable=SC2120 # the tests that source this do name a user
# control_install [USER]
control_install() {
	control_send - -U "${1:-backfilld}"
}

# A server with the control schema, two owners that do not trust each other, an admin, and tables of theirs.
control_cluster() {
	cluster_start main
	control_install backfilld || give_up "the control schema can be installed"
	sql main "
		CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE boss LOGIN;
		GRANT backfill_user TO shop_owner, alice, bob; GRANT backfill_admin TO boss;
		CREATE SCHEMA alice AUTHORIZATION alice; CREATE SCHEMA bob AUTHORIZATION bob;"
	sql -U shop_owner main "CREATE TABLE public.orders (id int PRIMARY KEY, email text NOT NULL, total numeric(10,2));"
	sql -U alice main "CREATE TABLE alice.items (id int PRIMARY KEY, label text);"
	sql -U bob main "CREATE TABLE bob.parts (id int PRIMARY KEY, label text);"
}

# refused WHAT SQLSTATE REGEX COLUMNS VALUES: shop_owner's INSERT of that job, which has message, DETAIL and HINT.
refused() {
	expect_error "$1" "$2" "$3" -U shop_owner "INSERT INTO backfill.job ($4) VALUES ($5)"
	expect_error "$1: with DETAIL and HINT" "$2" 'DETAIL:.*HINT:' -U shop_owner "INSERT INTO backfill.job ($4) VALUES ($5)"
}

# enqueue USER NAME TABLE COLUMN TYPE [MORE_COLUMNS MORE_VALUES]: prints the job's id.
enqueue() {
	sql -U "$1" main "INSERT INTO backfill.job (name, table_name, column_name, column_type${6:+, $6})
		VALUES ('$2', '$3', '$4', '$5'${7:+, $7}) RETURNING id"
}
