#include "cli/traffic_files.hpp"

#include "archive/output_file.hpp"
#include "cli/output.hpp"
#include "cli/report_page.hpp"
#include "util/atomic_file.hpp"
#include "util/platform/file.hpp"

#include <hawser/version.hpp>

#include <chrono>

#include <boost/json/array.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

/// Masks each text in `value`: in JSON as a whole a secret could be a part of its grammar.
void mask(json::value& value, const Progress& progress) {
  if (auto* const text = value.if_string()) {
    *text = progress.masked({text->data(), text->size()});
  } else if (auto* const list = value.if_array()) {
    for (json::value& each : *list) mask(each, progress);
  } else if (auto* const object = value.if_object()) {
    for (auto& member : *object) mask(member.value(), progress);
  }
}

}  // namespace

TrafficFiles::TrafficFiles(const Command& command) : command_(command) {
  if (!command.timeline.empty() || !command.trace_http.empty())
    record_ = std::make_shared<TrafficRecord>(!command.trace_http.empty());
  for (const std::string* path : {&command.timeline, &command.trace_http})
    if (!path->empty()) check_output(resolved_output(*path));
}

void TrafficFiles::write_file(const std::string& path, json::object document, bool is_last,
                              const Progress& progress) const {
  json::value value(std::move(document));
  mask(value, progress);
  const std::string text = path.ends_with(".html") ? report_page(value.get_object()) : json_line(value);
  AtomicFile file(check_output(resolved_output(path)));
  file.file().write(as_bytes(text));
  file.commit(is_last ? Durable::yes : Durable::no);
}

void TrafficFiles::write(const std::vector<std::string>& images, std::optional<ExitCode> exit,
                         const Progress& progress) const {
  if (!record_ || !may_write_) return;
  const double elapsed = record_->seconds(std::chrono::steady_clock::now());
  if (exit) record_->close();
  if (!command_.timeline.empty()) {
    json::object document{{"kind", "timeline"}, {"hawser", hawser::version}};
    document["images"] = json::array(images.begin(), images.end());
    document["elapsed"] = elapsed;
    if (exit) document["exit_code"] = static_cast<int>(*exit);
    for (auto& member : to_json(*record_)) document[member.key()] = std::move(member.value());
    write_file(command_.timeline, std::move(document), exit.has_value(), progress);
  }
  if (!command_.trace_http.empty()) write_file(command_.trace_http, to_har(*record_), exit.has_value(), progress);
}

}  // namespace hawser
