#include "net/connection_pool.hpp"

#include "util/async.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {

using namespace std::chrono_literals;

/// A request that waits for a connection.
struct ConnectionPool::Waiter {
  Waiter(const asio::any_io_executor& executor, bool fresh_) : ready(executor), fresh(fresh_) {}

  Event ready;
  bool fresh;
  std::optional<Lease> lease;  // from the moment on that it is handed over, so that close() finds it
  std::exception_ptr failure;
};

ConnectionPool::Lease::Lease(std::shared_ptr<ConnectionPool> pool, std::unique_ptr<Connection> connection, bool reused)
    : pool_(std::move(pool)), connection_(std::move(connection)), reused_(reused) {
  pool_->leased_.insert(connection_.get());
  ++pool_->entries_[connection_->origin()].leased;
}

ConnectionPool::Lease::~Lease() {
  if (connection_) pool_->gone(*connection_);
}

void ConnectionPool::Lease::discard() {
  if (!connection_) return;
  pool_->gone(*connection_);
  connection_.reset();
}

void ConnectionPool::Lease::give_back() {
  if (!connection_) return;
  const auto pool = pool_;
  pool->leased_.erase(connection_.get());
  const Origin origin = connection_->origin();
  connection_->mark_served();
  connection_->limit_acknowledgement(std::chrono::milliseconds(0));
  --pool->entries_[origin].leased;
  pool->arrived(origin, std::move(connection_));
}

ConnectionPool::ConnectionPool(asio::any_io_executor executor, NetOptions options)
    : executor_(std::move(executor)), options_(std::move(options)), connector_(executor_, options_) {}

/// What an idle connection has been silent about, such as a NAT that has forgotten it, shows within some round trips.
void ConnectionPool::doubt_if_old(Connection& connection, const Entry& entry) const {
  if (std::chrono::steady_clock::now() - connection.idle_since() < options_.trusted_idle) return;
  const auto round_trip = std::chrono::ceil<std::chrono::milliseconds>(entry.round_trip.value_or(0us));
  connection.limit_acknowledgement(std::max<std::chrono::milliseconds>(2s, 6 * round_trip));
}

asio::awaitable<ConnectionPool::Lease> ConnectionPool::acquire(Origin origin, bool fresh) {
  if (closed_) throw Error(Errc::cancelled, "stopped");
  Entry& entry = entries_[origin];
  if (fresh) entry.idle.clear();
  while (!entry.idle.empty()) {
    // The one used last: its congestion window is the widest.
    std::unique_ptr<Connection> connection = std::move(entry.idle.back());
    entry.idle.pop_back();
    if (!connection->usable()) continue;
    doubt_if_old(*connection, entry);
    Lease idle(shared_from_this(), std::move(connection), true);
    co_return idle;
  }
  const auto waiter = std::make_shared<Waiter>(executor_, fresh);
  entry.waiters.push_back(waiter);
  open_for_waiters(origin);
  while (!waiter->lease && !waiter->failure) co_await waiter->ready.wait();
  if (waiter->failure) std::rethrow_exception(waiter->failure);
  if (closed_) throw Error(Errc::cancelled, "stopped");
  co_return std::move(*waiter->lease);
}

void ConnectionPool::open_for_waiters(const Origin& origin) {
  Entry& entry = entries_[origin];
  while (entry.opening < entry.waiters.size() && entry.total() < options_.max_connections_per_origin)
    start_opening(origin);
}

void ConnectionPool::warm_up(const Origin& origin, std::size_t count) {
  entries_[origin].expand_on_connect = true;
  open_up_to(origin, count);
}

void ConnectionPool::open_up_to(const Origin& origin, std::size_t count) {
  if (closed_) return;
  const Entry& entry = entries_[origin];
  const std::size_t target = std::min(count, options_.max_connections_per_origin);
  while (entry.total() < target) start_opening(origin);
}

