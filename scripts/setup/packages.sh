#!/usr/bin/env bash
# Installs the Debian packages of packages.txt that are missing, with --desktop those of packages-desktop.txt too and in
# CI those of packages-ci.txt; as root, or through sudo with --yes.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
parse_options "$@"

machine="$(uname -m)"
if [[ "${machine}" != x86_64 ]]; then
  fail "this machine is ${machine}: the set-up brings LibTorch for x86_64 only; elsewhere install the packages of" \
    "scripts/setup/packages.txt and build with -DLIBTORCH_ROOT=FOLDER"
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  fail "no apt-get here: the set-up knows Debian 12, 13 and Ubuntu 24.04; elsewhere install what" \
    "scripts/setup/packages.txt lists and build with -DLIBTORCH_ROOT=FOLDER"
fi
if [[ "$(dpkg --print-architecture)" != amd64 ]]; then
  fail "this system's packages are $(dpkg --print-architecture), expected amd64; use a 64-bit system"
fi

release_field() { sed -n "s/^$1=//p" /etc/os-release | tr -d '"'; }
system="$(release_field ID) $(release_field VERSION_ID)"
case "${system}" in
  "debian 12" | "debian 13") ;;
  "ubuntu 24.04") say "Ubuntu 24.04 has all packages that are needed, but is untested" ;;
  *) say "${system} is untested; Debian 12 and 13 are tested" ;;
esac

lists=("${PTRUN_SETUP}/packages.txt")
if ((PTRUN_DESKTOP)); then lists+=("${PTRUN_SETUP}/packages-desktop.txt"); fi
if [[ "${CI:-}" == true ]]; then lists+=("${PTRUN_SETUP}/packages-ci.txt"); fi
missing=()
while read -r package _; do
  if [[ "$(dpkg-query -W -f '${db:Status-Status}' "${package}" 2>/dev/null || true)" != installed ]]; then
    missing+=("${package}")
  fi
done < <(sed 's/#.*//; /^[[:space:]]*$/d' "${lists[@]}")

if ((${#missing[@]} == 0)); then
  say "packages: all there"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ((PTRUN_YES)) && command -v sudo >/dev/null; then
    as_root=(sudo)
  else
    fail "packages are missing and this is not root; run, or start again with --yes to have sudo used:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  fi
fi

mkdir -p "${PTRUN_DEPS}"
log="${PTRUN_DEPS}/apt.log"
run_apt() {
  # LC_ALL: the line with the size is read below. A lock held by another apt is waited for.
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -o DPkg::Lock::Timeout=300 "$@" \
    </dev/null >"${log}" 2>&1; then
    tail -n 20 "${log}" >&2
    fail "apt-get $1 failed; the lines above end ${log}"
  fi
  count_download "$(sed -n 's/^Fetched \([0-9.,]*\) \([kMG]\{0,1\}B\) .*/\1 \2/p' "${log}" | tr -d , |
    awk '{ unit["B"] = 1; unit["kB"] = 1e3; unit["MB"] = 1e6; unit["GB"] = 1e9; sum += $1 * unit[$2] }
         END { printf "%.0f", sum }')"
}
say "packages: installing ${#missing[@]}: ${missing[*]}"
run_apt update
run_apt install --yes --no-install-recommends "${missing[@]}"
say "packages: installed"
