#!/usr/bin/env bash
# Builds the fuzzers (test/fuzz) and runs each for some seconds, as many at once as there are processors.
#
#   scripts/fuzz.sh [SECONDS] [NAME...]          so long each (default: 30), all or those named
#   scripts/fuzz.sh --total SECONDS [NAME...]    so long in all, shared out evenly
#   scripts/fuzz.sh --seed N ...                 from the seeds of the tree alone, by the random numbers that N gives
#
# Without --seed, new inputs gather in build/fuzz/corpus/NAME and are where the next run goes on. What a fuzzer finds is left in
# build/fuzz/findings/NAME, and the exit status is then 1. The last line says how many ran and how many found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

total= seed=0 # libFuzzer takes 0 as "by chance"
while [[ "${1:-}" =~ ^(--total|--seed|[0-9]+)$ ]]; do
  case $1 in
    --total) total=${2:?--total wants seconds} && shift ;;
    --seed) seed=${2:?--seed wants a number} && shift ;;
    *) seconds=$1 ;;
  esac
  shift
done
scripts/install-dependencies.sh build fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzzers

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for source in test/fuzz/*_fuzzer.cpp; do
    name=${source##*/}
    names+=("${name%_fuzzer.cpp}")
  done
fi
at_once=$(nproc)
[ -z "$total" ] || seconds=$((total * at_once / ${#names[@]}))
[ "${seconds:=30}" -gt 0 ] || seconds=1

run() {
  local name=$1 work=build/fuzz/corpus$([ "$seed" = 0 ] || echo "-of-seed")/$1 findings=build/fuzz/findings/$1 log=build/fuzz/findings/$1.log
  [ "$seed" = 0 ] || rm -rf "$work"
  mkdir -p "$work" "$findings"
  # What is new goes to the first directory; the seeds in the tree stay as they are.
  if build/fuzz/test/fuzz/fuzz_"$name" -seed="$seed" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 \
      -malloc_limit_mb=512 -print_final_stats=1 -artifact_prefix="$findings/" "$work" "test/fuzz/corpus/$name" >"$log" 2>&1; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing found"
  else
    tail -n 40 "$log"
    echo "$name: FOUND something, see $findings"
    return 1
  fi
}

echo "${#names[@]} fuzzers, $seconds s each"
found=0 running=0
for name in "${names[@]}"; do
  if [ "$running" -ge "$at_once" ]; then
    wait -n || found=$((found + 1))
    running=$((running - 1))
  fi
  run "$name" &
  running=$((running + 1))
done
for ((; running > 0; running--)); do wait -n || found=$((found + 1)); done
echo "${#names[@]} fuzzers ran $seconds s each, $found found something"
[ "$found" -eq 0 ]
