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

# The part of each wheel that is unpacked; CUDA libraries do no harm to a build without them.
patterns=('torch/include/*' 'torch/lib/libtorch_cpu.so' 'torch/lib/libc10.so' 'torch/lib/libgomp*'
  'nvidia/*/lib/libcudart.so.*' 'nvidia/*/lib/libcupti.so.*' '*.dist-info/*LICENSE*' '*.dist-info/*NOTICE*')
cpu_stamp="$({ lock_lines "${locks[0]}" && printf '%s\n' "${patterns[@]}"; } | sha256sum | cut -d ' ' -f 1)"
wanted="${cpu_stamp}"
size="0.55 GB" space=1700
if ((PTRUN_CUDA)); then
  patterns+=('torch/lib/*.so*' 'nvidia/*')
  wanted="$({ lock_lines "${locks[@]}" && printf '%s\n' "${patterns[@]}"; } | sha256sum | cut -d ' ' -f 1)"
  size="2.7 GB" space=8000
fi
stamp="${PTRUN_LIBTORCH}/.stamp"
is_there() { [[ -f "${stamp}" ]] && grep -q "^${wanted}$" "${stamp}"; }
if ! is_there; then
  lock_deps
fi
# Another set-up may have brought it while this one waited for the lock.
if is_there; then
  say "LibTorch ${PTRUN_TORCH_VERSION}: there (${PTRUN_LIBTORCH})"
  exit 0
fi

need_space "${space}"
say "LibTorch ${PTRUN_TORCH_VERSION}: downloading (${size}) and unpacking to ${PTRUN_LIBTORCH}"
partial="${PTRUN_LIBTORCH}.partial"
rm -rf "${partial}"
mkdir -p "${partial}"
for lock in "${locks[@]}"; do
  unpack_wheels "${lock}" "${partial}" "${patterns[@]}"
done
# A tree with CUDA serves builds without it as well.
printf '%s\n' "${cpu_stamp}" "${wanted}" >"${partial}/.stamp"
rm -rf "${PTRUN_LIBTORCH}"
mv "${partial}" "${PTRUN_LIBTORCH}"
remove_fetched "${locks[@]}"
say "LibTorch ${PTRUN_TORCH_VERSION}: ready, $(du -sm "${PTRUN_LIBTORCH}" | cut -f 1) MB"
