# stages.sh
#		Tests in stages, counted.  Sourced after lib.sh.
#
# A stage is a command with a log LOGS/NAME.log, which says how many tests passed; its
# count lies beside it, so that lanes can run side by side.  The caller sets LOGS, STARTED
# and WANTED (names between blanks; two blanks: all).

wanted()
{
	[ "$WANTED" = "  " ] || [[ $WANTED = *" $1 "* ]]
}

# What went wrong, in a screenful or two.
log_digest()
{
	if [ "$(grep -avc '^ok ' "$1" || true)" -le 80 ]; then
		grep -av '^ok ' "$1" || true
	else
		grep -aE -A14 'runtime error|ERROR: AddressSanitizer' "$1" | head -n 40 || true
		grep -aE -B12 '^not ok' "$1" | grep -av '^ok ' | tail -n 60 || true
		say "..."
		grep -av '^ok ' "$1" | tail -n 40 || true
	fi
}

# report STAGE PASSED FAILED SKIPPED MILLISECONDS: one line, and a record for
# the sum.  A failed stage shows the end of its log.
report()
{
	local line
	line=$(printf '%-10s %5d passed %5d failed' "$1" "$2" "$3")
	[ "$4" = 0 ] || line+=$(printf ' %5d skipped' "$4")
	say "$line   $(awk -v ms="$5" 'BEGIN {printf "%.1f s", ms / 1000}')"
	printf '%s %s %s\n' "$2" "$3" "$4" >"$LOGS/$1.count"
	if [ "$3" != 0 ]; then
		say "--- $LOGS/$1.log"
		log_digest "$LOGS/$1.log"
		say "---"
	fi
}

# stage NAME KIND COMMAND...: KIND says how to count: one (the exit status is
# the test), tap, or regress.
stage()
{
	local name=$1 kind=$2 begin status=0 passed=0 failed=0 skipped=0
	shift 2
	wanted "$name" || return 0
	begin=$(date +%s%3N)
	# A subshell of its own, because an || would switch off set -e inside.
	set +e
	(set -e; "$@") >"$LOGS/$name.log" 2>&1
	status=$?
	set -e
	case $kind in
		one)
			if [ "$status" = 0 ]; then passed=1; else failed=1; fi
			;;
		*)
			skipped=$(grep -acE '^ok .*# (skip|SKIP)' "$LOGS/$name.log" || true)
			passed=$(($(grep -acE "$PASSED_LINE" "$LOGS/$name.log" || true) - skipped))
			failed=$(grep -acE "$FAILED_LINE" "$LOGS/$name.log" || true)
			# An end that no line explains is a failure too.
			if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
			;;
	esac
	report "$name" "$passed" "$failed" "$skipped" "$(($(date +%s%3N) - begin))"
}

# TAP as our programs and pg_regress from 16 print it, and pg_regress before.
PASSED_LINE='^ok |^(test|     )? *[a-z0-9_]+ +\.\.\. ok '
FAILED_LINE='^not ok |^(test|     )? *[a-z0-9_]+ +\.\.\. FAILED '

skip()
{
	wanted "$1" || return 0
	say "$1: skipped, $2"
	printf '0 0 1\n' >"$LOGS/$1.count"
}

# The sum, as the last line; the exit status says whether all passed.
finish()
{
	local passed=0 failed=0 skipped=0 p f s line
	for count in "$LOGS"/*.count; do
		[ -e "$count" ] || continue
		read -r p f s <"$count"
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	done
	[ $((passed + failed)) -gt 0 ] || { say "nothing ran"; failed=1; }
	line="$passed passed, $failed failed"
	[ "$skipped" = 0 ] || line+=", $skipped skipped"
	say "$(($(date +%s) - STARTED)) s"
	say "$line"
	[ "$failed" = 0 ]
}
