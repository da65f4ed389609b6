// A gzip stream as what it inflates to and the little that it takes to make it again, bit for bit (RFC 1951, RFC 1952).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace hawser {

/// The longest recipe, in bytes.
inline constexpr std::size_t longest_recipe = 128 * 1024 * 1024;

/// How `gzip` is made of `plain`, which it inflates to: the headers of its members, its blocks, and each decision in
/// which its compressor differs from the model that comes closest to it. Where that is a compressor known exactly (Go's
/// compress/flate and zlib, levels 2 to 9), it is some bytes for each 30 KiB; of others a few percent of `gzip`. Throws
/// Error{unsupported} for what is no gzip, deflates in a way that nobody does, has more than a million members, or
/// takes a recipe longer than longest_recipe, or than `gzip` by a MiB; Error{malformed} where it is damaged or `plain`
/// is something else.
std::string gzip_recipe(std::span<const std::byte> gzip, std::span<const std::byte> plain);

/// Makes the stream again and gives it to `sink`, piece by piece. Memory is bounded to some 200 MiB, whatever the
/// recipe says. Throws Error{malformed} where the recipe makes no sense for `plain`; whether the stream is the right
/// one, its digest tells.
void gzip_by_recipe(std::string_view recipe, std::span<const std::byte> plain,
                    const std::function<void(std::span<const std::byte>)>& sink);

}  // namespace hawser
