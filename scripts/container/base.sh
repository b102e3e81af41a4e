#!/usr/bin/env bash
# A base image without a registry: Debian by debootstrap, as small as Debian's own slim images, in buildah's storage.
#
#   scripts/container/base.sh [NAME]      NAME: localhost/ptrun-base
#
# SUITE (bookworm), MIRROR (debootstrap's own), ROOTFS (a folder made by debootstrap before) may be set.
# Needs root, debootstrap and buildah.
set -euo pipefail
name="${1:-localhost/ptrun-base}"
suite="${SUITE:-bookworm}"
work="$(mktemp -d)"
trap 'rm -rf "${work}"' EXIT
rootfs="${work}/rootfs"
if [[ -n "${ROOTFS:-}" ]]; then
  cp -a "${ROOTFS}" "${rootfs}"
else
  debootstrap --variant=minbase "${suite}" "${rootfs}" ${MIRROR:+"${MIRROR}"}
fi

# What Debian's slim images leave out, now and in later installs.
cat >"${rootfs}/etc/dpkg/dpkg.cfg.d/slim" <<'SLIM'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-include /usr/share/doc/ptrun/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/lintian/*
SLIM
find "${rootfs}/usr/share/doc" -mindepth 2 -not -type d -not -name copyright -delete
rm -rf "${rootfs}"/usr/share/{man,info,locale,groff,lintian}/* "${rootfs}"/var/cache/apt/*.bin \
  "${rootfs}"/var/cache/apt/archives/*.deb "${rootfs}"/var/lib/apt/lists/* "${rootfs}"/var/log/*

container="$(buildah --storage-driver vfs from scratch)"
buildah --storage-driver vfs add --quiet "${container}" "${rootfs}" /
buildah --storage-driver vfs config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "${container}"
buildah --storage-driver vfs commit --quiet --rm "${container}" "${name}"
