#!/usr/bin/env bash
# Runs every fuzz target under AddressSanitizer and UBSan, two at a time, each from the files that PyTorch wrote and
# those that once broke it. An input that breaks one stays in build/fuzz/found/TARGET; once it is mended, a tiny file
# that shows the same goes to tests/fuzz/found. Needs clang (scripts/setup/packages-ci.txt).
#
#   scripts/fuzz.sh [SECONDS [TARGET]...]      60 seconds each and all targets without words

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"
[[ "${1:-}" == -h || "${1:-}" == --help ]] && parse_options "$1"

seconds="${1:-60}"
[[ "${seconds}" =~ ^[1-9][0-9]*$ ]] || fail "${seconds}: expected seconds for each target, a whole number above 0"
targets=("${@:2}")
if ((${#targets[@]} == 0)); then
  for file in "${PTRUN_ROOT}"/tests/fuzz/fuzz_*.cpp; do
    target="${file##*/fuzz_}"
    targets+=("${target%.cpp}")
  done
fi

configure fuzz
build fuzz --target "${targets[@]/#/fuzz_}"

work="${PTRUN_ROOT}/build/fuzz"
python3 "${PTRUN_ROOT}/tests/fuzz/make_seeds.py" "${PTRUN_ROOT}/tests/data" "${work}/seeds"

# fuzz TARGET: what it found on the way is kept in build/fuzz/corpus, so that a second run goes on from there.
fuzz() {
  local corpora=("${work}/corpus/$1" "${PTRUN_ROOT}/tests/fuzz/found")
  if [[ -d "${work}/seeds/$1" ]]; then
    corpora+=("${work}/seeds/$1")
  elif [[ "$1" == image || "$1" == jpeg ]]; then
    corpora+=("${PTRUN_ROOT}/tests/data/derived")
  else
    corpora+=("${PTRUN_ROOT}/tests/data/archives")
  fi
  mkdir -p "${work}/corpus/$1" "${work}/found/$1"
  if ! "${work}/bin/fuzz_$1" -max_total_time="${seconds}" -max_len=65536 -timeout=25 -malloc_limit_mb=256 \
    -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 -artifact_prefix="${work}/found/$1/" "${corpora[@]}" \
    >"${work}/$1.log" 2>&1; then
    tail -n 60 "${work}/$1.log" >&2
    echo "error: fuzz_$1: the lines above end ${work}/$1.log" >&2
    return 1
  fi
  awk -v target="$1" '/number_of_executed_units/ { runs = $2 } /peak_rss_mb/ { peak = $2 }
    END { printf "%s: %d inputs, at most %d MB\n", target, runs, peak }' "${work}/$1.log"
}
export -f fuzz
export work seconds

say "fuzzing ${#targets[@]} targets, ${seconds} s each"
# shellcheck disable=SC2016  # the inner shell expands it
printf '%s\n' "${targets[@]}" | xargs -P 2 -I '{}' bash -c 'set -euo pipefail; fuzz "$1"' _ '{}'
