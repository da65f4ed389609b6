// Connections kept for the next request, by origin.
#pragma once

#include "net/connection.hpp"
#include "net/connector.hpp"
#include "net/http_client.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hawser {

/// Hands out connections: an idle one where there is one, one that is being opened already where nobody else
/// waits for it, a new one otherwise, never more than NetOptions::max_connections_per_origin. Used on
/// one thread; lives in a shared_ptr, since openings in the background may outlast the client.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
 public:
  ConnectionPool(asio::any_io_executor executor, NetOptions options);

  /// A connection taken from the pool. Destroying it closes the connection; give_back() keeps it.
  class Lease {
   public:
    Lease(std::shared_ptr<ConnectionPool> pool, std::unique_ptr<Connection> connection, bool reused);
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }
    /// Whether the connection has served a request before, and so may have been closed by the server meanwhile.
    bool reused() const { return reused_; }
    void give_back();
    /// Closes the connection now.
    void discard();

   private:
    std::shared_ptr<ConnectionPool> pool_;
    std::unique_ptr<Connection> connection_;
    bool reused_ = false;
  };

  /// `fresh`: a connection that has served nobody; the idle ones are closed, since what one was lost by may have met
  /// them all. Throws what Connector::open() throws; Error{cancelled} once
  /// closed.
  asio::awaitable<Lease> acquire(Origin origin, bool fresh);
  /// See HttpClient::warm_up().
  void warm_up(const Origin& origin, std::size_t count);
  std::optional<std::chrono::microseconds> round_trip(const Origin& origin) const;
  std::size_t idle_connections(const Origin& origin) const;
  void close();

  const asio::any_io_executor& executor() const { return executor_; }
  Connector& connector() { return connector_; }
  const NetOptions& options() const { return options_; }

 private:
  struct Waiter;
  struct Entry {
    std::vector<std::unique_ptr<Connection>> idle;
    std::deque<std::shared_ptr<Waiter>> waiters;
    std::size_t opening = 0;
    std::size_t leased = 0;
    bool expand_on_connect = false;
    std::optional<std::chrono::microseconds> round_trip;

    std::size_t total() const { return idle.size() + opening + leased; }
  };

  void open_up_to(const Origin& origin, std::size_t count);
  void start_opening(const Origin& origin);
  asio::awaitable<void> open_in_background(Origin origin);
  void connected(const Origin& origin, std::chrono::microseconds took);
  void arrived(const Origin& origin, std::unique_ptr<Connection> connection);
  void failed(const Origin& origin, std::exception_ptr why);
  void gone(const Connection& connection);
  void open_for_waiters(const Origin& origin);
  void doubt_if_old(Connection& connection, const Entry& entry) const;

  asio::any_io_executor executor_;
  NetOptions options_;
  Connector connector_;
  std::map<Origin, Entry> entries_;
  std::set<Connection*> leased_;
  bool closed_ = false;
};

}  // namespace hawser
