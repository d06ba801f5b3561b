// Database: what commands of the store work on: the stream engine and what is around it. Lives on the commit thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "commands/command.h"
#include "streams/engine.h"

namespace tocsin::commands {

struct DatabaseOptions {
  std::vector<std::string> ingest_streams;  // what the built-in group reads
  std::string own_group = "tocsin";         // the built-in group's name
  std::string durability = "sync";
  std::string version;  // of Tocsin
};

// Counted by the Cores, told by INFO and CLIENT.
struct Figures {
  std::atomic<uint64_t> next_client_id{1};
  std::atomic<uint64_t> clients{0};
  std::atomic<uint64_t> blocked_clients{0};
  std::atomic<uint64_t> connections_received{0};
  std::atomic<uint64_t> connections_rejected{0};
  std::atomic<uint64_t> commands{0};
  std::atomic<uint64_t> errors{0};
  // Bytes that all clients together have sent without a whole command in them, and of replies that they have not read.
  std::atomic<uint64_t> held_input{0}, held_replies{0};
};

// Beyond these, clients that want more than a little are refused: what all of them hold has a ceiling.
inline constexpr uint64_t kMaxHeldInput = 256u << 20;
inline constexpr uint64_t kMaxHeldReplies = 256u << 20;

// What the commit thread remembers of a connection. Forget() before it ends.
struct StoreSession {
  struct Watched {
    std::string key;
    uint64_t changes;  // of the key, when it was watched
  };
  std::vector<Watched> watched;

  void Forget(streams::StreamEngine& engine) {
    for (const Watched& one : watched) engine.Unwatch(one.key);
    watched.clear();
  }
};

class Database {
 public:
  // Nothing is owned; the engine and the clock outlive it.
  Database(streams::StreamEngine& engine, const base::Clock& clock, DatabaseOptions options);

  streams::StreamEngine& engine() { return engine_; }
  const base::Clock& clock() const { return clock_; }
  const DatabaseOptions& options() const { return options_; }
  Figures& figures() { return figures_; }  // any thread
  int64_t started_us() const { return started_us_; }
  void SetPort(uint16_t port) { port_ = port; }  // before the first command
  uint16_t port() const { return port_; }

  bool IsIngest(std::string_view key) const;
  // Whether the caller may touch the group (its entries, its position, itself); answers -NOPERM if not.
  bool MayUseGroup(Call& call, std::string_view key, std::string_view group) const;
  // Whether the caller may remove the key as a whole; answers -NOPERM if not.
  bool MayRemove(Call& call, std::string_view key) const;

  // How the built-in group takes what is there for it: before entries of an ingest stream are removed, or read through
  // the group itself, so that none is lost on its way to the users. Set before the first command.
  using RouteNow = std::function<base::Status(storage::Batch&)>;
  void SetRouteNow(RouteNow route_now) { route_now_ = std::move(route_now); }
  // Answers the failure, if there is one.
  bool RouteFirst(Call& call, std::string_view key);
  // An ingest stream that is removed as a whole stays, empty: its ids name notifications and must not come again. What
  // is to be known before (nullopt: it is none) and done after the removal.
  base::Result<std::optional<model::EntryId>> LastIngestId(std::string_view key);
  base::Status KeepIngestIds(std::string_view key, std::optional<model::EntryId> last);

  // SCAN's cursor is a number, which stands for the last key that was told. So many are remembered; an older one starts
  // from the first key again: SCAN may tell a key twice.
  uint64_t RememberScan(std::string key);
  std::string ScannedBy(uint64_t cursor) const;

 private:
  streams::StreamEngine& engine_;
  const base::Clock& clock_;
  const DatabaseOptions options_;
  const int64_t started_us_;
  uint16_t port_ = 0;
  RouteNow route_now_;
  Figures figures_;
  std::deque<std::string> scans_;
  size_t scan_bytes_ = 0;
  uint64_t first_scan_ = 1;  // the number of scans_.front()
};

}  // namespace tocsin::commands
