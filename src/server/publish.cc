// tocsin publish: one notification from the flags, or many from standard input, a JSON object a line.
#include <cstdio>
#include <iostream>

#include <unistd.h>

#include "model/limits.h"
#include "server/commands.h"
#include "server/credentials.h"
#include "server/http_client.h"
#include "server/inbox_client.h"
#include "wire/json.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using wire::JsonValue;

constexpr std::string_view kPath = "/v1/notifications";
constexpr size_t kMaxBatchBytes = model::kMaxIngestBody - 1024;

int Fail(std::string_view message, int exit_status) {
  std::fprintf(stderr, "tocsin publish: %.*s\n", static_cast<int>(message.size()), message.data());
  return exit_status;
}

void AppendMember(std::string& json, std::string_view name, const std::string& text) {
  if (text.empty()) return;
  if (json.size() > 1) json += ',';
  wire::AppendJsonString(json, name);
  json += ':';
  wire::AppendJsonString(json, text);
}

Result<std::string> NotificationOf(const PublishOptions& options) {
  if (options.users.empty()) return Status(Code::kInvalidArgument, "--user is missing: whom to tell?");
  std::string json = "{";
  if (options.users.size() == 1) {
    AppendMember(json, "user_id", options.users[0]);
  } else {
    json += "\"user_ids\":[";
    for (const std::string& user : options.users) {
      if (!json.ends_with('[')) json += ',';
      wire::AppendJsonString(json, user);
    }
    json += ']';
  }
  AppendMember(json, "message", options.message);
  AppendMember(json, "title", options.title);
  AppendMember(json, "url", options.url);
  AppendMember(json, "icon", options.icon);
  AppendMember(json, "lang", options.lang);
  AppendMember(json, "priority", options.priority);
  if (!options.data.empty()) {
    Result<JsonValue> data = wire::ParseJson(options.data);
    if (!data.ok()) return Status(Code::kInvalidArgument, "--data: " + std::string(data.status().message()));
    json += ",\"data\":" + std::string(data->raw);
  }
  return json + "}";
}

// "400 Bad Request: `message`: required, ... (notification 2)" from problem+json. `lines_before`: of standard input, in
// earlier requests; -1: it was no line.
std::string Explain(const HttpAnswer& answer, int64_t lines_before) {
  std::string text = std::to_string(answer.status) + " " + std::string(wire::ReasonPhrase(answer.status));
  Result<JsonValue> problem = wire::ParseJson(answer.body);
  if (!problem.ok()) return text;
  auto member = [&problem](std::string_view name) {
    std::optional<JsonValue> value = wire::Find(*problem, name);
    return value && value->is_string() ? Printable(wire::Text(*value)) : std::string();
  };
  if (std::string field = member("field"); !field.empty()) text += ": `" + field + "`";
  if (std::string detail = member("detail"); !detail.empty()) text += ": " + detail;
  std::optional<JsonValue> index = wire::Find(*problem, "index");
  std::optional<int64_t> place = index ? wire::Integer(*index) : std::nullopt;
  if (place && lines_before >= 0) text += " (notification " + std::to_string(lines_before + *place + 1) + ")";
  return text;
}

class Publisher {
 public:
  Publisher(const PublishOptions& options, ServerAddress server, std::string key)
      : options_(options), client_(std::move(server)), key_(std::move(key)) {}

  // Sends one request and prints its answer.
  Status Send(std::string_view type, std::string_view body) {
    std::vector<wire::HttpHeader> headers = {{"Content-Type", type}, {"x-api-key", key_}};
    ++requests_;
    std::string idempotency_key = options_.idempotency_key;
    if (!idempotency_key.empty()) {
      if (requests_ > 1) idempotency_key += "-" + std::to_string(requests_);
      headers.push_back({"Idempotency-Key", idempotency_key});
    }
    Result<HttpAnswer> answer = client_.Post(kPath, headers, body);
    if (!answer.ok()) return answer.status();
    if (answer->status != 202 && answer->status != 200) return Status(Code::kUnavailable, Explain(*answer, lines_));
    if (options_.output == Output::kJson) {
      std::printf("%s\n", answer->body.c_str());
      return base::Ok();
    }
    Result<JsonValue> parsed = wire::ParseJson(answer->body);
    if (!parsed.ok()) return Status(Code::kUnavailable, "the server's answer is not JSON");
    std::optional<JsonValue> published = wire::Find(*parsed, "items");
    for (JsonValue each : published ? wire::Elements(*published) : std::vector<JsonValue>()) {
      std::optional<JsonValue> nid = wire::Find(each, "nid");
      if (nid) std::printf("%s\n", wire::Text(*nid).c_str());
    }
    return base::Ok();
  }

  // Standard input in batches: each is published whole or not at all.
  Status SendLines(std::istream& in, size_t& published) {
    std::string batch;
    size_t lines = 0;
    lines_ = 0;
    for (std::string line; std::getline(in, line);) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (lines > 0 && (lines == model::kMaxNotificationsPerRequest || batch.size() + line.size() > kMaxBatchBytes)) {
        RETURN_IF_ERROR(Send("application/x-ndjson", batch));
        published += lines;
        lines_ += static_cast<int64_t>(lines);
        batch.clear();
        lines = 0;
      }
      batch += line + "\n";
      ++lines;
    }
    if (lines > 0) RETURN_IF_ERROR(Send("application/x-ndjson", batch));
    published += lines;
    return base::Ok();
  }

 private:
  const PublishOptions& options_;
  HttpClient client_;
  const std::string key_;
  size_t requests_ = 0;
  int64_t lines_ = -1;  // of standard input, sent before; -1: not reading it
};

// Visible ASCII: what a header takes.
bool IsHeaderText(std::string_view text) {
  for (char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return true;
}

}  // namespace

std::string ServerUrl(const std::string& given, const Config& config) {
  if (std::string url = GivenOrVariable(given, "TOCSIN_SERVER"); !url.empty()) return url;
  Address address = config.listen;
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return "http://" + address.ToString();
}

int Publish(const PublishOptions& options, const Config& config) {
  bool from_input = options.message.empty();
  if (from_input && (!options.users.empty() || isatty(STDIN_FILENO) == 1)) {
    return Fail("the message is missing: tocsin publish --user ann \"Your parcel is on its way\"", 2);
  }
  std::string notification;
  if (!from_input) {
    Result<std::string> made = NotificationOf(options);
    if (!made.ok()) return Fail(made.status().message(), 2);
    notification = std::move(made).value();
  }
  Result<ServerAddress> server = ServerAddress::Parse(ServerUrl(options.server, config));
  if (!server.ok()) return Fail(server.status().message(), 2);
  std::string key = GivenOrVariable(options.api_key, "TOCSIN_API_KEY");
  if (key.empty()) {
    Result<std::string> stored = StoredApiKey(config);
    if (!stored.ok()) return Fail(stored.status().message(), 1);
    key = std::move(stored).value();
  }
  if (!IsHeaderText(key) || !IsHeaderText(options.idempotency_key)) {
    return Fail("an API key and an idempotency key are visible ASCII characters", 2);
  }
  Publisher publisher(options, std::move(server).value(), std::move(key));
  if (!from_input) {
    Status sent = publisher.Send("application/json", notification);
    return sent.ok() ? 0 : Fail(sent.message(), 1);
  }
  size_t published = 0;
  Status sent = publisher.SendLines(std::cin, published);
  if (sent.ok()) return 0;
  return Fail(std::string(sent.message()) + " (" + std::to_string(published) + " were published before)", 1);
}

}  // namespace tocsin::server
