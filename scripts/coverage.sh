#!/usr/bin/env bash
# Which lines the unit tests reach: builds with gcov's counters, runs the tests, and writes a page for each file.
#
#   scripts/coverage.sh [GTEST_FILTER]
#
# Prints a line for each layer and the sum; build/coverage/report/index.html has all files, line by line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install-dependencies.sh build coverage
build=build/coverage
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_CXX_FLAGS_DEBUG="-O0 -g1 --coverage -fprofile-update=atomic" >/dev/null
cmake --build "$build" --target hawser_tests
find "$build" -name '*.gcda' -delete
"$build/test/hawser_tests" --gtest_brief=1 --gtest_filter="${1:-*}"

mkdir -p "$build/report"
gcovr --root . --object-directory "$build" --filter src/ --filter include/ --gcov-ignore-parse-errors \
  --exclude-unreachable-branches --exclude-throw-branches -j "$(nproc)" \
  --html-details "$build/report/index.html" --csv "$build/report/files.csv" >/dev/null
# filename,line_total,line_covered,…
awk -F, 'NR > 1 {
    split($1, part, "/")
    layer = part[1] == "include" ? part[3] : part[2]
    total[layer] += $2; covered[layer] += $3; all += $2; reached += $3
  }
  END {
    for (layer in total) printf "%-14s %5.1f %% of %5d lines\n", layer, 100 * covered[layer] / total[layer], total[layer]
    printf "%-14s %5.1f %% of %5d lines\n", "~all", 100 * reached / all, all
  }' "$build/report/files.csv" | sort | sed 's/^~all/all /'
echo "$build/report/index.html"
