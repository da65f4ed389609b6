#!/usr/bin/env bash
# Builds what an executable for another system is made of, from the sources that scripts/dependencies.lock pins.
#
#   scripts/build-dependencies.sh TARGET...
#
# A target is linux-x86_64 or linux-aarch64 (static, with musl), macos-aarch64, macos-x86_64 or windows-x86_64. Each gets
# a directory of its own below $HAWSER_DEPENDENCIES (default: build/dependencies), with headers, static libraries and
# toolchain.cmake, which makes CMake build for the target: cmake -DCMAKE_TOOLCHAIN_FILE=.../toolchain.cmake. Where it is
# there, from the same lock file and this script (and for Windows the same mingw), nothing is done. Sources are fetched
# once, and used only where their SHA-256 is right. Compilers: clang 16 with musl and libc++ from the zig package; for Windows Debian's g++ 12 of mingw.
# Directories with blanks in their names won't do.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lock=$root/scripts/dependencies.lock
base=$(realpath -m "${HAWSER_DEPENDENCIES:-$root/build/dependencies}")
jobs=${HAWSER_JOBS:-$(nproc)}

fail() {
  echo "$0: $*" >&2
  exit 1
}
case $root$base in *[[:space:]]*) fail "a blank in $root or $base: not with these libraries' makefiles" ;; esac

