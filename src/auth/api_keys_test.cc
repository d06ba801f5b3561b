#include "auth/api_keys.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace tocsin::auth {
namespace {

using base::Code;
using base::Result;

ApiKeys Parse(std::string_view setting) {
  Result<ApiKeys> keys = ApiKeys::Parse(setting);
  EXPECT_TRUE(keys.ok()) << keys.status().ToString();
  return std::move(keys).value();
}
std::string MessageOf(std::string_view setting) { return std::string(ApiKeys::Parse(setting).status().message()); }

TEST(ApiKeys, NamesSecretsAndScopes) {
  ApiKeys keys =
      Parse("shop:shop-secret-0001:publish , ops:ops-secret-00002:read+admin,bare-secret-000003, all:all-secret-00004");
  EXPECT_EQ(keys.size(), 4u);
  Result<ApiKey> shop = keys.Check("shop-secret-0001");
  ASSERT_TRUE(shop.ok());
  EXPECT_EQ(shop->name, "shop");
  EXPECT_EQ(shop->scopes, Scopes(Scope::kPublish));
  EXPECT_FALSE(shop->scopes.Has(Scope::kRead));
  EXPECT_EQ(keys.Check("ops-secret-00002")->scopes, Scope::kRead | Scope::kAdmin);
  EXPECT_EQ(keys.Check("ops-secret-00002")->scopes.ToString(), "read+admin");
  EXPECT_EQ(keys.Check("bare-secret-000003")->name, "default");
  EXPECT_EQ(keys.Check("bare-secret-000003")->scopes, Scopes::All());
  EXPECT_EQ(keys.Check("all-secret-00004")->scopes.ToString(), "publish+read+consume+admin");
}

TEST(ApiKeys, EverythingElseIsUnauthenticated) {
  ApiKeys keys = Parse("shop:shop-secret-0001:publish");
  for (std::string_view secret : {"", "shop-secret-000", "shop-secret-00011", "SHOP-SECRET-0001",
                                  "shop:shop-secret-0001", "shop", "publish", "default", " shop-secret-0001"}) {
    EXPECT_EQ(keys.Check(secret).status().code(), Code::kUnauthenticated) << secret;
  }
  EXPECT_EQ(keys.Check(std::string(100'000, 'x')).status().code(), Code::kUnauthenticated);
}

TEST(ApiKeys, ByNameAsRedisClientsDo) {
  ApiKeys keys = Parse("shop:shop-secret-0001,ops:ops-secret-00002");
  EXPECT_EQ(keys.CheckNamed("shop", "shop-secret-0001")->name, "shop");
  EXPECT_EQ(keys.CheckNamed("default", "ops-secret-00002")->name, "ops");
  EXPECT_EQ(keys.CheckNamed("shop", "ops-secret-00002").status().code(), Code::kUnauthenticated);
  EXPECT_EQ(keys.CheckNamed("", "shop-secret-0001").status().code(), Code::kUnauthenticated);
  EXPECT_EQ(keys.CheckNamed("default", "wrong").status().code(), Code::kUnauthenticated);
}

TEST(ApiKeys, TwoLiveKeysOfOneName) {
  ApiKeys keys = Parse("shop:old-secret-000001:publish,shop:new-secret-000001:publish");
  EXPECT_EQ(keys.Check("old-secret-000001")->name, "shop");
  EXPECT_EQ(keys.Check("new-secret-000001")->name, "shop");
  EXPECT_NE(MessageOf("a:x1,a:x2,a:x3").find("two live keys"), std::string::npos);
}

TEST(ApiKeys, MistakesAreNamedWithoutTheSecret) {
  for (std::string_view setting :
       {"", " , ", "a:", ":secret", "a b:secret", "a:secret:", "a:secret:write", "a:secret:publish+",
        "a:secret:publish,b:secret:read", "a:sec ret", "a:s:publish:read", "a:s\xc3\xa9"}) {
    EXPECT_EQ(ApiKeys::Parse(setting).status().code(), Code::kInvalidArgument) << setting;
    EXPECT_EQ(MessageOf(setting).find("secret:"), std::string::npos) << MessageOf(setting);
  }
  EXPECT_NE(MessageOf("ok:fine,shop:hunter2:write").find("key 2 (shop)"), std::string::npos);
  EXPECT_EQ(MessageOf("shop:hunter2:write").find("hunter2"), std::string::npos);
}

TEST(ApiKeys, FromAFile) {
  std::string path = testing::TempDir() + "api_keys_test.txt";
  std::ofstream(path) << "# producers\n\nshop:shop-secret-0001:publish\r\n  ops:ops-secret-00002  \n";
  ApiKeys keys = Parse("@" + path);
  EXPECT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys.Check("shop-secret-0001")->scopes, Scopes(Scope::kPublish));
  EXPECT_TRUE(keys.Check("ops-secret-00002").ok());
  std::filesystem::remove(path);
  EXPECT_NE(MessageOf("@" + path).find(path), std::string::npos);
}

}  // namespace
}  // namespace tocsin::auth
