// Figures asked from a redis-server 7.0.15: XINFO STREAM's radix-tree-keys and -nodes after the same XADDs. Random
// streams are compared in tests/differential.
#include "streams/node.h"

#include <gtest/gtest.h>

namespace tocsin::streams {
namespace {

TEST(NodeTest, FullByEntriesDeletedOnesIncluded) {
  const FieldView fields[] = {{"f", "v"}};
  Node node = MakeNode({1, 0}, fields);
  for (uint64_t i = 1; i <= 100; ++i) {
    EXPECT_FALSE(IsFull(node, fields, {}));
    AddToNode(node, {i, 0}, fields, Names::kSame);
  }
  EXPECT_TRUE(IsFull(node, fields, {}));
  node.live = 1;
  node.deleted = 99;
  EXPECT_TRUE(IsFull(node, fields, {}));
  EXPECT_FALSE(IsFull(node, fields, {.max_entries = 0}));
}

TEST(NodeTest, FullByBytes) {
  const std::string value(1000, 'x');
  const FieldView fields[] = {{"f", value}};
  Node node = MakeNode({1, 0}, fields);
  size_t entries = 0;
  for (; !IsFull(node, fields, {}); ++entries) AddToNode(node, {entries + 1, 0}, fields, Names::kSame);
  EXPECT_EQ(entries, 4u);
}

TEST(NodeTest, RadixNodes) {
  std::deque<Node> nodes;
  EXPECT_EQ(CountRadixNodes(nodes), 1u);
  const auto add = [&](uint64_t ms, uint64_t seq) {
    nodes.push_back({.first = {ms, seq}, .last = {ms, seq}});
    return CountRadixNodes(nodes);
  };
  EXPECT_EQ(add(1, 0), 2u);
  EXPECT_EQ(add(101, 0), 6u);
  EXPECT_EQ(add(201, 0), 8u);
  EXPECT_EQ(add(301, 0), 11u);
  EXPECT_EQ(add(301, 1), 13u);
}

}  // namespace
}  // namespace tocsin::streams
