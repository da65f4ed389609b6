// What commands print: tables for people, JSON for scripts, errors.
#pragma once

#include "cli/exit_code.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

namespace hawser {

/// What a command ends in.
struct Outcome {
  std::string text;  ///< for standard output
  ExitCode exit = ExitCode::done;
};

/// Columns of text as wide as they need to be, two spaces apart. The first row is the heading: one that begins with ">"
/// has its column aligned to the right, the ">" is not shown. Cells are made printable, those that a row lacks are
/// empty.
std::string table(std::vector<std::vector<std::string>> rows);

/// `value` on one line, with a newline. Nothing in it steers a terminal.
std::string json_line(const boost::json::value& value);

/// Tells `failure` on standard error: "hawser: <message>" and below it the hint, where there is one; all of it
/// printable. Returns the exit code that goes with it.
ExitCode report(const std::exception& failure);

/// Writes all of `text` to `stream` and flushes it. Throws Error{disk} or Error{disk_full} "cannot write to standard
/// output: ..." where that fails, be it that nobody reads any more (SIGPIPE must be ignored then).
void write_out(std::string_view text, std::FILE* stream = stdout);

}  // namespace hawser
