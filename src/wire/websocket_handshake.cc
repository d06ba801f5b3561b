#include <algorithm>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "wire/websocket.h"

namespace tocsin::wire {
namespace {

std::string Base64(std::span<const unsigned char> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock writes a NUL behind
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

// 16 bytes in base64: 22 characters and `==`.
bool IsKey(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  return std::all_of(key.begin(), key.end() - 2, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
}

bool AnyHasToken(const RequestHead& head, std::string_view name, std::string_view token) {
  const std::span<const HttpHeader> headers = head.headers();
  return std::any_of(headers.begin(), headers.end(), [name, token](const HttpHeader& header) {
    return EqualsIgnoreCase(header.name, name) && ListHasToken(header.value, token);
  });
}

// Subprotocols compare with case, unlike other tokens.
bool OffersSubprotocol(const RequestHead& head) {
  for (const HttpHeader& header : head.headers()) {
    if (!EqualsIgnoreCase(header.name, "Sec-WebSocket-Protocol")) continue;
    std::string_view list = header.value;
    while (!list.empty()) {
      const size_t comma = std::min(list.find(','), list.size());
      std::string_view one = list.substr(0, comma);
      one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
      one = one.substr(0, one.find_last_not_of(" \t") + 1);
      if (one == kSubprotocol) return true;
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
  }
  return false;
}

base::Status BadAnswer(std::string message) {
  return base::Status(base::Code::kInvalidArgument, "no WebSocket: " + std::move(message));
}

// The value of a header of a complete response head; lines that are not `Name: value` are passed over.
std::optional<std::string_view> FindHeader(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end == head.npos ? head.size() : end + 2);
    const size_t colon = line.find(':');
    if (colon == line.npos || !EqualsIgnoreCase(line.substr(0, colon), name)) continue;
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    return value.substr(0, value.find_last_not_of(" \t") + 1);
  }
  return std::nullopt;
}

}  // namespace

std::string WsAccept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return Base64(digest);
}

std::string WsClientKey(std::span<const unsigned char, 16> random) { return Base64(random); }

bool WantsWebSocket(const RequestHead& head) { return AnyHasToken(head, "Upgrade", "websocket"); }

bool CheckUpgrade(const RequestHead& head, WsUpgrade& upgrade, WsRefusal& refusal) {
  const std::optional<std::string_view> key = head.Find("Sec-WebSocket-Key");
  const auto refuse = [&refusal](int status, std::string_view message) {
    refusal = {status, message};
    return false;
  };
  if (head.method != Method::kGet) return refuse(405, "a WebSocket is opened with GET");
  if (head.minor_version != 1) return refuse(400, "a WebSocket needs HTTP/1.1");
  if (!WantsWebSocket(head) || !head.upgrade) {
    return refuse(426, "a WebSocket needs the headers `Connection: Upgrade` and `Upgrade: websocket`");
  }
  if (head.framing != BodyFraming::kNone && (head.framing == BodyFraming::kChunked || head.content_length > 0)) {
    return refuse(400, "the opening request of a WebSocket has no body");
  }
  if (head.Count("Sec-WebSocket-Version") != 1 || head.Find("Sec-WebSocket-Version") != "13") {
    return refuse(426, "the WebSocket version spoken here is 13");
  }
  if (!key || head.Count("Sec-WebSocket-Key") != 1 || !IsKey(*key)) {
    return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64, once");
  }
  upgrade.accept = WsAccept(*key);
  upgrade.subprotocol = OffersSubprotocol(head);
  return true;
}

void AppendUpgradeResponse(std::string& out, const WsUpgrade& upgrade) {
  const std::array<HttpHeader, 3> headers = {{
      {"Upgrade", "websocket"},
      {"Sec-WebSocket-Accept", upgrade.accept},
      {"Sec-WebSocket-Protocol", kSubprotocol},
  }};
  AppendResponseHead(out, {.status = 101,
                           .connection = Connection::kUpgrade,
                           .headers = std::span(headers).first(upgrade.subprotocol ? 3 : 2)});
}

void AppendUpgradeRequest(std::string& out, std::string_view host, std::string_view target, std::string_view key,
                          std::span<const HttpHeader> headers) {
  out.append("GET ").append(target).append(" HTTP/1.1\r\nHost: ").append(host);
  out.append("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
  out.append(key).append("\r\nSec-WebSocket-Protocol: ").append(kSubprotocol).append("\r\n");
  for (const HttpHeader& header : headers) out.append(header.name).append(": ").append(header.value).append("\r\n");
  out += "\r\n";
}

base::Result<size_t> CheckUpgradeResponse(std::string_view input, std::string_view key) {
  const size_t end = input.substr(0, model::kMaxHttpHead).find("\r\n\r\n");
  if (end == input.npos) {
    if (input.size() < model::kMaxHttpHead) return size_t{0};
    return BadAnswer("the answer's head is too long");
  }
  const std::string_view status_line = input.substr(0, input.find("\r\n"));
  if (!status_line.starts_with("HTTP/1.1 101 ")) {
    return BadAnswer("the server answered `" + std::string(status_line.substr(0, 200)) + "`");
  }
  const std::string_view head = input.substr(status_line.size() + 2, end - std::min(end, status_line.size() + 2));
  const std::optional<std::string_view> upgrade = FindHeader(head, "Upgrade");
  const std::optional<std::string_view> connection = FindHeader(head, "Connection");
  if (!upgrade || !EqualsIgnoreCase(*upgrade, "websocket")) return BadAnswer("the answer upgrades to something else");
  if (!connection || !ListHasToken(*connection, "upgrade")) return BadAnswer("the answer does not upgrade");
  if (FindHeader(head, "Sec-WebSocket-Accept") != WsAccept(key)) return BadAnswer("the answer is not to this request");
  const std::optional<std::string_view> subprotocol = FindHeader(head, "Sec-WebSocket-Protocol");
  if (subprotocol && *subprotocol != kSubprotocol) return BadAnswer("the server picked another subprotocol");
  if (FindHeader(head, "Sec-WebSocket-Extensions")) return BadAnswer("the server picked an extension");
  return end + 4;
}

}  // namespace tocsin::wire
