#!/usr/bin/env bash
# Runs the image on a folder of photos as an operator would (not as root, root file system read-only, no network, no
# capabilities) and compares its rows with those of a ptrun on this machine, byte for byte.
#
#   scripts/container/check.sh PTRUN MODEL PHOTOS [NAME]       NAME: localhost/ptrun
#
# Needs root, buildah, util-linux. No container engine: the same file system, user and namespaces by hand.
set -euo pipefail
ptrun="$(realpath "$1")" model="$(realpath "$2")" photos="$(realpath "$3")"
name="${4:-localhost/ptrun}"
work="$(mktemp -d)"
container="$(buildah --storage-driver vfs from --pull=never "${name}")"
trap 'buildah --storage-driver vfs rm "${container}" >/dev/null; rm -rf "${work}"' EXIT
root="$(buildah --storage-driver vfs mount "${container}")"
user="$(buildah --storage-driver vfs inspect --format '{{.OCIv1.Config.User}}' "${container}")"
entry="$(buildah --storage-driver vfs inspect --format '{{index .OCIv1.Config.Entrypoint 0}}' "${container}")"
[[ "${user}" == "10001:10001" ]] || { echo "the image runs as ${user}" >&2; exit 1; }
mkdir -p "${root}"/{models,photos,results,proc,tmp} "${work}/results"
chown 10001:10001 "${work}/results"

cat >"${work}/inside.sh" <<INSIDE
set -e
mount --bind "${root}" "${root}"
mount -o remount,bind,ro "${root}"
mount --bind "$(dirname "${model}")" "${root}/models" && mount -o remount,bind,ro "${root}/models"
mount --bind "${photos}" "${root}/photos" && mount -o remount,bind,ro "${root}/photos"
mount --bind "${work}/results" "${root}/results"
mount -t tmpfs -o size=64m,noexec,nosuid tmpfs "${root}/tmp"
mount -t proc proc "${root}/proc"
# chroot needs a capability, so it comes first and setpriv runs inside.
inside() { chroot "${root}" /usr/bin/setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set -all \
  --no-new-privs /usr/bin/env -i PATH=/usr/bin:/bin "\$@"; }
if chroot "${root}" /bin/sh -c 'echo x >/written' 2>/dev/null; then
  echo "root can write to the root file system" >&2
  exit 1
fi
[ "\$(inside /usr/bin/id -u)" = 10001 ]
inside "${entry}" predict "/models/$(basename "${model}")" /photos -o /results/rows.jsonl --force --quiet || [ \$? -eq 1 ]
INSIDE
unshare --mount --net --pid --fork --kill-child bash "${work}/inside.sh"

ln -s "${photos}" "${work}/photos"
status=0
(cd "${work}" && "${ptrun}" predict "${model}" photos -o native.jsonl --force --quiet) || status=$?
[[ "${status}" -le 1 ]]  # 1: some of the photos are broken on purpose
# The container's paths begin with /photos, ours with photos.
sed 's|"path":"/photos|"path":"photos|; s|"error":"/photos|"error":"photos|' "${work}/results/rows.jsonl" >"${work}/container.jsonl"
cmp "${work}/container.jsonl" "${work}/native.jsonl"
echo "$(wc -l <"${work}/native.jsonl") rows, the same bytes"
