#include <array>

#include <openssl/evp.h>

#include "base/check.h"
#include "redis/client.h"

namespace tocsin::redis {

Script::Script(std::string source) : source_(std::move(source)) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  CHECK(EVP_Digest(source_.data(), source_.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1);
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (unsigned int i = 0; i < size; ++i) {
    sha1_ += kDigits[digest[i] >> 4];
    sha1_ += kDigits[digest[i] & 15];
  }
}

}  // namespace tocsin::redis
