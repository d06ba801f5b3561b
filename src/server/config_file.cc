#include "server/config_file.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <fstream>
#include <sstream>

#include <toml++/toml.h>

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

std::string Place(const std::string& file, const toml::source_region& source) {
  return file + ":" + std::to_string(source.begin.line) + ": ";
}

Status Refuse(const std::string& file, const toml::node& node, const std::string& why) {
  return Status(Code::kInvalidArgument, Place(file, node.source()) + why);
}

bool AppendText(const toml::node& node, std::string& text) {
  if (const auto* string = node.as_string()) {
    text += string->get();
  } else if (const auto* integer = node.as_integer()) {
    text += std::to_string(integer->get());
  } else if (const auto* boolean = node.as_boolean()) {
    text += boolean->get() ? "on" : "off";
  } else {
    return false;
  }
  return true;
}

Status ReadTable(const std::string& file, const toml::table& table, const std::string& prefix,
                 std::vector<FileSetting>& settings) {
  for (const auto& [key, node] : table) {
    std::string name = prefix + std::string(key.str());
    FileSetting setting{.name = name, .value = {}, .line = static_cast<int>(node.source().begin.line)};
    if (const toml::table* inner = node.as_table()) {
      RETURN_IF_ERROR(ReadTable(file, *inner, name + ".", settings));
      continue;
    }
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& element : *array) {
        if (!setting.value.empty()) setting.value += ',';
        if (!AppendText(element, setting.value)) return Refuse(file, node, name + ": a list holds strings");
      }
    } else if (!AppendText(node, setting.value)) {
      return Refuse(file, node, name + ": a value is a string, an integer, true or false, or a list of strings");
    }
    settings.push_back(std::move(setting));
  }
  return base::Ok();
}

}  // namespace

Result<std::vector<FileSetting>> ReadSettingsFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Status(Code::kNotFound, "settings file " + file + " cannot be opened");
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad() || (text.str().empty() && in.fail())) {
    return Status(Code::kInvalidArgument, "settings file " + file + " cannot be read");
  }
  toml::parse_result parsed = toml::parse(text.str());
  if (!parsed) {
    return Status(Code::kInvalidArgument,
                  Place(file, parsed.error().source()) + std::string(parsed.error().description()));
  }
  std::vector<FileSetting> settings;
  RETURN_IF_ERROR(ReadTable(file, parsed.table(), "", settings));
  return settings;
}

}  // namespace tocsin::server
