#!/usr/bin/env bash
# Runs the image on a folder of photos as an operator would (not as root, root file system read-only, no network, no
# capabilities) and compares its rows with those of a ptrun on this machine, byte for byte; asks it for its devices, and
# for a GPU, which has to be refused with a reason where there is none.
#
#   scripts/container/check.sh PTRUN MODEL PHOTOS [NAME]       NAME: localhost/ptrun:cpu
#
# ENGINE="podman --storage-driver vfs" (or docker, or podman with options of its own in RUN_OPTIONS) runs it with that;
# else by hand, with buildah and util-linux: the same file system, user and namespaces. Needs root.
set -euo pipefail
ptrun="$(realpath "$1")" model="$(realpath "$2")" photos="$(realpath "$3")"
name="${4:-localhost/ptrun:cpu}"
work="$(mktemp -d)"
trap 'rm -rf "${work}"' EXIT
mkdir "${work}/results"
chown 10001:10001 "${work}/results"
chmod 755 "${work}"

if [[ -n "${ENGINE:-}" ]]; then
  # shellcheck disable=SC2086  # commands with options
  image() {
    ${ENGINE} run --rm ${RUN_OPTIONS:-} --network none --read-only --tmpfs /tmp:rw,noexec,nosuid,size=64m \
      --cap-drop ALL --security-opt no-new-privileges -v "${model%/*}:/models:ro" -v "${photos}:/photos:ro" \
      -v "${work}/results:/results" "${ENTRY[@]}" "${name}" "$@"
  }
  ENTRY=(--entrypoint /usr/bin/id)
  user="$(image -u)"
  ENTRY=(--entrypoint /bin/sh)
  # There everybody may write, so only the read-only root stops it.
  if image -c 'echo x >/var/tmp/written' 2>/dev/null; then
    echo "the root file system can be written to" >&2
    exit 1
  fi
  ENTRY=()
else
  container="$(buildah --storage-driver vfs from --pull=never "${name}")"
  trap 'buildah --storage-driver vfs rm "${container}" >/dev/null; rm -rf "${work}"' EXIT
  root="$(buildah --storage-driver vfs mount "${container}")"
  config() { buildah --storage-driver vfs inspect --format "{{.OCIv1.Config.$1}}" "${container}"; }
  entry="$(buildah --storage-driver vfs inspect --format '{{index .OCIv1.Config.Entrypoint 0}}' "${container}")"
  mkdir -p "${root}"/{models,photos,results,proc,tmp}
  cat >"${work}/inside.sh" <<INSIDE
set -e
mount --bind "${root}" "${root}"
mount -o remount,bind,ro "${root}"
mount --bind "${model%/*}" "${root}/models" && mount -o remount,bind,ro "${root}/models"
mount --bind "${photos}" "${root}/photos" && mount -o remount,bind,ro "${root}/photos"
mount --bind "${work}/results" "${root}/results"
mount -t tmpfs -o size=64m,noexec,nosuid tmpfs "${root}/tmp"
mount -t proc proc "${root}/proc"
if chroot "${root}" /bin/sh -c 'echo x >/written' 2>/dev/null; then
  echo "root can write to the root file system" >&2
  exit 1
fi
# chroot needs a capability, so it comes first and setpriv runs inside.
exec chroot "${root}" /usr/bin/setpriv --reuid "$(config User | cut -d : -f 1)" --regid "$(config User | cut -d : -f 2)" \
  --clear-groups --bounding-set -all --no-new-privs /usr/bin/env -i PATH=/usr/bin:/bin "\$@"
INSIDE
  inside() { unshare --mount --net --pid --fork --kill-child bash "${work}/inside.sh" "$@"; }
  image() { inside "${entry}" "$@"; }
  user="$(inside /usr/bin/id -u)"
fi
[[ "${user}" == 10001 ]] || {
  echo "the image runs as user ${user}, expected 10001" >&2
  exit 1
}

# Broken photos among them end it with 1.
status=0
image predict "/models/${model##*/}" /photos -o /results/rows.jsonl --force --quiet || status=$?
((status <= 1))
ln -s "${photos}" "${work}/photos"
status=0
(cd "${work}" && "${ptrun}" predict "${model}" photos -o native.jsonl --force --quiet) || status=$?
((status <= 1))
# The container's paths begin with /photos, ours with photos.
sed 's|"path":"/photos|"path":"photos|; s|"error":"/photos|"error":"photos|' "${work}/results/rows.jsonl" >"${work}/container.jsonl"
cmp "${work}/container.jsonl" "${work}/native.jsonl"
echo "$(wc -l <"${work}/native.jsonl") rows, the same bytes"

image devices
[[ ! -e /dev/nvidia0 ]] || exit 0
status=0
image predict "/models/${model##*/}" /photos --device cuda >"${work}/gpu.txt" 2>&1 || status=$?
cat "${work}/gpu.txt"
((status == 5)) && grep -q 'no NVIDIA GPU' "${work}/gpu.txt"
