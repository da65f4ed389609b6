#!/usr/bin/env bash
# Installs what is missing, builds a release and runs it.
#
#   scripts/run.sh                 a demonstration: a registry of its own on loopback, a push, a pull, a load
#   scripts/run.sh ARGUMENT...     hawser ARGUMENT..., in the directory you are in
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ $# -eq 0 ]; then groups=(build demo); else groups=(build); fi
"$root/scripts/install-dependencies.sh" "${groups[@]}"

# All of the build's talk goes to stderr: stdout may be the archive (hawser -o -).
(
  cd "$root"
  # A tree of its own: this one needs no test framework.
  cmake --preset release -B build/run -DHAWSER_BUILD_TESTS=OFF >/dev/null
  cmake --build build/run --target hawser-cli
) >&2

if [ $# -eq 0 ]; then
  exec /usr/bin/python3 "$root/scripts/demo.py" "$root/build/run/hawser"
fi
exec "$root/build/run/hawser" "$@"
