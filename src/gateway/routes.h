// The HTTP API as a table: method, path, who may call it, the handler. Handlers stand in a file per theme.
#pragma once

#include <cstddef>
#include <string_view>

#include "auth/api_keys.h"
#include "gateway/http.h"

namespace tocsin::gateway {

enum class Access : uint8_t {
  kOpen,  // anybody
  kKey,   // an API key with the route's scope
  kUser,  // a user's token: Authorization: Bearer, or the session cookie
  kPage,  // a page of ours: the Host must be one of our names (against DNS rebinding)
};

struct Route {
  wire::Method method;
  // One that ends with a slash takes one more part, which the handler reads. `*` stands for anything but nothing.
  std::string_view path;
  Access access;
  auth::Scope scope;  // of kKey
  size_t max_body;    // bytes; 0: none is taken
  void (*handle)(Exchange&);
};

// Null: no such path. `allowed` is set to the methods of the path ("GET, POST") when only the method is wrong.
const Route* FindRoute(wire::Method method, std::string_view path, std::string& allowed);

// What stands behind the last slash of the path: the part that such a route takes.
std::string LastPart(const HttpRequest& request);
// Whom a route under /v1/users/{id} or /v1/me is about. `rest`: what stands behind the user id, which may have slashes
// of its own. Empty: it was answered that the path names no user.
std::string UserOf(Exchange& exchange, std::string_view rest);

// trail.cc
void GetNotification(Exchange& exchange);     // GET /v1/notifications/{nid}
void DeleteNotification(Exchange& exchange);  // DELETE /v1/notifications/{nid}
// schedules.cc
void ListSchedules(Exchange& exchange);   // GET /v1/schedules
void CancelSchedule(Exchange& exchange);  // DELETE /v1/schedules/{nid}
// publish.cc
void Publish(Exchange& exchange);  // POST /v1/notifications
// preferences.cc
void GetPreferences(Exchange& exchange);     // GET /v1/users/{id}/preferences, /v1/me/preferences
void PutPreferences(Exchange& exchange);     // PUT of the same
void DeletePreferences(Exchange& exchange);  // DELETE of the same
// topic_routes.cc
void GetTopics(Exchange& exchange);      // GET /v1/users/{id}/topics, /v1/me/topics
void FollowTopic(Exchange& exchange);    // POST of the same
void UnfollowTopic(Exchange& exchange);  // DELETE /v1/users/{id}/topics/{topic}, /v1/me/topics/{topic}
// inbox_routes.cc
void GetInbox(Exchange& exchange);   // GET /v1/users/{id}/inbox, /v1/me/inbox
void GetUnread(Exchange& exchange);  // GET /v1/users/{id}/unread, /v1/me/unread
void PostMark(Exchange& exchange);   // POST /v1/users/{id}/mark, /v1/me/mark
// user_routes.cc
void PostSession(Exchange& exchange);  // POST /v1/session
void PostAck(Exchange& exchange);      // POST /v1/ack
void Pull(Exchange& exchange);         // GET /v1/pull
// event_peer.cc
void Events(Exchange& exchange);  // GET /v1/events
// ops_routes.cc
void Healthz(Exchange& exchange);
void Readyz(Exchange& exchange);
void Metrics(Exchange& exchange);
// pages.cc
void Page(Exchange& exchange);  // everything else that is GET

}  // namespace tocsin::gateway
