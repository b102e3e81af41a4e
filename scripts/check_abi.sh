#!/usr/bin/env bash
# Reports how the binary interface of libptrun differs from its record, or between two builds (abidiff of abigail-tools):
# a report until 1.0, where minor versions may change it; what C programs use is held by tests/guest/c_symbols.txt and the
# static_asserts of runtime/capi/options.h.
#
#   scripts/check_abi.sh                                  the builds of scripts/test.sh against tests/abi/*.abi; ends with
#                                                         0 whatever changed
#   scripts/check_abi.sh --record                         writes tests/abi/*.abi: at a release
#   scripts/check_abi.sh OLD/libptrun.so NEW/libptrun.so  builds of the preset `developer`, for their types; ends with 1
#                                                         where programs of the old one may not run with the new one
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
headers="${root}/runtime/include"
record="${root}/tests/abi"

# compare OLD NEW OPTION...: 0 compatible, 1 not or perhaps not, else abidiff failed. What is only in the new one breaks
# no program.
compare() {
  local status=0
  abidiff --no-added-syms --drop-private-types "${@:3}" "$1" "$2" || status=$?
  # Bit 0: abidiff itself failed; bit 3: programs of the old one do not run with the new one.
  if ((status & 1)); then return 2; fi
  if ((status & 8)); then
    echo "programs compiled for the old library do not run with the new one"
    return 1
  fi
  if ((status & 4)); then
    echo "changed; programs compiled for the old library may not run with the new one"
    return 1
  fi
  echo "compatible"
}

# describe FOLDER: the interface of the builds, as types.abi and symbols.abi.
describe() {
  local library="${root}/build/lib/libptrun.so" types="${root}/build/asan/lib/libptrun_abi.so"
  for file in "${library}" "${types}"; do
    [[ -f "${file}" ]] || {
      echo "error: ${file} is not there; scripts/test.sh builds it" >&2
      return 2
    }
  done
  local same=(--no-corpus-path --no-comp-dir-path --no-elf-needed --no-architecture)
  abidw "${same[@]}" --headers-dir "${headers}" --drop-private-types --no-show-locs --no-parameter-names \
    --exported-interfaces-only --type-id-style hash --suppressions "${record}/types.supp" \
    --out-file "$1/types.abi" "${types}"
  abidw "${same[@]}" --out-file "$1/symbols.abi" "${library}"
}

case "$#:${1:-}" in
  0:)
    now="$(mktemp -d)"
    trap 'rm -rf "${now}"' EXIT
    describe "${now}"
    for part in types symbols; do
      echo "== binary interface, ${part}, since the record in tests/abi"
      compare "${record}/${part}.abi" "${now}/${part}.abi" || (($? == 1))
    done
    ;;
  1:--record) describe "${record}" ;;
  2:*) compare "$1" "$2" --headers-dir1 "${headers}" --headers-dir2 "${headers}" ;;
  *)
    echo "usage: scripts/check_abi.sh [--record | OLD/libptrun.so NEW/libptrun.so]" >&2
    exit 2
    ;;
esac
