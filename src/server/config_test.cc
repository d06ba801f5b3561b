#include "server/config.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "server/credentials.h"

namespace tocsin::server {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::string Write(const std::string& text) {
    std::ofstream(dir_ + "/tocsin.toml") << text;
    return dir_ + "/tocsin.toml";
  }
  static Result<Config> Load(const std::string& file, std::vector<std::string> environment = {},
                             std::vector<Assignment> flags = {}) {
    return LoadConfig(file, environment, flags);
  }
  static std::string MessageOf(const Result<Config>& config) { return std::string(config.status().message()); }

  std::string dir_ = testing::TempDir() + "config_test";
};

TEST_F(ConfigTest, Defaults) {
  Result<Config> config = Load("");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->data_dir, "./tocsin-data");
  EXPECT_EQ(config->listen.ToString(), "127.0.0.1:8080");
  EXPECT_EQ(config->redis_listen->ToString(), "127.0.0.1:6380");
  EXPECT_EQ(config->redis_auth, RedisAuth::kRequired);
  EXPECT_EQ(config->durability, Durability::kSync);
  EXPECT_EQ(config->ingest_streams, (std::vector<IngestStream>{{"notifications_stream", 1}}));
  EXPECT_TRUE(CheckSupported(*config).ok());
}

TEST_F(ConfigTest, FlagOverVariableOverFileOverDefault) {
  std::string file = Write("listen = \"127.0.0.1:1\"\ndata_dir = \"file\"\njwt_issuer = 'file'\n");
  std::vector<std::string> environment = {"PATH=/bin", "TOCSIN_LISTEN=127.0.0.1:2", "TOCSIN_DATA_DIR=variable"};
  Result<Config> config = Load(file, environment, {{"listen", "127.0.0.1:3"}});
  ASSERT_TRUE(config.ok()) << MessageOf(config);
  EXPECT_EQ(config->listen.port, 3);
  EXPECT_EQ(config->data_dir, "variable");
  EXPECT_EQ(config->jwt_issuer, "file");
  EXPECT_EQ(config->jwt_user_claim, "sub");
}

// Every setting takes the same text from the file, a variable and a flag.
TEST_F(ConfigTest, EverySettingInThreeSpellings) {
  const std::map<std::string, std::string> values = {{"listen", "[::1]:9"},
                                                     {"redis_listen", "localhost:9"},
                                                     {"public_url", "https://t.example"},
                                                     {"cores", "3"},
                                                     {"max_connections", "10"},
                                                     {"log_level", "debug"},
                                                     {"demo", "on"},
                                                     {"redis_auth", "off"},
                                                     {"jwt_hs256_secret", std::string(32, 's')},
                                                     {"jwt_leeway_s", "7"},
                                                     {"allowed_origins", "https://a.example,http://b.example:81"},
                                                     {"durability", "interval:200"},
                                                     {"ingest_streams", "a=2,b"},
                                                     {"store", "redis://127.0.0.1:6379/3"},
                                                     {"partitions", "8"},
                                                     {"wait_replicas", "1"},
                                                     {"ingest_from", "0"},
                                                     {"redelivery", "orders/email after=60s"},
                                                     {"retention", "orders age=7d, audit cap=1GiB"},
                                                     {"rate_limits", "* most=60 per=1m, ads most=3 per=1h"},
                                                     {"max_body", "2MiB"},
                                                     {"log_max_entries", "500"},
                                                     {"min_free_bytes", "1GiB"}};
  for (const SettingHelp& setting : AllSettings()) {
    std::string name(setting.name);
    std::string value = values.contains(name) ? values.at(name) : "text";
    std::string variable = "TOCSIN_";
    for (char c : name) variable += static_cast<char>(std::toupper(c));
    // The partner of a setting that cannot stand alone.
    std::vector<Assignment> partner;
    if (name == "tls_cert") partner = {{"tls_key", "k"}};
    if (name == "tls_key") partner = {{"tls_cert", "c"}};
    EXPECT_TRUE(Load(Write(name + " = \"" + value + "\"\n"), {}, partner).ok()) << name;
    Result<Config> by_variable = Load("", {variable + "=" + value}, partner);
    EXPECT_TRUE(by_variable.ok()) << MessageOf(by_variable);
    std::vector<Assignment> flags = partner;
    flags.emplace_back(name, value);
    EXPECT_TRUE(Load("", {}, flags).ok()) << name;
  }
}