# Prints the path of file number $2 (1 by default) of the source $1, once it is there and is what the lock file says.
source_file() {
  local name=$1 number=${2:-1} url sum file
  read -r sum url < <(awk -v name="$name" -v number="$number" '$1 == name && ++seen == number { print $4, $5 }' "$lock") ||
    fail "$lock has no file $number of $name"
  file=$base/sources/${url##*/}
  if [ ! -e "$file" ]; then
    mkdir -p "$base/sources"
    local part from snapshot=https://snapshot.debian.org/archive
    part=$(mktemp "$base/sources/.part.XXXXXX")
    # A version that Debian has replaced is in its archive of snapshots.
    for from in "$url" "$(sed -E "s#^https://deb.debian.org/([^/]*)/#$snapshot/\1/20261129T000000Z/#" <<<"$url")"; do
      curl --fail --silent --show-error --location --retry 3 --max-time 600 --output "$part" "$from" && break
      rm -f "$part"
    done
    [ -e "$part" ] || fail "cannot fetch $url; put the file into $base/sources yourself"
    verify "$part" "$sum" "$url"
    chmod 644 "$part"
    mv "$part" "$file"
  fi
  verify "$file" "$sum" "$url"
  echo "$file"
}

verify() {
  local got
  got=$(sha256sum "$1" | cut -d' ' -f1)
  [ "$got" = "$2" ] && return
  rm -f "$1"
  fail "$3 has SHA-256 $got, and $lock wants $2: not used"
}

# Unpacks the source $1 into $work/$1, with Debian's patches where the lock file has them, and keeps its licence.
unpack() {
  local name=$1 directory=$work/$1 patches
  mkdir -p "$directory"
  local archive
  archive=$(source_file "$name")
  case $archive in
    *.deb) dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$directory" ;;
    *) tar -x -f "$archive" -C "$directory" --strip-components=1 --no-same-owner ;;
  esac
  local terms
  for terms in "$directory"/{LICENSE,LICENSE.txt,COPYING,README} "$directory"/usr/share/doc/*/copyright; do
    [ -f "$terms" ] || continue
    cp "$terms" "$prefix/licenses/$name"
    break
  done
  [ -e "$prefix/licenses/$name" ] || fail "$name comes without a licence"
  [ "$(awk -v name="$name" '$1 == name' "$lock" | wc -l)" -gt 1 ] || return 0
  patches=$(source_file "$name" 2)
  tar -x -f "$patches" -C "$directory" --no-same-owner
  local patch
  while read -r patch _; do
    case $patch in '' | \#*) continue ;; esac
    (cd "$directory" && patch --quiet --strip=1 --forward <"debian/patches/$patch") ||
      fail "Debian's patch $patch of $name does not apply"
  done <"$directory/debian/patches/series"
}

# The zig package, unpacked once for all targets: into $zig.
unpack_zig() {
  local archive directory
  archive=$(source_file zig)
  directory=$base/zig-$(sha256sum "$archive" | cut -c1-12)
  zig=$directory/zig
  exec 8>"$base/.zig.lock"
  flock 8
  if [ ! -e "$zig" ]; then
    rm -rf "$directory.new"
    mkdir -p "$directory.new"
    tar -x -f "$archive" -C "$directory.new" --strip-components=1 --no-same-owner
    chmod +x "$directory.new/zig"
    mv -T "$directory.new" "$directory"
  fi
  exec 8>&-
}

# Writes the compiler driver $1 for the language of files like x.$3. To compile, it is the package's clang itself, with
# the headers of the target: "zig c++" knows no precompiled headers. To link, it is "zig c++", which builds the C and C++
# libraries of the target when first asked.
zig_driver() {
  local driver=$1 command=$2 language=$3
  local said flags
  echo >"$work/empty.$language"
  said=$(cd / && ZIG_VERBOSE_CC=1 ZIG_GLOBAL_CACHE_DIR=$base/zig-cache ZIG_LOCAL_CACHE_DIR=$base/zig-cache \
    "$zig" "$command" -target "$triple" "-###" -c "$work/empty.$language" 2>&1) || fail "$said"
  flags=$(head -1 <<<"$said" | tr ' ' '\n' | awk '
      /^-isystem$/ { getline path; print "-isystem " (path ~ /^\// ? path : "/" path) }
      /^-target$/ { getline name; print "-target " name }
      /^(-D_LIB|-nostdinc|-mmacos-version-min=|--no-default-config)/ { print }' | tr '\n' ' ')
  case $flags in *-target*-isystem* | *-isystem*-target*) ;; *) fail "zig $command does not say how it compiles: $said" ;; esac
  cat >"$prefix/bin/$driver" <<DRIVER
#!/bin/sh
export ZIG_GLOBAL_CACHE_DIR='$base/zig-cache' ZIG_LOCAL_CACHE_DIR='$base/zig-cache'
for argument; do
  case \$argument in
    -c | -E | -S | -M | -MM | -fsyntax-only | -v | --version | -dump* | -print*)
      exec '$zig' clang $flags -Wno-overriding-t-option -fstack-protector-strong -fPIC "\$@" ;;
  esac
done
exec '$zig' $command -target $triple "\$@"
DRIVER
  chmod +x "$prefix/bin/$driver"
}

# Compilers of the target by short names in $prefix/bin, and the toolchain file that names them.
toolchain() {
  mkdir -p "$prefix"/{bin,include,licenses,lib/pkgconfig,lib/cmake}
  local cc=$prefix/bin/cc cxx=$prefix/bin/c++ ar=$prefix/bin/ar ranlib=$prefix/bin/ranlib
  local tool
  if [ "$system" = Windows ]; then
    local gnu=x86_64-w64-mingw32
    command -v $gnu-g++-posix >/dev/null || fail "no $gnu-g++-posix: scripts/install-dependencies.sh cross"
    for tool in cc:$gnu-gcc-posix c++:$gnu-g++-posix ar:$gnu-gcc-ar-posix ranlib:$gnu-gcc-ranlib-posix; do
      ln -sfn "$(command -v "${tool#*:}")" "$prefix/bin/${tool%%:*}"
    done
    cp /usr/share/doc/mingw-w64-common/copyright "$prefix/licenses/mingw-w64"
    cp /usr/share/doc/gcc-mingw-w64-base/copyright "$prefix/licenses/gcc-runtime"
  else
    unpack_zig
    zig_driver cc cc c
    zig_driver c++ c++ cpp
    cp "${zig%/*}/LICENSE" "$prefix/licenses/zig"
    cp "${zig%/*}/lib/libcxx/LICENSE.TXT" "$prefix/licenses/llvm-runtimes"
    [ "$system" != Linux ] || cp "${zig%/*}/lib/libc/musl/COPYRIGHT" "$prefix/licenses/musl"
    for tool in ar ranlib; do
      printf '#!/bin/sh\nexec %s %s "$@"\n' "'$zig'" $tool >"$prefix/bin/$tool"
      chmod +x "$prefix/bin/$tool"
    done
  fi
  {
    cat <<CMAKE
set(CMAKE_SYSTEM_NAME $system)
set(CMAKE_SYSTEM_PROCESSOR $processor)
set(CMAKE_C_COMPILER $cc)
set(CMAKE_CXX_COMPILER $cxx)
set(CMAKE_ASM_COMPILER $cc)
set(CMAKE_AR $ar CACHE FILEPATH "")
set(CMAKE_RANLIB $ranlib CACHE FILEPATH "")
set(CMAKE_FIND_ROOT_PATH $prefix)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_PREFIX_PATH $prefix)
set(ENV{PKG_CONFIG_LIBDIR} $prefix/lib/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")
set(BUILD_SHARED_LIBS OFF)
set(OPENSSL_USE_STATIC_LIBS ON)
CMAKE
    case $system in
      Windows)
        echo "set(CMAKE_RC_COMPILER $(command -v x86_64-w64-mingw32-windres))"
        echo 'set(CMAKE_EXE_LINKER_FLAGS_INIT -static)'
        ;;
      # CMake would ask Apple's tools for an SDK.
      Darwin) printf 'set(CMAKE_OSX_SYSROOT "")\nset(CMAKE_OSX_DEPLOYMENT_TARGET "")\nset(CMAKE_OSX_ARCHITECTURES "")\n' ;;
      # Its thread stacks are of 128 KiB: hawser's are to have what they have with glibc.
      Linux) echo 'set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -Wl,-z,stack-size=8388608")' ;;
    esac
    echo 'set(CMAKE_EXE_LINKER_FLAGS_RELEASE_INIT -s)'
  } >"$prefix/toolchain.cmake"
}

# A static library $1 of the C and C++ sources that follow the compiler's options and "--".
library() {
  local name=$1 objects=$work/objects/$1 options=() source compiler
  shift
  mkdir -p "$objects"
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  for source; do
    compiler=cc
    case $source in *.cpp | *.cc) compiler=c++ ;; esac
    printf '%s\0' "$compiler" "${cflags[@]}" "${options[@]}" -c "$source" -o "$objects/$(basename "$source").o"
  done | xargs -0 -n $((${#cflags[@]} + ${#options[@]} + 5)) -P "$jobs" env
  rm -f "$prefix/lib/lib$name.a"
  ar crsD "$prefix/lib/lib$name.a" "$objects"/*.o
}

pkg_config() {
  cat >"$prefix/lib/pkgconfig/$1.pc" <<PC
Name: $1
Description: $1 for $target
Version: $2
Cflags: -I$prefix/include
Libs: -L$prefix/lib -l$3
PC
}

version_of() {
  awk -v name="$1" '$1 == name { print $2; exit }' "$lock"
}

# Configures and builds the CMake project in $work/$1; what follows are options, "--", targets.
cmake_build() {
  local name=$1 options=()
  shift
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  cmake -S "$work/$name" -B "$work/$name-build" -DCMAKE_TOOLCHAIN_FILE="$prefix/toolchain.cmake" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_C_FLAGS="$map" \
    -DCMAKE_CXX_FLAGS="$map" "${options[@]}"
  cmake --build "$work/$name-build" --parallel "$jobs" --target "$@"
}

build_zlib() {
  unpack zlib
  local unix=()
  [ "$system" = Windows ] || unix=(-DHAVE_UNISTD_H -DHAVE_STDARG_H)
  library z "${unix[@]}" -D_LARGEFILE64_SOURCE -- \
    "$work"/zlib/{adler32,compress,crc32,deflate,gzclose,gzlib,gzread,gzwrite,infback,inffast,inflate,inftrees,trees,uncompr,zutil}.c
  cp "$work"/zlib/{zlib,zconf}.h "$prefix/include/"
}

build_zstd() {
  unpack zstd
  local assembler=("$work/zstd/lib/decompress/huf_decompress_amd64.S") options=(-DXXH_NAMESPACE=ZSTD_)
  if [ "$system" != Linux ] || [ "$processor" != x86_64 ]; then
    assembler=()
    options+=(-DZSTD_DISABLE_ASM=1)
  fi
  library zstd "${options[@]}" -O3 -- "$work"/zstd/lib/{common,compress,decompress}/*.c "${assembler[@]}"
  cp "$work"/zstd/lib/{zstd,zstd_errors}.h "$prefix/include/"
  pkg_config libzstd "$(version_of zstd)" zstd
}

build_bzip2() {
  unpack bzip2
  library bz2 -D_FILE_OFFSET_BITS=64 -- "$work"/bzip2/{blocksort,huffman,crctable,randtable,compress,decompress,bzlib}.c
  cp "$work/bzip2/bzlib.h" "$prefix/include/"
}

build_xz() {
  unpack xz
  cmake_build xz -DENABLE_NLS=OFF -- liblzma
  cp "$work/xz-build/liblzma.a" "$prefix/lib/"
  cp -r "$work"/xz/src/liblzma/api/lzma{,.h} "$prefix/include/"
}

# Its assembler is for Linux on both processors, and for Windows. macOS gets what is written in C: zig's linker refuses the
# symbols that nasm makes of constants, and for Apple's arm64 there is none.
build_isa_l() {
  unpack isa-l
  local arguments=(host_cpu=x86_64 AS=nasm)
  case $target in
    linux-x86_64) arguments+=(arch=) ;;
    # clang wants 32-bit registers where GNU's assembler takes 64-bit ones for them.
    linux-aarch64) arguments=(host_cpu=aarch64 arch=aarch64
      "AS=aarch64-linux-gnu-gcc -D__ASSEMBLY__ -isystem ${zig%/*}/lib/libc/include/aarch64-linux-any") ;;
    macos-*) arguments=(arch=noarch) ;;
    windows-x86_64) arguments+=(arch=mingw) ;;
  esac
  make -s -C "$work/isa-l" -f Makefile.unx -j "$jobs" units=igzip CC="cc $map" AR=ar DEBUG= DEBUG_nasm= "${arguments[@]}" lib
  cp "$work/isa-l/bin/isa-l.a" "$prefix/lib/libisal.a"
  mkdir -p "$prefix/include/isa-l"
  cp "$work"/isa-l/include/*.h "$prefix/include/isa-l/"
  pkg_config libisal "$(version_of isa-l)" isal
}

# It carries the decompressors that it alone uses, so that who links it need not know of them. What its configuration
# would run to find out how zlib is called on Windows has the right answer where it fails (and without an emulator CMake
# 3.25 crashes).
build_libarchive() {
  unpack libarchive
  local off=() feature
  # On macOS it would take ciphers, and the copying of files with all attributes, from headers that come with Xcode
  # alone. Reading tars needs neither.
  sed -i 's/^#ifdef __APPLE__$/#if 0/' "$work"/libarchive/libarchive/archive_{cryptor,hmac}_private.h
  for feature in TEST TAR CPIO CAT OPENSSL LIBB2 LZ4 LZO LIBXML2 EXPAT PCREPOSIX ICONV CNG WERROR ACL XATTR NETTLE MBEDTLS; do
    off+=("-DENABLE_$feature=OFF")
  done
  cmake_build libarchive "${off[@]}" -DHAVE_COPYFILE_H=OFF -DCMAKE_CROSSCOMPILING_EMULATOR=false -DCMAKE_C_FLAGS="$map -DLZMA_API_STATIC -DLIBARCHIVE_STATIC" -- archive_static
  for feature in Z BZ2 LZMA ZSTD; do
    grep -q "^#define HAVE_LIB$feature 1" "$work/libarchive-build/config.h" || fail "libarchive has not found lib${feature,,}"
  done
  ar -M <<MRI
create $prefix/lib/libarchive.a
addlib $(ls "$work"/libarchive-build/libarchive/libarchive*.a)
addlib $prefix/lib/liblzma.a
addlib $prefix/lib/libbz2.a
addlib $prefix/lib/libzstd.a
addlib $prefix/lib/libz.a
save
end
MRI
  cp "$work"/libarchive/libarchive/archive{,_entry}.h "$prefix/include/"
}

# Without what no registry needs. The directory is where most distributions keep certificates; hawser looks further.
build_openssl() {
  unpack openssl
  local configuration
  case $target in
    linux-x86_64) configuration=linux-x86_64 ;;
    linux-aarch64) configuration=linux-aarch64 ;;
    macos-x86_64) configuration=darwin64-x86_64-cc ;;
    macos-aarch64) configuration=darwin64-arm64-cc ;;
    windows-x86_64) configuration=mingw64 ;;
  esac
  local off=(shared tests module legacy engine dso capieng autoload-config comp ssl3 dtls srp srtp idea seed camellia aria
    bf cast rc2 rc4 md4 mdc2 rmd160 whirlpool sm2 sm3 sm4 cmp rfc3779 gost)
  local random=()
  # Random numbers from /dev/urandom instead of a header that comes with Xcode alone.
  [ "$system" != Darwin ] || random=(-DOPENSSL_NO_APPLE_CRYPTO_RANDOM)
  (
    cd "$work/openssl"
    CC=cc CXX=c++ AR=ar RANLIB=ranlib RC=x86_64-w64-mingw32-windres perl ./Configure "$configuration" "${off[@]/#/no-}" \
      --prefix=/usr --openssldir=/etc/ssl --libdir=lib -DOPENSSL_TLS_SECURITY_LEVEL=2 "${random[@]}" "-ffile-prefix-map=$work/openssl=openssl"
    make -s -j "$jobs" build_generated
    make -s -j "$jobs" libcrypto.a libssl.a
  )
  cp "$work"/openssl/lib{crypto,ssl}.a "$prefix/lib/"
  cp -r "$work/openssl/include/openssl" "$prefix/include/"
}

build_yaml_cpp() {
  unpack yaml-cpp
  cmake_build yaml-cpp -DYAML_CPP_BUILD_TESTS=OFF -DYAML_CPP_BUILD_TOOLS=OFF -DYAML_CPP_BUILD_CONTRIB=OFF \
    -DYAML_BUILD_SHARED_LIBS=OFF -- install
}

build_tomlplusplus() {
  unpack tomlplusplus
  cp -r "$work/tomlplusplus/usr/include/toml++" "$prefix/include/"
  cp -r "$work"/tomlplusplus/usr/lib/x86_64-linux-gnu/cmake/tomlplusplus "$prefix/lib/cmake/"
}

build_boost() {
  unpack boost
  cp -r "$work/boost/usr/include/boost" "$prefix/include/"
  local name
  for name in json url; do
    echo "#include <boost/$name/src.hpp>" >"$work/boost/$name.cpp"
    library "boost_$name" -std=c++20 "-I$prefix/include" "-DBOOST_${name^^}_STATIC_LINK" "-DBOOST_${name^^}_SOURCE" \
      -- "$work/boost/$name.cpp"
  done
  # CMake's own FindBoost would want all that Debian's JSON and URL are linked with.
  local config=$prefix/lib/cmake/Boost
  mkdir -p "$config"
  cat >"$config/BoostConfig.cmake" <<CMAKE
set(Boost_INCLUDE_DIRS $prefix/include)
foreach(component IN ITEMS headers json url)
  set(Boost_\${component}_FOUND TRUE)
  if(NOT TARGET Boost::\${component})
    add_library(Boost::\${component} INTERFACE IMPORTED)
    target_include_directories(Boost::\${component} INTERFACE $prefix/include)
  endif()
endforeach()
foreach(component IN ITEMS json url)
  set_property(TARGET Boost::\${component} PROPERTY INTERFACE_LINK_LIBRARIES $prefix/lib/libboost_\${component}.a)
endforeach()
CMAKE
  cat >"$config/BoostConfigVersion.cmake" <<CMAKE
set(PACKAGE_VERSION $(version_of boost))
if(NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
CMAKE
}

build_googletest() {
  unpack googletest
  mv "$work/googletest/usr/src/googletest" "$work/googletest-source"
  rm -rf "$work/googletest"
  mv "$work/googletest-source" "$work/googletest"
  cmake_build googletest -DINSTALL_GTEST=ON -- install
}

build() {
  target=$1
  case $target in
    linux-x86_64) system=Linux processor=x86_64 triple=x86_64-linux-musl ;;
    linux-aarch64) system=Linux processor=aarch64 triple=aarch64-linux-musl ;;
    macos-aarch64) system=Darwin processor=arm64 triple=aarch64-macos ;;
    macos-x86_64) system=Darwin processor=x86_64 triple=x86_64-macos ;;
    windows-x86_64) system=Windows processor=x86_64 triple= ;;
    *) fail "no target '$target'; there are: linux-x86_64 linux-aarch64 macos-aarch64 macos-x86_64 windows-x86_64" ;;
  esac
  prefix=$base/$target
  local stamp
  stamp=$({
    cat "$lock" "${BASH_SOURCE[0]}"
    [ "$system" != Windows ] || dpkg-query --show gcc-mingw-w64-x86-64-posix mingw-w64-x86-64-dev || :
  } | sha256sum | cut -d' ' -f1)
  mkdir -p "$base"
  exec 9>"$base/.$target.lock"
  flock 9
  if [ "$(cat "$prefix/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
  rm -rf "$prefix"
  work=$base/work/$target
  rm -rf "$work"
  mkdir -p "$work"
  map=-ffile-prefix-map=$work=.
  cflags=(-O2 "$map" "-ffile-prefix-map=$prefix=.")
  # The same bytes each time, wherever and whenever it is built.
  export SOURCE_DATE_EPOCH=0 ZERO_AR_DATE=1 LC_ALL=C TZ=UTC
  toolchain
  export PATH=$prefix/bin:$PATH
  local began=$SECONDS step
  for step in zlib zstd bzip2 xz isa_l libarchive yaml_cpp tomlplusplus boost googletest openssl; do
    set +e  # not "||", with which bash would go on after an error in there
    (set -e && "build_$step") >"$work/$step.log" 2>&1
    local status=$?
    set -e
    [ $status -eq 0 ] || {
      tail -30 "$work/$step.log" >&2
      fail "$step does not build for $target; all that was said is in $work/$step.log"
    }
  done
  rm -rf "$work"
  echo "$stamp" >"$prefix/stamp"
  echo "dependencies for $target: $((SECONDS - began)) s" >&2
}

[ $# -gt 0 ] || {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}
for each; do (build "$each"); done
