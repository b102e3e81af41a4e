#!/usr/bin/env bash
# Builds the Debian packages from this source on a fresh Debian, as root: what the Dockerfile's build stages run.
#
#   scripts/container/packages.sh [--cuda] FOLDER [CMAKE-OPTION...]      FOLDER: where the packages go
set -euo pipefail
# Base images set none: tools would take names and messages for ASCII.
export LANG=C.UTF-8
cuda=()
if [[ "${1:-}" == --cuda ]]; then
  cuda=(--cuda)
  shift
fi
(($# >= 1)) || {
  echo "usage: scripts/container/packages.sh [--cuda] FOLDER [CMAKE-OPTION...]" >&2
  exit 2
}
mkdir -p "$1"
folder="$(realpath "$1")"
shift
# shellcheck source-path=SCRIPTDIR source=../setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../setup/common.sh"

"${PTRUN_SETUP}/packages.sh"
# Names the packages that ours depend on, and is needed for nothing else.
apt-get install -y --no-install-recommends dpkg-dev
"${PTRUN_SETUP}/libtorch.sh" "${cuda[@]}"
# In the folder of a release build, whose compiled files ccache then has.
configure package -B build "-DPTRUN_WITH_CUDA=$([[ -n "${cuda[*]}" ]] && echo ON || echo OFF)" "$@"
cmake --build "${PTRUN_ROOT}/build" --parallel "$(build_jobs)"
cd "${PTRUN_ROOT}/build"
cpack -G DEB
mv ./*.deb "${folder}/"
