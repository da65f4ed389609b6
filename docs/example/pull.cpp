// Pulls an image into a tar that docker load takes, and shows how far it is: pull IMAGE FILE.
#include <hawser/pull/pull.hpp>
#include <hawser/registry/registries.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>

#include <unistd.h>

struct Progress : hawser::TransferObserver {
  void blob_planned(const hawser::Digest&, std::uint64_t size, std::uint64_t present) override {
    all += size;
    there += present;
  }
  void blob_progress(const hawser::Digest&, std::uint64_t bytes) override {
    there += bytes;
    std::fprintf(stderr, "\r%5.1f of %5.1f MB", static_cast<double>(there) / 1e6, static_cast<double>(all) / 1e6);
  }
  std::uint64_t all = 0, there = 0;
};

int main(int argc, char** argv) try {
  if (argc != 3) return std::fputs("usage: pull IMAGE FILE\n", stderr), 2;
  hawser::PullRequest request;
  request.references = {hawser::Reference::parse(argv[1])};
  request.output = argv[2];
  request.access.credentials = hawser::docker_config_logins(hawser::login_sources(std::getenv, ::getuid()));
  const auto files = hawser::registry_files(std::getenv, ::getuid());
  request.access.endpoints =
      hawser::endpoint_lookup(std::make_shared<const hawser::Registries>(hawser::RegistryOptions{}, files));
  request.access.proxies = hawser::read_proxy_settings(std::getenv);
  Progress progress;
  const hawser::ImageResult image = hawser::pull(request, progress).front();
  if (image.error) throw *image.error;
  std::printf("\n%s is in %s\n", image.digest->to_string().c_str(), image.output.c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "\npull: %s\n", error.what());
  return 1;
}
