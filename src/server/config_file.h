// Reads the TOML file of settings: names and values as text, each with its line. toml++ lives in the .cc alone.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace tocsin::server {

struct FileSetting {
  std::string name;   // dotted, if it stands in a table
  std::string value;  // an array is joined with commas
  int line = 0;
};

// kNotFound: no such file; kInvalidArgument: not TOML, or a value of a kind that no setting has. Messages name file and
// line.
base::Result<std::vector<FileSetting>> ReadSettingsFile(const std::string& file);

}  // namespace tocsin::server
