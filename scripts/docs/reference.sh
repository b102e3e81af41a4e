#!/usr/bin/env bash
# Makes the reference pages of the public headers in build/reference/html. Fails on every warning of Doxygen, so also for
# a class, function, enumeration or typedef without a comment; fields of plain structs may speak for themselves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p build/reference
warnings="build/reference/warnings.txt"
doxygen docs/Doxyfile 2>"${warnings}"
if grep -v 'Member .* (variable) of .* is not documented\.$' "${warnings}"; then
  printf 'error: the lines above are warnings of Doxygen about the public headers\n' >&2
  exit 1
fi
printf 'build/reference/html/index.html\n'
