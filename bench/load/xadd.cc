// P7: XADD over the Redis port, as redis-benchmark does it: 50 connections, so many commands on their way on each, one
// key or a random one of many, an entry of one field with 100 bytes. Before the clock runs the streams are filled by a
// tenth of the work. Every entry has to be in its stream at the end.
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "load/redis_client.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {

constexpr int kClients = 50;
constexpr int kWarmUpPipeline = 16;
constexpr std::string_view kPrefix = "stream:";

std::string ReadAll(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = read(fd, buffer.data(), buffer.size())) != 0;) {
    if (got > 0) {
      text.append(buffer.data(), static_cast<size_t>(got));
    } else if (errno != EINTR) {
      Die("read: %s", std::strerror(errno));
    }
  }
  return text;
}

// Runs redis-benchmark to its end and gives the last line that it prints: "command","rps","avg","min","p50",...
std::string RedisBenchmark(const Options& options, int pipeline, int commands) {
  std::vector<std::string> words = {"redis-benchmark",        "-p", std::to_string(options.port),    "-c",
                                    std::to_string(kClients), "-P", std::to_string(pipeline),        "-n",
                                    std::to_string(commands), "-r", std::to_string(options.streams), "--csv"};
  if (options.peer == Peer::kTocsin) {
    words.insert(words.end(), {"-a", options.api_key});
  }
  words.insert(words.end(), {"XADD", std::string(kPrefix) + "__rand_int__", "*", "f", RandomBody()});
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);

  std::array<int, 2> pipe_ends{};
  if (pipe(pipe_ends.data()) != 0) {
    Die("pipe: %s", std::strerror(errno));
  }
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipe_ends[1], STDOUT_FILENO);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(pipe_ends[1]);
  std::string text = ReadAll(pipe_ends[0]);
  close(pipe_ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    Die("redis-benchmark ended with status %d: is Debian's redis-tools installed?", status);
  }
  while (text.ends_with('\n')) {
    text.pop_back();
  }
  return text.substr(text.rfind('\n') + 1);
}

// Number `column` of the line's columns behind the command.
double Column(const std::string& line, int column) {
  size_t at = 0;
  for (int i = 0; i <= column && at != std::string::npos; ++i) {
    at = line.find("\",\"", at);
    at = at == std::string::npos ? at : at + 3;
  }
  double value = -1;
  if (at != std::string::npos) {
    std::from_chars(line.data() + at, line.data() + line.size(), value);
  }
  if (value < 0) {
    Die("redis-benchmark printed something new: %s", line.c_str());
  }
  return value;
}

int64_t CountEntries(RedisClient* client, const Options& options) {
  std::string commands;
  for (int i = 0; i < options.streams; ++i) {
    std::string digits = std::to_string(i);
    digits.insert(0, 12 - digits.size(), '0');
    AppendCommand({"XLEN", std::string(kPrefix) + digits}, &commands);
  }
  const std::string answer = client->Ask(commands, options.streams);
  RawReply replies(answer);
  int64_t sum = 0;
  for (int i = 0; i < options.streams; ++i) {
    sum += replies.Integer();
  }
  return sum;
}

}  // namespace

void RunXadd(const Options& options, Report* report) {
  Loop loop;
  RedisClient client(&loop, options, {});
  const Usage usage(options.pids);
  const int warm_up = std::max(options.commands / 10, 10 * options.streams);
  RedisBenchmark(options, kWarmUpPipeline, warm_up);
  const int64_t before = CountEntries(&client, options);

  const UsageSample from = usage.Sample();
  const std::string line = RedisBenchmark(options, options.pipeline, options.commands);
  const UsageSample to = usage.Sample();

  ReportUsage(from, to, options.commands, report);
  report->Number("per_second", Column(line, 0));
  report->Number("answer_p50_ms", Column(line, 3));
  report->Number("answer_p99_ms", Column(line, 5));
  const int64_t added = CountEntries(&client, options) - before;
  // It sends whole pipelines, so a few more than were asked for.
  if (added < options.commands || added > options.commands + kClients * options.pipeline) {
    report->Invalid(std::to_string(options.commands) + " entries were added and " + std::to_string(added) +
                    " are in the streams");
  }
}

}  // namespace tocsin::bench
