#include "model/bytes.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace tocsin::model {
namespace {

TEST(BytesTest, BigEndianRoundTrips) {
  std::string out;
  PutBig16(out, 0xfe01);
  PutBig64(out, 0x8001020304050607);
  EXPECT_EQ(out, "\xfe\x01\x80\x01\x02\x03\x04\x05\x06\x07");
  EXPECT_EQ(GetBig16(out.data()), 0xfe01);
  EXPECT_EQ(GetBig64(out.data() + 2), 0x8001020304050607u);
}

TEST(BytesTest, VarintsRoundTripAtEveryLength) {
  for (int bits = 0; bits <= 64; ++bits) {
    const uint64_t high = bits == 64 ? UINT64_MAX : (uint64_t{1} << bits) - 1;
    for (uint64_t value : {high, high + 1, high / 3}) {
      std::string out;
      PutVarint(out, value);
      ByteReader in(out);
      uint64_t read = 0;
      ASSERT_TRUE(in.Varint(read)) << value;
      EXPECT_EQ(read, value);
      EXPECT_TRUE(in.done());
      EXPECT_LE(out.size(), 10u);
    }
  }
}

TEST(BytesTest, AVarintThatDoesNotFitIsRefused) {
  for (std::string_view bytes : {std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10),
                                 std::string_view("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11)}) {
    ByteReader in(bytes);
    uint64_t value = 0;
    EXPECT_FALSE(in.Varint(value));
  }
}

// Every value cut at every byte: a reader says false, it never reads on.
TEST(BytesTest, TruncatedInputIsRefusedAtEveryByte) {
  std::string whole;
  whole.push_back(7);
  PutVarint(whole, 300);
  PutString(whole, std::string("te\0xt", 5));
  PutBig64(whole, 1ull << 40);
  PutString(whole, "");
  auto read = [](std::string_view bytes) {
    ByteReader in(bytes);
    uint8_t byte = 0;
    uint64_t varint = 0, big = 0;
    std::string_view text, empty = "x";
    const bool good = in.Byte(byte) && in.Varint(varint) && in.String(text) && in.Big64(big) && in.String(empty);
    if (good) {
      EXPECT_EQ(byte, 7);
      EXPECT_EQ(varint, 300u);
      EXPECT_EQ(text, std::string_view("te\0xt", 5));
      EXPECT_EQ(big, 1ull << 40);
      EXPECT_EQ(empty, "");
      EXPECT_TRUE(in.done());
    }
    return good;
  };
  EXPECT_TRUE(read(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(read(std::string(whole.data(), size))) << size;  // a copy: a sanitizer sees one byte too far
  }
}

TEST(BytesTest, AStringLongerThanTheInputIsRefused) {
  std::string out;
  PutVarint(out, UINT64_MAX);
  out += "abc";
  ByteReader in(out);
  std::string_view text;
  EXPECT_FALSE(in.String(text));
}

TEST(BytesTest, ThePrefixSuccessorEndsARangeOfKeys) {
  EXPECT_EQ(PrefixSuccessor("ab"), "ac");
  EXPECT_EQ(PrefixSuccessor(std::string_view("a\xff\xff", 3)), "b");
  EXPECT_EQ(PrefixSuccessor("\xff\xff"), "");
  EXPECT_EQ(PrefixSuccessor(""), "");
  base::SeededRandom random(1);
  for (int i = 0; i < 1'000; ++i) {
    std::string prefix, tail;
    for (uint64_t n = random.Below(4); n > 0; --n) prefix.push_back(static_cast<char>(random.Below(4) + 0xfc));
    for (uint64_t n = random.Below(4); n > 0; --n) tail.push_back(static_cast<char>(random.Below(256)));
    const std::string successor = PrefixSuccessor(prefix);
    if (!successor.empty()) {
      EXPECT_LT(prefix + tail, successor);
      EXPECT_FALSE(successor.starts_with(prefix));
    }
  }
}

}  // namespace
}  // namespace tocsin::model
