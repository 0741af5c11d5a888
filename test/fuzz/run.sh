#!/usr/bin/env bash
#
# run.sh: builds the mutators under AddressSanitizer and runs them; prints TAP.
#
#	test/fuzz/run.sh [BUILD FOLDER]
#
# fuzz_model reads mutants of model files; fuzz_plant does the same with readers
# that lack one check each, and wants every one of them caught.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${1:-build}
export ASAN_OPTIONS=detect_leaks=0
make -s --no-print-directory -f tools/unit.mk BUILD="$build" VARIANT=asan FOLDERS=test/fuzz all

status=0
for program in $(make -s --no-print-directory -f tools/unit.mk BUILD="$build" VARIANT=asan \
	FOLDERS=test/fuzz list); do
	echo "# $program"
	"$program" || status=1
done
exit $status
