// HttpPeer: HTTP/1.1 on one connection: keep-alive, pipelining, answers in the order of the requests.
//
// 1. Who may call is decided on the head, before a byte of the body is read; a body is bounded before it is buffered.
// 2. Up to kMaxPipelined requests are under way at once; beyond that the connection is not read.
// 3. A head must be whole within 5 s, a body within 30 s, an idle connection is closed after 75 s.
// 4. Authentication is per request: behind a proxy one connection carries many users.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/connection.h"
#include "gateway/http.h"
#include "gateway/routes.h"
#include "wire/http.h"

namespace tocsin::gateway {

class HttpPeer final : public Peer {
 public:
  explicit HttpPeer(Connection& connection);
  ~HttpPeer() override;

  size_t OnInput(std::span<char> bytes) override;
  bool OnInputEnd() override;
  void OnTick(session::Moment now) override;
  void OnDrain(int64_t after_ms) override;

  // The answer to a request of this connection; one that it does not know is dropped.
  void Respond(uint64_t request, HttpResponse response);

 private:
  // A request that was begun and not answered, or answered behind one that was not.
  struct Slot {
    uint64_t request = 0;
    wire::Method method = wire::Method::kGet;
    wire::Connection connection = wire::Connection::kImplied;
    bool close = false;
    bool answered = false;
    std::string cors_origin;  // allowed: named in the answer
    HttpResponse response;
  };
  struct Incoming;  // the request whose body is being read

  size_t ReadHead(std::string_view bytes);
  size_t ReadBody(std::string_view bytes);
  void Begin(const wire::RequestHead& head);
  bool Authorize(Incoming& incoming);
  bool AuthorizeKey(Incoming& incoming);
  bool AuthorizeUser(Incoming& incoming);
  bool CheckOrigin(Incoming& incoming);
  void Preflight(Incoming& incoming, std::string_view allowed);
  void Refuse(Incoming& incoming, HttpResponse response);
  void Fail(const wire::HttpError& error);
  void Finish();
  void Flush();
  void Write(const Slot& slot);
  Slot& NewSlot(const wire::RequestHead& head);

  Connection& connection_;
  wire::RequestParser parser_;
  std::unique_ptr<Incoming> incoming_;
  std::unique_ptr<std::deque<Slot>> slots_;  // null when empty: a deque costs 600 bytes
  bool failed_ = false;                      // the framing is lost: what comes is dropped
  uint64_t next_request_ = 1;
  int64_t since_ms_;  // when the connection began to wait for what it waits for
};

}  // namespace tocsin::gateway
