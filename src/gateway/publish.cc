// POST /v1/notifications: validated on the Core, appended by the commit thread, answered after the fsync.
#include "wire/publish.h"

#include "base/metrics.h"
#include "gateway/connection.h"
#include "gateway/routes.h"
#include "notifier/router.h"
#include "wire/json.h"
#include "wire/notification_fields.h"

namespace tocsin::gateway {
namespace {

using base::Status;
using model::EntryId;

base::Counter accepted("tocsin_notifications_accepted_total", "Notifications accepted over HTTP");

class PublishChange final : public storage::Change {
 public:
  PublishChange(const Backend& backend, std::vector<model::StreamFields> entries, Responder respond)
      : backend_(backend), entries_(std::move(entries)), respond_(respond) {
    for (const auto& entry : entries_) {
      for (const auto& [name, value] : entry) bytes_ += name.size() + value.size() + 64;
    }
  }

  void Stage(storage::Batch&) override {
    std::vector<streams::FieldView> fields;
    for (const model::StreamFields& entry : entries_) {
      fields.assign(entry.begin(), entry.end());
      auto id = backend_.streams.Append(backend_.options.ingest_stream, fields);
      if (!id.ok()) {
        failure_ = id.status();
        return;  // the commit thread fails the whole turn only for the store's sake; see Done
      }
      nids_.push_back(notifier::NidOf(backend_.options.ingest_stream, **id));
    }
  }

  void Done(const Status& status) override {
    if (!status.ok()) return respond_(ProblemOf(status));
    if (!failure_.ok()) return respond_(ProblemOf(failure_));
    accepted.Add(static_cast<int64_t>(nids_.size()));
    std::string body = "{\"items\":[";
    for (const std::string& nid : nids_) {
      body += body.back() == '[' ? "{\"nid\":" : ",{\"nid\":";
      wire::AppendJsonString(body, nid);
      body.push_back('}');
    }
    body += "],\"durability\":";
    wire::AppendJsonString(body, backend_.options.durability);
    body += "}\n";
    respond_(Json(202, std::move(body)));
  }

  size_t bytes() const override { return bytes_; }

 private:
  const Backend& backend_;
  const std::vector<model::StreamFields> entries_;
  const Responder respond_;
  size_t bytes_ = 0;
  std::vector<std::string> nids_;
  Status failure_;
};

}  // namespace

void Publish(Exchange& exchange) {
  const HttpRequest& request = exchange.request;
  auto type = wire::ParsePublishType(request.content_type);
  if (!type) {
    return exchange.respond(Problem(415, "content_type", "send application/json or application/x-ndjson"));
  }
  if (!request.idempotency_key.empty()) {
    return exchange.respond(Problem(400, "not_supported", "Idempotency-Key is not supported yet: send without it"));
  }
  std::vector<model::Notification> notifications;
  if (auto error = wire::ParsePublish(*type, request.body, notifications)) {
    return exchange.respond(ProblemAt(400, "bad_field", error->message, error->index, error->field));
  }
  if (request.query.Find("dry_run") == "1") {
    return exchange.respond(Json(200, "{\"valid\":" + std::to_string(notifications.size()) + "}\n"));
  }
  const Backend& backend = exchange.hub.backend();
  std::vector<model::StreamFields> entries;
  entries.reserve(notifications.size());
  for (const model::Notification& notification : notifications) entries.push_back(wire::ToFields(notification));
  Status submitted =
      backend.committer.Submit(std::make_unique<PublishChange>(backend, std::move(entries), exchange.respond));
  if (!submitted.ok()) exchange.respond(ProblemOf(submitted));
}

}  // namespace tocsin::gateway
