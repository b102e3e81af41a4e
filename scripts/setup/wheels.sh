# shellcheck shell=bash
# Wheels of a lock file (pip's requirement format: NAME==VERSION --hash=sha256:HASH, one a line) to files on disk.
# A wheel in the downloads folder is used if its hash is right, whoever put it there; ".fetched" beside it marks ours.

# The same bytes whatever the host's Python: what is unpacked is C++ only.
pip_target=(--python-version 3.11 --implementation cp --abi cp311)
for glibc in 28 27 26 25 24 18 17 12 5; do
  pip_target+=(--platform "manylinux_2_${glibc}_x86_64")
done
pip_target+=(--platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux1_x86_64)

# lock_lines LOCK...: "name version hash" a line.
lock_lines() {
  sed -n 's/^\([A-Za-z0-9._-]*\)==\([^ ]*\) --hash=sha256:\([0-9a-f]\{64\}\)$/\1 \2 \3/p' "$@"
}

# find_wheel NAME VERSION HASH: prints the file in the downloads folder that is this wheel, if there is one.
find_wheel() {
  local file
  for file in "${PTRUN_DEPS}/downloads/${1//[-.]/_}-$2-"*.whl; do
    [[ -f "${file}" ]] || continue
    if [[ "$(sha256sum "${file}" | cut -d ' ' -f 1)" == "$3" ]]; then
      printf '%s\n' "${file}"
      return
    fi
    say "${file}: its sha256 is not that of the lock file; not used"
  done
}

# fetch_wheel NAME VERSION HASH: downloads it under a temporary name, then moves it into the downloads folder.
fetch_wheel() {
  local downloads="${PTRUN_DEPS}/downloads" partial file
  partial="${downloads}/.partial-$1-$2"
  rm -rf "${partial}"
  mkdir -p "${partial}"
  printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >"${partial}/requirement.txt"
  local progress=(--quiet --progress-bar off)
  if [[ -t 2 ]]; then progress=(--progress-bar on); fi
  # TMPDIR: pip collects the file there first, and a small /tmp would not hold it.
  if ! TMPDIR="${partial}" python3 -m pip download "${progress[@]}" --no-cache-dir --disable-pip-version-check \
    --no-deps --only-binary=:all: --require-hashes "${pip_target[@]}" \
    --dest "${partial}" -r "${partial}/requirement.txt" </dev/null >&2; then
    rm -rf "${partial}"
    fail "$1 $2: pip could not download it with the lock file's hash; check the network and start again, or put the" \
      "wheel file into ${downloads}"
  fi
  file="$(basename "${partial}"/*.whl)"
  mv "${partial}/${file}" "${downloads}/${file}"
  touch "${downloads}/${file}.fetched"
  rm -rf "${partial}"
  count_download "$(stat -c %s "${downloads}/${file}")"
  printf '%s\n' "${downloads}/${file}"
}

# unpack_wheels LOCK FOLDER PATTERN...: every wheel's members that match a pattern, under FOLDER.
unpack_wheels() {
  local lock="$1" folder="$2" name version hash wheel
  shift 2
  if [[ "$(lock_lines "${lock}" | wc -l)" != "$(grep -c '==' "${lock}")" ]]; then
    fail "${lock}: a line is not NAME==VERSION --hash=sha256:HASH"
  fi
  while read -r name version hash; do
    wheel="$(find_wheel "${name}" "${version}" "${hash}")"
    if [[ -z "${wheel}" ]]; then
      wheel="$(fetch_wheel "${name}" "${version}" "${hash}")"
    fi
    python3 "${PTRUN_SETUP}/unpack_wheel.py" "${wheel}" "${folder}" "$@" </dev/null
  done < <(lock_lines "${lock}")
}

# remove_fetched LOCK...: the lock files' wheels that we downloaded ourselves; their useful part is unpacked.
remove_fetched() {
  local name version hash mark
  while read -r name version hash; do
    for mark in "${PTRUN_DEPS}/downloads/${name//[-.]/_}-${version}-"*.whl.fetched; do
      if [[ -f "${mark}" ]]; then
        rm -f "${mark%.fetched}" "${mark}"
      fi
    done
  done < <(for lock in "$@"; do lock_lines "${lock}"; done)
}
