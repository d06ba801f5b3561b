// What users' clients call over plain HTTP: the cookie for EventSource, receipts, pulls.
#include <charconv>

#include "gateway/connection.h"
#include "gateway/cursor_text.h"
#include "gateway/origin.h"
#include "gateway/routes.h"
#include "gateway/user_session.h"
#include "model/topic.h"
#include "wire/json.h"

namespace tocsin::gateway {
namespace {

using base::Status;
using model::EntryId;

constexpr int64_t kMaxWaitMs = 60'000;

// A session that lives for one answer: collects the frames of a pull.
class Puller final : public UserSession::Sink, public Hub::Waiter, public std::enable_shared_from_this<Puller> {
 public:
  Puller(Hub& hub, Responder respond) : hub_(hub), respond_(respond) {}

  // On the user's home hub.
  void Start(const auth::Identity& identity, const wire::Hello& hello, int64_t wait_ms) {
    session::SessionOptions options;
    options.sid = UserSession::NewSid();
    options.liveness = session::SessionOptions::Liveness::kNone;
    session_ = std::make_shared<UserSession>(hub_, *this, std::move(options));
    waits_ = wait_ms > 0;
    self_ = shared_from_this();
    session_->session().Begin(identity, hello);
    if (waits_) hub_.Enlist(*this);
    hub_.core().After(std::max<int64_t>(wait_ms, 1), [self = shared_from_this()] {
      self->waits_ = false;
      self->AnswerIfDue();
    });
  }

 private:
  void SendFrame(std::string_view frame, std::optional<EntryId> cur) override {
    const bool first = frames_.empty();
    frames_ += first ? "" : ",";
    frames_ += frame;
    if (cur) cur_ = EpochCursorText(session_->epoch(), session_->session());
    if (first) {
      welcomed_ = true;
      // A client whose cursor was not taken must learn that now.
      for (std::string_view told : {":\"gap\"", ":\"reset\"", ":\"fresh\""}) {
        if (frame.find(told) != std::string_view::npos) waits_ = false;
      }
    } else {
      waits_ = false;
    }
    AnswerSoon();
  }
  void OnRead() override { AnswerSoon(); }
  bool SendCongested() const override { return frames_.size() >= model::kSendWindow; }
  void EndSession(session::CloseCode, std::string_view) override { waits_ = false; }
  void GoHome(Hub& home) override { session_->Arrive(home); }
  void OnDrain() override {
    waits_ = false;
    drained_ = true;
    AnswerIfDue();  // else with the welcome
  }

  void AnswerIfDue() {
    if (!self_ || waits_ || !welcomed_) return;
    // What is on its way belongs to the answer: OnRead() calls again.
    if (session_->session().reading() && !SendCongested() && !drained_) return;
    const std::shared_ptr<Puller> self = std::move(self_);
    hub_.Dismiss(*this);
    std::string body = "{\"cur\":";
    wire::AppendJsonString(body, cur_.empty() ? EpochCursorText(session_->epoch(), EntryId{}) : cur_);
    body.append(",\"frames\":[").append(frames_).append("]}");
    respond_(Json(200, std::move(body)));
    session_.reset();
  }

  // After everything that this turn has for it.
  void AnswerSoon() {
    if (std::exchange(scheduled_, true)) return;
    hub_.core().Post([self = shared_from_this()] {
      self->scheduled_ = false;
      self->AnswerIfDue();
    });
  }

