#!/usr/bin/env bash
# Reports how the binary interface of libptrun differs between two builds (abidiff of abigail-tools): a report until 1.0,
# where minor versions may change it; what C programs use is held by tests/guest/c_symbols.txt and the static_asserts of
# runtime/capi/options.h.
#
#   scripts/check_abi.sh OLD/libptrun.so NEW/libptrun.so      builds of the preset `developer`, for their types
set -euo pipefail
if (($# != 2)); then
  echo "usage: scripts/check_abi.sh OLD/libptrun.so NEW/libptrun.so" >&2
  exit 2
fi
headers="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/runtime/include"
status=0
# What is only in the new one breaks no program.
abidiff --no-added-syms --drop-private-types --headers-dir1 "${headers}" --headers-dir2 "${headers}" "$1" "$2" ||
  status=$?
# Bit 0: abidiff itself failed; bit 3: programs of the old one do not run with the new one.
if ((status & 1)); then exit 2; fi
if ((status & 8)); then echo "programs compiled for the old library do not run with the new one"; exit 1; fi
if ((status & 4)); then echo "changed; programs compiled for the old library may not run with the new one"; exit 1; fi
echo "compatible"
