# regress.sh
#		pg_regress on a running cluster.  Sourced after lib.sh.
#
# The tests run in a copy below the cluster's folder, so that the server can
# read what they name and the tree stays clean.  They find the shipped data by
# the psql variable that \getenv reads: LSTM_DATA, the folder test/data.

# regress_run [NAME...]: exit status and output are pg_regress's.
regress_run()
{
	local work=$CLUSTER/work/regress driver
	driver=$(dirname "$("$PG_CONFIG" --pgxs)")/../test/regress/pg_regress
	tree_copy "$work" Makefile src/core/core.mk test/sql test/data expected
	export LSTM_DATA=$work/test/data
	if [ $# = 0 ]; then
		# The order is the Makefile's, so that installcheck and check agree.
		set -- $("$MAKE" -s --no-print-directory -C "$work" -f Makefile PG_CONFIG="$PG_CONFIG" regress-names)
	fi
	# Without PostGIS the tests that need it are named, and counted, as skipped.
	local names=("$@") name
	set --
	for name in "${names[@]}"; do
		if [[ $name = postgis_* && ! -f $("$PG_CONFIG" --sharedir)/extension/postgis.control ]]; then
			say "ok - $name # skip PostGIS is not installed (Debian: postgresql-$PG_MAJOR-postgis-3)"
		else
			set -- "$@" "$name"
		fi
	done
	[ $# -gt 0 ] || return 0
	mkdir -p "$work/expected"
	for name in "$@"; do
		# A new test has no expected output yet: everything it prints is a difference.
		[ -f "$work/expected/$name.out" ] || : >"$work/expected/$name.out"
	done
	(cd "$work" && "$driver" --bindir="$PG_BIN" --inputdir=test \
		--host="$PGHOST" --port="$PGPORT" --user="$PGUSER" --dbname=contrib_regression \
		--load-extension=lstm "$@")
}
