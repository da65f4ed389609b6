#include "cli/output.hpp"

#include "util/platform/error.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/json/serialize.hpp>

namespace hawser {
namespace {

/// The text line by line: errors that point at something have several.
std::string printable_lines(std::string_view text) {
  std::string result;
  for (;;) {
    const auto end = text.find('\n');
    (result += printable(text.substr(0, end), 2000)) += '\n';
    if (end == std::string_view::npos) return result;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string table(std::vector<std::vector<std::string>> rows) {
  const std::size_t columns = rows.front().size();
  std::vector<bool> right(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    right[i] = rows.front()[i].starts_with('>');
    if (right[i]) rows.front()[i].erase(0, 1);
  }
  std::vector<std::size_t> widths(columns);
  for (auto& row : rows) {
    row.resize(columns);
    for (std::size_t i = 0; i < columns; ++i) {
      row[i] = printable(row[i]);
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < columns; ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      if (i > 0) line += "  ";
      line += right[i] ? padding + row[i] : row[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    (out += line) += '\n';
  }
  return out;
}

std::string json_line(const boost::json::value& value) {
  return printable_json(boost::json::serialize(value)) + "\n";
}

ExitCode report(const std::exception& failure) {
  const auto* error = dynamic_cast<const Error*>(&failure);
  std::string text = "hawser: " + printable_lines(failure.what());
  if (error != nullptr && !error->hint().empty()) text += "        " + printable_lines(error->hint());
  std::fputs(text.c_str(), stderr);
  return exit_code(failure);
}

void write_out(std::string_view text, std::FILE* stream) {
  forget_stream_error();
  if (std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0) return;
  const std::error_code error = last_stream_error();
  throw Error(error == std::errc::no_space_on_device ? Errc::disk_full : Errc::disk,
              "cannot write to standard output: " + error.message());
}

}  // namespace hawser
