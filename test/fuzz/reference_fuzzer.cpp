// References: what is taken keeps its meaning when written and read again, and makes a safe file name.
#include "check.hpp"
#include "pull/output.hpp"
#include "util/text.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/util/error.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hawser;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::optional<Reference> reference;
  try {
    reference = Reference::parse(text);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::bad_reference);
    std::string what = error.what();
    for (char& c : what)
      if (c == '\n') c = ' ';
    HAWSER_CHECK(printable(what, 10'000) == what);
    return 0;
  }
  HAWSER_CHECK(Reference::parse(reference->to_string()) == *reference);
  HAWSER_CHECK(reference->domain.size() + 1 + reference->path.size() <= 255);
  const Reference familiar = Reference::parse(reference->familiar());
  HAWSER_CHECK(familiar.domain == reference->domain && familiar.path == reference->path &&
               familiar.tag == reference->tag);
  (void)reference->is_loopback();
  PullRequest request;
  request.references = {*reference};
  const std::string name = output_names(request).front();
  HAWSER_CHECK(name.size() <= 200 && name.find('/') == std::string::npos && name[0] != '.' && name[0] != '-');
  return 0;
}
