// Report: the one JSON object that a work prints.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::bench {

class Report {
 public:
  void Number(std::string_view name, double value);
  void Text(std::string_view name, std::string_view value);
  // The run does not count, and why; the first reason stays.
  void Invalid(std::string_view reason);

  void Print() const;

 private:
  std::string fields_;
  std::string invalid_;
};

}  // namespace tocsin::bench
