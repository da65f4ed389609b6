#!/usr/bin/env bash
# Installs the Debian 12 packages that hawser is built, tested or measured with. Does nothing, and
# quickly, where they are all there.
#
#   scripts/install-dependencies.sh [GROUP...]     groups: build (default) demo test bench cross release fuzz coverage all
#
# Needs root or sudo only where something is missing. Daemons that come with a package (docker,
# containerd, the registry, proxies) are installed but not started.
set -euo pipefail

build=(g++ cmake ninja-build ccache pkg-config git ca-certificates
       libboost1.81-dev libboost-json1.81-dev libboost-program-options1.81-dev libboost-url1.81-dev
       libssl-dev zlib1g-dev libzstd-dev libisal-dev libarchive-dev libtomlplusplus-dev libyaml-cpp-dev
       libgtest-dev libgmock-dev python3)
# What the demonstration of scripts/run.sh needs: a registry, images, a loader.
demo=(docker-registry busybox-static podman runc skopeo golang-github-containers-common
      python3-cryptography python3-jwt python3-bcrypt python3-zstandard)
# The engines that the end-to-end tests load into and import from, and the proxies that they pull through.
test=("${demo[@]}" docker.io containerd buildah
      python3-pytest chromium openssl xz-utils zstd umoci time squid microsocks nginx-light libnginx-mod-stream
      iproute2 iptables util-linux procps mount xfsprogs btrfs-progs tmux)
bench=(libbenchmark-dev skopeo podman containerd aria2 docker-registry nginx-light iproute2 iptables time openssl util-linux
       python3-cryptography python3-zstandard)
# What the executables for other systems are built with (scripts/build-dependencies.sh), and what they are tested with.
cross=(curl dpkg-dev file gcc-aarch64-linux-gnu g++-mingw-w64-x86-64-posix make nasm patch perl xz-utils bzip2 zip)
release=(debootstrap lintian qemu-user-static man-db binutils wine64)
fuzz=(clang libclang-rt-14-dev)
coverage=(gcovr)

packages=()
for group in "${@:-build}"; do
  case $group in
    build) packages+=("${build[@]}") ;;
    demo) packages+=("${demo[@]}") ;;
    test) packages+=("${test[@]}") ;;
    bench) packages+=("${bench[@]}") ;;
    cross) packages+=("${cross[@]}") ;;
    release) packages+=("${release[@]}") ;;
    fuzz) packages+=("${fuzz[@]}") ;;
    coverage) packages+=("${coverage[@]}") ;;
    all) packages+=("${build[@]}" "${test[@]}" "${bench[@]}" "${cross[@]}" "${release[@]}" "${fuzz[@]}" "${coverage[@]}") ;;
    *)
      echo "$0: no group '$group'; there are: build demo test bench cross release fuzz coverage all" >&2
      exit 2
      ;;
  esac
done

# dpkg-query answers per package and fails as a whole if one is unknown, so look at its lines only.
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null |
  sed -n 's/^installed //p' || true)
missing=()
for package in $(printf '%s\n' "${packages[@]}" | sort -u); do
  grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "$0: missing, and neither root nor sudo to install them: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# Asked by Debian's maintainer scripts before they start a service; 101 means "don't".
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -qq "$@" >&2
}
echo "installing: ${missing[*]}" >&2
# An unrelated source that is out of reach must not stop us: whether ours are there, install tells.
apt_get update || echo "$0: apt-get update failed; trying with the lists that are there" >&2
apt_get install --yes --no-install-recommends "${missing[@]}"
