// Paths and queries of request targets: strict percent-decoding (RFC 3986) and form parameters (`a=1&b=2`).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tocsin::wire {

// Decodes `%XX`. Nothing where a `%` is not followed by two hex digits or the result is not UTF-8.
std::optional<std::string> PercentDecode(std::string_view text);

// Appends `text` so that it is one path segment or one query value: everything but unreserved characters is escaped.
void AppendPercentEncoded(std::string& out, std::string_view text);

// "/v1/users/a%2Fb" -> {"v1", "users", "a/b"}; "/" -> {""}. Nothing where the path does not start with `/` or a segment
// cannot be decoded. Dot segments stay what they are: names that match no route.
std::optional<std::vector<std::string>> PathSegments(std::string_view path);

// The parameters of a query, decoded (`+` is a space), in order, each name once.
class QueryParameters {
 public:
  // kInvalidArgument with a message that says what is wrong: a bad escape, a name given twice.
  static base::Result<QueryParameters> Parse(std::string_view query);

  std::optional<std::string_view> Find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return parameters_; }

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace tocsin::wire
