#!/usr/bin/env bash
# Installs what is missing, builds hawser and runs every test: unit, end-to-end and soak on the release, then again
# under AddressSanitizer with UndefinedBehaviorSanitizer and under ThreadSanitizer, and all fuzzers for 75 s together.
# 20 to 30 minutes on two processors.
#
#   scripts/test.sh                everything
#   scripts/test.sh --quick        the unit tests of the release build only
#   scripts/test.sh PRESET...      some builds only: release debug asan tsan fuzz
#
# The last line is "N passed, N failed, N skipped" over all builds; the exit code is 0 only where
# everything was built, every test ran and none failed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

quick= fuzz=
presets=()
for argument in "$@"; do
  case $argument in
    --quick) quick=1 ;;
    release | debug | asan | tsan) presets+=("$argument") ;;
    fuzz) fuzz=1 ;;
    *)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
done
if [ -n "$quick" ]; then
  if [ $# -ne 1 ]; then
    echo "$0: --quick is of the release build alone" >&2
    exit 2
  fi
  presets=(release)
elif [ $# -eq 0 ]; then
  presets=(release asan tsan)
  fuzz=1
fi

groups=(build)
[ -n "$quick" ] || groups+=(test)
scripts/install-dependencies.sh "${groups[@]}"

# The sanitizers of g++ 12 do not know the address space layout of recent kernels: without
# randomisation they do. A container may forbid to switch it off; then we try as it is.
without_aslr=()
if setarch -R true 2>/dev/null; then without_aslr=(setarch -R); fi

passed=0 failed=0 skipped=0 broken=()
for preset in "${presets[@]}"; do
  echo "== $preset"
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset"; }; then
    broken+=("$preset does not build")
    continue
  fi
  results=$root/build/$preset/test-results.xml
  rm -rf "$results" "build/$preset/results"
  selection=()
  [ -z "$quick" ] || selection=(--label-exclude "e2e|soak")
  runner=()
  [ "$preset" = release ] || runner=("${without_aslr[@]}")
  status=0
  "${runner[@]}" ctest --preset "$preset" --parallel "$(nproc)" "${selection[@]}" \
    --output-junit "$results" --no-tests=error || status=$?
  if ! read -r good bad out < <(scripts/count_tests.py "$results" "build/$preset/results"); then
    broken+=("$preset: ctest gave no results")
    continue
  fi
  passed=$((passed + good))
  failed=$((failed + bad))
  skipped=$((skipped + out))
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then broken+=("$preset: ctest ended with $status"); fi
done

# Every fuzzer for a while, each time from the same seeds by the same random numbers: what fails here was most likely
# broken by the change at hand. What only chance finds is looked for by scripts/fuzz.sh alone, for longer.
if [ "$fuzz" ]; then
  echo "== fuzzers"
  log=$root/build/fuzz.log
  if ! scripts/fuzz.sh --seed 1 --total "${HAWSER_FUZZ_SECONDS:-75}" 2>&1 | tee "$log"; then broken+=("scripts/fuzz.sh"); fi
  passed=$((passed + $(grep -c ' inputs, nothing found$' "$log" || true)))
fi

for what in "${broken[@]}"; do
  echo "FAILED: $what"
  failed=$((failed + 1))
done
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
