// The whole service in one process, over real sockets, with more than one Core: what ThreadSanitizer has to see. What
// the protocol means is tested elsewhere (session_test, tests/e2e); here it is about connections and threads.
#include "gateway/gateway.h"

#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/keys.h"
#include "auth/mint.h"
#include "logs/embedded_logs.h"
#include "notifier/embedded_publisher.h"
#include "notifier/router.h"
#include "storage/temp_dir.h"
#include "wire/json.h"
#include "wire/websocket.h"

namespace tocsin::gateway {
namespace {

constexpr std::string_view kSecret = "a secret of at least thirty-two bytes";
constexpr std::string_view kKey = "producer-key";

class Service {
 public:
  explicit Service(int cores) {
    auto store = storage::OpenStore({.dir = dir_.path(), .min_free_bytes = 0});
    CHECK_MSG(store.ok(), store.status().message());
    store_ = std::move(*store);
    streams_ = std::make_unique<streams::StreamEngine>(*store_, base::SystemClock());
    logs_ = std::make_unique<logs::UserLogs>(*store_, base::SystemClock(),
                                             logs::UserLogsOptions{.max_entries = 10'000, .id_floor = {}}, &fanout_);
    preferences_ = std::make_unique<logs::UserPreferences>(*store_, *logs_);
    delivery_ = std::make_unique<notifier::Delivery>(*store_, base::SystemClock(), *logs_);
    schedule_ = std::make_unique<notifier::Schedule>(*store_, base::SystemClock(), *delivery_);
    router_ = std::make_unique<notifier::Router>(*streams_, *delivery_, *schedule_, base::SystemClock(),
                                                 std::vector<std::string>{"notifications_stream"});
    committer_ = std::make_unique<storage::Committer>(
        *store_, base::SystemClock(),
        std::vector<storage::Participant*>{router_.get(), schedule_.get(), streams_.get(), logs_.get(),
                                           preferences_.get(), &idempotency()});
    router_->SetCommitter(*committer_);
    options_.listen_port = 0;
    options_.api_keys = *auth::ApiKeys::Parse(std::string("p:") + std::string(kKey));
    auto keys = std::make_shared<auth::KeySet>();
    CHECK(keys->Add(*auth::Key::FromSecret(std::string(kSecret))).ok());
    options_.token_keys = keys;
    embedded_ = std::make_unique<EmbeddedEngine>(EmbeddedEngine{*committer_, *streams_});
    log_store_ = std::make_unique<logs::EmbeddedLogs>(*store_, *committer_, *logs_, *preferences_, readers_);
    publisher_ = std::make_unique<notifier::EmbeddedPublisher>(*store_, *committer_, *streams_, idempotency(),
                                                               *schedule_, options_.ingest_streams);
    gateway_ = std::make_unique<Gateway>(
        Gateway::Parts{*log_store_, *publisher_, base::SystemClock(), base::SystemRandom(), embedded_.get()}, options_,
        cores);
    fanout_.SetBackend(&gateway_->backend());
    committer_->Start();
    const base::Status started = gateway_->Start();
    CHECK_MSG(started.ok(), started.message());
  }
  ~Service() {
    readers_.Stop();
    committer_->Stop();
    gateway_->Stop();
  }
  uint16_t port() const { return gateway_->port(); }
  Gateway& gateway() { return *gateway_; }

 private:
  notifier::Idempotency& idempotency() {
    if (!idempotency_) idempotency_ = std::make_unique<notifier::Idempotency>(*store_, base::SystemClock());
    return *idempotency_;
  }

  storage::TempDir dir_{storage::TempDir::Where::kMemory};
  std::unique_ptr<storage::Store> store_;
  Fanout fanout_;
  std::unique_ptr<streams::StreamEngine> streams_;
  std::unique_ptr<logs::UserLogs> logs_;
  std::unique_ptr<logs::UserPreferences> preferences_;
  std::unique_ptr<notifier::Delivery> delivery_;
  std::unique_ptr<notifier::Schedule> schedule_;
  std::unique_ptr<notifier::Router> router_;
  std::unique_ptr<notifier::Idempotency> idempotency_;
  std::unique_ptr<storage::Committer> committer_;
  runtime::WorkerPool readers_{"reader", 2};
  GatewayOptions options_;
  std::unique_ptr<EmbeddedEngine> embedded_;
  std::unique_ptr<logs::EmbeddedLogs> log_store_;
  std::unique_ptr<notifier::EmbeddedPublisher> publisher_;
  std::unique_ptr<Gateway> gateway_;
};

// A blocking socket that gives up after 20 s.
class Socket {
 public:
  explicit Socket(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const timeval timeout{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    CHECK(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Write(std::string_view bytes) {
    ASSERT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // Appends what comes; false at the end.
  bool Read(std::string& input) {
    char bytes[16 << 10];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    input.append(bytes, static_cast<size_t>(got));
    return true;
  }
  // Reads until `input` holds `text`.
  void ReadUntil(std::string& input, std::string_view text) {
    while (input.find(text) == std::string::npos)
      ASSERT_TRUE(Read(input)) << "closed before `" << text << "`: " << input;
  }
  void EndInput() { shutdown(fd_, SHUT_WR); }

 private:
  int fd_;
};

std::string PublishRequest(std::string_view user, std::string_view message) {
  const std::string body = R"({"user_id":")" + std::string(user) + R"(","message":")" + std::string(message) + "\"}";
  return "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nx-api-key: " + std::string(kKey) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string Token(std::string_view user) {
  auth::TokenRequest request;
  request.user = user;
  request.issued_ms = base::SystemClock().NowMs();
  return auth::MintToken(kSecret, request);
}

// A device over a WebSocket.
class Device {
 public:
  Device(uint16_t port, std::string_view user, std::string_view hello_members) : socket_(port) {
    const unsigned char random[16] = {};
    const std::string key = wire::WsClientKey(random);
    std::string request;
    wire::AppendUpgradeRequest(request, "localhost", "/v1/ws", key);
    socket_.Write(request);
    socket_.ReadUntil(input_, "\r\n\r\n");
    auto size = wire::CheckUpgradeResponse(input_, key);
    CHECK_MSG(size.ok(), size.status().message());
    input_.erase(0, *size);
    Say(R"({"t":"hello","tok":")" + Token(user) + "\"" + std::string(hello_members) + "}");
  }
  void Say(std::string_view frame) {
    std::string bytes;
    wire::AppendWsClientFrame(bytes, wire::WsOpcode::kText, frame, {1, 2, 3, 4});
    socket_.Write(bytes);
  }
  // The next frame of that type; others are kept out.
  wire::JsonValue Await(std::string_view type) {
    while (true) {
      while (!lines_.empty()) {
        frame_ = std::move(lines_.front());
        lines_.erase(lines_.begin());
        auto parsed = wire::ParseJson(frame_);
        CHECK_MSG(parsed.ok(), frame_);
        if (wire::Text(*wire::Find(*parsed, "t")) == type) return *parsed;
      }
      CHECK_MSG(ReadMessage(), "the connection ended");
    }
  }

 private:
  bool ReadMessage() {
    while (true) {
      std::string_view payload;
      size_t consumed = 0;
      const auto event = decoder_.Next(input_, consumed, payload);
      if (event == wire::WsDecoder::Event::kMessage || event == wire::WsDecoder::Event::kPiece) message_ += payload;
      input_.erase(0, consumed);
      if (event == wire::WsDecoder::Event::kMessage) {
        for (wire::ClientFrameReader reader(message_); auto line = reader.Next();) lines_.emplace_back(*line);
        message_.clear();
        return true;
      }
      if (event == wire::WsDecoder::Event::kNeedMore && !socket_.Read(input_)) return false;
    }
  }

  Socket socket_;
  wire::WsDecoder decoder_{wire::WsRole::kClient, 8 << 20};
  std::string input_, message_, frame_;
  std::vector<std::string> lines_;
};

size_t ItemCount(wire::JsonValue frame) { return wire::Elements(*wire::Find(frame, "items")).size(); }
std::string Member(wire::JsonValue frame, std::string_view name) { return wire::Text(*wire::Find(frame, name)); }

TEST(GatewayTest, AnswersPipelinedRequestsInTheirOrder) {
  Service service(2);
  Socket socket(service.port());
  std::string requests = PublishRequest("ann", "one");
  requests += "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  requests += "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  socket.Write(requests);
  std::string input;
  while (socket.Read(input)) {
  }
  const size_t accepted = input.find("202 Accepted"), healthy = input.find("200 OK"),
               missing = input.find("404 Not Found");
  ASSERT_NE(missing, std::string::npos) << input;
  EXPECT_LT(accepted, healthy);
  EXPECT_LT(healthy, missing);
}

TEST(GatewayTest, AnswersWhatWasAskedBeforeAHalfClose) {
  Service service(2);
  Socket socket(service.port());
  socket.Write(PublishRequest("ann", "one"));
  socket.EndInput();
  std::string input;
  while (socket.Read(input)) {
  }
  EXPECT_NE(input.find("202 Accepted"), std::string::npos) << input;
}

TEST(GatewayTest, ABodyInManyPiecesIsOneRequest) {
  Service service(1);
  Socket socket(service.port());
  for (char byte : PublishRequest("ann", "slowly")) socket.Write(std::string_view(&byte, 1));
  std::string input;
  socket.ReadUntil(input, "\"durability\":\"sync\"}\n");
}

// 4 publishers and 16 users with two devices each, on 3 Cores: everything arrives, in order, on every device; receipts
// and marks are under way all the time.
TEST(GatewayTest, ManyPublishersAndDevicesOnSeveralCores) {
  constexpr int kUsers = 16, kPublishers = 4, kEach = 40;
  Service service(3);
  std::vector<std::thread> threads;
  std::atomic<int> complete{0};
  for (int u = 0; u < kUsers * 2; ++u) {
    threads.emplace_back([&service, &complete, u] {
      const std::string user = "user-" + std::to_string(u / 2), name = u % 2 == 0 ? "a" : "b";
      Device device(service.port(), user, R"(,"dev":")" + name + R"(","credit":8)");
      std::string cursor = Member(device.Await("welcome"), "cur");
      for (size_t got = 0; got < kPublishers * kEach;) {
        const wire::JsonValue frame = device.Await("n");
        ASSERT_EQ(Member(frame, "prev"), cursor);
        cursor = Member(frame, "cur");
        got += ItemCount(frame);
        device.Say(R"({"t":"ack","cur":")" + cursor + "\"}");
      }
      if (name == "a") {
        device.Say(R"({"t":"mark","i":1,"op":"read","ch":"","upto":")" + cursor + "\"}");
        const wire::JsonValue ok = device.Await("ok");
        EXPECT_EQ(wire::Integer(*wire::Find(*wire::Find(ok, "counts"), "unread")), 0);
      } else {
        EXPECT_EQ(Member(device.Await("st"), "op"), "read");
      }
      ++complete;
    });
  }
  for (int p = 0; p < kPublishers; ++p) {
    threads.emplace_back([&service, p] {
      Socket socket(service.port());
      std::string input;
      for (int i = 0; i < kEach; ++i) {
        for (int u = 0; u < kUsers; ++u) {
          socket.Write(PublishRequest("user-" + std::to_string(u), std::to_string(p) + "." + std::to_string(i)));
          socket.ReadUntil(input, "\"durability\":\"sync\"}\n");
          input.clear();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(complete, kUsers * 2);
}

TEST(GatewayTest, ASessionIsToldToComeBackWhenTheServerDrains) {
  Service service(2);
  Device device(service.port(), "ann", R"(,"dev":"a")");
  device.Await("welcome");
  service.gateway().Drain();
  const wire::JsonValue bye = device.Await("bye");
  EXPECT_EQ(wire::Integer(*wire::Find(bye, "code")), 4200);
  EXPECT_GE(*wire::Integer(*wire::Find(bye, "after_ms")), 0);
}

}  // namespace
}  // namespace tocsin::gateway
