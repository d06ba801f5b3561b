#include "server/http_client.h"

#include <gtest/gtest.h>

namespace tocsin::server {
namespace {

using base::Result;

struct Read {
  size_t size = 0;
  HttpAnswer answer{};
  bool keep_alive = false;
};

Read ReadOne(const std::string& text) {
  Read read;
  Result<size_t> size = ReadAnswer(text, read.answer, read.keep_alive);
  EXPECT_TRUE(size.ok()) << text;
  read.size = size.ok() ? *size : 0;
  return read;
}

TEST(HttpAnswer, WithALength) {
  std::string text = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\ncontent-length:  4 \r\n\r\nbody";
  for (size_t i = 0; i < text.size(); ++i) EXPECT_EQ(ReadOne(text.substr(0, i)).size, 0u) << i;
  Read read = ReadOne(text + "HTTP/1.1 ");
  EXPECT_EQ(read.size, text.size());
  EXPECT_EQ(read.answer.status, 202);
  EXPECT_EQ(read.answer.body, "body");
  EXPECT_TRUE(read.keep_alive);
}

TEST(HttpAnswer, InChunksBehindAnInterimAnswer) {
  std::string text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
  for (size_t i = 0; i < text.size(); ++i) EXPECT_EQ(ReadOne(text.substr(0, i)).size, 0u) << i;
  Read read = ReadOne(text);
  EXPECT_EQ(read.size, text.size());
  EXPECT_EQ(read.answer.body, "abc0123456789");
  EXPECT_FALSE(read.keep_alive);
}

TEST(HttpAnswer, WhatIsNone) {
  HttpAnswer answer;
  bool keep_alive = false;
  for (const char* text :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    EXPECT_FALSE(ReadAnswer(text, answer, keep_alive).ok()) << text;
  }
}

TEST(ServerAddress, OfAUrl) {
  Result<ServerAddress> plain = ServerAddress::Parse("http://tocsin.example");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->address, (Address{"tocsin.example", 80}));
  Result<ServerAddress> v6 = ServerAddress::Parse("http://[::1]:8080/");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->address, (Address{"::1", 8080}));
  EXPECT_EQ(v6->host, "[::1]:8080");
  for (const char* url : {"", "tocsin.example", "https://tocsin.example", "http://", "http://a/b", "http://a:99999",
                          "http://a:b", "http://u@h", "http://:80", "ftp://a"}) {
    EXPECT_FALSE(ServerAddress::Parse(url).ok()) << url;
  }
}

}  // namespace
}  // namespace tocsin::server
