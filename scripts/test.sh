#!/usr/bin/env bash
# The same set-up as quickstart.sh, then every test: first all of them, then those of the rooms that parse foreign
# bytes once more under AddressSanitizer and UBSan. --no-desktop leaves the desktop application and its packages out.
# With CI=true warnings are errors, Doxygen's too, the fuzz targets run for a minute each, and what changed in the binary
# interface is reported.
#
#   scripts/test.sh [--yes] [--no-desktop]

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"
# shellcheck disable=SC2034
PTRUN_DESKTOP=1
parse_options "$@"

set_up
# A newer compiler of somebody else may warn where ours do not; ours must not.
configure release "-DPTRUN_WERROR=$([[ "${CI:-}" == true ]] && echo ON || echo OFF)" \
  "-DPTRUN_TEST_DESKTOP=${PTRUN_DESKTOP}"
build release
configure asan
build asan

cd "${PTRUN_ROOT}"
say "testing"
ctest --preset release --parallel "$(build_jobs)"
say "testing under sanitizers"
ctest --preset asan --parallel "$(build_jobs)"
if [[ "${CI:-}" == true ]]; then
  scripts/docs/reference.sh
  scripts/check_abi.sh
  scripts/fuzz.sh 60
fi
say "all tests passed in ${SECONDS} s"
