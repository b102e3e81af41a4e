#!/usr/bin/env bash
# Builds the CPU image from the packages in packages/ (made by `cpack -G DEB`) with buildah, without a daemon and without
# user namespaces, and says how large it is.
#
#   scripts/container/build.sh [BASE [NAME]]     BASE: localhost/ptrun-base (base.sh), NAME: localhost/ptrun
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
base="${1:-localhost/ptrun-base}"
name="${2:-localhost/ptrun}"
buildah --storage-driver vfs build --isolation chroot --format oci --target cpu --tag "${name}" \
  --build-arg "BASE=${base}" --build-arg PACKAGES=context --build-arg "REVISION=$(git rev-parse HEAD)" \
  --pull=never .
buildah --storage-driver vfs images --format '{{.Name}}:{{.Tag}} {{.Size}}'
