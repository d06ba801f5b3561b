// GET and DELETE /v1/notifications/{nid}: what became of a notification, and taking it back. Both read the publish from
// its stream, for as long as retention keeps it there, and then each recipient's log.
#include "base/log.h"
#include "base/metrics.h"
#include "gateway/hub.h"
#include "gateway/routes.h"
#include "model/topic.h"
#include "wire/json.h"
#include "wire/notification_fields.h"

namespace tocsin::gateway {
namespace {

using base::Result;
using logs::LogTrace;
using model::EntryId;
using notifier::AcceptedEntry;

base::Counter retracted("tocsin_notifications_ended_total", "Notifications by how they ended", "reason=\"retracted\"");

constexpr size_t kTracesAtOnce = 4;

void AppendMember(std::string& out, std::string_view name, std::string_view value) {
  out.append(out.back() == '{' ? "\"" : ",\"").append(name).append("\":");
  wire::AppendJsonString(out, value);
}

// One question about a notification, on the hub that was asked.
class Inquiry : public std::enable_shared_from_this<Inquiry> {
 public:
  Inquiry(Hub& hub, std::string nid, Responder respond) : hub_(hub), nid_(std::move(nid)), respond_(respond) {}
  virtual ~Inquiry() = default;

  void Start() {
    hub_.backend().publisher.Find(nid_, [self = shared_from_this()](const Result<std::optional<AcceptedEntry>>& found) {
      self->hub_.core().Post([self, found] { self->OnFound(found); });
    });
  }

 protected:
  // The entry is no notification: why.
  virtual void OnDeadLetter(const std::string& reason) = 0;
  // It is not with its recipients yet.
  virtual void OnPending() = 0;
  // It waits for its time.
  virtual void OnScheduled() = 0;
  // It is held back for some recipients. Ends with TraceAll().
  virtual void OnHeld() = 0;
  virtual void OnTrace(size_t recipient, const LogTrace& trace) = 0;
  // All recipients were told of.
  virtual HttpResponse Answer() = 0;

  const std::string& nid() const { return nid_; }
  const AcceptedEntry& entry() const { return entry_; }
  const std::vector<std::string>& users() const { return users_; }
  Hub& hub() { return hub_; }
  void Respond(HttpResponse response) {
    if (!std::exchange(answered_, true)) respond_(std::move(response));
  }
  void TraceAll() {
    Expect();
    for (size_t i = 0; i < kTracesAtOnce; ++i) TraceNext();
    Settle(base::Ok());
  }
  // When that user gets it, if it is held back for them.
  std::optional<int64_t> HeldUntil(const std::string& user) const {
    for (const auto& [name, until_ms] : entry_.held) {
      if (name == user) return until_ms;
    }
    return std::nullopt;
  }
  // One more answer to wait for, and one that has come.
  void Expect() { ++waiting_; }
  void Settle(const base::Status& status) {
    if (!status.ok()) Respond(ProblemOf(status));
    if (--waiting_ == 0) Respond(Answer());
  }

 private:
  void OnFound(const Result<std::optional<AcceptedEntry>>& found) {
    if (!found.ok()) return Respond(ProblemOf(found.status()));
    if (!found->has_value()) {
      return Respond(Problem(404, "no_notification",
                             "there is no notification of that nid, or retention has trimmed it from its stream"));
    }
    entry_ = **found;
    const std::vector<std::pair<std::string_view, std::string_view>> fields(entry_.fields.begin(), entry_.fields.end());
    auto notification = wire::FromEntry(fields, entry_.id.ms);
    if (!notification.ok()) return OnDeadLetter(std::string(notification.status().message()));
    users_ = std::move(notification->users);
    if (entry_.scheduled_ms) return OnScheduled();  // on a Redis a little before it counts as routed
    if (!entry_.routed && !entry_.cancelled) return OnPending();
    entry_.held.empty() ? TraceAll() : OnHeld();
  }

  // A trace may look at a whole log: others' reads come between those of a thousand recipients.
  void TraceNext() {
    if (next_ == users_.size() || answered_) return;
    Expect();
    hub_.backend().logs.Trace(users_[next_], nid_,
                              [self = shared_from_this(), recipient = next_](const Result<LogTrace>& trace) {
                                if (trace.ok()) self->OnTrace(recipient, *trace);
                                self->TraceNext();
                                self->Settle(trace.ok() ? base::Ok() : trace.status());
                              });
    ++next_;
  }

  Hub& hub_;
  const std::string nid_;
  const Responder respond_;
  AcceptedEntry entry_;
  std::vector<std::string> users_;
  size_t next_ = 0;  // the first recipient that was not asked about
  size_t waiting_ = 0;
  bool answered_ = false;
};

class Trail final : public Inquiry {
 public:
  using Inquiry::Inquiry;

 private:
  std::string Head(std::string_view status) const {
    std::string out = "{";
    AppendMember(out, "nid", nid());
    AppendMember(out, "stream", entry().stream);
    out.append(",\"accepted\":").append(std::to_string(entry().id.ms));
    AppendMember(out, "status", status);
    return out;
  }
  void OnDeadLetter(const std::string& reason) override {
    std::string out = Head(entry().routed ? "dead_lettered" : "accepted");
    AppendMember(out, "reason", reason);
    Respond(Json(200, out + "}\n"));
  }
  void OnPending() override { Respond(Json(200, Head("accepted") + "}\n")); }
  void OnScheduled() override {
    Respond(Json(200, Head("scheduled") + ",\"deliver_at\":" + std::to_string(*entry().scheduled_ms) + "}\n"));
  }

