#include "server/command_line.h"

#include <algorithm>
#include <array>
#include <deque>
#include <tuple>

#include <CLI/CLI.hpp>

#include "server/help.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

struct CommandName {
  std::string_view name;
  Command command;
};
constexpr std::array<CommandName, 13> kCommands = {{{"serve", Command::kServe},
                                                    {"publish", Command::kPublish},
                                                    {"tail", Command::kTail},
                                                    {"token", Command::kToken},
                                                    {"streams", Command::kStreams},
                                                    {"groups", Command::kGroups},
                                                    {"pending", Command::kPending},
                                                    {"claim", Command::kClaim},
                                                    {"trim", Command::kTrim},
                                                    {"dead-letters", Command::kDeadLetters},
                                                    {"migrate", Command::kMigrate},
                                                    {"version", Command::kVersion},
                                                    {"help", Command::kHelp}}};

Status Wrong(std::string why) { return Status(Code::kInvalidArgument, std::move(why)); }

CommandLine Print(std::string text) {
  CommandLine line;
  line.help = std::move(text);
  return line;
}

// The options of one command, read by CLI11 into `line`.
class Parser {
 public:
  explicit Parser(Command command) { AddAll(command); }

  Result<CommandLine> Parse(std::vector<std::string> arguments) {
    std::vector<std::string> words = TakeWordsAfterDashes(arguments);
    SplitEmptyValues(arguments);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      return Wrong(error.what());
    }
    if (help_) return Print(HelpFor(line_.command));
    std::vector<std::string> rest = app_.remaining();
    for (const std::string& argument : rest) {
      if (argument.starts_with('-') && argument.size() > 1) return Unknown(argument);
    }
    rest.insert(rest.end(), words.begin(), words.end());
    RETURN_IF_ERROR(TakeWords(rest));
    for (const SettingValue& setting : settings_) {
      if (setting.option->count() > 0) line_.flags.emplace_back(setting.name, setting.value);
    }
    TakeSwitches();
    return std::move(line_);
  }

 private:
  struct SettingValue {
    std::string name;
    std::string value;
    CLI::Option* option;
  };

  // Behind `--` everything is a word, also what looks like an option.
  static std::vector<std::string> TakeWordsAfterDashes(std::vector<std::string>& arguments) {
    auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    if (dashes == arguments.end()) return {};
    std::vector<std::string> words(dashes + 1, arguments.end());
    arguments.erase(dashes, arguments.end());
    return words;
  }

  // CLI11 2.1 takes `--redis-listen ''` but not `--redis-listen=`.
  static void SplitEmptyValues(std::vector<std::string>& arguments) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      if (!arguments[i].starts_with("--") || !arguments[i].ends_with('=')) continue;
      arguments[i].pop_back();
      arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::string());
    }
  }

  // What a command takes besides options, in order. What is missing the command itself asks for.
  std::vector<std::string*> Places() {
    switch (line_.command) {
      case Command::kPublish:
        return {&line_.publish.message};
      case Command::kStreams:
        return {&line_.streams.stream};
      case Command::kGroups:
        return {&line_.groups.stream};
      case Command::kPending:
        return {&line_.pending.stream, &line_.pending.group};
      case Command::kClaim:
        return {&line_.claim.stream, &line_.claim.group, &line_.claim.consumer};
      case Command::kTrim:
        return {&line_.trim.stream};
      case Command::kDeadLetters:
        return {&action_, &line_.dead_letters.stream};
      default:
        return {};
    }
  }

  Status TakeWords(const std::vector<std::string>& words) {
    const std::vector<std::string*> places = Places();
    if (line_.command == Command::kPublish && words.size() + (line_.publish.message.empty() ? 0 : 1) > 1) {
      return Wrong("there is more than one message; put quotes around it: tocsin publish --user ann \"Hello, world\"");
    }
    if (words.size() > places.size()) return Wrong("`" + words[places.size()] + "` is not expected here");
    for (size_t i = 0; i < words.size(); ++i) *places[i] = words[i];
    return line_.command == Command::kDeadLetters ? TakeAction() : base::Ok();
  }

  Status TakeAction() {
    using Action = DeadLettersOptions::Action;
    constexpr std::string_view kNames[] = {"list", "redrive", "drop"};
    for (const Action action : {Action::kList, Action::kRedrive, Action::kDrop}) {
      if (action_ != kNames[static_cast<size_t>(action)]) continue;
      line_.dead_letters.action = action;
      return CheckActionOptions(action);
    }
    if (action_.empty()) return Wrong("list, redrive or drop? `tocsin dead-letters --help` explains them");
    return Wrong("`tocsin dead-letters` can list, redrive and drop, not `" + action_ + "`");
  }

  // `--dry-run` of a list, `--set` of a drop: whoever gives it believes in what will not happen.
  Status CheckActionOptions(DeadLettersOptions::Action action) {
    using Action = DeadLettersOptions::Action;
    for (const auto& [flag, first, second] : {std::tuple("--set", Action::kRedrive, Action::kRedrive),
                                              {"--unset", Action::kRedrive, Action::kRedrive},
                                              {"--dry-run", Action::kRedrive, Action::kDrop},
                                              {"--all", Action::kRedrive, Action::kDrop},
                                              {"--count", Action::kList, Action::kList}}) {
      if (app_.count(flag) == 0 || action == first || action == second) continue;
      return Wrong("`" + std::string(flag) + "` means nothing to `tocsin dead-letters " + action_ + "`");
    }
    return base::Ok();
  }

  void TakeSwitches() {
    if (json_) line_.publish.output = line_.tail.output = Output::kJson;
    if (json_ && operator_ != nullptr) operator_->output = Output::kJson;
    if (exact_) line_.trim.precision = Precision::kExact;
    if (force_) line_.trim.removal = Removal::kForced;
    if (all_) line_.dead_letters.selection = DeadLettersOptions::Selection::kAll;
    if (dry_run_) line_.dead_letters.rehearsal = Rehearsal::kDryRun;
  }

  void AddAll(Command command) {
    line_.command = command;
    app_.set_help_flag();  // ours teaches
    app_.allow_extras();
    app_.add_flag("-h,--help", help_);
    AddText("config", line_.config_file);
    switch (command) {
      case Command::kServe:
        for (const SettingHelp& setting : AllSettings()) AddSetting(setting);
        break;
      case Command::kPublish:
        AddSettings({"data_dir", "listen"});
        AddText("server", line_.publish.server);
        AddText("api_key", line_.publish.api_key);
        AddList("user", line_.publish.users);
        AddText("title", line_.publish.title);
        AddText("url", line_.publish.url);
        AddText("icon", line_.publish.icon);
        AddText("lang", line_.publish.lang);
        AddText("priority", line_.publish.priority);
        AddText("data", line_.publish.data);
        AddText("idempotency_key", line_.publish.idempotency_key);
        AddText("message", line_.publish.message);
        app_.add_flag("--json", json_);
        break;
      case Command::kTail:
        AddSettings({"data_dir", "listen", "jwt_issuer", "jwt_audience", "jwt_user_claim"});
        AddText("server", line_.tail.server);
        AddText("token", line_.tail.token);
        AddText("user", line_.tail.user);
        AddText("device", line_.tail.device);
        AddText("since", line_.tail.since);
        AddCount(line_.tail.count);
        app_.add_flag("--json", json_);
        break;
      case Command::kToken:
        AddSettings({"data_dir", "jwt_hs256_secret", "jwt_issuer", "jwt_audience", "jwt_user_claim"});
        AddText("user", line_.token.user);
        AddText("ttl", line_.token.ttl);
        names_.emplace_back("--topics");
        app_.add_option("--topics", line_.token.topics)->delimiter(',')->allow_extra_args(false);
        break;
      case Command::kStreams:
        AddOperator(line_.streams);
        break;
      case Command::kGroups:
        AddOperator(line_.groups);
        break;
      case Command::kPending:
        AddOperator(line_.pending);
        AddText("consumer", line_.pending.consumer);
        AddText("idle", line_.pending.idle);
        AddCount(line_.pending.count);
        break;
      case Command::kClaim:
        AddOperator(line_.claim);
        AddIds(line_.claim.ids);
        AddText("idle", line_.claim.idle);
        AddCount(line_.claim.count);
        break;
      case Command::kTrim:
        AddOperator(line_.trim);
        AddText("max_length", line_.trim.max_length);
        AddText("min_id", line_.trim.min_id);
        AddText("older_than", line_.trim.older_than);
        AddSwitch("exact", exact_);
        AddSwitch("force", force_);
        break;
      case Command::kDeadLetters:
        AddDeadLetters(line_.dead_letters);
        break;
      case Command::kMigrate:
        AddSettings({"ingest_streams", "partitions"});
        AddText("from", line_.migrate.from);
        AddText("to", line_.migrate.to);
        AddList("stream", line_.migrate.streams);
        break;
      case Command::kVersion:
      case Command::kHelp:
        break;
    }
  }

  void AddOperator(OperatorOptions& options) {
    operator_ = &options;
    AddSettings({"data_dir", "redis_listen"});
    AddText("redis", options.redis);
    AddText("api_key", options.api_key);
    AddSwitch("json", json_);
  }

  void AddDeadLetters(DeadLettersOptions& options) {
    AddOperator(options);
    AddSettings({"ingest_streams"});
    AddList("filter", options.filters);
    AddText("older_than", options.older_than);
    AddText("newer_than", options.newer_than);
    AddIds(options.ids);
    AddSwitch("all", all_);
    AddSwitch("dry_run", dry_run_);
    AddList("set", options.set);
    AddList("unset", options.unset);
    AddCount(options.count);
  }

  // "data_dir" -> "--data-dir,--data_dir": a setting may be written as in the file.
  std::string Spellings(std::string_view name) {
    std::string dashed = "--" + std::string(name);
    std::replace(dashed.begin(), dashed.end(), '_', '-');
    names_.push_back(dashed);
    return name.find('_') == std::string_view::npos ? dashed : dashed + ",--" + std::string(name);
  }

  void AddText(std::string_view name, std::string& text) {
    app_.add_option(Spellings(name), text)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  void AddList(std::string_view name, std::vector<std::string>& list) {
    app_.add_option(Spellings(name), list)->allow_extra_args(false);  // one value each time it is given
  }

  void AddIds(std::vector<std::string>& ids) {
    names_.emplace_back("--id");
    app_.add_option("--id", ids)->delimiter(',')->allow_extra_args(false);
  }

  void AddCount(int64_t& count) {
    names_.emplace_back("--count");
    app_.add_option("--count", count);
  }

  void AddSwitch(std::string_view name, bool& on) { app_.add_flag(Spellings(name), on); }

  void AddSetting(const SettingHelp& setting) {
    settings_.push_back({.name = std::string(setting.name), .value = {}, .option = nullptr});
    SettingValue& added = settings_.back();  // a deque: it stays where it is
    if (setting.is_switch) {
      added.option = app_.add_flag(Spellings(setting.name) + "{on}", added.value);
    } else {
      added.option =
          app_.add_option(Spellings(setting.name), added.value)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }

  void AddSettings(std::initializer_list<std::string_view> names) {
    for (const SettingHelp& setting : AllSettings()) {
      if (std::find(names.begin(), names.end(), setting.name) != names.end()) AddSetting(setting);
    }
  }

  Status Unknown(const std::string& argument) const {
    std::string flag = argument.substr(0, argument.find('='));
    std::vector<std::string_view> names(names_.begin(), names_.end());
    std::string_view nearest = NearestName(flag, names);
    std::string message = "there is no option `" + flag + "`";
    if (!nearest.empty()) message += "; did you mean `" + std::string(nearest) + "`?";
    return Wrong(std::move(message));
  }

  CLI::App app_;
  CommandLine line_;
  std::deque<SettingValue> settings_;
  std::vector<std::string> names_;
  OperatorOptions* operator_ = nullptr;  // in line_, of an operators' command
  std::string action_;
  bool help_ = false, json_ = false;
  bool exact_ = false, force_ = false, all_ = false, dry_run_ = false;
};

Result<Command> CommandNamed(const std::string& name) {
  std::vector<std::string_view> names;
  for (const CommandName& each : kCommands) {
    if (each.name == name) return each.command;
    names.push_back(each.name);
  }
  std::string_view nearest = NearestName(name, names);
  std::string message = "there is no " + std::string(name.starts_with('-') ? "option" : "command") + " `" + name + "`";
  message += nearest.empty() ? "; `tocsin --help` lists them" : "; did you mean `" + std::string(nearest) + "`?";
  return Wrong(std::move(message));
}

}  // namespace

Result<CommandLine> ParseCommandLine(std::vector<std::string> arguments) {
  if (arguments.empty()) return Wrong("a command is missing; `tocsin --help` lists them");
  std::string first = arguments.front();
  arguments.erase(arguments.begin());
  if (first == "-h" || first == "--help") return Print(MainHelp());
  if (first == "--version" || first == "-V") first = "version";
  Result<Command> command = CommandNamed(first);
  if (!command.ok()) return command.status();
  if (*command == Command::kHelp) {
    if (arguments.empty()) return Print(MainHelp());
    Result<Command> about = CommandNamed(arguments.front());
    if (!about.ok()) return about.status();
    return Print(HelpFor(*about));
  }
  return Parser(*command).Parse(std::move(arguments));
}

}  // namespace tocsin::server
