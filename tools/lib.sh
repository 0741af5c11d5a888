# lib.sh
#		What the scripts of tools/ share.  Sourced, never run.
#
# A cluster is one folder: data/ (the server's), run/ (its socket), root/ (the
# extension, installed below it as a package would be), work/ (the copies that
# tests read and write).  It knows no other cluster: no TCP port, no system
# folder, no configuration outside of the folder.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${LSTM_BUILD:-$TOP/build}
PG_CONFIG=${PG_CONFIG:-pg_config}
MAKE=${MAKE:-make}
CLUSTER_PORT=54329
umask 022

# A make above us keeps its variables (CC=, WERROR=), but for its job server and DATA=folder:
# to the extension's Makefile DATA means the files to install.
MAKEFLAGS=$(sed -E 's/(^| )(-j[0-9]*|--jobserver[^ ]*|DATA=([^ \\]|\\.)*)//g' <<<"${MAKEFLAGS:-}")
export MAKEFLAGS

say()
{
	printf '%s\n' "$*"
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# pg_config of the newest server on this machine when none is in the path.
pg_config_find()
{
	command -v "$PG_CONFIG" >/dev/null 2>&1 ||
		PG_CONFIG=$(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -V | tail -n 1)
	[ -n "$PG_CONFIG" ] || die "no pg_config found; install PostgreSQL's server headers or set PG_CONFIG"
	PG_CONFIG=$(command -v "$PG_CONFIG")
	PG_BIN=$("$PG_CONFIG" --bindir)
	PG_MAJOR=$("$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
	[ -x "$PG_BIN/postgres" ] || die "no server in $PG_BIN; install it (Debian: postgresql-$PG_MAJOR)"
	export PG_CONFIG
}

# The user that runs the server: this one, or an unprivileged one under root.
server_user()
{
	if [ "$(id -u)" != 0 ]; then
		id -un
	elif id postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

# as_server COMMAND...: runs it as that user, in a folder that it can enter.
as_server()
{
	if [ "$(id -u)" != 0 ]; then
		(cd / && "$@")
	else
		(cd / && setpriv --reuid="$(server_user)" --regid="$(id -g "$(server_user)")" --clear-groups \
			env HOME=/ "$@")
	fi
}

# tree_copy FOLDER PATH...: copies those paths of the tree that are newer, and
# removes what is gone.  The server's user may not be able to read the clone,
# and a build in a copy never meets objects of another build.
tree_copy()
{
	local to=$1 file
	shift
	mkdir -p "$to"
	(cd "$TOP" && for file in "$@"; do [ ! -e "$file" ] || find "$file" -type f \
		! -name '*.o' ! -name '*.d' ! -name '*.so' ! -name '*.bc'; done) | sort >"$to/.files.new"
	if [ -f "$to/.files" ]; then
		comm -23 "$to/.files" "$to/.files.new" | (cd "$to" && xargs -r -d '\n' rm -f)
	fi
	(cd "$TOP" && xargs -r -d '\n' cp -pu --parents -t "$to" <"$to/.files.new")
	mv "$to/.files.new" "$to/.files"
}

# extension_build FOLDER [MAKE ARGUMENT...]: builds the extension in a copy.
extension_build()
{
	local folder=$1
	shift
	pg_config_find
	tree_copy "$folder" Makefile lstm.control lstm_postgis.control sql src
	"$MAKE" -s --no-print-directory -j2 -C "$folder" -f Makefile PG_CONFIG="$PG_CONFIG" "$@" all
}

# cluster_create [FOLDER]: an empty folder for a cluster; sets CLUSTER.
cluster_create()
{
	local base=${TMPDIR:-/tmp}
	as_server test -x "$base" || base=/tmp
	if [ -n "${1:-}" ]; then
		CLUSTER=$1
		mkdir "$CLUSTER"
	else
		CLUSTER=$(mktemp -d "$base/lstm.XXXXXX")
	fi
	chmod 755 "$CLUSTER"
	mkdir -m 755 "$CLUSTER/root" "$CLUSTER/work"
	mkdir -m 700 "$CLUSTER/data" "$CLUSTER/run" "$CLUSTER/log"
	if [ "$(id -u)" = 0 ]; then
		chown "$(server_user)" "$CLUSTER/data" "$CLUSTER/run" "$CLUSTER/log"
	fi
}

# cluster_install FOLDER: installs the build of FOLDER below the cluster's root/.
cluster_install()
{
	"$MAKE" -s --no-print-directory -C "$1" -f Makefile PG_CONFIG="$PG_CONFIG" \
		DESTDIR="$CLUSTER/root" install >/dev/null
}

# The setting by which a server finds extensions elsewhere than in its own
# folders: Debian's patch up to 17, PostgreSQL's own from 18.
extension_setting()
{
	if [ "$PG_MAJOR" -ge 18 ]; then echo extension_control_path; else echo extension_destdir; fi
}

# extension_settings FOLDER: the settings for an extension installed below it.
extension_settings()
{
	local folder=$1 lib share
	lib=$folder$("$PG_CONFIG" --pkglibdir)
	share=$folder$("$PG_CONFIG" --sharedir)
	say "dynamic_library_path = '$lib:\$libdir'"
	if [ "$PG_MAJOR" -ge 18 ]; then
		say "extension_control_path = '$share:\$system'"
	else
		say "extension_destdir = '$folder'"
	fi
}

# cluster_start: initialises (the first time) and starts the server of CLUSTER.
cluster_start()
{
	local port=$CLUSTER_PORT
	if [ ! -f "$CLUSTER/data/PG_VERSION" ]; then
		as_server "$PG_BIN/initdb" -D "$CLUSTER/data" -U postgres -A trust -E UTF8 --locale=C \
			--no-sync >"$CLUSTER/initdb.log" 2>&1 ||
			{ cat "$CLUSTER/initdb.log" >&2; die "initdb failed"; }
		{
			say "listen_addresses = ''"
			say "unix_socket_directories = '$CLUSTER/run'"
			say "port = $port"
			say "fsync = off"
			say "shared_buffers = 64MB"
			say "max_connections = 40"
			say "log_timezone = 'UTC'"
			say "timezone = 'UTC'"
			say "${CLUSTER_CONF:-}"
		} | as_server tee -a "$CLUSTER/data/postgresql.conf" >/dev/null
		if as_server "$PG_BIN/postgres" -D "$CLUSTER/data" -C "$(extension_setting)" >/dev/null 2>&1; then
			extension_settings "$CLUSTER/root" | as_server tee -a "$CLUSTER/data/postgresql.conf" >/dev/null
		elif [ -f "$("$PG_CONFIG" --sharedir)/extension/lstm.control" ]; then
			say "note: this server looks for extensions in its own folders only; using the installed lstm"
		else
			die "this server looks for extensions in its own folders only; run make install, then again"
		fi
	fi
	as_server "$PG_BIN/pg_ctl" -D "$CLUSTER/data" -l "$CLUSTER/log/server.log" -w -s start ||
		{ tail -n 20 "$CLUSTER/log/server.log" >&2; die "the server does not start"; }
	cluster_environment
}

# What psql, pg_regress and every client need to reach CLUSTER.
cluster_environment()
{
	unset PGSERVICE PGHOSTADDR PGPASSWORD PGOPTIONS PGTZ PGDATESTYLE PGCLIENTENCODING
	export PGHOST=$CLUSTER/run PGPORT=$CLUSTER_PORT PGUSER=postgres PGDATABASE=postgres
	export PSQLRC=/dev/null
	PATH=$PG_BIN:$PATH
}

# postgis_lacking FILE: does it create PostGIS, which the running server cannot?
postgis_lacking()
{
	grep -qE 'EXTENSION (IF NOT EXISTS )?postgis' "$1" &&
		[ -z "$(psql -qXAt -d postgres -c "SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'")" ]
}

cluster_running()
{
	as_server "$PG_BIN/pg_ctl" -D "$CLUSTER/data" status >/dev/null 2>&1
}

# cluster_remove: stops the server of CLUSTER and deletes the folder.
cluster_remove()
{
	[ -n "${CLUSTER:-}" ] && [ -d "$CLUSTER/data" ] || return 0
	if cluster_running; then
		as_server "$PG_BIN/pg_ctl" -D "$CLUSTER/data" -m immediate -w -s stop || true
	fi
	rm -rf "$CLUSTER"
	CLUSTER=
}

# cluster_temporary [CLEANUP]: makes CLUSTER for as long as this script lives,
# however it ends.  CLEANUP, to be called at the end, calls cluster_remove.
cluster_temporary()
{
	trap "${1:-cluster_remove}" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	cluster_create
}