  void OnTrace(size_t recipient, const LogTrace& trace) override {
    recipients_.resize(users().size());
    std::string& out = recipients_[recipient];
    out = "{";
    const bool topic = model::IsTopicLog(users()[recipient]);
    if (topic) {
      AppendMember(out, "topic", model::TopicOf(users()[recipient]));
    } else {
      AppendMember(out, "user_id", users()[recipient]);
    }
    if (!trace.id) {
      const auto held_until = HeldUntil(users()[recipient]);
      AppendMember(out, "state", held_until ? "held" : entry().cancelled ? "cancelled" : "gone");
      if (held_until) out.append(",\"deliver_at\":").append(std::to_string(*held_until));
      out.push_back('}');
      return;
    }
    is_delivered_ = true;
    AppendMember(out, "id", trace.id->ToString());
    if (topic) {  // what its followers have done with it is theirs
      out += ",\"state\":\"live\"}";
      return;
    }
    AppendMember(out, "state", logs::ItemStateName(trace.state));
    bool acked = trace.state >= logs::ItemState::kRead;
    std::string devices;
    for (const LogTrace::Device& device : trace.devices) {
      if (device.cursor < *trace.id) continue;
      acked = true;
      devices += devices.empty() ? "{" : ",{";
      AppendMember(devices, "dev", device.name);
      devices.append(",\"heard\":").append(std::to_string(device.heard_ms)).append("}");
    }
    out.append(",\"acked\":").append(acked ? "true" : "false");
    out.append(",\"acked_by\":[").append(devices).append("]}");
  }
  HttpResponse Answer() override {
    const bool is_cancelled = entry().cancelled && !is_delivered_ && entry().held.empty();
    std::string out = Head(is_cancelled ? "cancelled" : "routed") + ",\"recipients\":[";
    for (const std::string& recipient : recipients_) {
      if (out.back() != '[') out += ",";
      out += recipient;
    }
    return Json(200, out + "]}\n");
  }

  void OnHeld() override { TraceAll(); }

  std::vector<std::string> recipients_;
  bool is_delivered_ = false;  // to somebody
};

class Retraction final : public Inquiry {
 public:
  using Inquiry::Inquiry;

 private:
  void OnDeadLetter(const std::string& reason) override {
    Respond(Problem(409, "dead_lettered", "it was delivered to nobody: " + reason));
  }
  void OnPending() override {
    HttpResponse response =
        Problem(503, "not_routed", "the notification is on its way to its recipients; try again in a moment");
    response.headers.emplace_back("Retry-After", "1");
    Respond(std::move(response));
  }
  void OnScheduled() override {
    auto self = std::static_pointer_cast<Retraction>(shared_from_this());
    hub().backend().publisher.CancelScheduled(nid(), [self](const Result<bool>& cancelled) {
      self->hub().core().Post([self, cancelled] {
        if (!cancelled.ok()) return self->Respond(ProblemOf(cancelled.status()));
        if (!*cancelled) return self->OnPending();  // it fires at this moment
        base::Log(base::Level::kInfo, "cancelled", {{"nid", self->nid()}});
        self->Respond(Json(200, "{\"cancelled\":true}\n"));
      });
    });
  }
  void OnHeld() override {
    auto self = std::static_pointer_cast<Retraction>(shared_from_this());
    hub().backend().publisher.CancelScheduled(nid(), [self](const Result<bool>& cancelled) {
      self->hub().core().Post([self, cancelled] {
        if (!cancelled.ok()) return self->Respond(ProblemOf(cancelled.status()));
        if (!*cancelled) return self->OnPending();  // it comes to them at this moment
        self->TraceAll();
      });
    });
  }
  void OnTrace(size_t recipient, const LogTrace& trace) override {
    if (!trace.id) return void(++(HeldUntil(users()[recipient]) ? taken_ : gone_));
    if (trace.state >= logs::ItemState::kRead) return void(++read_);
    logs::MarkRequest request;
    request.user = users()[recipient];
    request.op = model::MarkOp::kDelete;
    request.spare = logs::Spare::kRead;  // it may be read until then
    request.nids = {nid()};
    Expect();
    auto self = std::static_pointer_cast<Retraction>(shared_from_this());
    hub().backend().logs.Mark(std::move(request), [self](const Result<logs::Counts>& counts) {
      if (counts.ok()) ++self->taken_;
      self->Settle(counts.ok() ? base::Ok() : counts.status());
    });
  }
  HttpResponse Answer() override {
    if (taken_ > 0) retracted.Add();
    base::Log(base::Level::kInfo, "retracted", {{"nid", nid()}, {"unread", taken_}, {"read", read_}, {"gone", gone_}});
    return Json(200, "{\"retracted\":" + std::to_string(taken_) + ",\"read\":" + std::to_string(read_) +
                         ",\"gone\":" + std::to_string(gone_) + "}\n");
  }

  size_t taken_ = 0, read_ = 0, gone_ = 0;
};

}  // namespace

void GetNotification(Exchange& exchange) {
  std::make_shared<Trail>(exchange.hub, LastPart(exchange.request), exchange.respond)->Start();
}

void DeleteNotification(Exchange& exchange) {
  std::make_shared<Retraction>(exchange.hub, LastPart(exchange.request), exchange.respond)->Start();
}

}  // namespace tocsin::gateway
