// tocsin-bench: the load generator. One work against one server, one JSON object on standard output.
#include <map>
#include <string_view>

#include "load/loop.h"
#include "load/work.h"

int main(int argc, char** argv) {
  using tocsin::bench::Options;
  using tocsin::bench::Report;
  const std::map<std::string_view, void (*)(const Options&, Report*)> works = {
      {"notify", tocsin::bench::RunNotify},
      {"latency", tocsin::bench::RunLatency},
      {"memory", tocsin::bench::RunMemory},
      {"connect", tocsin::bench::RunConnect},
      {"commit-loop", tocsin::bench::RunCommitLoop},
      {"xadd", tocsin::bench::RunXadd},
      {"consume", tocsin::bench::RunConsume},
      {"blocked", tocsin::bench::RunBlocked},
      {"fill", tocsin::bench::RunFill},
      {"visit", tocsin::bench::RunVisit},
  };
  const Options options = tocsin::bench::ParseOptions(argc, argv);
  const auto work = works.find(options.work);
  if (work == works.end()) {
    tocsin::bench::Die("no work is called %s", options.work.c_str());
  }
  Report report;
  work->second(options, &report);
  report.Print();
  return 0;
}
