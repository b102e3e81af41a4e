#!/usr/bin/env bash
# Installs the packages as a stranger would, on a fresh Debian without compilers, runs the tool and programs that were
# compiled elsewhere; then builds the programs of examples/ with CMake and pkg-config on a second fresh Debian, which has
# compilers and ptrun-dev. Where there is a ptrun-cuda too: its component is found, and its libraries open without a GPU.
#
#   scripts/check_packages.sh PACKAGES MODEL PHOTO
#
# PACKAGES: the folder where cpack left ptrun*.deb and ptrun-*.tar.gz. Needs root and debootstrap. SUITE (bookworm), MIRROR,
# ROOTFS (a folder made by debootstrap before, which is copied) may be set. The chroots are removed at the end.
set -euo pipefail
packages="$(realpath "$1")" model="$(realpath "$2")" photo="$(realpath "$3")"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="$(mktemp -d)"
cleanup() {
  for root in "${work}"/{run,build,tar}; do
    if mountpoint -q "${root}/proc"; then umount "${root}/proc"; fi
  done
  rm -rf "${work}"
}
trap cleanup EXIT

fresh() {
  local root="${work}/$1"
  if [[ -n "${ROOTFS:-}" ]]; then
    cp -a "${ROOTFS}" "${root}"
  else
    debootstrap --variant=minbase "${SUITE:-bookworm}" "${root}" ${MIRROR:+"${MIRROR}"} >/dev/null
  fi
  cp -L /etc/resolv.conf "${root}/etc/resolv.conf"
  mount -t proc proc "${root}/proc"
  mkdir -p "${root}/given"
  cp "${model}" "${root}/given/model"
  cp "${photo}" "${root}/given/photo.jpg"
  inside "$1" apt-get -qq update
}
inside() {
  local root="${work}/$1"
  shift
  chroot "${root}" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}
# Names of packages and of files in /given, which the shell inside expands.
apt() {
  if ! inside "$1" sh -c "apt-get -qq -y --no-install-recommends install ${*:2}" >"${work}/apt.log" 2>&1; then
    cat "${work}/apt.log" >&2
    exit 1
  fi
}
say() { printf '== %s\n' "$*"; }

say "programs: built on a Debian with ptrun-dev"
fresh build
cp "${packages}"/ptrun{,-dev,-opencv}_*.deb "${work}/build/given/"
apt build '/given/ptrun_*.deb' '/given/ptrun-dev_*.deb' g++ cmake make pkg-config
cp -r "${here}/examples" "${work}/build/given/"
inside build cmake -S /given/examples -B /build -DCMAKE_BUILD_TYPE=Release >/dev/null
inside build cmake --build /build --parallel 2 >/dev/null
# shellcheck disable=SC2016  # expanded inside
inside build sh -c 'cc /given/examples/label_c.c $(pkg-config --cflags --libs ptrun) -o /build/from_pkg_config'

if compgen -G "${packages}/ptrun-cuda_*.deb" >/dev/null; then
  say "ptrun-cuda"
  mkdir "${work}/build/given/cuda"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(gpu LANGUAGES CXX)' \
    'find_package(ptrun REQUIRED COMPONENTS cpu cuda)' >"${work}/build/given/cuda/CMakeLists.txt"
  if inside build cmake -S /given/cuda -B /cuda >"${work}/cmake.log" 2>&1 || ! grep -q 'component cuda' "${work}/cmake.log"; then
    cat "${work}/cmake.log" >&2
    echo "component cuda: expected to be missing before ptrun-cuda is installed" >&2
    exit 1
  fi
  cp "${packages}"/ptrun-cuda_*.deb "${work}/build/given/"
  apt build '/given/ptrun-cuda_*.deb'
  rm "${work}"/build/given/ptrun-cuda_*.deb
  inside build cmake -S /given/cuda -B /cuda >/dev/null
  # What the driver makes, so that the module is opened: it counts no GPU, because there is none.
  touch "${work}/build/dev/nvidia0"
  status=0
  inside build ptrun predict /given/model /given/photo.jpg --device cuda >"${work}/gpu.log" 2>&1 || status=$?
  cat "${work}/gpu.log"
  if ((status != 5)) || ! grep -q 'the driver shows no GPU' "${work}/gpu.log"; then
    echo "ptrun-cuda: expected exit 5 because the driver shows no GPU, got ${status}" >&2
    exit 1
  fi
  say "installed: $(inside build dpkg-query -W -f '${Installed-Size}' ptrun-cuda) KiB of ptrun-cuda"
fi

say "ptrun_*.deb on a fresh Debian"
fresh run
cp "${packages}"/ptrun_*.deb "${work}/run/given/"
apt run '/given/ptrun_*.deb'
if inside run sh -c 'command -v cc || command -v c++ || command -v python3'; then
  echo "there is a compiler or Python in the fresh system" >&2
  exit 1
fi
inside run ptrun --version
inside run ptrun predict /given/model /given/photo.jpg --topk 1
cp "${work}"/build/build/example_label{,_c} "${work}/build/build/from_pkg_config" "${work}/run/given/"
for program in example_label example_label_c from_pkg_config; do
  say "${program}: $(inside run "/given/${program}" /given/model /given/photo.jpg)"
done
libtorch="$(dirname "$(find "${work}/run/usr/lib" -name libtorch_cpu.so)")"
say "installed: $(du -sm --apparent-size "${libtorch}" | cut -f 1) MB of LibTorch, packages:"
# shellcheck disable=SC2016  # dpkg-query's own
inside run dpkg-query -W -f '${Package} ${Version} ${Installed-Size} KiB\n' ptrun

say "ptrun-*.tar.gz, moved to another place"
fresh tar
apt tar libgif7 libjpeg62-turbo libpng16-16 libssl3 libtiff6 libwebp7 libwebpdemux2 zlib1g
mkdir "${work}/tar/opt/somewhere"
tar -xzf "${packages}"/ptrun-*.tar.gz -C "${work}/tar/opt/somewhere" --strip-components 1
inside tar /opt/somewhere/bin/ptrun predict /given/model /given/photo.jpg --topk 1
say "done"
