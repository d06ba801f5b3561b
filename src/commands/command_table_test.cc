#include <set>

#include <gtest/gtest.h>

#include "commands/command.h"

namespace tocsin::commands {
namespace {

void CheckSorted(std::span<const Command> commands) {
  for (size_t i = 1; i < commands.size(); ++i) EXPECT_LT(commands[i - 1].name, commands[i].name);
}

TEST(CommandTable, IsSortedForTheSearch) {
  CheckSorted(AllCommands());
  for (const Command& command : AllCommands()) CheckSorted(command.subcommands);
}

TEST(CommandTable, FindsEveryNameInAnyCase) {
  for (const Command& command : AllCommands()) {
    std::string upper(command.name);
    for (char& c : upper) c = static_cast<char>(toupper(c));
    EXPECT_EQ(FindCommand(command.name), &command) << command.name;
    EXPECT_EQ(FindCommand(upper), &command) << command.name;
    for (const Command& subcommand : command.subcommands) {
      EXPECT_EQ(FindSubcommand(command, subcommand.name), &subcommand);
      EXPECT_EQ(subcommand.FullName(), std::string(command.name) + "|" + std::string(subcommand.name));
    }
  }
  for (const char* none : {"", "x", "xad", "xaddd", "xadd ", "zzz", "\xff"}) EXPECT_EQ(FindCommand(none), nullptr);
}

void CheckHasHandler(const Command& command) {
  EXPECT_TRUE(command.run != nullptr || command.answer != nullptr || !command.subcommands.empty())
      << command.FullName();
  EXPECT_FALSE(command.summary.empty()) << command.FullName();
  // What runs in the store says whether it writes: a writer that is taken for a reader would be answered unsynced.
  EXPECT_TRUE(command.run == nullptr || command.Has(kWrite) != command.Has(kReadOnly)) << command.FullName();
  EXPECT_TRUE(!command.Has(kUnsynced) || command.name == "xreadgroup") << command.FullName();
}

TEST(CommandTable, EveryCommandHasAHandlerAndSaysWhetherItWrites) {
  for (const Command& command : AllCommands()) {
    CheckHasHandler(command);
    for (const Command& subcommand : command.subcommands) CheckHasHandler(subcommand);
  }
}

// Whoever may only publish, consume or read must not be able to remove anything.
TEST(CommandTable, WhatChangesStreamsNeedsItsScope) {
  const std::set<std::string> publish = {"xadd"};
  const std::set<std::string> consume = {
      "xack",  "xautoclaim", "xclaim", "xgroup|create", "xgroup|createconsumer", "xgroup|delconsumer",
      "xnack", "xreadgroup"};
  const auto check = [&](const Command& command) {
    if (!command.Has(kWrite)) return;
    const std::string name = command.FullName();
    const auth::Scope expected = publish.contains(name)   ? auth::Scope::kPublish
                                 : consume.contains(name) ? auth::Scope::kConsume
                                                          : auth::Scope::kAdmin;
    EXPECT_EQ(command.scope, expected) << name;
    EXPECT_FALSE(command.Has(kAnyScope)) << name;
  };
  for (const Command& command : AllCommands()) {
    check(command);
    for (const Command& subcommand : command.subcommands) check(subcommand);
  }
}

}  // namespace
}  // namespace tocsin::commands
