#!/usr/bin/env bash
# From a fresh clone to labels of photographs: set-up, build, real weights, prediction.
#
#   scripts/quickstart.sh [--yes]
#
# --yes lets it use sudo to install Debian packages; as root that is not needed. What it downloads lies in PTRUN_DEPS,
# else in ptrun in the user's cache folder. A second run takes seconds.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"
parse_options "$@"

PTRUN_DOWNLOAD_COUNT="$(mktemp)"
export PTRUN_DOWNLOAD_COUNT
trap 'rm -f "${PTRUN_DOWNLOAD_COUNT}"' EXIT

set_up
configure release
build release --target ptrun_tool

results="${PTRUN_ROOT}/build/quickstart/predictions.jsonl"
mkdir -p "$(dirname "${results}")"
cd "${PTRUN_ROOT}"
say "build/bin/ptrun predict ${PTRUN_WEIGHTS} tests/data/photos -o ${results#"${PTRUN_ROOT}/"}"
build/bin/ptrun predict "${PTRUN_WEIGHTS}" tests/data/photos -o "${results}" --force
printf '\n'
python3 "${PTRUN_SETUP}/show_labels.py" "${results}"
printf '\nImageNet has no class for a raccoon; a badger is the nearest it knows.\n'
printf 'Results: %s\n' "${results}"
printf 'Took %d s, downloaded %s MB.\n' "${SECONDS}" \
  "$(awk '{ sum += $1 } END { printf "%.0f", sum / 1e6 }' "${PTRUN_DOWNLOAD_COUNT}")"
