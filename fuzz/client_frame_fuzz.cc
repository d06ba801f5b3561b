// A message of a client. The fast path for acks must not read anything differently: a space before the object avoids
// it.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "wire/client_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  namespace wire = tocsin::wire;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (wire::ClientFrameReader reader(text); const auto object = reader.Next();) {
    const auto frame = wire::ParseClientFrame(*object);
    const auto slow = wire::ParseClientFrame(" " + std::string(*object));
    CHECK(frame.ok() == slow.ok());
    if (!frame.ok()) {
      CHECK(!frame.status().message().empty());
      continue;
    }
    CHECK(frame->index() == slow->index());
    if (const auto* ack = std::get_if<wire::Ack>(&*frame)) {
      CHECK(ack->cursor || !ack->nids.empty());
      CHECK(ack->cursor == std::get<wire::Ack>(*slow).cursor);
    } else if (const auto* mark = std::get_if<wire::Mark>(&*frame)) {
      CHECK(mark->upto.has_value() == mark->nids.empty() && !mark->correlator.empty());
    }
  }
  return 0;
}
