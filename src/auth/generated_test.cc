#include "auth/generated.h"

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace tocsin::auth {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;

class GeneratedTest : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(dir_); }
  void TearDown() override { fs::remove_all(dir_); }
  Result<std::string> Load() { return LoadOrMakeSecret(dir_, kApiKeyFile, "tocsin_", base::SystemRandom()); }
  std::string path() const { return dir_ + "/" + std::string(kApiKeyFile); }
  mode_t ModeOf(const std::string& name) const {
    struct stat stat {};
    ::stat(name.c_str(), &stat);
    return stat.st_mode & 07777;
  }

  std::string dir_ = testing::TempDir() + "generated_test";
};

TEST_F(GeneratedTest, MadeOnceAndReadAgain) {
  EXPECT_EQ(LoadSecret(dir_, kApiKeyFile).status().code(), Code::kNotFound);
  Result<std::string> first = Load();
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(first->size(), 7u + 64u);
  EXPECT_TRUE(first->starts_with("tocsin_"));
  EXPECT_EQ(ModeOf(path()), 0600u);
  EXPECT_EQ(ModeOf(dir_), 0700u);
  EXPECT_EQ(Load().value(), *first);
  EXPECT_EQ(LoadSecret(dir_, kApiKeyFile).value(), *first);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()), 1);  // no draft is left
}

TEST_F(GeneratedTest, RefusedWhenOthersCanReadIt) {
  ASSERT_TRUE(Load().ok());
  for (mode_t mode : {0644u, 0640u, 0604u, 0620u}) {
    chmod(path().c_str(), mode);
    Result<std::string> secret = Load();
    EXPECT_EQ(secret.status().code(), Code::kPermissionDenied) << mode;
    EXPECT_NE(secret.status().message().find("chmod 600"), std::string_view::npos);
  }
  chmod(path().c_str(), 0600);
  EXPECT_TRUE(Load().ok());
}

TEST_F(GeneratedTest, RefusedWhenItIsNotWhatWeWrite) {
  fs::create_directories(dir_);
  for (std::string text :
       {"", "\n", "short\n", "two\nlines that are long enough to be a secret of thirty-two bytes or more\n"}) {
    std::ofstream(path()) << text;
    chmod(path().c_str(), 0600);
    EXPECT_EQ(Load().status().code(), Code::kCorruption) << text;
  }
  std::ofstream(path()) << std::string(5'000, 'x');
  EXPECT_EQ(Load().status().code(), Code::kCorruption);
  fs::remove(path());
  fs::create_symlink("/dev/null", path());
  EXPECT_EQ(Load().status().code(), Code::kPermissionDenied);
  fs::remove(path());
  fs::create_directories(path());
  EXPECT_EQ(Load().status().code(), Code::kPermissionDenied);
}

TEST_F(GeneratedTest, AllWhoStartAtOnceGetTheSame) {
  std::vector<std::string> secrets(8);
  std::vector<std::thread> threads;
  for (std::string& secret : secrets) {
    threads.emplace_back([this, &secret] { secret = Load().value(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& secret : secrets) EXPECT_EQ(secret, secrets[0]);
}

TEST_F(GeneratedTest, NoPlaceForItIsExplained) {
  Result<std::string> secret = LoadOrMakeSecret("/proc/no/such/place", kApiKeyFile, "", base::SystemRandom());
  EXPECT_FALSE(secret.ok());
  EXPECT_NE(secret.status().message().find("/proc/no/such/place"), std::string_view::npos);
}

}  // namespace
}  // namespace tocsin::auth
