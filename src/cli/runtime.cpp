#include "cli/runtime.hpp"

#include "cli/process.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {

Log::Log(Level level, std::function<void(std::string_view)> sink) : level_(level), sink_(std::move(sink)) {}

void Log::mask(std::string_view secret) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(secrets_, secret) != secrets_.end()) return;
  secrets_.emplace_back(secret);
  // The longest first: one secret may hold another.
  std::ranges::stable_sort(secrets_, std::ranges::greater{}, &std::string::size);
}

std::string Log::masked(std::string_view text) const {
  std::string result(text);
  const std::lock_guard lock(mutex_);
  for (const std::string& secret : secrets_) redact(result, secret);
  return result;
}

Error Log::masked(const Error& error) const {
  return {error.code(), masked(error.what()), masked(error.hint())};
}

void Log::tell(Importance importance, std::string_view text) const {
  switch (importance) {
    case Importance::error:
      return error(text);
    case Importance::hint:
      return hint(text);
    case Importance::warning:
      return warning(text);
    case Importance::detail:
      return detail(text);
  }
}

void Log::show(Level level, std::string_view prefix, std::string_view text) const {
  if (level > level_) return;
  sink_(printable(std::string(prefix) + masked(text), 2000));
}

namespace {

namespace asio = boost::asio;

/// Hashing, disk waits and inflating: more threads than cores, since some of them wait for the disk.
std::size_t pool_size() {
  return std::max(2u, std::thread::hardware_concurrency()) + 2;
}

Log::Level level_of(const OutputStyle& style) {
  if (style.quiet) return Log::Level::errors;
  return style.verbose ? Log::Level::verbose : Log::Level::normal;
}

asio::awaitable<void> draw(Progress& progress, asio::steady_timer& timer) {
  for (;;) {
    timer.expires_after(std::chrono::milliseconds(100));
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    progress.tick(Progress::Time::clock::now());
  }
}

}  // namespace

Runtime::Runtime(const OutputStyle& style)
    : io_(1),
      pool_(pool_size()),
      over_(std::make_shared<std::atomic<bool>>(false)),
      progress_(style.quiet),
      log_(level_of(style), [this](std::string_view line) { progress_.message(line); }) {
  // What a registry says may hold what it was sent, also where no log says it.
  progress_.mask_with([this](std::string_view text) { return log_.masked(text); });
}

Runtime::~Runtime() {
  pool_.join();
  *over_ = true;
}

/// Whatever blocks meanwhile, a reader that takes nothing from a pipe say: a second after the signal it is over.
void Runtime::end_within_a_second(int signal) {
  std::thread([signal, over = over_] {
    std::this_thread::sleep_for(std::chrono::milliseconds(950));
    if (!*over) end_process(signal);
  }).detach();
}

/// Who catches it shows it without the log.
void Runtime::rethrow_masked(const std::exception_ptr& failure) const {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    throw log_.masked(error);
  }
}

int Runtime::run(asio::awaitable<void> task, const std::function<void()>& on_stop) {
  asio::steady_timer drawing(io_);
  asio::steady_timer grace(io_);
  std::exception_ptr failure;
  SignalWatch signals(executor(), [&](int signal) {
    end_within_a_second(signal);
    on_stop();
    grace.expires_after(std::chrono::milliseconds(800));
    grace.async_wait([&](const boost::system::error_code& ec) {
      if (!ec) io_.stop();
    });
  });
  asio::co_spawn(io_, draw(progress_, drawing), asio::detached);
  asio::co_spawn(io_, std::move(task), [&](std::exception_ptr thrown) {
    failure = std::move(thrown);
    io_.stop();  // what is still waiting (idle connections, timers) is of no use any more
  });
  io_.run();
  // What is on the pool uses what the caller is about to destroy.
  if (signals.received() != 0) pool_.join();
  progress_.finish();
  if (failure && signals.received() == 0) rethrow_masked(failure);
  return signals.received();
}

}  // namespace hawser
