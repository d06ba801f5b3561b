#include "server/welcome.h"

#include "auth/mint.h"
#include "wire/uri.h"

namespace tocsin::server {
namespace {

constexpr int64_t kDemoTokenMs = 30LL * 24 * 3600 * 1000;
constexpr std::string_view kDemoUser = "demo";

std::string Fragment(const Credentials& credentials, const base::Clock& clock) {
  std::string fragment = "#user=";
  fragment += kDemoUser;
  if (!credentials.token_secret.empty()) {
    auth::TokenRequest request;
    request.user = kDemoUser;
    request.issued_ms = clock.NowMs();
    request.ttl_ms = kDemoTokenMs;
    request.user_claim = credentials.token_options.user_claim;
    request.issuer = credentials.token_options.issuer;
    request.audience = credentials.token_options.audience;
    fragment += "&token=";
    wire::AppendPercentEncoded(fragment, auth::MintToken(credentials.token_secret, request));
  }
  if (!credentials.development_key.empty()) {
    fragment += "&key=";
    wire::AppendPercentEncoded(fragment, credentials.development_key);
  }
  return fragment;
}

}  // namespace

std::string WelcomeText(const Config& config, const Address& listening, const Credentials& credentials,
                        const base::Clock& clock) {
  Address reachable = listening;
  if (reachable.host == "0.0.0.0" || reachable.host == "::") reachable.host = "127.0.0.1";
  const std::string url = "http://" + reachable.ToString();
  const std::string key = credentials.development_key.empty() ? "$TOCSIN_API_KEY" : credentials.development_key;
  std::string text = "\nTocsin is running.\n\n  Inbox of the user `demo`; open it in two tabs:\n    ";
  text += url + "/" + Fragment(credentials, clock);
  text += "\n\n  Ring its bell from another terminal:\n    curl -sS " + url +
          "/v1/notifications -H 'x-api-key: " + key +
          "' -H 'content-type: application/json' \\\n      -d '{\"user_id\":\"demo\",\"title\":\"Hello\",\"message\":"
          "\"Your first notification\",\"priority\":\"high\"}'\n";
  text += "\n  Then try\n";
  const std::string data = config.data_dir == "./tocsin-data" ? "" : " --data-dir " + config.data_dir;
  text += "    tocsin tail --user demo" + data + "       the same inbox in a terminal\n";
  text += "    tocsin token --user alice" + data + "     a token for another user\n";
  text += "    tocsin --help\n\n  ";
  text += config.store == "embedded" ? "Data and keys are in " : "Data is in the Redis, keys are in ";
  text += config.data_dir + " (mode 700). Stop with Ctrl-C.\n\n";
  return text;
}

}  // namespace tocsin::server
