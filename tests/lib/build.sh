# shellcheck shell=bash
# Builds outside of what git tracks. Sourced with $TOP set.
#
#	build_folder NAME              where build NAME goes: the checkout, or a folder of the user's own where that is closed
#	build_make FOLDER OPTION…      configures when needed and compiles

export HOME=${HOME:-/nonexistent} # meson asks for it

build_folder() {
	local own=${TMPDIR:-/tmp}/backfilld-$EUID
	if [[ -w $TOP/$1 || (! -e $TOP/$1 && -w $TOP) ]]; then
		echo "$TOP/$1"
		return
	fi
	mkdir -m 700 "$own" 2>/dev/null || true
	if [[ ! -O $own ]]; then
		echo "$own belongs to somebody else, and $TOP cannot be written: set TMPDIR to a folder of yours" >&2
		return 1
	fi
	echo "$own/$1"
}

build_make() {
	local folder=$1
	shift
	# One that was made for a checkout at another place, or half made, is of no use.
	if [[ -f $folder/meson-info/meson-info.json ]] && ! grep -qF "\"$TOP\"" "$folder/meson-info/meson-info.json"; then
		rm -rf "$folder"
	fi
	if [[ ! -f $folder/build.ninja ]]; then
		meson setup "$folder" "$TOP" "$@" || return
	fi
	ninja -C "$folder"
}
