#include "redis_server.h"

#include <filesystem>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tocsin::differential {

std::string Int(int64_t value) { return ":" + std::to_string(value); }
std::string Bulk(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string Array(const std::vector<std::string>& elements) {
  std::string text = "[";
  for (const std::string& element : elements) {
    if (text.size() > 1) text += ' ';
    text += element;
  }
  return text + "]";
}

RedisServer::RedisServer(const std::vector<std::string>& arguments) {
  std::string dir = (std::filesystem::temp_directory_path() / "tocsin-redis-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return;
  dir_ = dir;
  std::vector<std::string> words = {
      "redis-server", "--port",     "0",      "--unixsocket", dir_ + "/redis.sock", "--save", "",
      "--appendonly", "no",         "--dir",  dir_,           "--daemonize",        "no",     "--logfile",
      "/dev/null",    "--loglevel", "warning"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  pid_ = fork();
  if (pid_ == 0) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  for (int i = 0; i < 500 && !Connect(); ++i) {
    if (int status = 0; waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    }
    usleep(10'000);  // until the server listens: nothing tells us
  }
}

RedisServer::~RedisServer() {
  if (socket_ >= 0) close(socket_);
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  if (!dir_.empty()) std::filesystem::remove_all(dir_, ignored);
}

bool RedisServer::Connect() {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, (dir_ + "/redis.sock").c_str(), sizeof address.sun_path - 1);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (fd >= 0) close(fd);
    return false;
  }
  socket_ = fd;
  return true;
}

std::string RedisServer::Ask(const std::vector<std::string>& command) {
  std::string request = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& word : command) request += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t n = write(socket_, request.data() + sent, request.size() - sent);
    if (n <= 0) return "lost";
    sent += static_cast<size_t>(n);
  }
  return ReadReply();
}

std::string RedisServer::ReadBytes(size_t count) {
  while (buffer_.size() - taken_ < count) {
    char bytes[16384];
    const ssize_t n = read(socket_, bytes, sizeof bytes);
    if (n <= 0) return {};
    buffer_.append(bytes, static_cast<size_t>(n));
  }
  std::string text = buffer_.substr(taken_, count);
  taken_ += count;
  if (taken_ == buffer_.size()) {
    buffer_.clear();
    taken_ = 0;
  }
  return text;
}

std::string RedisServer::ReadLine() {
  std::string line;
  while (!line.ends_with("\r\n")) {
    const std::string next = ReadBytes(1);
    if (next.empty()) return {};
    line += next;
  }
  line.resize(line.size() - 2);
  return line;
}

std::string RedisServer::ReadReply() {
  const std::string line = ReadLine();
  if (line.empty()) return "lost";
  const long long count = atoll(line.c_str() + 1);
  switch (line[0]) {
    case '$': {
      if (count < 0) return std::string(kNil);
      const std::string text = ReadBytes(static_cast<size_t>(count));
      ReadBytes(2);
      return Bulk(text);
    }
    case '*': {
      if (count < 0) return std::string(kNil);
      std::vector<std::string> elements;
      for (long long i = 0; i < count; ++i) elements.push_back(ReadReply());
      return Array(elements);
    }
    default:
      return line;
  }
}

}  // namespace tocsin::differential
