// For tests: real processes of redis-server, also as Sentinels, on free ports, in temporary directories. They end with
// the object, also where a test fails, and with the test's process.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "runtime/core.h"
#include "wire/resp.h"

namespace tocsin::redis::fixture {

inline constexpr int64_t kGenerousMs = 60'000;

// True once `condition` holds; false after a generous bound. Looks every few milliseconds.
inline bool Eventually(const std::function<bool()>& condition, int64_t bound_ms = kGenerousMs) {
  const int64_t end_us = base::SystemClock().MonotonicUs() + bound_ms * 1000;
  while (!condition()) {
    if (base::SystemClock().MonotonicUs() > end_us) return false;
    poll(nullptr, 0, 3);
  }
  return true;
}

class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "tocsin-redis-XXXXXX").string()) {
    CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// A port that is free now, and so is the one 10,000 above, which a node of a Cluster takes too.
inline uint16_t FreePort() {
  const auto bind_to = [](uint16_t port, uint16_t& bound) {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(descriptor >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t size = sizeof address;
    const bool good = bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                      getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    bound = ntohs(address.sin_port);
    close(descriptor);
    return good;
  };
  static std::atomic<uint16_t> next{static_cast<uint16_t>(12'000 + getpid() * 37 % 15'000)};
  for (int tries = 0; tries < 2'000; ++tries) {
    const uint16_t port = next++;
    if (port > 31'000) next = 12'000;
    uint16_t ignored = 0;
    if (bind_to(port, ignored) && bind_to(static_cast<uint16_t>(port + 10'000), ignored)) return port;
  }
  CHECK_MSG(false, "no free port");
  return 0;
}

// Sends one command on a connection of its own and waits for the reply; kError "unreachable" where there is none.
inline wire::RespReply Ask(uint16_t port, const std::vector<std::string>& command, std::string_view password = {}) {
  wire::RespReply failed;
  failed.type = wire::RespReply::Type::kError;
  failed.text = "unreachable";
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval limit{.tv_sec = 10, .tv_usec = 0};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  std::string out;
  const std::vector<std::string_view> auth = {"AUTH", password};
  if (!password.empty()) wire::AppendRespCommand(out, auth);
  wire::AppendRespCommand(out, std::vector<std::string_view>(command.begin(), command.end()));
  size_t replies = password.empty() ? 1 : 2;
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      send(descriptor, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
    close(descriptor);
    return failed;
  }
  wire::RespReplyParser parser;
  wire::RespReply reply;
  std::string input;
  while (replies > 0) {
    char buffer[4096];
    const ssize_t got = recv(descriptor, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    input.append(buffer, static_cast<size_t>(got));
    while (replies > 0) {
      size_t consumed = 0;
      const auto step = parser.Next(input, consumed, reply);
      input.erase(0, consumed);
      if (step != wire::RespReplyParser::Step::kReply) break;
      --replies;
    }
  }
  close(descriptor);
  return replies == 0 ? reply : failed;
}

// A process of redis-server, also as a Sentinel.
class Server {
 public:
  enum class Kind { kServer, kSentinel };
  // `port` 0: one that is free. `settings`: lines of redis.conf behind the fixture's own (loopback, port, folder,
  // nothing saved).
  explicit Server(std::vector<std::string> settings = {}, Kind kind = Kind::kServer, uint16_t port = 0)
      : kind_(kind), port_(port), settings_(std::move(settings)) {
    bool up = false;
    for (int tries = 0; tries < 5 && !up; ++tries) {
      if (port == 0) port_ = FreePort();
      WriteConfig();
      up = Launch();
    }
    CHECK_MSG(up, "redis-server does not start: " + log());
  }
  ~Server() { Kill(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Waits until it answers. Not while it runs.
  void Start() { CHECK_MSG(Launch(), "redis-server does not start: " + log()); }
  void Kill() { End(SIGKILL); }
  void Stop() { End(SIGTERM); }  // saves what is to be saved
  void Restart() {
    Kill();
    Start();
  }
  void Freeze() { kill(pid_, SIGSTOP); }
  void Thaw() { kill(pid_, SIGCONT); }
  bool running() const { return pid_ >= 0; }

  // Anew with these settings, at the next Start().
  void SetSettings(std::vector<std::string> settings) {
    settings_ = std::move(settings);
    WriteConfig();
  }

  // Logged in with the `requirepass` of the settings.
  wire::RespReply Ask(const std::vector<std::string>& command) const {
    return fixture::Ask(plain_port_, command, password_);
  }
  // `field` of INFO `section`.
  std::string Info(const std::string& section, const std::string& field) const {
    const std::string text = Ask({"INFO", section}).text;
    const size_t at = text.find("\n" + field + ":");
    if (at == text.npos) return "";
    const size_t start = at + field.size() + 2;
    return text.substr(start, text.find('\r', start) - start);
  }

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "redis://" + address(); }
  const Folder& folder() const { return folder_; }
  std::string log() const {
    std::ifstream in(folder_ / "log");
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

 private:
  void WriteConfig() {
    std::ofstream out(folder_ / "redis.conf");
    out << "bind 127.0.0.1\ndir " << folder_.path() << "\n";
    const bool tls = std::any_of(settings_.begin(), settings_.end(),
                                 [](const std::string& line) { return line.starts_with("tls-port "); });
    plain_port_ = tls ? FreePort() : port_;
    if (!tls) out << "port " << port_ << "\n";
    if (kind_ == Kind::kServer) out << "save \"\"\nappendfsync no\nrepl-diskless-sync-delay 0\n";
    password_.clear();
    for (std::string line : settings_) {
      if (line.starts_with("requirepass ")) password_ = line.substr(12);
      if (line == "tls-port @port") line = "tls-port " + std::to_string(port_);
      if (line == "port @plain") line = "port " + std::to_string(plain_port_);
      out << line << "\n";
    }
  }
  // False: the process has ended, for want of its port perhaps.
  bool Launch() {
    CHECK(pid_ < 0);
    const std::string out = folder_ / "log", config = folder_ / "redis.conf";
    const char* const mode = kind_ == Kind::kSentinel ? "--sentinel" : nullptr;
    pid_ = fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int descriptor = open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      dup2(descriptor, 1);
      dup2(descriptor, 2);
      execlp("redis-server", "redis-server", config.c_str(), mode, static_cast<char*>(nullptr));
      _exit(127);
    }
    bool ended = false;
    const bool up = Eventually([&] {
      int status = 0;
      ended = waitpid(pid_, &status, WNOHANG) == pid_;
      // Not another one that took the port.
      return ended || Info("server", "process_id") == std::to_string(pid_);
    });
    if (ended) pid_ = -1;
    return up && !ended;
  }
  void End(int signal) {
    if (pid_ < 0) return;
    kill(pid_, signal);
    if (signal == SIGKILL) kill(pid_, SIGCONT);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }

  const Kind kind_;
  uint16_t port_;
  uint16_t plain_port_ = port_;  // without TLS
  std::string password_;
  std::vector<std::string> settings_;
  Folder folder_;
  pid_t pid_ = -1;
};

// A primary with replicas, watched by three Sentinels as `mymaster`.
class SentinelGroup {
 public:
  // `server_settings` and `sentinel_settings` are added to each; `auth` are lines that let Sentinels and replicas in.
  explicit SentinelGroup(int replicas = 1, const std::vector<std::string>& server_settings = {},
                         const std::vector<std::string>& sentinel_settings = {}) {
    servers.push_back(std::make_unique<Server>(server_settings));
    const std::string primary = "127.0.0.1 " + std::to_string(servers.front()->port());
    for (int i = 0; i < replicas; ++i) {
      std::vector<std::string> settings = server_settings;
      settings.push_back("replicaof " + primary);
      servers.push_back(std::make_unique<Server>(settings));
    }
    CHECK_MSG(Eventually([&] {
                const Server& first = *servers.front();
                return std::all_of(servers.begin() + 1, servers.end(),
                                   [](const auto& server) {
                                     return server->Info("replication", "master_link_status") == "up";
                                   }) &&
                       first.Info("replication", "connected_slaves") == std::to_string(replicas);
              }),
              "the replicas do not find their primary");
    for (int i = 0; i < 3; ++i) {
      std::vector<std::string> settings = {"sentinel monitor mymaster " + primary + " 2",
                                           "sentinel down-after-milliseconds mymaster 2000",
                                           "sentinel failover-timeout mymaster 6000"};
      settings.insert(settings.end(), sentinel_settings.begin(), sentinel_settings.end());
      sentinels.push_back(std::make_unique<Server>(settings, Server::Kind::kSentinel));
    }
    CHECK_MSG(Eventually([&] {
                return std::all_of(sentinels.begin(), sentinels.end(), [&](const auto& sentinel) {
                  const std::string line = sentinel->Info("sentinel", "master0");
                  return line.find("status=ok") != line.npos && line.find("sentinels=3") != line.npos &&
                         line.find("slaves=" + std::to_string(replicas)) != line.npos;
                });
              }),
              "the Sentinels do not find each other");
  }
  std::string url(const std::string& user = {}) const {
    std::string text = "redis-sentinel://" + user;
    for (const auto& sentinel : sentinels) text += (sentinel == sentinels.front() ? "" : ",") + sentinel->address();
    return text + "/mymaster";
  }
  // The server that the Sentinels take for the primary now; null: none of ours.
  Server* primary() const {
    const wire::RespReply reply = sentinels.back()->Ask({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"});
    for (const auto& server : servers) {
      if (reply.elements.size() == 2 && reply.elements[1].text == std::to_string(server->port())) return server.get();
    }
    return nullptr;
  }

  std::vector<std::unique_ptr<Server>> servers;  // the first one is the first primary
  std::vector<std::unique_ptr<Server>> sentinels;
};

// A Cluster: `primaries` with all slots shared out evenly, each with as many replicas.
class Cluster {
 public:
  explicit Cluster(int primaries = 3, int replicas_each = 0, const std::vector<std::string>& settings = {}) {
    for (int i = 0; i < primaries * (1 + replicas_each); ++i) {
      // As redis-cli does it: nodes that begin with the same epoch settle their differences later, when a test runs.
      Add(settings).Ask({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    }
    for (int i = 0; i < primaries; ++i) {
      nodes[static_cast<size_t>(i)]->Ask({"CLUSTER", "ADDSLOTSRANGE", std::to_string(16'384 * i / primaries),
                                          std::to_string(16'384 * (i + 1) / primaries - 1)});
    }
    for (size_t i = 1; i < nodes.size(); ++i) Meet(*nodes[i]);
    CHECK_MSG(Eventually([this] { return Agree(); }), "the nodes of the Cluster do not find each other");
    for (int i = 0; i < primaries * replicas_each; ++i) {
      nodes[static_cast<size_t>(primaries + i)]->Ask(
          {"CLUSTER", "REPLICATE", Id(*nodes[static_cast<size_t>(i % primaries)])});
    }
    CHECK_MSG(Eventually([&] {
                return Agree() && std::all_of(nodes.begin() + primaries, nodes.end(), [](const auto& node) {
                         return node->Info("replication", "master_link_status") == "up";
                       });
              }),
              "the Cluster does not come up");
  }
  // One more node, without slots, that knows nobody: Meet().
  Server& Add(std::vector<std::string> settings = {}) {
    settings.insert(settings.end(),
                    {"cluster-enabled yes", "cluster-node-timeout 2000", "cluster-replica-validity-factor 0"});
    nodes.push_back(std::make_unique<Server>(settings));
    return *nodes.back();
  }
  void Meet(Server& node) const { node.Ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes[0]->port())}); }
  // Every node that runs knows every other one and calls the Cluster whole.
  bool Agree() const {
    const std::string known = "cluster_known_nodes:" + std::to_string(nodes.size()) + "\r";
    return std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) {
      if (!node->running()) return true;
      const std::string text = node->Ask({"CLUSTER", "INFO"}).text;
      return text.find("cluster_state:ok") != text.npos && text.find(known) != text.npos;
    });
  }
  // What a line of CLUSTER INFO says, on every node that runs.
  bool Same(const std::string& name) const {
    std::string first;
    return std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) {
      if (!node->running()) return true;
      const std::string text = node->Ask({"CLUSTER", "INFO"}).text;
      const size_t at = text.find(name + ":");
      const std::string line = at == text.npos ? "" : text.substr(at, text.find('\r', at) - at);
      if (first.empty()) first = line;
      return line == first;
    });
  }
  // Whether that node takes the slot for the other's.
  static bool Owns(const Server& owner, int slot, const Server& asked) {
    for (const wire::RespReply& range : asked.Ask({"CLUSTER", "SLOTS"}).elements) {
      if (range.elements.size() < 3 || slot < range.elements[0].integer || slot > range.elements[1].integer) continue;
      return range.elements[2].elements[1].integer == owner.port();
    }
    return false;
  }
  static std::string Id(const Server& node) { return node.Ask({"CLUSTER", "MYID"}).text; }
  std::string url() const { return "redis-cluster://" + nodes[0]->address(); }

  // Moves a slot with its keys, as redis-cli does it, key by key. `between` runs in the middle, once.
  void MoveSlot(int slot, const Server& from, const Server& to, const std::function<void()>& between = nullptr) const {
    const std::string number = std::to_string(slot);
    // A node that does not know the latest epoch yet would claim the slot with one that is too low.
    CHECK(Eventually([this] { return Same("cluster_current_epoch"); }));
    to.Ask({"CLUSTER", "SETSLOT", number, "IMPORTING", Id(from)});
    from.Ask({"CLUSTER", "SETSLOT", number, "MIGRATING", Id(to)});
    bool told = between == nullptr;
    while (true) {
      const wire::RespReply keys = from.Ask({"CLUSTER", "GETKEYSINSLOT", number, "1"});
      if (keys.elements.empty()) break;
      from.Ask({"MIGRATE", "127.0.0.1", std::to_string(to.port()), keys.elements[0].text, "0", "5000"});
      if (!told) between();
      told = true;
    }
    if (!told) between();
    CHECK_MSG(Eventually([&] {
                for (const Server* node : {&to, &from}) node->Ask({"CLUSTER", "SETSLOT", number, "NODE", Id(to)});
                return Owns(to, slot, to) && Owns(to, slot, from);
              }),
              "the nodes do not agree on a slot");
  }

  std::vector<std::unique_ptr<Server>> nodes;  // the first are the primaries of the start
};

// Keys and certificates, made with the openssl program: an authority, a server that is `localhost` and 127.0.0.1, a
// client, and another authority that has signed nothing.
class TlsFiles {
 public:
  TlsFiles() {
    Authority("ca");
    Authority("other");
    Signed("server", "subjectAltName=DNS:localhost,IP:127.0.0.1");
    Signed("client", "extendedKeyUsage=clientAuth");
  }
  std::string path(std::string_view name) const { return folder_ / name; }
  // The parameters of an address that trusts the server.
  std::string trust() const { return "?ca=" + path("ca.crt"); }
  std::string trust_and_certificate() const {
    return trust() + "&cert=" + path("client.crt") + "&key=" + path("client.key");
  }
  // Lines of redis.conf for TLS on the server's port, for replicas and Sentinels too, and no TLS on another one, for
  // the fixture itself. `clients`: whether they need a certificate: "yes", "no", "optional".
  std::vector<std::string> Settings(const std::string& clients = "no") const {
    return {"tls-port @port",
            "port @plain",
            "tls-replication yes",
            "tls-cert-file " + path("server.crt"),
            "tls-key-file " + path("server.key"),
            "tls-ca-cert-file " + path("ca.crt"),
            "tls-auth-clients " + clients};
  }

 private:
  void Run(const std::string& arguments) const {
    const std::string command = "cd " + folder_.path() + " && openssl " + arguments + " >>log 2>&1";
    CHECK_MSG(std::system(command.c_str()) == 0, "openssl failed");
  }
  void Authority(const std::string& name) const {
    Run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=" + name + " -keyout " +
        name + ".key -out " + name + ".crt");
  }
  void Signed(const std::string& name, const std::string& extension) const {
    std::ofstream(folder_ / (name + ".ext")) << extension << "\n";
    Run("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name + " -keyout " + name +
        ".key -out " + name + ".csr");
    Run("x509 -req -days 30 -in " + name + ".csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile " + name +
        ".ext -out " + name + ".crt");
  }
  Folder folder_;
};

// A Core on a thread of its own.
class CoreThread {
 public:
  CoreThread() : core_(0, base::SystemClock()), thread_([this] { core_.Run(); }) {}
  ~CoreThread() {
    core_.Stop();
    thread_.join();
  }
  CoreThread(const CoreThread&) = delete;
  CoreThread& operator=(const CoreThread&) = delete;
  runtime::Core& core() { return core_; }

  // Runs `task` there and waits for it.
  void Run(const std::function<void()>& task) {
    std::atomic<bool> done = false;
    core_.Post([&task, &done] {
      task();
      done = true;
      done.notify_all();
    });
    done.wait(false);
  }

 private:
  runtime::Core core_;
  std::thread thread_;
};

}  // namespace tocsin::redis::fixture
