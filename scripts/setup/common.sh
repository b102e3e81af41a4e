# shellcheck shell=bash
# Shared by the set-up scripts, quickstart.sh and test.sh: messages, where things lie, options.
set -euo pipefail

PTRUN_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PTRUN_SETUP="${PTRUN_ROOT}/scripts/setup"
# Outside the clone, so that a second clone downloads nothing.
PTRUN_DEPS="${PTRUN_DEPS:-${XDG_CACHE_HOME:-${HOME:?"HOME is not set: set it, or PTRUN_DEPS to a cache folder"}/.cache}/ptrun}"
PTRUN_TORCH_VERSION="${PTRUN_TORCH_VERSION:-2.15.0}"
PTRUN_LIBTORCH="${PTRUN_DEPS}/libtorch-${PTRUN_TORCH_VERSION}"
PTRUN_WEIGHTS="${PTRUN_DEPS}/weights/mobilenet_v2-b0353104.pth"
export PTRUN_ROOT PTRUN_SETUP PTRUN_DEPS PTRUN_TORCH_VERSION PTRUN_LIBTORCH PTRUN_WEIGHTS

# Read by the scripts that source this file.
# shellcheck disable=SC2034
PTRUN_YES=0 PTRUN_CUDA=0 PTRUN_DESKTOP=0

say() { printf '== %s\n' "$*" >&2; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Options that every entry script takes; --help prints the comment that opens the script.
# shellcheck disable=SC2034
parse_options() {
  local option
  for option in "$@"; do
    case "${option}" in
      --yes) PTRUN_YES=1 ;;
      --cuda) PTRUN_CUDA=1 ;;
      --desktop) PTRUN_DESKTOP=1 ;;
      --no-desktop) PTRUN_DESKTOP=0 ;;
      -h | --help)
        awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"
        exit 0
        ;;
      *) fail "${option}: unknown option; known are --yes (use sudo for packages), --cuda (CUDA libraries too)," \
        "--desktop or --no-desktop (with or without the desktop application), --help" ;;
    esac
  done
}

# A step that downloads appends its bytes here; quickstart.sh sums them up.
count_download() {
  if [[ -n "${PTRUN_DOWNLOAD_COUNT:-}" ]]; then
    printf '%s\n' "$1" >>"${PTRUN_DOWNLOAD_COUNT}"
  fi
}

# One set-up at a time for one cache: a second one waits, then finds everything there.
lock_deps() {
  mkdir -p "${PTRUN_DEPS}/downloads"
  exec {PTRUN_LOCK}>"${PTRUN_DEPS}/.lock"
  flock "${PTRUN_LOCK}"
}

# need_space MEGABYTES: refuses before a download, not in the middle of it.
need_space() {
  local free
  free="$(df --output=avail -m "${PTRUN_DEPS}" | tail -n 1 | tr -d ' ')"
  if ((free < $1)); then
    fail "${PTRUN_DEPS}: ${free} MB free, $1 MB needed; free some, or set PTRUN_DEPS to a folder on another disk"
  fi
}

# Everything that has to be there before the build.
set_up() {
  local options=()
  if ((PTRUN_YES)); then options+=(--yes); fi
  local package_options=("${options[@]}")
  if ((PTRUN_DESKTOP)); then package_options+=(--desktop); fi
  "${PTRUN_SETUP}/packages.sh" "${package_options[@]}"
  if ((PTRUN_CUDA)); then options+=(--cuda); fi
  "${PTRUN_SETUP}/libtorch.sh" "${options[@]}"
  "${PTRUN_SETUP}/weights.sh"
}

# build_jobs: one per processor, but no more than memory holds: a file that sees LibTorch takes about 1.5 GB.
build_jobs() {
  local processors memory
  processors="$(nproc)"
  memory="$(awk '/^MemAvailable:/ { print int($2 / 1500000) }' /proc/meminfo)"
  printf '%d' "$((memory < 1 ? 1 : (memory < processors ? memory : processors)))"
}

# configure PRESET [OPTION...]: quiet unless it fails.
configure() {
  local log
  mkdir -p "${PTRUN_ROOT}/build"
  log="${PTRUN_ROOT}/build/configure-$1.log"
  say "configuring ($1)"
  if ! (cd "${PTRUN_ROOT}" && cmake --preset "$@" -DLIBTORCH_ROOT="${PTRUN_LIBTORCH}/torch" \
    -DPTRUN_TEST_WEIGHTS="${PTRUN_WEIGHTS}") >"${log}" 2>&1; then
    cat "${log}" >&2
    fail "cmake --preset $1 failed; the lines above are ${log}"
  fi
}

# build PRESET [OPTION...]
build() {
  say "building ($1)"
  (cd "${PTRUN_ROOT}" && cmake --build --preset "$1" --parallel "$(build_jobs)" "${@:2}")
}

# build_desktop [OPTION...]: installs the release build to build/desktop/prefix and builds apps/desktop against it.
build_desktop() {
  local folder log
  folder="${PTRUN_ROOT}/build/desktop"
  log="${folder}/build.log"
  mkdir -p "${folder}"
  say "building (desktop)"
  if ! {
    cmake --build "${PTRUN_ROOT}/build" --parallel "$(build_jobs)" --target ptrun ptrun_opencv ptrun_tool &&
      cmake --install "${PTRUN_ROOT}/build" --prefix "${folder}/prefix" &&
      cmake -S "${PTRUN_ROOT}/apps/desktop" -B "${folder}" -G Ninja -DCMAKE_PREFIX_PATH="${folder}/prefix" "$@" &&
      cmake --build "${folder}" --parallel "$(build_jobs)" &&
      cmake --install "${folder}" --prefix "${folder}/prefix"
  } >"${log}" 2>&1; then
    tail -n 50 "${log}" >&2
    fail "the desktop application was not built; the lines above end ${log}"
  fi
}
