#!/usr/bin/env bash
# Brings LibTorch's headers and libraries into the cache: PTRUN_DEPS, else ptrun in the user's cache folder.
#
#   PTRUN_TORCH_VERSION=2.11.0   another version that has a lock file here (default 2.15.0)
#   --cuda                       the CUDA libraries too (several GB)
#
# The wheels that hold them are checked against the lock file's hashes. Wheels already in the cache's downloads folder
# are used; those that this script downloads are removed after unpacking, since only a part of them is needed.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source-path=SCRIPTDIR source=wheels.sh
source "${PTRUN_SETUP}/wheels.sh"
parse_options "$@"

locks=("${PTRUN_SETUP}/torch-${PTRUN_TORCH_VERSION}.lock")
if ((PTRUN_CUDA)); then
  locks+=("${PTRUN_SETUP}/torch-${PTRUN_TORCH_VERSION}-cuda.lock")
fi
if [[ ! -f "${locks[0]}" ]]; then
  known="$(cd "${PTRUN_SETUP}" && printf '%s ' torch-*.lock | sed 's/torch-[^ ]*-cuda.lock //g; s/torch-//g; s/\.lock//g')"
  fail "PTRUN_TORCH_VERSION: ${PTRUN_TORCH_VERSION} has no lock file in scripts/setup; known: ${known}"
fi

# What is unpacked is decided by the lock files and by this script.
wanted="$(cat "${locks[@]}" "${BASH_SOURCE[0]}" | sha256sum | cut -d ' ' -f 1)"
stamp="${PTRUN_LIBTORCH}/.stamp"
# CUDA libraries that are there do no harm to a build without them.
if [[ -f "${stamp}" ]] && grep -q "^${wanted}$" "${stamp}"; then
  say "LibTorch ${PTRUN_TORCH_VERSION}: there (${PTRUN_LIBTORCH})"
  exit 0
fi

lock_deps
if [[ -f "${stamp}" ]] && grep -q "^${wanted}$" "${stamp}"; then
  exit 0
fi
patterns=('torch/include/*' 'torch/lib/libtorch_cpu.so' 'torch/lib/libc10.so' 'torch/lib/libgomp*'
  'nvidia/*/lib/libcudart.so.*' 'nvidia/*/lib/libcupti.so.*' '*.dist-info/*LICENSE*' '*.dist-info/*NOTICE*')
if ((PTRUN_CUDA)); then
  patterns+=('torch/lib/*.so*' 'nvidia/*')
  need_space 12000
else
  need_space 1700
fi
say "LibTorch ${PTRUN_TORCH_VERSION}: downloading (about 0.55 GB) and unpacking to ${PTRUN_LIBTORCH}"
partial="${PTRUN_LIBTORCH}.partial"
rm -rf "${partial}"
mkdir -p "${partial}"
for lock in "${locks[@]}"; do
  unpack_wheels "${lock}" "${partial}" "${patterns[@]}"
done
if ((PTRUN_CUDA)); then
  # A CUDA tree serves builds without CUDA as well: both stamps hold.
  cat "${locks[0]}" "${BASH_SOURCE[0]}" | sha256sum | cut -d ' ' -f 1 >"${partial}/.stamp"
fi
printf '%s\n' "${wanted}" >>"${partial}/.stamp"
rm -rf "${PTRUN_LIBTORCH}"
mv "${partial}" "${PTRUN_LIBTORCH}"
remove_fetched "${locks[@]}"
say "LibTorch ${PTRUN_TORCH_VERSION}: ready, $(du -sm "${PTRUN_LIBTORCH}" | cut -f 1) MB"
