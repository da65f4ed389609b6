#!/usr/bin/env bash
# Builds the files for download into build/dist: an archive for each system, the Debian package, SHA256SUMS and an SBOM.
#
#   scripts/release.sh [--check] [TARGET...]
#
# A target is linux-x86_64, linux-aarch64, macos-aarch64, macos-x86_64, windows-x86_64 or deb; without one all are built.
# What the executables are made of builds scripts/build-dependencies.sh. The same commit gives the same bytes: --check
# builds all once more, from a fresh clone with dependencies of its own, compares, and runs the tests of test/release.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
dist=$root/build/dist

check=""
targets=()
for argument in "$@"; do
  case $argument in
    --check) check=1 ;;
    linux-x86_64 | linux-aarch64 | macos-aarch64 | macos-x86_64 | windows-x86_64 | deb) targets+=("$argument") ;;
    *)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || targets=(linux-x86_64 linux-aarch64 windows-x86_64 macos-aarch64 macos-x86_64 deb)

changes=$(git status --porcelain)
if [ -n "$changes" ]; then
  echo "$0: what is released is a commit, and there are changes that are in none: git status" >&2
  exit 1
fi
groups=(build cross)
[ -z "$check" ] || groups+=(test release)
scripts/install-dependencies.sh "${groups[@]}"

version=$(sed -n 's/^ *VERSION \([0-9.]*\)$/\1/p' CMakeLists.txt | head -1)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
# Everything is compiled here and now: what a cache has may have been made otherwise.
export CCACHE_DISABLE=1
dependencies=$(realpath -m "${HAWSER_DEPENDENCIES:-build/dependencies}")
export HAWSER_DEPENDENCIES=$dependencies

# configure DIRECTORY OPTION...: paths of this machine stay out of what is built.
configure() {
  local directory=$1
  shift
  rm -rf "$directory"
  cmake -S . -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHAWSER_BUILD_TESTS=OFF "$@" >>"$directory.log" 2>&1
}

# Installs what belongs to TARGET, and packs it: sorted, by nobody in particular, at the commit's time.
pack() {
  local target=$1 name=hawser-$version-$1
  local stage=build/release/$name
  rm -rf "$stage"
  mkdir -p "$stage"
  if [ "${target%%-*}" = windows ]; then
    cp "build/release/$target/hawser.exe" LICENSE README.md CHANGELOG.md "$stage/"
    cp -r "$dependencies/$target/licenses" "$stage/"
    rm -f "$stage/licenses/googletest"
  else
    cmake --install "build/release/$target" --component runtime --prefix "$stage" >/dev/null
    cp -r "$dependencies/$target/licenses" "$stage/share/doc/hawser/"
    rm -f "$stage/share/doc/hawser/licenses/googletest"
  fi
  find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} + -exec chmod u+rw,go=rX {} +
  if [ "${target%%-*}" = windows ]; then
    rm -f "$dist/$name.zip"
    (cd build/release && find "$name" | sort | zip -q -X -9 -@ "$dist/$name.zip")
  else
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu \
      -C build/release -c "$name" | gzip -9n >"$dist/$name.tar.gz"
  fi
  rm -rf "$stage"
}

build_target() {
  local target=$1 directory=build/release/$1
  scripts/build-dependencies.sh "$target" 2>&1 | tee -a "$directory.log" >&2
  local map="-ffile-prefix-map=$root=. -ffile-prefix-map=$dependencies=."
  configure "$directory" -DCMAKE_TOOLCHAIN_FILE="$dependencies/$target/toolchain.cmake" -DCMAKE_CXX_FLAGS="$map"
  cmake --build "$directory" --target hawser-cli >>"$directory.log" 2>&1
  pack "$target"
}

