#include "commands/glob.h"

#include <string>

#include <gtest/gtest.h>

namespace tocsin::commands {
namespace {

TEST(Glob, Table) {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  constexpr Case kCases[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "anything", true},
      {"**", "a", true},
      {"a", "a", true},
      {"a", "A", false},
      {"a*", "abc", true},
      {"a*c", "abc", true},
      {"a*c", "abd", false},
      {"*b*", "abc", true},
      {"?", "", false},
      {"?", "x", true},
      {"??", "x", false},
      {"a?c", "abc", true},
      {"[abc]", "b", true},
      {"[abc]", "d", false},
      {"[a-c]x", "bx", true},
      {"[c-a]", "b", true},
      {"[^a]", "b", true},
      {"[^a]", "a", false},
      {"[^a]", "", false},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"[\\]]", "]", true},
      {"[a", "a", true},
      {"a\\", "a\\", true},
      {"*a*b*c*", "xxaxxbxxcxx", true},
      {"h[ae]llo", "hello", true},
      {"user:*:log", "user:1:log", true},
      {"user:*:log", "user:1:logs", false},
  };
  for (const Case& one : kCases) EXPECT_EQ(Glob(one.pattern, one.text), one.matches) << one.pattern << " " << one.text;
}

// Stars that could each stand for anything must not multiply.
TEST(Glob, ManyStarsCostNoMoreThanPatternTimesText) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(Glob(pattern + "b", std::string(20'000, 'a')));
}

}  // namespace
}  // namespace tocsin::commands
