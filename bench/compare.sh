#!/usr/bin/env bash
# Times hawser and its peers over an emulated link; docs/benchmarks.md says how.
#
#   bench/compare.sh [--scenario far,small|all] [--rounds 5] [--tools hawser,skopeo] [--markdown] ...
#
# HAWSER_BIN measures another hawser than this tree's, HAWSER_BEFORE one more beside it, to see what a change has done;
# ORIGINAL names the Python script that hawser
# takes over from, CRANE_BIN a crane; HAWSER_ARGS adds options to hawser.
set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$bench")
build=$root/build/release
export PYTHONPATH=$bench${PYTHONPATH:+:$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1

for word in "$@"; do
  case $word in
    -h | --help | --from) exec /usr/bin/python3 -m harness "$@" ;;
  esac
done
if [ "$(id -u)" -ne 0 ]; then
  echo "$0: network namespaces need root: sudo $0 $*" >&2
  exit 1
fi
"$root/scripts/install-dependencies.sh" build bench >&2

targets=(link_emulator measure)
if [ -z "${HAWSER_BIN:-}" ] && [[ "$*" != *--check-link* && ("$*" != *--tools* || "$*" == *hawser*) ]]; then
  targets+=(hawser-cli)
  HAWSER_BIN=$build/hawser
fi
[ -z "${HAWSER_BIN:-}" ] || HAWSER_BIN=$(realpath -m "$HAWSER_BIN")
export HAWSER_BIN=${HAWSER_BIN:-}
(
  cd "$root"  # presets are read from there
  cmake --preset release >/dev/null
  cmake --build --preset release --target "${targets[@]}" >&2
)
export LINK_EMULATOR=$build/bench/link_emulator/link_emulator MEASURE=$build/bench/measure/measure
exec /usr/bin/python3 -m harness "$@"
