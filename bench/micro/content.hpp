// Bytes for the micro-benchmarks that compress about as a layer does.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace hawser::bench {

/// `size` bytes: words of a small vocabulary, and one stretch in eight at random. The same for each call.
inline std::vector<std::byte> layer_content(std::size_t size) {
  std::mt19937_64 random(1);
  std::vector<std::vector<std::byte>> words(4000);
  for (auto& word : words) {
    word.resize(3 + random() % 9);
    for (auto& letter : word) letter = static_cast<std::byte>('a' + random() % 26);
  }
  std::vector<std::byte> content;
  content.reserve(size + 4096);
  while (content.size() < size) {
    const bool incompressible = random() % 8 == 0;
    for (std::size_t end = content.size() + 4096; content.size() < end;) {
      if (incompressible) {
        content.push_back(static_cast<std::byte>(random()));
      } else {
        // The product favours early words, as languages do.
        const auto& word = words[random() % words.size() * (random() % words.size()) / words.size()];
        content.insert(content.end(), word.begin(), word.end());
        content.push_back(std::byte{' '});
      }
    }
  }
  content.resize(size);
  return content;
}

}  // namespace hawser::bench
