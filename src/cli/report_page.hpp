// What a bench or a pull has measured as a page that people look at.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace hawser {

/// `document`, of kind "bench" or "timeline" (docs/formats.md), as one HTML file that asks no network for anything: the
/// page of report_page.html with the document in it as JSON. No text of the document can become markup or script.
std::string report_page(const boost::json::object& document);

}  // namespace hawser
