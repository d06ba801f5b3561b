#include "nodes/entries.h"

namespace tocsin::nodes {

using wire::RespReply;

std::vector<StreamEntry> EntriesOf(const RespReply& list) {
  std::vector<StreamEntry> entries;
  entries.reserve(list.elements.size());
  for (const RespReply& one : list.elements) {
    if (one.elements.size() != 2) continue;  // Redis 6.2 has a nil here for what was deleted
    auto id = model::EntryId::Parse(one.elements[0].text);
    if (!id) continue;
    StreamEntry entry{.id = *id, .fields = {}, .deleted = one.elements[1].type == RespReply::Type::kNull};
    const std::vector<RespReply>& flat = one.elements[1].elements;
    for (size_t i = 0; i + 1 < flat.size(); i += 2) entry.fields.emplace_back(flat[i].text, flat[i + 1].text);
    entries.push_back(std::move(entry));
  }
  return entries;
}

const RespReply* ListOf(const RespReply& reply) {
  if (reply.type == RespReply::Type::kMap) return reply.elements.size() < 2 ? nullptr : &reply.elements[1];
  if (reply.elements.empty() || reply.elements[0].elements.size() != 2) return nullptr;
  return &reply.elements[0].elements[1];
}

}  // namespace tocsin::nodes