TEST_F(ConfigTest, KindsOfTomlValues) {
  Result<Config> config =
      Load(Write("cores = 2\ndemo = true\nmax_body = 2048\nmin_free_bytes = \"1 GiB\"\n"
                 "allowed_origins = [\"https://a.example\", \"http://b.example:8080\"]\n"
                 "ingest_streams = [\"notifications_stream=4\", \"bulk\"]\n"));
  ASSERT_TRUE(config.ok()) << MessageOf(config);
  EXPECT_EQ(config->cores, 2);
  EXPECT_EQ(config->demo, Demo::kOn);
  EXPECT_EQ(config->max_body, 2048u);
  EXPECT_EQ(config->min_free_bytes, 1ull << 30);
  EXPECT_EQ(config->allowed_origins, (std::vector<std::string>{"https://a.example", "http://b.example:8080"}));
  EXPECT_EQ(config->ingest_streams, (std::vector<IngestStream>{{"notifications_stream", 4}, {"bulk", 1}}));
}

TEST_F(ConfigTest, MistakesNameTheirPlace) {
  EXPECT_EQ(MessageOf(Load(dir_ + "/none.toml")), "settings file " + dir_ + "/none.toml cannot be opened");
  std::string file = Write("cores = 1\nlisten = \n");
  EXPECT_NE(MessageOf(Load(file)).find(file + ":2: "), std::string::npos) << MessageOf(Load(file));
  Write("cores = 1\n\ndata_dri = 'x'\n");
  EXPECT_EQ(MessageOf(Load(file)), file + ":3: there is no setting `data_dri`; did you mean `data_dir`?");
  Write("cores = 0\n");
  EXPECT_EQ(MessageOf(Load(file)), file + ":1: cores: a whole number from 1 to 256 is allowed");
  Write("[server]\nlisten = '127.0.0.1:1'\n");
  EXPECT_NE(MessageOf(Load(file)).find("`server.listen`"), std::string::npos);
  Write("cores = 1.5\n");
  EXPECT_NE(MessageOf(Load(file)).find(":1: cores: "), std::string::npos);
  EXPECT_EQ(MessageOf(Load("", {"TOCSIN_DURABILITY=always"})),
            "TOCSIN_DURABILITY: sync, interval and memory are allowed");
  EXPECT_EQ(MessageOf(Load("", {}, {{"redis_auth", "none"}})), "--redis-auth: required and off are allowed");
  EXPECT_EQ(MessageOf(Load("", {"TOCSIN_LISTN=127.0.0.1:1"})),
            "there is no setting for TOCSIN_LISTN; did you mean TOCSIN_LISTEN?");
  EXPECT_EQ(MessageOf(Load("", {}, {{"listne", "x"}})),
            "--listne: there is no setting `listne`; did you mean `listen`?");
}

TEST_F(ConfigTest, VariablesOfOthersAreLeftAlone) {
  EXPECT_TRUE(Load("", {"TOCSIN_PORT=tcp://10.0.0.1:80", "TOCSIN_SERVICE_HOST=10.0.0.1", "TOCSIN_PORT_80_TCP_PROTO=tcp",
                        "TOCSIN_NO_INSTALL=1", "TOCSIN_API_KEY=k", "TOCSIN_TOKEN=t", "TOCSIN_JOBS=2", "TOCSIN_"})
                  .ok());
}

TEST_F(ConfigTest, ValuesThatAreRefused) {
  const Assignment wrong[] = {{"listen", ""},
                              {"listen", "8080"},
                              {"listen", ":8080"},
                              {"listen", "::1:8080"},
                              {"listen", "[::g]:1"},
                              {"listen", "127.0.0.1:65536"},
                              {"listen", "127.0.0.1:-1"},
                              {"listen", "http://127.0.0.1:1"},
                              {"data_dir", ""},
                              {"cores", "all"},
                              {"cores",
                               "1 "
                               "x"},
                              {"max_body", "1MB"},
                              {"max_body", "99999999999999999999"},
                              {"max_body", "18014398509481984KiB"},
                              {"jwt_hs256_secret", "short"},
                              {"jwt_leeway_s", "61"},
                              {"jwt_user_claim", ""},
                              {"allowed_origins", "*"},
                              {"allowed_origins", "https://*.example"},
                              {"allowed_origins", "https://a.example/"},
                              {"allowed_origins", "a.example"},
                              {"public_url", "https://a.example/path"},
                              {"ingest_streams", ""},
                              {"ingest_streams", "a,a"},
                              {"ingest_streams", "a=0"},
                              {"ingest_streams", "=1"},
                              {"ingest_streams", "a=101"},
                              {"ingest_streams", "a=b"},
                              {"ingest_streams", "a,a:dead"},
                              {"redelivery", "orders after=60s"},
                              {"retention", "orders"},
                              {"rate_limits", "ads"},
                              {"durability", "interval:0"},
                              {"durability", "sync:5"},
                              {"log_level", "INFO"},
                              {"demo", "maybe"}};
  for (const Assignment& each : wrong) {
    EXPECT_EQ(Load("", {}, {each}).status().code(), Code::kInvalidArgument) << each.first << "=" << each.second;
  }
  EXPECT_EQ(MessageOf(Load("", {"TOCSIN_JWT_HS256_SECRET=hunter2"})).find("hunter2"), std::string::npos);
}