  Hub& hub_;
  Responder respond_;
  std::string frames_;
  std::string cur_;
  bool waits_ = false, scheduled_ = false, welcomed_ = false, drained_ = false;
  std::shared_ptr<UserSession> session_;
  std::shared_ptr<Puller> self_;  // until it has answered
};

// Runs `task` on the user's home hub.
void AtHome(Hub& hub, const std::string& user, std::function<void(Hub&)> task) {
  Hub& home = hub.backend().HomeOf(user);
  if (&home == &hub) return task(home);
  home.core().Post([&home, task = std::move(task)] { task(home); });
}

// Receipts in topics, one after the other, and then the answer.
void AckTopics(Hub& home, const std::string& user, const std::string& device, std::map<std::string, EntryId> cursors,
               const Responder& respond) {
  if (cursors.empty()) {
    HttpResponse response;
    response.status = 204;
    return respond(std::move(response));
  }
  const auto [topic, cursor] = *cursors.begin();
  cursors.erase(cursors.begin());
  auto opened = [&home, user, device, topic, cursor, cursors, respond](const base::Result<logs::LogOpening>& opening) {
    if (!opening.ok()) return respond(ProblemOf(opening.status()));
    home.backend().logs.topics().Ack(user, device, topic, std::min(cursor, opening->head.last), logs::Urgency::kNow,
                                     [&home, user, device, cursors, respond](const Status& status) {
                                       if (!status.ok()) return respond(ProblemOf(status));
                                       AckTopics(home, user, device, cursors, respond);
                                     });
  };
  home.backend().logs.Open(model::TopicLog(topic), {}, opened);
}

}  // namespace

// POST /v1/session: keeps the token of the Authorization header in a cookie, for EventSource, which can send no header.
void PostSession(Exchange& exchange) {
  const std::string_view token = exchange.request.Credential();
  if (token.empty()) {
    return exchange.respond(Problem(401, "no_token", "send the user's token as `Authorization: Bearer ...`"));
  }
  const int64_t left_s = (exchange.identity.expires_ms - exchange.hub.now().wall_ms) / 1000;
  std::string cookie(kSessionCookie);
  cookie.append("=").append(token).append("; Path=/v1; HttpOnly; SameSite=Strict; Max-Age=");
  cookie.append(std::to_string(std::max<int64_t>(left_s, 0)));
  if (exchange.hub.backend().options.public_url.starts_with("https://")) cookie += "; Secure";
  HttpResponse response;
  response.status = 204;
  response.headers.emplace_back("Set-Cookie", std::move(cookie));
  response.headers.emplace_back("Cache-Control", "no-store");
  exchange.respond(std::move(response));
}

// POST /v1/ack {"dev":"...","cur":"<epoch>:<id>"}: answered once the receipt is synced.
void PostAck(Exchange& exchange) {
  auto body = wire::ParseJson(exchange.request.body);
  if (!body.ok()) return exchange.respond(ProblemOf(body.status()));
  if (!body->is_object())
    return exchange.respond(Problem(400, "bad_request", "expected an object with `dev` and `cur`"));
  std::string device, cur;
  for (wire::MemberReader member(*body); member.Next();) {
    std::string* target = member.key() == "dev" ? &device : member.key() == "cur" ? &cur : nullptr;
    if (target == nullptr) {
      return exchange.respond(
          ProblemAt(400, "unknown_field", "there is no such field; `dev` and `cur` are known", -1, member.key()));
    }
    if (!member.value().is_string()) {
      return exchange.respond(ProblemAt(400, "bad_field", "expected a string", -1, member.key()));
    }
    *target = wire::Text(member.value());
  }
  if (!model::IsValidDeviceId(device)) {
    return exchange.respond(ProblemAt(400, "bad_field", "expected 1 to 128 printable ASCII characters", -1, "dev"));
  }
  auto cursor = ParseEpochCursor(cur, "cur");
  if (!cursor.ok()) return exchange.respond(ProblemAt(400, "bad_field", cursor.status().message(), -1, "cur"));
  const std::string& user = exchange.identity.user;
  AtHome(exchange.hub, user, [user, device, cursor = *cursor, respond = exchange.respond](Hub& home) {
    auto store = [&home, user, device, cursor, respond] {
      home.backend().logs.Ack(user, device, cursor.cursor, logs::Urgency::kNow,
                              [&home, user, device, cursor, respond](const Status& status) {
                                if (!status.ok()) return respond(ProblemOf(status));
                                AckTopics(home, user, device, cursor.topics, respond);
                              });
    };
    if (cursor.epoch.empty()) return store();
    home.backend().logs.Open(user, {}, [cursor, store, respond](const base::Result<logs::LogOpening>& opening) {
      if (!opening.ok()) return respond(ProblemOf(opening.status()));
      if (opening->epoch == cursor.epoch) return store();
      respond(ProblemAt(409, "other_epoch", "the cursor is of another log: start over", -1, "cur"));
    });
  });
}

// GET /v1/pull?cur=&dev=&wait=: what follows the cursor, at once or within `wait` seconds.
void Pull(Exchange& exchange) {
  auto hello = HelloFromQuery(exchange.request);
  if (!hello.ok()) return exchange.respond(ProblemOf(hello.status()));
  int64_t wait_ms = 0;
  if (auto wait = exchange.request.query.Find("wait")) {
    int64_t seconds = 0;
    auto [end, error] = std::from_chars(wait->data(), wait->data() + wait->size(), seconds);
    if (error != std::errc() || end != wait->data() + wait->size() || seconds < 0 || seconds * 1000 > kMaxWaitMs) {
      return exchange.respond(Problem(400, "bad_request", "`wait`: expected seconds, 0 to 60"));
    }
    wait_ms = seconds * 1000;
  }
  AtHome(exchange.hub, exchange.identity.user,
         [identity = exchange.identity, hello = *hello, wait_ms, respond = exchange.respond](Hub& home) {
           std::make_shared<Puller>(home, respond)->Start(identity, hello, wait_ms);
         });
}

}  // namespace tocsin::gateway
