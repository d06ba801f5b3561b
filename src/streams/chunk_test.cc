#include "streams/chunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// The worked example of docs/format.md.
TEST(ChunkTest, Format) {
  const FieldView first[] = {{"user_id", "1"}};
  const FieldView second[] = {{"user_id", "2"}, {"lang", "en"}};
  const auto chunk = Chunk::Make({1000, 5}, first, 16);
  chunk->Append({1000, 5}, first, chunk->NamesOf(first));
  chunk->Append({1002, 0}, second, chunk->NamesOf(second));
  const std::string expected = std::string("\x01\x01\x07user_id", 10) + std::string("\x00\x00\x03\x00\x01", 5) + "1" +
                               std::string("\x02\x00\x13\x02\x07user_id\x01", 13) + "2" +
                               std::string("\x04lang\x02", 6) + "en";
  EXPECT_EQ(chunk->value(), expected);
  const auto read = Chunk::Parse({1000, 5}, expected);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ((*read)->count(), 2u);
  EXPECT_EQ((*read)->id(1), (EntryId{1002, 0}));
  EXPECT_THAT((*read)->At(1).Fields(), ElementsAre(Pair("user_id", "2"), Pair("lang", "en")));
}

TEST(ChunkTest, EveryCutAndEveryFlipIsRefusedOrHarmless) {
  const FieldView fields[] = {{"a", "value"}, {"b", ""}};
  const auto chunk = Chunk::Make({7, 7}, fields, 16);
  for (uint64_t i = 7; i < 20; ++i) chunk->Append({i, 9}, fields, chunk->NamesOf(fields));
  const std::string value(chunk->value());
  const auto walk = [](const std::string& bytes) {
    const auto parsed = Chunk::Parse({7, 7}, bytes);
    if (!parsed.ok()) return;
    for (size_t i = 0; i < (*parsed)->count(); ++i) {
      // What a damaged count promises must not be handed out.
      size_t pairs = 0;
      auto cursor = (*parsed)->At(i).Walk();
      for (FieldView field; cursor.Next(field);) ++pairs;
      EXPECT_LE(pairs, bytes.size());
    }
  };
  for (size_t cut = 0; cut < value.size(); ++cut) walk(value.substr(0, cut));
  for (size_t at = 0; at < value.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = value;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      walk(flipped);
    }
  }
}

TEST(ChunkTest, IdsAtTheirExtremes) {
  const FieldView fields[] = {{"f", "v"}};
  const auto chunk = Chunk::Make({0, 1}, fields, 16);
  const EntryId ids[] = {{0, 1}, {0, UINT64_MAX}, {1, 0}, {UINT64_MAX, 0}, EntryId::Max()};
  for (const EntryId id : ids) chunk->Append(id, fields, Names::kSame);
  const auto read = Chunk::Parse({0, 1}, chunk->value());
  ASSERT_TRUE(read.ok()) << read.status().message();
  for (size_t i = 0; i < std::size(ids); ++i) EXPECT_EQ((*read)->id(i), ids[i]);
  EXPECT_EQ((*read)->LowerBound({2, 0}), 3u);
}

TEST(ChunkTest, ViewsKeepWhatTheySaw) {
  const FieldView fields[] = {{"f", "v"}};
  auto chunk = Chunk::Make({1, 0}, fields, 16);
  chunk->Append({1, 0}, fields, Names::kSame);
  chunk->Append({2, 0}, fields, Names::kSame);
  const EntryView view = chunk->At(1);
  const Bytes held = chunk->bytes();
  for (uint64_t i = 3; i < 100; ++i) chunk->Append({i, 0}, fields, Names::kSame);
  chunk = chunk->Without(1);
  EXPECT_EQ(chunk->count(), 98u);
  EXPECT_EQ(chunk->id(1), (EntryId{3, 0}));
  EXPECT_EQ(view.Find("f"), "v");
}

}  // namespace
}  // namespace tocsin::streams