TEST_F(ConfigTest, AMistakeInAnIngestStreamIsNamed) {
  const auto says = [this](const char* list) { return MessageOf(Load("", {}, {{"ingest_streams", list}})); };
  EXPECT_NE(says("a,bulk=0").find("`bulk=0`"), std::string::npos);
  EXPECT_NE(says("a,b,a=2").find("`a` is there twice"), std::string::npos);
  EXPECT_NE(says("a=2,a:dead").find("`a:dead` is where the dead letters of `a` go"), std::string::npos);
  // What is behind the last `=` is the weight; before it, a name may be anything.
  Result<Config> odd = Load("", {}, {{"ingest_streams", "a:8=3, b=c=2"}});
  ASSERT_TRUE(odd.ok()) << MessageOf(odd);
  EXPECT_EQ(odd->ingest_streams, (std::vector<IngestStream>{{"a:8", 3}, {"b=c", 2}}));
  EXPECT_TRUE(CheckSupported(*odd).ok());
}

TEST_F(ConfigTest, RedisWithoutAPasswordOnLoopbackOnly) {
  for (const char* address : {"127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1", ""}) {
    EXPECT_TRUE(Load("", {}, {{"redis_auth", "off"}, {"redis_listen", address}}).ok()) << address;
  }
  for (const char* address : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "redis.example:1", "1.127.0.0:1"}) {
    EXPECT_FALSE(Load("", {}, {{"redis_auth", "off"}, {"redis_listen", address}}).ok()) << address;
  }
  Result<Config> off = Load("", {"TOCSIN_REDIS_LISTEN="});
  ASSERT_TRUE(off.ok());
  EXPECT_FALSE(off->redis_listen.has_value());
}

TEST_F(ConfigTest, WhatIsNotBuiltYetIsRefused) {
  for (const Assignment& each : std::vector<Assignment>{
           {"jwks_url", "https://id.example/keys"}, {"durability", "memory"}, {"durability", "interval"}}) {
    Result<Config> config = Load("", {}, {each});
    ASSERT_TRUE(config.ok()) << each.first;
    EXPECT_NE(CheckSupported(*config).message().find("supported yet"), std::string_view::npos) << each.first;
  }
  Result<Config> tls = Load("", {}, {{"tls_cert", "c"}, {"tls_key", "k"}});
  ASSERT_TRUE(tls.ok());
  EXPECT_FALSE(CheckSupported(*tls).ok());
  EXPECT_FALSE(Load("", {}, {{"tls_cert", "c"}}).ok());
}

TEST_F(ConfigTest, CredentialsAreMadeOnceAndKept) {
  Config config;
  config.data_dir = dir_ + "/data";
  EXPECT_EQ(StoredApiKey(config).status().code(), Code::kNotFound);
  EXPECT_EQ(StoredTokenSecret(config).status().code(), Code::kNotFound);
  Result<Credentials> first = LoadCredentials(config, base::SystemRandom());
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(first->api_keys.Check(first->development_key)->scopes, auth::Scopes::All());
  EXPECT_EQ(first->token_keys->keys().size(), 1u);
  Result<Credentials> second = LoadCredentials(config, base::SystemRandom());
  EXPECT_EQ(second->development_key, first->development_key);
  EXPECT_EQ(second->token_secret, first->token_secret);
  EXPECT_EQ(StoredApiKey(config).value(), first->development_key);
  EXPECT_EQ(StoredTokenSecret(config).value(), first->token_secret);
  chmod((config.data_dir + "/jwt-secret").c_str(), 0644);
  EXPECT_EQ(LoadCredentials(config, base::SystemRandom()).status().code(), Code::kPermissionDenied);
}

TEST_F(ConfigTest, CredentialsThatAreSetAreNotMade) {
  Config config;
  config.data_dir = dir_ + "/data";
  config.api_keys = "shop:shop-secret-0001:publish";
  config.jwt_hs256_secret = std::string(32, 's');
  Result<Credentials> credentials = LoadCredentials(config, base::SystemRandom());
  ASSERT_TRUE(credentials.ok());
  EXPECT_EQ(credentials->development_key, "");
  EXPECT_EQ(credentials->token_secret, config.jwt_hs256_secret);
  EXPECT_FALSE(fs::exists(config.data_dir));
  config.jwt_public_key_file = dir_ + "/none.pem";
  EXPECT_NE(LoadCredentials(config, base::SystemRandom()).status().message().find("jwt_public_key_file"),
            std::string_view::npos);
}

}  // namespace
}  // namespace tocsin::server