# With the compiler's options of Debian's own packages.
build_deb() {
  local directory=build/release/deb flags
  export DEB_BUILD_MAINT_OPTIONS=hardening=+all
  flags=$(dpkg-buildflags --get CXXFLAGS | sed 's/-ffile-prefix-map=[^ ]*//; s/-O2//; s/-g //')
  configure "$directory" -DCMAKE_INSTALL_PREFIX=/usr -DHAWSER_WERROR=OFF \
    -DHAWSER_ZSH_COMPLETIONS=share/zsh/vendor-completions \
    -DCMAKE_CXX_FLAGS="$flags $(dpkg-buildflags --get CPPFLAGS) -ffile-prefix-map=$root=." \
    -DCMAKE_EXE_LINKER_FLAGS="$(dpkg-buildflags --get LDFLAGS)"
  cmake --build "$directory" --target hawser-cli >>"$directory.log" 2>&1
  (cd "$directory" && umask 022 && cpack >>"../deb.log" 2>&1)
  mv "$directory"/hawser_*.deb "$dist/"
}

# What is not finished has another name.
finished=$dist
dist=$finished.new
rm -rf "$dist"
mkdir -p build/release "$dist"
for target in "${targets[@]}"; do
  began=$SECONDS
  before=$(ls "$dist")
  : >"build/release/$target.log"
  set +e  # not "||", with which bash would go on after an error in there
  (
    set -e
    case $target in
      deb) build_deb ;;
      *) build_target "$target" ;;
    esac
  )
  status=$?
  set -e
  [ $status -eq 0 ] || {
    tail -40 "build/release/$target.log" >&2
    echo "$0: $target does not build; all that was said is in build/release/$target.log" >&2
    exit 1
  }
  file=$(comm -13 <(sort <<<"$before") <(ls "$dist" | sort))
  printf '%-40s %11d bytes %6d s\n' "$file" "$(stat --format=%s "$dist/$file")" $((SECONDS - began))
done
/usr/bin/python3 scripts/sbom.py "$version" "$dist"/hawser[-_]* >"$dist/hawser-$version.spdx.json"
(cd "$dist" && sha256sum hawser* >SHA256SUMS)
rm -rf "$finished"
mv "$dist" "$finished"
dist=$finished

[ -n "$check" ] || exit 0

echo "== once more, from a clone"
again=$root/build/check
rm -rf "$again"
mkdir -p "$again/dependencies" "$dependencies/sources"
cp -r --reflink=auto "$dependencies/sources" "$again/dependencies/"  # their sums are looked at each time
git clone -q --no-hardlinks "$root" "$again/clone"
git -C "$again/clone" checkout -q "$(git rev-parse HEAD)"
HAWSER_DEPENDENCIES=$again/dependencies "$again/clone/scripts/release.sh" "${targets[@]}"
diff "$dist/SHA256SUMS" "$again/clone/build/dist/SHA256SUMS" || {
  echo "$0: two builds of one commit differ" >&2
  exit 1
}
rm -rf "$again"

echo "== the tests of what is released"
unset CCACHE_DISABLE
cmake --preset release >/dev/null
cmake --build --preset release --target hawser-cli >/dev/null
HAWSER_BIN=$root/build/release/hawser HAWSER_DIST=$dist HAWSER_TARGETS="${targets[*]}" \
  /usr/bin/python3 -m pytest -q -c test/release/pytest.ini test/release

# The portable tests with the compiler and libraries of TARGET, where they run here, too.
portable_tests() {
  local directory=build/release/tests-$1
  scripts/build-dependencies.sh "$1"
  cmake -S . -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHAWSER_PORTABLE_TESTS=ON \
    -DCMAKE_TOOLCHAIN_FILE="$dependencies/$1/toolchain.cmake" >/dev/null
  cmake --build "$directory" >"$directory.log" || { tail -40 "$directory.log" >&2 && exit 1; }
  ctest --test-dir "$directory" --output-on-failure --no-tests=error
}
case " ${targets[*]} " in *" windows-x86_64 "*) portable_tests windows-x86_64 ;; esac
# Of macOS' executables the compiler and the C++ library.
case " ${targets[*]} " in *" macos-"*) portable_tests linux-x86_64 ;; esac
