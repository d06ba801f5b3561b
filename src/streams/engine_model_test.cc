// The engine against an obvious model: random commands on a few keys, in turns that are committed, fail, or are cut
// short by a crash; node sizes and the memory limit are part of the seed. A difference prints the seed and the step.
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "storage/temp_dir.h"
#include "storage/unsynced_fs.h"
#include "streams/engine_model_groups.h"

namespace tocsin::streams {
namespace {

class ModelRun : public GroupCommands {
 public:
  using GroupCommands::GroupCommands;

  // False: a difference was reported.
  bool Step() {
    trace_.clear();
    ExpireKeys();
    using Command = void (ModelRun::*)();
    static const std::pair<unsigned, Command> kWeights[] = {
        {25, &ModelRun::Append},     {7, &ModelRun::Range},     {5, &ModelRun::TrimSome},     {6, &ModelRun::Delete},
        {4, &ModelRun::CreateGroup}, {10, &ModelRun::ReadNew},  {3, &ModelRun::ReadHistory},  {7, &ModelRun::Ack},
        {4, &ModelRun::Claim},       {3, &ModelRun::AutoClaim}, {1, &ModelRun::DropConsumer}, {1, &ModelRun::DropGroup},
        {2, &ModelRun::DeleteEx},    {2, &ModelRun::AckDelete}, {2, &ModelRun::Nack},         {1, &ModelRun::DeleteKey},
        {1, &ModelRun::Rename},      {1, &ModelRun::SetId},     {1, &ModelRun::Expire},       {3, &ModelRun::MoveGroup},
        {4, &ModelRun::PassTime},    {10, &ModelRun::Commit},   {1, &ModelRun::Fail},         {1, &ModelRun::Crash},
        {2, &ModelRun::CompareAll}};
    unsigned total = 0;
    for (const auto& [weight, command] : kWeights) total += weight;
    auto choice = static_cast<unsigned>(random_.Below(total));
    for (const auto& [weight, command] : kWeights) {
      if (choice < weight) {
        (this->*command)();
        break;
      }
      choice -= weight;
    }
    if (!same_) ADD_FAILURE() << trace_;
    return same_;
  }

  void Finish() {
    Commit();
    Crash();
    CompareAll();
    if (!same_) ADD_FAILURE() << trace_;
  }
};

TEST(EngineModelTest, RandomCommandsEqualTheModel) {
  constexpr uint64_t kSeeds = 100, kSteps = 4000, kSeedsPerStore = 20;
  std::unique_ptr<storage::TempDir> dir;
  std::unique_ptr<storage::Store> store;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    if (seed % kSeedsPerStore == 1) {
      store.reset();
      dir = std::make_unique<storage::TempDir>();
      // A small buffer: what is read comes from files, too.
      auto opened =
          storage::OpenStore({.dir = dir->path() + "/store", .min_free_bytes = 0, .write_buffer_bytes = 256 << 10});
      ASSERT_TRUE(opened.ok()) << opened.status().message();
      store = std::move(opened).value();
    }
    ModelRun run(*store, seed, storage::Sync::kLater);
    for (uint64_t step = 1; step <= kSteps; ++step) {
      ASSERT_TRUE(run.Step()) << "seed " << seed << ", step " << step;
    }
    run.Finish();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// The disk loses what was not synced, in the middle of a turn. What was answered is there, and nothing is there by
// half: entries, groups, pending lists and counters are those before the turn that was cut, or those after it.
TEST(EngineModelTest, PowerCutsLeaveWholeTurns) {
  constexpr uint64_t kSeeds = 10, kCuts = 8, kStepsBetween = 150;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    storage::TempDir dir;
    const auto disk = std::make_shared<storage::UnsyncedFs>();
    base::SeededRandom random(1000 + seed);
    std::unique_ptr<storage::Store> store;
    const auto open = [&] {
      auto opened = storage::OpenStore({.dir = dir.path() + "/store",
                                        .min_free_bytes = 0,
                                        .write_buffer_bytes = 64 << 10,
                                        .file_system = disk->file_system()});
      if (!opened.ok()) return opened.status();
      store = std::move(opened).value();
      return base::Ok();
    };
    ASSERT_TRUE(open().ok());
    ModelRun run(*store, seed, storage::Sync::kNow);
    for (uint64_t cut = 0; cut < kCuts; ++cut) {
      for (uint64_t step = 0; step < kStepsBetween; ++step) ASSERT_TRUE(run.Step()) << "seed " << seed;
      // Before the turn, or in its sync.
      if (random.Below(2) == 0) {
        disk->CutPower();
      } else {
        disk->OnSync([&](const auto&...) { disk->CutPower(); });
      }
      run.TryCommit();
      disk->OnSync({});
      disk->CutPower();
      store.reset();
      disk->Restart(random);
      const auto opened = open();
      ASSERT_TRUE(opened.ok()) << opened.message();
      run.Recover(*store);
      ASSERT_FALSE(HasFailure()) << "seed " << seed << ", cut " << cut;
    }
  }
}

}  // namespace
}  // namespace tocsin::streams
