#include "gateway/routes.h"

#include <array>

#include "model/limits.h"
#include "model/notification.h"

namespace tocsin::gateway {
namespace {

using auth::Scope;
using wire::Method;

constexpr size_t kSmallBody = 64 << 10;

constexpr std::array kRoutes = {
    Route{Method::kPost, "/v1/notifications", Access::kKey, Scope::kPublish, SIZE_MAX, &Publish},
    Route{Method::kGet, "/v1/notifications/", Access::kKey, Scope::kRead, 0, &GetNotification},
    Route{Method::kDelete, "/v1/notifications/", Access::kKey, Scope::kPublish, 0, &DeleteNotification},
    Route{Method::kGet, "/v1/schedules", Access::kKey, Scope::kRead, 0, &ListSchedules},
    Route{Method::kDelete, "/v1/schedules/", Access::kKey, Scope::kPublish, 0, &CancelSchedule},
    Route{Method::kGet, "/v1/users/*/preferences", Access::kKey, Scope::kRead, 0, &GetPreferences},
    Route{Method::kPut, "/v1/users/*/preferences", Access::kKey, Scope::kPublish, kSmallBody, &PutPreferences},
    Route{Method::kDelete, "/v1/users/*/preferences", Access::kKey, Scope::kPublish, 0, &DeletePreferences},
    Route{Method::kGet, "/v1/me/preferences", Access::kUser, Scope::kRead, 0, &GetPreferences},
    Route{Method::kPut, "/v1/me/preferences", Access::kUser, Scope::kRead, kSmallBody, &PutPreferences},
    Route{Method::kDelete, "/v1/me/preferences", Access::kUser, Scope::kRead, 0, &DeletePreferences},
    Route{Method::kGet, "/v1/users/*/topics", Access::kKey, Scope::kRead, 0, &GetTopics},
    Route{Method::kPost, "/v1/users/*/topics", Access::kKey, Scope::kPublish, kSmallBody, &FollowTopic},
    Route{Method::kDelete, "/v1/users/*/topics/", Access::kKey, Scope::kPublish, 0, &UnfollowTopic},
    Route{Method::kGet, "/v1/me/topics", Access::kUser, Scope::kRead, 0, &GetTopics},
    Route{Method::kPost, "/v1/me/topics", Access::kUser, Scope::kRead, kSmallBody, &FollowTopic},
    Route{Method::kDelete, "/v1/me/topics/", Access::kUser, Scope::kRead, 0, &UnfollowTopic},
    Route{Method::kGet, "/v1/users/*/inbox", Access::kKey, Scope::kRead, 0, &GetInbox},
    Route{Method::kGet, "/v1/users/*/unread", Access::kKey, Scope::kRead, 0, &GetUnread},
    Route{Method::kPost, "/v1/users/*/mark", Access::kKey, Scope::kPublish, kSmallBody, &PostMark},
    Route{Method::kGet, "/v1/me/inbox", Access::kUser, Scope::kRead, 0, &GetInbox},
    Route{Method::kGet, "/v1/me/unread", Access::kUser, Scope::kRead, 0, &GetUnread},
    Route{Method::kPost, "/v1/me/mark", Access::kUser, Scope::kRead, kSmallBody, &PostMark},
    Route{Method::kGet, "/v1/events", Access::kUser, Scope::kRead, 0, &Events},
    Route{Method::kGet, "/v1/pull", Access::kUser, Scope::kRead, 0, &Pull},
    Route{Method::kPost, "/v1/ack", Access::kUser, Scope::kRead, kSmallBody, &PostAck},
    Route{Method::kPost, "/v1/session", Access::kUser, Scope::kRead, kSmallBody, &PostSession},
    Route{Method::kGet, "/healthz", Access::kOpen, Scope::kRead, 0, &Healthz},
    Route{Method::kGet, "/readyz", Access::kOpen, Scope::kRead, 0, &Readyz},
    Route{Method::kGet, "/metrics", Access::kOpen, Scope::kRead, 0, &Metrics},
};
constexpr Route kPages = {Method::kGet, "", Access::kPage, Scope::kRead, 0, &Page};

bool IsOf(std::string_view route, std::string_view path) {
  const bool takes_part = route.size() > 1 && route.ends_with('/');
  if (takes_part && route.find('*') != std::string_view::npos) {
    if (path.ends_with('/')) return false;
    path = path.substr(0, path.rfind('/') + 1);  // the handler reads what is left out
  }
  if (const size_t star = route.find('*'); star != std::string_view::npos) {
    return path.size() >= route.size() && path.starts_with(route.substr(0, star)) &&
           path.ends_with(route.substr(star + 1));
  }
  if (!route.ends_with('/') || route.size() == 1) return route == path;
  return path.size() > route.size() && path.starts_with(route) &&
         path.find('/', route.size()) == std::string_view::npos;
}

}  // namespace

std::string LastPart(const HttpRequest& request) { return request.path.substr(request.path.rfind('/') + 1); }

std::string UserOf(Exchange& exchange, std::string_view rest) {
  if (!exchange.identity.user.empty()) return exchange.identity.user;
  constexpr size_t kBefore = std::string_view("/v1/users/").size();
  const std::string& path = exchange.request.path;
  std::string user = path.substr(kBefore, path.size() - kBefore - rest.size());
  if (model::IsValidUserId(user)) return user;
  exchange.respond(Problem(400, "bad_request", "the user id in the path: expected 1 to 256 bytes of UTF-8"));
  return {};
}

const Route* FindRoute(Method method, std::string_view path, std::string& allowed) {
  const Method wanted = method == Method::kHead ? Method::kGet : method;
  for (const Route& route : kRoutes) {
    if (!IsOf(route.path, path)) continue;
    if (route.method == wanted) return &route;
    if (!allowed.empty()) allowed += ", ";
    allowed += wire::MethodName(route.method);
  }
  if (!allowed.empty()) return nullptr;
  if (wanted == Method::kGet && !path.starts_with("/v1/")) return &kPages;
  return nullptr;
}

}  // namespace tocsin::gateway
