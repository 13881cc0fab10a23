#!/bin/sh
# Turns SQL files into C string constants: embed.sh OUT.c OUT.h FILE.sql …; sql/claim.sql becomes `sql_claim`. Their comment lines
# are left out: not every database's encoding can carry them.
set -eu
source=$1
header=$2
shift 2
{
	echo '/* Made by daemon/sql/embed.sh. */'
	echo '#ifndef BACKFILLD_SQL_H'
	echo '#define BACKFILLD_SQL_H'
	for file; do
		echo "extern const char sql_$(basename "$file" .sql)[];"
	done
	echo '#endif'
} >"$header"
{
	echo '/* Made by daemon/sql/embed.sh. */'
	echo '#include "sql.h"'
	for file; do
		echo "const char sql_$(basename "$file" .sql)[] ="
		sed -e '/^--/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' -e 's/^/\t"/' -e 's/$/\\n"/' "$file"
		echo '	"";'
	done
} >"$source"
