// The newest items of topics, as a Hub holds them for its sessions: what marks look items up in, and counts count.
#include <algorithm>

#include "gateway/hub.h"
#include "model/topic.h"

namespace tocsin::gateway {

using base::Result;
using logs::LiveLog;
using logs::TopicWindow;
using model::EntryId;

struct Hub::WindowReading {
  std::string topic;
  EntryId before = EntryId::Max();
  TopicWindow window;
  std::vector<logs::LogStore::Then<std::shared_ptr<const TopicWindow>>> thens;
};

void Hub::LoadWindow(const std::string& topic, logs::LogStore::Then<std::shared_ptr<const TopicWindow>> then) {
  const LiveLog* log = logs_.Find(model::TopicLog(topic));
  const EntryId last = log != nullptr ? log->last() : EntryId{};
  if (auto known = windows_.find(topic); known != windows_.end()) {
    if (log != nullptr && known->second->last == last) return then(known->second);
    windows_.erase(known);
  }
  auto under_way = window_readings_.find(topic);
  if (under_way != window_readings_.end() && under_way->second->window.last == last) {
    under_way->second->thens.push_back(std::move(then));
    return;
  }
  auto reading = std::make_shared<WindowReading>();
  reading->topic = topic;
  reading->window.last = last;
  reading->thens.push_back(std::move(then));
  window_readings_.insert_or_assign(topic, reading);
  ReadWindow(std::move(reading));
}

// From the newest down, a page at a time.
void Hub::ReadWindow(std::shared_ptr<WindowReading> reading) {
  const size_t missing = logs::kTopicWindow - reading->window.items.size();
  auto read = [this, reading](const Result<logs::ListPage>& page) {
    auto answer = [&](const Result<std::shared_ptr<const TopicWindow>>& window) {
      auto found = window_readings_.find(reading->topic);
      if (found != window_readings_.end() && found->second == reading) window_readings_.erase(found);
      for (const auto& then : std::exchange(reading->thens, {})) then(window);
    };
    if (!page.ok()) return answer(page.status());
    std::vector<logs::TopicItem>& items = reading->window.items;
    for (const logs::LogLine& line : page->lines) {
      items.push_back({line.entry->id, line.entry->nid, line.entry->priority, line.entry->traits.category});
    }
    if (page->before && items.size() < logs::kTopicWindow) {
      reading->before = *page->before;
      return ReadWindow(reading);
    }
    std::reverse(items.begin(), items.end());
    // What was appended while it was read is in it, and in the log's last id too.
    if (!items.empty()) reading->window.last = std::max(reading->window.last, items.back().id);
    auto window = std::make_shared<const TopicWindow>(std::move(reading->window));
    if (logs_.Find(model::TopicLog(reading->topic)) != nullptr) windows_.insert_or_assign(reading->topic, window);
    answer(window);
  };
  backend_.logs.List(model::TopicLog(reading->topic), reading->before, missing, logs::ListFilter::kAll, read);
}

}  // namespace tocsin::gateway
