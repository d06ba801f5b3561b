#include "auth/base64url.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace tocsin::auth {
namespace {

TEST(Base64Url, EncodesAsRfc4648) {
  EXPECT_EQ(EncodeBase64Url(""), "");
  EXPECT_EQ(EncodeBase64Url("f"), "Zg");
  EXPECT_EQ(EncodeBase64Url("fo"), "Zm8");
  EXPECT_EQ(EncodeBase64Url("foo"), "Zm9v");
  EXPECT_EQ(EncodeBase64Url("foobar"), "Zm9vYmFy");
  EXPECT_EQ(EncodeBase64Url("\xfb\xff\xbf"), "-_-_");
}

TEST(Base64Url, DecodesWhatItEncodes) {
  base::SeededRandom random(7);
  for (size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    random.Fill({reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()});
    EXPECT_EQ(DecodeBase64Url(EncodeBase64Url(bytes)), bytes);
  }
}

TEST(Base64Url, RefusesEveryOtherSpelling) {
  for (std::string_view text : {"Zg==", "Zm8=", "Z", "Zm9vY", "Zm9v ", " Zm9v", "Zm 9", "Zm+v", "Zm/v", "Zm9v\n",
                                "Zm\0v", "Zh", "Zm9", "Zm9vYmF$", "\xc3\xa9\xc3\xa9"}) {
    EXPECT_EQ(DecodeBase64Url(text), std::nullopt) << text;
  }
  EXPECT_EQ(DecodeBase64Url(std::string_view("Zm\0v", 4)), std::nullopt);
}

}  // namespace
}  // namespace tocsin::auth
