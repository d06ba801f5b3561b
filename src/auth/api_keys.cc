#include "auth/api_keys.h"

#include <array>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "base/log.h"

namespace tocsin::auth {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::array<Scope, 4> kScopes = {Scope::kPublish, Scope::kRead, Scope::kConsume, Scope::kAdmin};
constexpr size_t kMaxKeyListFile = 256 << 10;
constexpr size_t kMaxName = 64;
constexpr size_t kShortSecret = 16;  // below it a key can be guessed: said in the log, not refused

std::string_view Trim(std::string_view text) {
  size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::optional<Scope> ParseScope(std::string_view name) {
  for (Scope scope : kScopes) {
    if (ScopeName(scope) == name) return scope;
  }
  return std::nullopt;
}

bool IsPlainName(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
         std::string_view::npos;
}

// Visible ASCII without the separators of the list: what also passes through a header and a shell.
bool IsPlainSecret(std::string_view secret) {
  if (secret.empty() || secret.size() > kMaxApiSecret) return false;
  for (char c : secret) {
    if (c <= ' ' || c > '~' || c == ',' || c == ':') return false;
  }
  return true;
}

Result<std::string> ReadList(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Status(Code::kInvalidArgument, "api_keys: file " + file + " cannot be opened");
  std::string text(kMaxKeyListFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return Status(Code::kInvalidArgument, "api_keys: file " + file + " cannot be read");
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kMaxKeyListFile) {
    return Status(Code::kInvalidArgument, "api_keys: file " + file + " is larger than 256 KiB");
  }
  return text;
}

}  // namespace

std::string_view ScopeName(Scope scope) {
  switch (scope) {
    case Scope::kPublish:
      return "publish";
    case Scope::kRead:
      return "read";
    case Scope::kConsume:
      return "consume";
    case Scope::kAdmin:
      return "admin";
  }
  return "";
}

std::string Scopes::ToString() const {
  std::string text;
  for (Scope scope : kScopes) {
    if (!Has(scope)) continue;
    if (!text.empty()) text += '+';
    text += ScopeName(scope);
  }
  return text;
}

Result<ApiKeys> ApiKeys::Parse(std::string_view setting) {
  setting = Trim(setting);
  std::string list;
  char separator = ',';
  if (setting.starts_with('@')) {
    Result<std::string> text = ReadList(std::string(setting.substr(1)));
    if (!text.ok()) return text.status();
    list = std::move(text).value();
    separator = '\n';
  } else {
    list = setting;
  }
  ApiKeys keys;
  size_t place = 0;
  for (size_t start = 0; start <= list.size();) {
    size_t end = std::min(list.find(separator, start), list.size());
    std::string_view entry = Trim(std::string_view(list).substr(start, end - start));
    start = end + 1;
    ++place;
    if (entry.empty() || (separator == '\n' && entry.starts_with('#'))) continue;
    RETURN_IF_ERROR(keys.Add(entry, place));
  }
  if (keys.keys_.empty()) return Status(Code::kInvalidArgument, "api_keys: it holds no key");
  return keys;
}

Status ApiKeys::Add(std::string_view entry, size_t place) {
  std::string which = "api_keys: key " + std::to_string(place);
  auto refuse = [&which](std::string_view why) {
    return Status(Code::kInvalidArgument, which + ": " + std::string(why));
  };
  ApiKey key{std::string(kDefaultKeyName), Scopes::All()};
  std::string_view secret = entry;
  if (size_t colon = entry.find(':'); colon != std::string_view::npos) {
    std::string_view name = entry.substr(0, colon);
    if (!IsPlainName(name)) return refuse("a name is 1 to 64 letters, digits, `-`, `_` and `.`");
    which += " (" + std::string(name) + ")";
    key.name = name;
    secret = entry.substr(colon + 1);
    if (size_t second = secret.find(':'); second != std::string_view::npos) {
      std::string_view scopes = secret.substr(second + 1);
      secret = secret.substr(0, second);
      key.scopes = Scopes();
      for (size_t start = 0; start <= scopes.size();) {
        size_t end = std::min(scopes.find('+', start), scopes.size());
        std::optional<Scope> scope = ParseScope(scopes.substr(start, end - start));
        if (!scope) return refuse("scopes are publish, read, consume and admin, joined by `+`");
        key.scopes = key.scopes | *scope;
        start = end + 1;
      }
    }
  }
  if (!IsPlainSecret(secret)) {
    return refuse("a secret is 1 to 256 visible ASCII characters without `,` and `:`");
  }
  if (keys_.size() >= kMaxApiKeys) return refuse("at most 256 keys are taken");
  Sha256Digest digest = Sha256(secret);
  size_t namesakes = 0;
  for (const Entry& other : keys_) {
    if (other.secret == digest) return refuse("its secret is also that of `" + other.key.name + "`");
    if (other.key.name == key.name) ++namesakes;
  }
  if (namesakes >= kMaxKeysPerName) return refuse("a name has at most two live keys (old and new); take another name");
  if (secret.size() < kShortSecret) base::Log(base::Level::kWarn, "api_key_short", {{"name", key.name}});
  keys_.push_back(Entry{digest, std::move(key)});
  return base::Ok();
}

const ApiKeys::Entry* ApiKeys::Find(std::string_view secret) const {
  if (secret.size() > kMaxApiSecret) return nullptr;  // no key is so long, and hashing it would be work for nothing
  Sha256Digest digest = Sha256(secret);
  const Entry* found = nullptr;
  for (const Entry& entry : keys_) {
    if (EqualInConstantTime(AsBytes(entry.secret), AsBytes(digest))) found = &entry;
  }
  return found;
}

Result<ApiKey> ApiKeys::Check(std::string_view secret) const {
  const Entry* entry = Find(secret);
  if (entry == nullptr) return Status(Code::kUnauthenticated, "the API key is not known here");
  return entry->key;
}

Result<ApiKey> ApiKeys::CheckNamed(std::string_view name, std::string_view secret) const {
  const Entry* entry = Find(secret);
  if (entry == nullptr || (name != kDefaultKeyName && name != entry->key.name)) {
    return Status(Code::kUnauthenticated, "the API key is not known here, or not under that name");
  }
  return entry->key;
}

}  // namespace tocsin::auth
