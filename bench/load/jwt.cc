#include "load/jwt.h"

#include <cstdint>
#include <ctime>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace tocsin::bench {

namespace {

std::string Base64Url(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    held += 8;
    while (held >= 6) {
      held -= 6;
      text.push_back(kAlphabet[bits >> held & 63]);
    }
  }
  if (held > 0) {
    text.push_back(kAlphabet[bits << (6 - held) & 63]);
  }
  return text;
}

}  // namespace

std::string MintJwt(std::string_view secret, std::string_view user) {
  const auto now = static_cast<long long>(std::time(nullptr));
  std::string token = Base64Url(R"({"alg":"HS256","typ":"JWT"})");
  token += '.';
  token += Base64Url(R"({"sub":")" + std::string(user) + R"(","iat":)" + std::to_string(now) + R"(,"exp":)" +
                     std::to_string(now + 3600) + "}");
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int mac_size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(token.data()), token.size(), mac, &mac_size);
  token += '.';
  token += Base64Url({reinterpret_cast<const char*>(mac), mac_size});
  return token;
}

}  // namespace tocsin::bench
