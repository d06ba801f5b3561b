#include "redis/greeting.h"

namespace tocsin::redis {
namespace {

using Type = wire::RespReply::Type;

// The value of `field:value` in the text of INFO; empty where there is none.
std::string_view InfoField(std::string_view text, std::string_view field) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find("\r\n", at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.size() > field.size() && line.starts_with(field) && line[field.size()] == ':') {
      return line.substr(field.size() + 1);
    }
    at = end + 2;
  }
  return {};
}

}  // namespace

Greeting::Greeting(const Login& login, std::string address) : login_(login), address_(std::move(address)) {
  Arguments hello = {"HELLO", "3"};
  if (!login_.password.empty()) {
    hello.insert(hello.end(), {"AUTH", login_.user.empty() ? "default" : login_.user, login_.password});
  }
  hello.insert(hello.end(), {"SETNAME", login_.name});
  commands_.push_back(std::move(hello));
  expected_.push_back(Stage::kHello);
}

Greeting::Step Greeting::Fail(std::string message) {
  failure_ = base::Status(base::Code::kUnavailable, std::move(message));
  return Step::kFailed;
}

Greeting::Step Greeting::Explain(const wire::RespReply& reply, std::string_view command) {
  const std::string user = login_.user.empty() ? "default" : login_.user;
  const std::string said = " (" + reply.text.substr(0, 200) + ")";
  if (reply.text.starts_with("WRONGPASS") || reply.text.starts_with("ERR invalid password")) {
    return Fail(address_ + " refuses user `" + user + "` with this password: check both in the address" + said);
  }
  if (reply.text.starts_with("NOAUTH")) {
    return Fail(address_ + " wants a password: write `:password@` or `user:password@` before the host" + said);
  }
  if (reply.text.starts_with("NOPERM")) {
    return Fail(address_ + ": user `" + user + "` may not run " + std::string(command) + ": allow it with ACL SETUSER" +
                said);
  }
  if (reply.text.find("without any password configured") != std::string::npos ||
      reply.text.find("no password is set") != std::string::npos) {
    return Fail(address_ + " has no password: leave it out of the address" + said);
  }
  return Fail(address_ + " refuses " + std::string(command) + said);
}

Greeting::Step Greeting::LookAround() {
  if (login_.role == Login::Role::kSentinel) return Step::kDone;
  if (login_.database != 0) {
    commands_.push_back({"SELECT", std::to_string(login_.database)});
    expected_.push_back(Stage::kSelect);
  }
  commands_.push_back({"INFO"});
  expected_.push_back(Stage::kInfo);
  return Step::kGoOn;
}

Greeting::Step Greeting::OnHello(const wire::RespReply& reply) {
  if (!reply.is_error()) return LookAround();
  const bool refused = reply.text.starts_with("NOPROTO") || reply.text.find("unknown command") != std::string::npos;
  if (!refused) return Explain(reply, "HELLO");
  if (!login_.password.empty()) {
    Arguments auth = {"AUTH"};
    if (!login_.user.empty()) auth.push_back(login_.user);
    auth.push_back(login_.password);
    commands_.push_back(std::move(auth));
    expected_.push_back(Stage::kAuth);
  }
  commands_.push_back({"CLIENT", "SETNAME", login_.name});
  expected_.push_back(Stage::kName);
  return Step::kGoOn;
}

Greeting::Step Greeting::OnReply(const wire::RespReply& reply) {
  commands_.clear();
  if (expected_.empty()) return Fail(address_ + " answers more than it was asked");
  const Stage stage = expected_.front();
  expected_.erase(expected_.begin());
  switch (stage) {
    case Stage::kHello:
      return OnHello(reply);
    case Stage::kAuth:
      return reply.is_error() ? Explain(reply, "AUTH") : Step::kGoOn;
    case Stage::kName:  // a name is nice to have
      return LookAround();
    case Stage::kSelect:
      return reply.is_error() ? Explain(reply, "SELECT") : Step::kGoOn;
    case Stage::kInfo:
      break;
  }
  if (reply.is_error()) return Explain(reply, "INFO");
  if (reply.type != Type::kBulk && reply.type != Type::kVerbatim) return Fail(address_ + " does not answer as Redis");
  return OnInfo(reply.text);
}

Greeting::Step Greeting::OnInfo(std::string_view text) {
  identity_.run_id = InfoField(text, "run_id");
  identity_.version = InfoField(text, "redis_version");
  if (identity_.run_id.empty()) return Fail(address_ + " does not answer as Redis: INFO names no run_id");
  if (InfoField(text, "redis_mode") == "sentinel" || InfoField(text, "server_mode") == "sentinel") {
    return Fail(address_ + " is a Sentinel: write redis-sentinel://" + address_ + "/<name of the primary>");
  }
  if (InfoField(text, "loading") == "1") {
    commands_.push_back({"INFO"});
    expected_.push_back(Stage::kInfo);
    return Step::kWait;
  }
  if (login_.role == Login::Role::kAny) return Step::kDone;
  const bool clustered = InfoField(text, "cluster_enabled") == "1";
  if (login_.role == Login::Role::kPrimary && clustered) {
    return Fail(address_ + " is a node of a Cluster: write redis-cluster://" + address_);
  }
  if (InfoField(text, "role") != "master") {
    return Fail(address_ + " is a replica of " + std::string(InfoField(text, "master_host")) + ":" +
                std::string(InfoField(text, "master_port")) + ", not a primary");
  }
  return Step::kDone;
}

}  // namespace tocsin::redis