void ConnectionPool::start_opening(const Origin& origin) {
  ++entries_[origin].opening;
  asio::co_spawn(
      executor_, [self = shared_from_this(), origin] { return self->open_in_background(origin); }, asio::detached);
}

asio::awaitable<void> ConnectionPool::open_in_background(Origin origin) {
  std::unique_ptr<Connection> connection;
  std::exception_ptr failure;
  // Never to its end before start_opening() has returned: who counts openings would start them for ever.
  co_await asio::post(executor_, asio::use_awaitable);
  try {
    auto on_connected = [this, &origin](std::chrono::microseconds took) { connected(origin, took); };
    connection = co_await connector_.open(origin, on_connected);
  } catch (...) {
    failure = std::current_exception();
  }
  --entries_[origin].opening;
  if (closed_) co_return;
  if (failure) {
    failed(origin, failure);
  } else {
    arrived(origin, std::move(connection));
  }
}

void ConnectionPool::connected(const Origin& origin, std::chrono::microseconds took) {
  Entry& entry = entries_[origin];
  if (!entry.round_trip || took < *entry.round_trip) entry.round_trip = took;
  if (!entry.expand_on_connect || !options_.connections_for_round_trip) return;
  entry.expand_on_connect = false;
  open_up_to(origin, options_.connections_for_round_trip(took));
}

void ConnectionPool::arrived(const Origin& origin, std::unique_ptr<Connection> connection) {
  Entry& entry = entries_[origin];
  const bool reused = connection->has_served();
  // Bytes that follow a response would be taken for the next request's answer.
  if (closed_ || (reused && !connection->usable())) {
    connection.reset();
    if (!closed_) open_for_waiters(origin);
    return;
  }
  const auto takes_it = [&](const std::shared_ptr<Waiter>& each) { return !reused || !each->fresh; };
  const auto found = std::ranges::find_if(entry.waiters, takes_it);
  if (found != entry.waiters.end()) {
    const auto waiter = *found;
    entry.waiters.erase(found);
    waiter->lease.emplace(shared_from_this(), std::move(connection), reused);
    waiter->ready.wake_all();
  } else if (entry.waiters.size() > entry.opening) {
    // Its place is needed by one who wants a fresh one.
    connection.reset();
    open_for_waiters(origin);
  } else {
    connection->mark_idle();
    entry.idle.push_back(std::move(connection));
  }
}

void ConnectionPool::failed(const Origin& origin, std::exception_ptr why) {
  Entry& entry = entries_[origin];
  // Those for whom another opening is under way go on waiting.
  if (entry.waiters.size() <= entry.opening) return open_for_waiters(origin);
  const auto waiter = entry.waiters.back();
  entry.waiters.pop_back();
  waiter->failure = why;
  waiter->ready.wake_all();
  open_for_waiters(origin);  // those beyond the limit had nobody opening for them
}

void ConnectionPool::gone(const Connection& connection) {
  leased_.erase(const_cast<Connection*>(&connection));
  --entries_[connection.origin()].leased;
  if (!closed_) open_for_waiters(connection.origin());
}

std::optional<std::chrono::microseconds> ConnectionPool::round_trip(const Origin& origin) const {
  const auto found = entries_.find(origin);
  return found == entries_.end() ? std::nullopt : found->second.round_trip;
}

std::size_t ConnectionPool::idle_connections(const Origin& origin) const {
  const auto found = entries_.find(origin);
  return found == entries_.end() ? 0 : found->second.idle.size();
}

void ConnectionPool::close() {
  if (closed_) return;
  closed_ = true;
  connector_.close();
  for (auto* connection : leased_) connection->close();
  const auto stopped = std::make_exception_ptr(Error(Errc::cancelled, "stopped"));
  for (auto& [origin, entry] : entries_) {
    entry.idle.clear();
    for (const auto& waiter : entry.waiters) {
      waiter->failure = stopped;
      waiter->ready.wake_all();
    }
    entry.waiters.clear();
  }
}

}  // namespace hawser
