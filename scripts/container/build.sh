#!/usr/bin/env bash
# Builds an image with buildah, without a daemon and without user namespaces, and says how large it is.
#
#   scripts/container/build.sh [TARGET [BASE [NAME]]]
#
# TARGET: cpu or cuda; BASE: localhost/ptrun-base (base.sh); NAME: localhost/ptrun:TARGET. PACKAGES=context takes the
# packages in packages/ (made by `cpack -G DEB`), PACKAGES=build, the default, builds them inside; CMAKE_OPTIONS: the
# Dockerfile's. Needs root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target="${1:-cpu}"
base="${2:-localhost/ptrun-base}"
name="${3:-localhost/ptrun:${target}}"
# PACKAGES is always given: older versions of buildah overlook stages whose name has an argument's default in it.
buildah --storage-driver vfs build --isolation chroot --format oci --target "${target}" --tag "${name}" \
  --build-arg "BASE=${base}" --build-arg "PACKAGES=${PACKAGES:-build}" \
  --build-arg "CMAKE_OPTIONS=${CMAKE_OPTIONS:-}" --build-arg "REVISION=$(git rev-parse HEAD)" --pull=never .
buildah --storage-driver vfs images --format '{{.Name}}:{{.Tag}} {{.Size}}'
