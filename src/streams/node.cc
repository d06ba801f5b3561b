#include "streams/node.h"

#include <array>
#include <charconv>
#include <limits>
#include <vector>

namespace tocsin::streams {
namespace {

// Sizes of listpack elements, from the format's description (redis.io, "listpack specification"): an encoding byte or
// more, the bytes, and the element's length again behind it.
uint64_t WithBacklen(uint64_t size) {
  if (size <= 127) return size + 1;
  if (size < 16383) return size + 2;
  if (size < 2097151) return size + 3;
  if (size < 268435455) return size + 4;
  return size + 5;
}

uint64_t IntegerSize(int64_t value) {
  if (value >= 0 && value <= 127) return 2;
  if (value >= -4096 && value <= 4095) return 3;
  if (value >= std::numeric_limits<int16_t>::min() && value <= std::numeric_limits<int16_t>::max()) return 4;
  if (value >= -8388608 && value <= 8388607) return 5;
  if (value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max()) return 6;
  return 10;
}

// Decimal texts that print back the same are stored as integers.
bool IsInteger(std::string_view text, int64_t& value) {
  if (text.empty() || text.size() > 20) return false;
  const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
  if (digits.empty() || (digits.front() == '0' && text.size() > 1)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

uint64_t ElementSize(std::string_view text) {
  if (int64_t value = 0; IsInteger(text, value)) return IntegerSize(value);
  const uint64_t head = text.size() < 64 ? 1 : text.size() < 4096 ? 2 : 5;
  return WithBacklen(head + text.size());
}

constexpr uint64_t kListpackFrame = 7;  // six bytes of header, one at the end
constexpr uint64_t kMaxListpack = 1u << 30;

}  // namespace

Node MakeNode(EntryId id, FieldSpan fields) {
  Node node{.first = id, .last = id};
  node.bytes = kListpackFrame + IntegerSize(static_cast<int64_t>(fields.size())) + IntegerSize(0);
  for (const auto& [name, value] : fields) node.bytes += ElementSize(name);
  return node;
}

bool IsFull(const Node& node, FieldSpan fields, const NodeLimits& limits) {
  uint64_t max_bytes = limits.max_bytes;
  if (max_bytes == 0 || max_bytes > kMaxListpack) max_bytes = kMaxListpack;
  uint64_t bytes = node.bytes + IntegerSize(node.live) + IntegerSize(node.deleted);
  for (const auto& [name, value] : fields) bytes += name.size() + value.size();
  if (bytes >= max_bytes) return true;
  return limits.max_entries != 0 && uint64_t{node.live} + node.deleted >= limits.max_entries;
}

void AddToNode(Node& node, EntryId id, FieldSpan fields, Names names) {
  const auto pairs = static_cast<int64_t>(fields.size());
  node.bytes += IntegerSize(0) + IntegerSize(static_cast<int64_t>(id.ms - node.first.ms)) +
                IntegerSize(static_cast<int64_t>(id.seq - node.first.seq));
  for (const auto& [name, value] : fields) node.bytes += ElementSize(value);
  if (names == Names::kOwn) {
    node.bytes += IntegerSize(pairs);
    for (const auto& [name, value] : fields) node.bytes += ElementSize(name);
  }
  node.bytes += IntegerSize(names == Names::kSame ? pairs + 3 : 2 * pairs + 4);
  node.last = id;
  ++node.live;
}

uint64_t CountRadixNodes(const std::deque<Node>& nodes) {
  // A radix tree has one leaf per key, one node per branching point, and one for each run of letters without a branch.
  // Branching points are found with the usual stack over the common prefixes of neighbours.
  if (nodes.empty()) return 1;
  constexpr int kKeySize = EntryId::kEncodedSize;
  const auto common = [](const Node& a, const Node& b) {
    const uint64_t ms = a.first.ms ^ b.first.ms, seq = a.first.seq ^ b.first.seq;
    if (ms != 0) return __builtin_clzll(ms) / 8;
    return 8 + (seq == 0 ? 8 : __builtin_clzll(seq) / 8);
  };
  uint64_t total = 0;
  std::vector<int> path;  // depths of the branching points above the current key
  // The run between a branching point (its letter takes one place) and what comes below it.
  const auto edge = [&](int above, int below) {
    const int letters = above < 0 ? below : below - above - 1;
    if (letters > 0) ++total;
  };
  for (size_t i = 0; i < nodes.size(); ++i) {
    const int next = i + 1 < nodes.size() ? common(nodes[i], nodes[i + 1]) : -1;
    int below = kKeySize;
    ++total;  // the leaf
    while (!path.empty() && path.back() > next) {
      edge(path.back(), below);
      below = path.back();
      path.pop_back();
    }
    if (next < 0) {
      edge(-1, below);
    } else if (!path.empty() && path.back() == next) {
      edge(next, below);
    } else {
      edge(next, below);
      path.push_back(next);
      ++total;  // the branching point
    }
  }
  return total;
}

}  // namespace tocsin::streams
