#include "notifier/rendered_item.h"

#include "wire/json.h"

namespace tocsin::notifier {
namespace {

void Member(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out.append(",\"").append(name).append("\":");
  wire::AppendJsonString(out, value);
}

void Actions(std::string& out, const std::vector<model::Action>& actions) {
  if (actions.empty()) return;
  out += ",\"actions\":[";
  for (size_t i = 0; i < actions.size(); ++i) {
    out += i == 0 ? "{\"id\":" : ",{\"id\":";
    wire::AppendJsonString(out, actions[i].id);
    Member(out, "title", actions[i].title);
    Member(out, "url", actions[i].url);
    out.push_back('}');
  }
  out.push_back(']');
}

}  // namespace

std::string RenderItem(std::string_view nid, uint64_t ts_ms, const model::Notification& notification) {
  std::string out;
  out.reserve(128 + notification.title.size() + notification.message.size() + notification.data.size());
  out += "\"nid\":";
  wire::AppendJsonString(out, nid);
  out += ",\"ts\":";
  wire::AppendJsonNumber(out, ts_ms);
  out.append(",\"prio\":\"").append(model::PriorityName(notification.priority)).append("\"");
  Member(out, "title", notification.title);
  Member(out, "body", notification.message);
  Member(out, "url", notification.url);
  Member(out, "icon", notification.icon);
  Actions(out, notification.actions);
  if (!notification.data.empty()) out.append(",\"data\":").append(notification.data);
  Member(out, "lang", notification.lang);
  Member(out, "category", notification.category);
  if (notification.expires_at_ms) {
    out += ",\"exp\":";
    wire::AppendJsonNumber(out, *notification.expires_at_ms);
  }
  return out;
}

logs::ItemTraits TraitsOf(const model::Notification& notification) {
  logs::ItemTraits traits;
  traits.category = notification.category;
  traits.collapse_key = notification.collapse_key;
  traits.expires_ms = notification.expires_at_ms.value_or(0);
  return traits;
}

}  // namespace tocsin::notifier
