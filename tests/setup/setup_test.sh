#!/usr/bin/env bash
# setup_test.sh SCRIPTS_DIR: runs the set-up scripts against a cache of its own, with a pip and a uname of its own.
set -euo pipefail
scripts="$1"
work="$(mktemp -d)"
trap 'rm -rf "${work}"' EXIT
mkdir "${work}/bin" "${work}/site"
export PTRUN_DEPS="${work}/deps"
passed=0

check() { # check WHAT COMMAND...
  if ! "${@:2}"; then
    echo "FAILED: $1" >&2
    cat "${work}/output" >&2 || true
    exit 1
  fi
  passed=$((passed + 1))
}
says() { grep -q -- "$1" "${work}/output"; }
absent() { [[ ! -e "$1" ]]; }
fails() { ! "$@" >"${work}/output" 2>&1; }
succeeds() { "$@" >"${work}/output" 2>&1; }

# A wheel, its lock file, and a `python3 -m pip download` that copies the wheel that FAKE_WHEEL names, or fails.
real_python="$(command -v python3)"
wheel=some_weights-1.0-py3-none-any.whl
(cd "${work}" && mkdir -p pack/weights && echo data >pack/weights/a.pth && echo code >pack/weights/b.py &&
  cd pack && "${real_python}" -m zipfile -c "../${wheel}" weights)
hash="$(sha256sum "${work}/${wheel}" | cut -d ' ' -f 1)"
printf '# comment\nsome-weights==1.0 --hash=sha256:%s\n' "${hash}" >"${work}/lock"
cat >"${work}/bin/python3" <<FAKE
#!/usr/bin/env bash
if [[ "\${2:-}" != pip ]]; then exec "${real_python}" "\$@"; fi
[[ -n "\${FAKE_WHEEL:-}" ]] || exit 1
while [[ "\$1" != --dest ]]; do shift; done
cp "\${FAKE_WHEEL}" "\$2/"
FAKE
chmod +x "${work}/bin/python3"
export PATH="${work}/bin:${PATH}"

unpack() {
  rm -rf "${work}/site"
  bash -c 'source "$1/common.sh"; source "$1/wheels.sh"; lock_deps; unpack_wheels "$2" "$3" "*.pth"; remove_fetched "$2"' \
    _ "${scripts}" "${work}/lock" "${work}/site"
}

mkdir -p "${PTRUN_DEPS}/downloads"
cp "${work}/${wheel}" "${PTRUN_DEPS}/downloads/"
check "a wheel put into the cache is used without pip" succeeds unpack
check "what was asked for is unpacked" test -f "${work}/site/weights/a.pth"
check "nothing else is unpacked" absent "${work}/site/weights/b.py"
check "a wheel put there by hand stays" test -f "${PTRUN_DEPS}/downloads/${wheel}"

echo broken >"${PTRUN_DEPS}/downloads/${wheel}"
check "a wheel with another hash is not used" fails unpack
check "its hash is named as the reason" says "sha256 is not that of the lock file"
check "the message says what to do" says "put the wheel file into"
check "a failed download leaves nothing" absent "${PTRUN_DEPS}/downloads/.partial-some-weights-1.0"

rm "${PTRUN_DEPS}/downloads/${wheel}"
mkdir "${PTRUN_DEPS}/downloads/.partial-some-weights-1.0"
echo half >"${PTRUN_DEPS}/downloads/.partial-some-weights-1.0/${wheel}"
check "an interrupted download does no harm" succeeds env FAKE_WHEEL="${work}/${wheel}" bash -c "$(declare -f unpack)
  work='${work}' scripts='${scripts}'; unpack"
check "the download is unpacked" test -f "${work}/site/weights/a.pth"
check "a downloaded wheel is removed after unpacking" absent "${PTRUN_DEPS}/downloads/${wheel}"

echo "some-weights==1.0" >>"${work}/lock"
check "a lock file line without a hash is refused" fails unpack
check "and named" says "a line is not NAME==VERSION"

printf '#!/bin/sh\necho aarch64\n' >"${work}/bin/uname"
chmod +x "${work}/bin/uname"
check "another architecture is refused" fails bash "${scripts}/packages.sh"
check "with its name" says "this machine is aarch64"
rm "${work}/bin/uname"

check "an unknown option is refused" fails bash "${scripts}/packages.sh" --no-such-option
check "with the known ones" says "known are --yes"
check "an unknown LibTorch version is refused" fails env PTRUN_TORCH_VERSION=0.1 bash "${scripts}/libtorch.sh"
check "with the known ones" says "known: 2.11.0 2.15.0"

# A package that is missing, and no root: the line to run is printed and nothing is installed.
if ((EUID == 0)); then
  printf '#!/bin/sh\ncase "$*" in *libgif-dev) exit 1 ;; esac\nexec /usr/bin/dpkg-query "$@"\n' >"${work}/bin/dpkg-query"
  chmod -R a+rX "${work}"
  chmod +x "${work}/bin/dpkg-query"
  # The scripts may lie where only root can read.
  cp -r "${scripts}" "${work}/setup"
  mkdir "${work}/scripts" && mv "${work}/setup" "${work}/scripts/setup"
  check "without root nothing is installed" fails setpriv --reuid=65534 --clear-groups \
    bash "${work}/scripts/setup/packages.sh"
  check "and the line to run is printed" says "apt-get install --no-install-recommends libgif-dev"
fi
echo "${passed} checks of the set-up scripts passed"
