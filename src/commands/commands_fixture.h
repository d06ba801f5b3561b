// What the tests of commands share: a database on a real store, a client, and commands written as one line. Turns are
// run by hand; the clock stands still.
#pragma once

#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "commands/client.h"
#include "commands/database.h"
#include "storage/temp_dir.h"
#include "streams/engine.h"

namespace tocsin::commands {

class CommandsTest : public ::testing::Test {
 protected:
  static constexpr std::string_view kIngest = "notifications_stream";

  CommandsTest() : CommandsTest(Authentication::kOff, "root:all-may-be-done-with-this") {}
  CommandsTest(Authentication authentication, std::string_view keys) : keys_(*auth::ApiKeys::Parse(keys)) {
    auto opened = storage::OpenStore({.dir = dir_.path() + "/store", .min_free_bytes = 0});
    CHECK_MSG(opened.ok(), opened.status().message());
    store_ = std::move(*opened);
    engine_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
    db_ = std::make_unique<Database>(*engine_, clock_,
                                     DatabaseOptions{.ingest_streams = {std::string(kIngest)}, .version = "0.0.0"});
    context_.reset(new ClientContext{*db_, keys_, guesses_, authentication, clock_});
    client_ = NewClient();
  }

  std::unique_ptr<Client> NewClient() {
    return std::make_unique<Client>(*context_, "192.0.2.1:1000", "127.0.0.1:6380", "192.0.2.1");
  }

  // Words between spaces; `""` is an empty one.
  static std::vector<std::string> Words(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word == "\"\"" ? "" : word);
    return words;
  }

  Next Take(Client& client, const std::vector<std::string>& words, Batch& batch) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    return client.Take(views, batch);
  }
  Next Take(const std::string& line, Batch& batch) { return Take(*client_, Words(line), batch); }

  // Runs to the end, in as many turns as it needs; a blocked command gives `(blocks)`.
  std::string Run(Batch& batch, Client& client) {
    std::string out;
    for (;;) {
      storage::Batch turn;
      const Batch::Stop stop = batch.Run(*db_, *client.session(), turn, out);
      CHECK(engine_->BeforeCommit(turn).ok());
      const base::Status status = store_->Write(turn, storage::Sync::kLater);
      CHECK(status.ok());
      engine_->AfterCommit(status);
      if (stop == Batch::Stop::kBlocked) return out + "(blocks)";
      if (stop == Batch::Stop::kEnd) return out;
    }
  }

  // The reply as it leaves, with `|` for CRLF.
  std::string Ask(Client& client, const std::vector<std::string>& words) {
    Batch batch;
    last_next_ = Take(client, words, batch);
    std::string reply = Run(batch, client);
    for (size_t at; (at = reply.find("\r\n")) != std::string::npos;) reply.replace(at, 2, "|");
    return reply;
  }
  std::string Ask(Client& client, const std::string& line) { return Ask(client, Words(line)); }
  std::string Ask(const std::string& line) { return Ask(*client_, line); }

  storage::TempDir dir_;
  base::ManualClock clock_{1'700'000'000'000};
  auth::GuessLimiter guesses_{clock_, base::SystemRandom()};
  auth::ApiKeys keys_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<streams::StreamEngine> engine_;
  std::unique_ptr<Database> db_;
  std::unique_ptr<ClientContext> context_;
  std::unique_ptr<Client> client_;
  Next last_next_ = Next::kGoOn;
};

}  // namespace tocsin::commands
