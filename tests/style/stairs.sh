#!/usr/bin/env bash
# The rule of the stairs: which room may include which, from the table in rooms.txt.
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
trap 'tap_end $?' EXIT

declare -A FLOOR=() PLACE=() FOREIGN=()

read_rooms() {
	local floor rooms room place=0
	while read -r floor rooms; do
		case $floor in
		"" | "#"*) ;;
		foreign)
			FOREIGN[${rooms%% *}]=" ${rooms#* } "
			;;
		*)
			for room in $rooms; do
				FLOOR[$room]=$floor
				PLACE[$room]=$((place += 1))
			done
			;;
		esac
	done <tests/style/rooms.txt
}

# The room a file belongs to: its own name, or what its name begins with.
room_of() {
	local name
	name=$(basename "${1%.*}")
	while [[ -z ${PLACE[$name]:-} && $name == *_* ]]; do
		name=${name%_*}
	done
	echo "$name"
}

# Why FILE (of ROOM) may not include the header NAME of ours; nothing when it may.
refusal() {
	local room=$1 name=$2 other
	other=$(room_of "$name")
	if [[ ! -f $name && $name != sql.h ]]; then # that one is made while building
		echo "$name is no header of ours: paths go from the top of the tree"
	elif [[ $room == "$other" ]]; then
		return
	elif [[ -z ${PLACE[$other]:-} ]]; then
		echo "room $other stands in no line of tests/style/rooms.txt"
	elif [[ $other != "$(basename "$name" .h)" ]]; then
		echo "$name is an inner header of room $other"
	elif ((PLACE[$other] > PLACE[$room])); then
		echo "$name is up the stairs (${FLOOR[$other]}) from $room (${FLOOR[$room]})"
	elif [[ ${FLOOR[$room]} == judgement && ${FLOOR[$other]} == edges ]]; then
		echo "$name is an edge: judgement stands on the ground alone"
	elif [[ $name == daemon/* && $file == common/* ]]; then
		echo "common knows nothing of the daemon"
	fi
}

# The same for a header in angle brackets.
foreign_refusal() {
	local room=$1 name=$2 foreign
	for foreign in "${!FOREIGN[@]}"; do
		if [[ $name == "$foreign"* ]]; then
			if [[ ${FOREIGN[$foreign]} != *" $room "* ]]; then
				echo "<$name> belongs to:${FOREIGN[$foreign]}"
			fi
			return
		fi
	done
	if [[ ! $name =~ ^((sys|net|netinet|arpa)/)?[a-z]+\.h$ ]]; then
		echo "<$name> is foreign and stands in no line of tests/style/rooms.txt"
	fi
}

check_file() {
	local file=$1 room line name said=()
	room=$(room_of "$file")
	if [[ -z ${PLACE[$room]:-} ]]; then
		not_ok "$file has its floor" "room $room stands in no line of tests/style/rooms.txt: put it there"
		return
	fi
	while IFS= read -r line; do
		if [[ $line =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\"([^\"]+)\" ]]; then
			name=${BASH_REMATCH[1]}
			said+=("$(refusal "$room" "$name")")
		elif [[ $line =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\<([^\>]+)\> ]]; then
			said+=("$(foreign_refusal "$room" "${BASH_REMATCH[1]}")")
		fi
	done < <(grep '^[[:space:]]*#[[:space:]]*include' "$file" || true)
	line=$(printf '%s\n' "${said[@]:-}" | sed '/^$/d')
	if [[ -z $line ]]; then
		ok "$file includes only what stands before it"
	else
		not_ok "$file includes only what stands before it" "$line"
	fi
}

read_rooms
for file in common/*.[ch] daemon/*.[ch]; do
	if [[ -f $file ]]; then
		check_file "$file"
	fi
done
