#include "logs/redis_topics.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "logs/redis_element.h"
#include "logs/redis_replies.h"
#include "logs/redis_scripts.h"
#include "logs/user_topics.h"
#include "model/bytes.h"
#include "model/limits.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using runtime::Core;
using wire::RespReply;

struct TopicScripts {
  static redis::Script Of(std::string_view source) {
    return redis::Script(std::string(scripts::redis_shared).append(scripts::redis_log).append(source));
  }
  const redis::Script get = Of(scripts::redis_topics), follow = Of(scripts::redis_follow),
                      states = Of(scripts::redis_topic_states), mark = Of(scripts::redis_mark_topic);
};

const TopicScripts& Scripts() {
  static const TopicScripts scripts;
  return scripts;
}

Result<TopicRecords> Decode(const RespReply& reply) {
  const auto damaged = [] { return Status(Code::kCorruption, "the topics of a user on Redis cannot be read"); };
  if (reply.elements.size() != 2) return damaged();
  TopicRecords records;
  const std::vector<RespReply>& follows = reply.elements[0].elements;
  for (size_t i = 0; i + 1 < follows.size(); i += 2) {
    const std::string& record = follows[i + 1].text;
    if (record.size() != 1 + kShortIdBytes || record[0] > 1) return damaged();
    records.follows.push_back(
        {follows[i].text, DecodeShortId(std::string_view(record).substr(1)), static_cast<TopicFollow::By>(record[0])});
  }
  std::sort(records.follows.begin(), records.follows.end(),
            [](const TopicFollow& a, const TopicFollow& b) { return a.topic < b.topic; });
  const std::vector<RespReply>& cursors = reply.elements[1].elements;
  for (size_t i = 0; i + 1 < cursors.size(); i += 2) {
    if (cursors[i + 1].text.size() != kShortIdBytes) return damaged();
    records.cursors.emplace(cursors[i].text, DecodeShortId(cursors[i + 1].text));
  }
  return records;
}

Result<TopicStates> DecodeStates(const RespReply& reply) {
  TopicStates found;
  if (reply.elements.size() != 2 || reply.elements[0].text.size() != kShortIdBytes) {
    return Status(Code::kCorruption, "the states of a topic's items on Redis cannot be read");
  }
  found.as_of = DecodeShortId(reply.elements[0].text);
  const std::vector<RespReply>& states = reply.elements[1].elements;
  for (size_t i = 0; i + 1 < states.size(); i += 2) {
    if (states[i].text.size() != kShortIdBytes || states[i + 1].text.size() != 1) continue;
    found.states.emplace(DecodeShortId(states[i].text), static_cast<TopicItemState>(states[i + 1].text[0]));
  }
  return found;
}

// ms(6) number(2)
std::string ShortId(EntryId id) {
  std::string bytes;
  model::PutBig64(bytes, std::min(id.ms, kMaxLogMs) << 16 | std::min<uint64_t>(id.seq, kMaxLogSeq));
  return bytes;
}

Result<int64_t> Number(const RespReply& reply) { return reply.integer; }

}  // namespace

// Asks on the store Core, and answers on the Core that asked.
template <typename Answer>
void RedisTopics::Ask(RedisLogs::Question question, std::function<Result<Answer>(const RespReply&)> decode,
                      Then<Answer> then) {
  Core* home = Core::Current();
  logs_.OnStoreCore([this, home, decode, question = std::make_shared<RedisLogs::Question>(std::move(question)),
                     then = std::move(then)] {
    logs_.Evaluate(std::move(*question), [this, home, decode, then](Result<RespReply> reply) {
      auto answer = [then, answer = reply.ok() ? decode(*reply) : Result<Answer>(reply.status())] { then(answer); };
      if (home == nullptr || home == &logs_.core_) return answer();
      home->Post(std::move(answer));
    });
  });
}

void RedisTopics::Get(const std::string& user, const std::string& device, Then<TopicRecords> then) {
  RedisLogs::Question question = logs_.QuestionFor(Scripts().get, user, {FollowsKey(user), CursorsKey(user)}, {device});
  question.patience_ms = RedisLogs::kOpenPatienceMs;
  question.repeatable = true;
  Ask<TopicRecords>(std::move(question), &Decode, std::move(then));
}

void RedisTopics::Follow(const std::string& user, TopicFollow follow, Done then) {
  std::string from = ShortId(follow.from);
  RedisLogs::Question question = logs_.QuestionFor(
      Scripts().follow, user, {FollowsKey(user)},
      {follow.topic, std::to_string(static_cast<int>(follow.by)), from, std::to_string(model::kMaxFollows)});
  question.repeatable = true;
  Ask<int64_t>(std::move(question), &Number, [then = std::move(then)](const Result<int64_t>& made) {
    if (!made.ok()) return then(made.status());
    then(*made < 0 ? TooManyFollows() : base::Ok());
  });
}

void RedisTopics::Unfollow(const std::string& user, const std::string& topic, Then<bool> then) {
  RedisLogs::Question question = logs_.QuestionFor(Scripts().follow, user, {FollowsKey(user)}, {topic, ""});
  Ask<int64_t>(std::move(question), &Number, [then = std::move(then)](const Result<int64_t>& ended) {
    then(ended.ok() ? Result<bool>(*ended > 0) : Result<bool>(ended.status()));
  });
}

void RedisTopics::States(const std::string& user, const std::string& topic, Then<TopicStates> then) {
  RedisLogs::Question question = logs_.QuestionFor(Scripts().states, user, {TopicStatesKey(user, topic)}, {});
  question.patience_ms = RedisLogs::kOpenPatienceMs;
  question.repeatable = true;
  Ask<TopicStates>(std::move(question), &DecodeStates, std::move(then));
}

void RedisTopics::Mark(TopicMark mark, Then<Counts> then) {
  std::vector<std::string> arguments = {std::to_string(static_cast<int>(mark.op)),
                                        mark.device,
                                        std::to_string(logs_.NowMs()),
                                        std::to_string(logs_.options_.max_entries),
                                        mark.mid,
                                        mark.topic,
                                        mark.upto ? std::to_string(std::min(mark.upto->ms, kMaxLogMs)) : "",
                                        mark.upto ? std::to_string(std::min(mark.upto->seq, kMaxLogSeq)) : "",
                                        ShortId(mark.oldest)};
  for (const TopicItem& item : mark.items) {
    std::string& argument = arguments.emplace_back(ShortId(item.id));
    argument.push_back(static_cast<char>(item.priority));
    argument.push_back(item.id > mark.counted_from ? 1 : 0);
    argument.push_back(static_cast<char>(item.category.size()));
    argument.append(item.category).append(item.nid);
  }
  const std::string& user = mark.user;
  RedisLogs::Question question =
      logs_.QuestionFor(Scripts().mark, user,
                        {WatchersKey(user), MarkIdsKey(user), TopicStatesKey(user, mark.topic), CollapseKeysKey(user)},
                        std::move(arguments));
  auto told = [this, user](const RespReply& reply) -> Result<Counts> {
    auto marked = DecodeMark(reply);
    if (!marked.ok()) return marked.status();
    if (!marked->update.entries.empty()) {
      marked->update.user = user;
      logs_.TellChange(std::move(marked->update), std::move(marked->watchers));
    }
    return marked->counts;
  };
  Ask<Counts>(std::move(question), std::move(told), std::move(then));
}

void RedisTopics::Ack(const std::string& user, const std::string& device, const std::string& topic, EntryId cursor,
                      Urgency urgency, Done then) {
  logs_.AckIn(user, device, topic, cursor, urgency, std::move(then));
}

}  // namespace tocsin::logs
