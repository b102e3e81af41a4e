#!/usr/bin/env bash
# Builds the desktop application from a fresh clone: set-up, ptrun, its package in build/desktop/prefix, the application
# against that. It ends up at build/desktop/prefix/bin/ptrun-desktop.
#
#   scripts/desktop.sh [--yes]

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"
# shellcheck disable=SC2034
PTRUN_DESKTOP=1
parse_options "$@"

set_up
configure release
build_desktop -DPTRUN_DESKTOP_TESTS=OFF

say "start it: build/desktop/prefix/bin/ptrun-desktop ${PTRUN_WEIGHTS} tests/data/photos"
