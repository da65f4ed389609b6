// The scripted registry as a program: serves one generated image with random faults from a seed until its standard
// input ends, then prints how many bytes of each blob it sent. For tests that pull from it by the hour. A line
// "faults 0.2" on standard input changes the share of spoiled replies, "stats" prints the figures up to then.
#include "support/fault_maker.hpp"
#include "support/scripted_registry.hpp"
#include "support/test_image.hpp"

#include <iostream>
#include <sstream>

#include <boost/program_options.hpp>

namespace {

using namespace hawser;
using namespace hawser::test;
namespace po = boost::program_options;

/// The registry, the server that its blobs are redirected to, and what both do wrong.
class Service {
 public:
  explicit Service(const po::variables_map& options)
      : image_(make_image(options["seed"].as<std::uint64_t>(), layer_sizes(options))),
        faults_(options["seed"].as<std::uint64_t>(), options["faults"].as<double>()),
        rate_(options["rate"].as<std::size_t>()),
        redirects_(options.count("redirect") != 0),
        registry_(server_options(options, options["port"].as<std::uint16_t>(), nullptr)),
        cdn_(server_options(options, 0, registry_.shared_content())) {
    digest_ = add_image(registry_.content(), "soak/image", "latest", image_).to_string();
    if (options.count("auth") != 0) registry_.auth().require_token(registry_.url("/token"));
    const auto responder = [this](const ScriptedRequest& request) { return answer(request); };
    registry_.on("*", "*").reply_with(responder);
    cdn_.on("*", "*").reply_with(responder);
  }

  void introduce() const {
    std::cout << "port " << registry_.port() << "\nimage " << registry_.host() << "/soak/image:latest\nmanifest "
              << digest_ << "\n";
    if (use_tls_) std::cout << "ca " << ca_.file().string() << "\n";
    std::cout << "ready" << std::endl;
  }

  void print_figures() const {
    for (const std::string& blob : blobs()) {
      const std::string name = Digest::of(blob).to_string();
      const std::string path = "/v2/*/blobs/" + name, cdn_path = "/cdn/" + name;
      std::cout << "sent " << name << " " << registry_.bytes_sent(path) + cdn_.bytes_sent(cdn_path) << " of "
                << blob.size() << " in " << registry_.count("GET", path) << "\n";
    }
    for (const auto& [name, count] : faults_.counts()) std::cout << "fault " << count << " " << name << "\n";
    std::cout << "requests " << registry_.requests().size() + cdn_.requests().size() << std::endl;
  }

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    double share = 0;
    words >> command;
    if (command == "stats") {
      print_figures();
    } else if (command == "faults" && words >> share) {
      faults_.set_share(share);
      std::cout << "ok" << std::endl;
    } else {
      std::cout << "what? " << line << std::endl;
    }
  }

 private:
  ScriptedOptions server_options(const po::variables_map& options, std::uint16_t port,
                                 std::shared_ptr<ScriptedContent> content) {
    ScriptedOptions how;
    how.port = port;
    how.content = std::move(content);
    use_tls_ = options.count("tls") != 0;
    if (use_tls_) how.certificate = ca_.issue(CertificateKind::valid);
    return how;
  }

  static std::vector<std::size_t> layer_sizes(const po::variables_map& options) {
    std::vector<std::size_t> sizes(options["layers"].as<std::size_t>(), options["size"].as<std::size_t>());
    if (options.count("big") != 0) sizes.insert(sizes.begin(), options["big"].as<std::size_t>());
    return sizes;
  }

  std::vector<std::string> blobs() const {
    std::vector<std::string> all = image_.layers;
    all.push_back(image_.config);
    return all;
  }

  Reply answer(const ScriptedRequest& request) {
    std::optional<Reply> turned_away;
    const bool at_cdn = request.path().starts_with("/cdn/");
    if (!at_cdn) turned_away = registry_.auth().intercept(request);
    Reply reply = turned_away ? std::move(*turned_away) : registry_.content().answer(request);
    const std::string path = request.path();
    if (redirects_ && !at_cdn && (reply.status == 200 || reply.status == 206) &&
        path.find("/blobs/") != std::string::npos)
      reply = Reply::redirect(cdn_.url("") + registry_.content().sign(path.substr(path.rfind('/') + 1), 20));
    faults_.spoil(request, reply, registry_.content(), registry_.auth());
    reply.bytes_per_second = rate_;
    return reply;
  }

  TestCa ca_;
  bool use_tls_ = false;
  TestImage image_;
  FaultMaker faults_;
  std::size_t rate_;
  bool redirects_;
  ScriptedRegistry registry_, cdn_;
  std::string digest_;
};

po::options_description describe() {
  po::options_description description("scripted_registry: an image with faults, until standard input ends");
  description.add_options()("help", "this text")("seed", po::value<std::uint64_t>()->default_value(1),
                                                 "of the image and the faults")(
      "faults", po::value<double>()->default_value(0), "share of replies with a fault, 0 to 1")(
      "layers", po::value<std::size_t>()->default_value(5), "number of layers")(
      "size", po::value<std::size_t>()->default_value(1'000'000), "bytes of a layer")("big", po::value<std::size_t>(),
                                                                                      "bytes of one more layer")(
      "rate", po::value<std::size_t>()->default_value(0), "bytes a second and connection; 0: as fast as it goes")(
      "port", po::value<std::uint16_t>()->default_value(0), "to listen on; 0: any free one")("tls", "speak TLS")(
      "auth", "ask for tokens, which anyone gets")("redirect", "redirect blobs to another port");
  return description;
}

}  // namespace

int main(int argc, char** argv) {
  const po::options_description description = describe();
  try {
    po::variables_map options;
    po::store(po::parse_command_line(argc, argv, description), options);
    po::notify(options);
    if (options.count("help") != 0) {
      std::cout << description;
      return 0;
    }
    Service service(options);
    service.introduce();
    for (std::string line; std::getline(std::cin, line);) service.obey(line);
    service.print_figures();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "scripted_registry: " << error.what() << "\n";
    return 1;
  }
}
