// Several tags by one name: `nginx:1.27.*`, and which of them are the newest.
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The most images that one pattern may stand for.
inline constexpr std::size_t max_pattern_images = 1000;

/// A name with a pattern for its tag, in which * stands for any characters and ? for one.
struct TagPattern {
  std::string repository;  ///< "nginx", "quay.io:443/a/b"
  std::string tags;        ///< "1.27.*"
};

/// `name` taken apart, where its tag has a * or ? in it, else what may be in a tag, and is no longer than one may be.
std::optional<TagPattern> tag_pattern(std::string_view name);

/// Which of two tags is the newer version: numbers count as numbers, 1.9 < 1.10; a v before them does not count; what
/// is called alpha, beta, dev, nightly, pre, preview, rc or snapshot comes before what it leads to, 1.27-rc1 < 1.27,
/// and any other suffix after it; tags without a number (latest) are older than all versions.
std::strong_ordering compare_versions(std::string_view a, std::string_view b);

/// Those of `tags` that the pattern stands for, oldest version first; of these the last `latest`, where that is given.
std::vector<std::string> matching_tags(const std::vector<std::string>& tags, std::string_view pattern,
                                       std::optional<std::size_t> latest);

}  // namespace hawser
