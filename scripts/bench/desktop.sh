#!/usr/bin/env bash
# The desktop application with thousands of photos: time to the tiles, to the first label, the longest time for which the
# window did not answer while labels stream in and a user scrolls, walks, sorts and filters, and memory. Prints JSON;
# what is measured stands in apps/desktop/tests/frame_meter.h and responsiveness.cpp.
#
#   scripts/bench/desktop.sh [COUNT] [MODEL]
#
# COUNT photos (5000) are hard links to tests/data/photos. The display is Xvfb's, which paints on the processor.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../setup/common.sh"
count="${1:-5000}"
model="${2:-${PTRUN_WEIGHTS}}"

configure release
build_desktop -DPTRUN_DESKTOP_TESTS=ON
say "load before: $(cut -d ' ' -f 1-3 /proc/loadavg), processors: $(nproc)"
bash "${PTRUN_ROOT}/tests/desktop/under_xvfb.sh" "${PTRUN_ROOT}/build/desktop/tests/responsiveness" \
  "${model}" "${PTRUN_ROOT}/tests/data/photos" "${count}"
