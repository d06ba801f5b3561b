#include "logs/user_preferences.h"

#include "logs/keys.h"

namespace tocsin::logs {

using base::Result;
using base::Status;
using state::Preferences;
using storage::Family;

Status UserPreferences::Set(std::string_view user, const Preferences& preferences, storage::Batch& batch) {
  RETURN_IF_ERROR(user_logs_.SetPreferred(user, preferences.empty() ? Preferred::kNo : Preferred::kYes));
  if (preferences.empty()) {
    batch.Delete(Family::kHeads, PreferencesKey(user));
    known_.erase(user);
  } else {
    batch.Put(Family::kHeads, PreferencesKey(user), state::RenderPreferences(preferences));
    known_.insert_or_assign(std::string(user), std::make_shared<const Preferences>(preferences));
  }
  return base::Ok();
}

Result<std::shared_ptr<const Preferences>> UserPreferences::Of(std::string_view user) {
  const auto preferred = user_logs_.GetPreferred(user);
  if (!preferred.ok()) return preferred.status();
  if (*preferred == Preferred::kNo) return std::shared_ptr<const Preferences>();
  if (auto known = known_.find(user); known != known_.end()) return known->second;
  auto stored = store_.Get(Family::kHeads, PreferencesKey(user));
  if (!stored.ok()) return stored.status();
  auto decoded = state::DecodePreferences(stored->value_or(""));
  if (!decoded.ok()) return decoded.status();
  auto preferences = std::make_shared<const Preferences>(std::move(*decoded));
  known_.insert_or_assign(std::string(user), preferences);
  return preferences;
}

void UserPreferences::AfterCommit(const Status& status) {
  if (!status.ok() || known_.size() > kMaxInMemory) known_.clear();
}

}  // namespace tocsin::logs
