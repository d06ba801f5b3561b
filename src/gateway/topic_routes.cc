// GET and POST /v1/users/{id}/topics and DELETE /v1/users/{id}/topics/{topic} with an API key, and /v1/me/topics with
// the user's own token: which topics a user follows.
#include "gateway/hub.h"
#include "gateway/routes.h"
#include "model/topic.h"
#include "wire/json.h"

namespace tocsin::gateway {
namespace {

using base::Result;
using base::Status;
using logs::TopicFollow;

std::string FollowJson(const TopicFollow& follow) {
  std::string out = "{\"topic\":";
  wire::AppendJsonString(out, follow.topic);
  out.append(",\"by\":\"").append(follow.by == TopicFollow::By::kUser ? "user" : "backend").append("\",\"from\":\"");
  follow.from.AppendTo(out);
  return out + "\"}";
}

// Empty: it was answered what is wrong with the body.
std::string TopicOfBody(Exchange& exchange) {
  auto body = wire::ParseJson(exchange.request.body);
  std::string topic;
  if (!body.ok()) return exchange.respond(ProblemOf(body.status())), topic;
  if (!body->is_object()) {
    return exchange.respond(Problem(400, "bad_request", "expected an object with `topic`")), topic;
  }
  for (wire::MemberReader member(*body); member.Next();) {
    if (member.key() != "topic") {
      exchange.respond(ProblemAt(400, "unknown_field", "there is no such field; `topic` is known", -1, member.key()));
      return {};
    }
    if (member.value().is_string()) topic = wire::Text(member.value());
  }
  if (topic == model::kBroadcast) {
    exchange.respond(ProblemAt(400, "bad_field", "everybody follows `broadcast`", -1, "topic"));
    return {};
  }
  if (model::IsValidTopic(topic)) return topic;
  exchange.respond(ProblemAt(400, "bad_field", model::kTopicRule, -1, "topic"));
  return {};
}

}  // namespace

void GetTopics(Exchange& exchange) {
  const std::string user = UserOf(exchange, "/topics");
  if (user.empty()) return;
  auto found = [respond = exchange.respond](const Result<logs::TopicRecords>& records) {
    if (!records.ok()) return respond(ProblemOf(records.status()));
    std::string out = "{\"topics\":[";
    for (const TopicFollow& follow : records->follows) {
      if (out.back() != '[') out += ",";
      out += FollowJson(follow);
    }
    respond(Json(200, out + "]}\n"));
  };
  exchange.hub.backend().logs.topics().Get(user, {}, found);
}

void FollowTopic(Exchange& exchange) {
  const std::string user = UserOf(exchange, "/topics");
  if (user.empty()) return;
  const std::string topic = TopicOfBody(exchange);
  if (topic.empty()) return;
  const bool own = !exchange.identity.user.empty();
  if (own && !exchange.identity.topics.Name(topic)) {
    return exchange.respond(
        Problem(403, "topic_forbidden", "the token's claim `topics` does not allow the topic `" + topic + "`"));
  }
  logs::LogStore& logs = exchange.hub.backend().logs;
  auto opened = [&logs, user, topic, own, respond = exchange.respond](const Result<logs::LogOpening>& opening) {
    if (!opening.ok()) return respond(ProblemOf(opening.status()));
    TopicFollow follow{.topic = topic, .from = opening->head.last};
    follow.by = own ? TopicFollow::By::kUser : TopicFollow::By::kBackEnd;
    logs.topics().Follow(user, follow, [respond](const Status& followed) {
      if (followed.code() == base::Code::kTooLarge) {
        return respond(Problem(409, "too_many_topics", followed.message()));
      }
      if (!followed.ok()) return respond(ProblemOf(followed));
      HttpResponse good;
      good.status = 204;
      respond(std::move(good));
    });
  };
  logs.Open(model::TopicLog(topic), {}, opened);
}

void UnfollowTopic(Exchange& exchange) {
  const std::string topic = LastPart(exchange.request);
  const std::string user = UserOf(exchange, "/topics/" + topic);
  if (user.empty()) return;
  auto ended = [respond = exchange.respond](const Result<bool>& found) {
    if (!found.ok()) return respond(ProblemOf(found.status()));
    if (!*found) return respond(Problem(404, "not_followed", "the user does not follow that topic"));
    HttpResponse good;
    good.status = 204;
    respond(std::move(good));
  };
  exchange.hub.backend().logs.topics().Unfollow(user, topic, ended);
}

}  // namespace tocsin::gateway
