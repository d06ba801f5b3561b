// What users have said about deliveries, on Redis: those parts of RedisLogs.
#include <memory>
#include <utility>

#include "logs/redis_logs.h"
#include "logs/redis_scripts.h"

namespace tocsin::logs {
namespace {

using base::Result;
using base::Status;
using runtime::Core;
using state::Preferences;
using wire::RespReply;

constexpr int64_t kAskedMs = 5'000, kStoredMs = 2'000;

const redis::Script& PreferencesScript() {
  static const redis::Script script(
      std::string(scripts::redis_shared).append(scripts::redis_log).append(scripts::redis_preferences));
  return script;
}

Result<Preferences> Decode(const Result<RespReply>& reply) {
  if (!reply.ok()) return reply.status();
  return state::DecodePreferences(reply->text);
}

}  // namespace

void RedisLogs::GetPreferences(const std::string& user, Then<Preferences> then) {
  Core* home = Core::Current();
  OnStoreCore([this, user, home, then = std::move(then)] {
    FindPreferences(user, [this, home, then](const Result<TaggedPreferences>& found) {
      auto answer = [then, found] { then(found.ok() ? Result<Preferences>(*found->preferences) : found.status()); };
      if (home == nullptr || home == &core_) return answer();
      home->Post(answer);
    });
  });
}

void RedisLogs::FindPreferences(const std::string& user, Then<TaggedPreferences> then) {
  Question question = QuestionFor(PreferencesScript(), user, {UserPreferencesKey(user)}, {});
  question.patience_ms = kAskedMs;
  question.repeatable = true;
  Evaluate(std::move(question), [then = std::move(then)](const Result<RespReply>& reply) {
    auto preferences = Decode(reply);
    if (!preferences.ok()) return then(preferences.status());
    then(TaggedPreferences{PreferencesTag(reply->text), std::make_shared<const Preferences>(std::move(*preferences))});
  });
}

void RedisLogs::SetPreferences(const std::string& user, Preferences preferences,
                               std::function<void(const Status&)> then) {
  Core* home = Core::Current();
  const std::string record = preferences.empty() ? std::string() : state::RenderPreferences(preferences);
  OnStoreCore([this, user, home, record, then = std::move(then)] {
    Question question = QuestionFor(PreferencesScript(), user, {UserPreferencesKey(user)},
                                    {record, std::to_string(PreferencesTag(record))});
    question.patience_ms = kStoredMs;
    Evaluate(std::move(question), [this, home, then](const Result<RespReply>& reply) {
      auto answer = [then, status = reply.ok() ? base::Ok() : reply.status()] { then(status); };
      if (home == nullptr || home == &core_) return answer();
      home->Post(answer);
    });
  });
}

}  // namespace tocsin::logs
