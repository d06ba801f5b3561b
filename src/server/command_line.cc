#include "server/command_line.h"

#include <algorithm>
#include <array>
#include <deque>

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
constexpr std::array<CommandName, 6> kCommands = {{{"serve", Command::kServe},
                                                   {"publish", Command::kPublish},
                                                   {"tail", Command::kTail},
                                                   {"token", Command::kToken},
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
    RETURN_IF_ERROR(TakeMessage(rest));
    for (const SettingValue& setting : settings_) {
      if (setting.option->count() > 0) line_.flags.emplace_back(setting.name, setting.value);
    }
    if (json_) line_.publish.output = line_.tail.output = Output::kJson;
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

  // The only word that a command takes is the message of `publish`.
  Status TakeMessage(const std::vector<std::string>& words) {
    if (words.empty()) return base::Ok();
    if (line_.command != Command::kPublish) return Wrong("`" + words.front() + "` is not expected here");
    if (words.size() > 1 || !line_.publish.message.empty()) {
      return Wrong("there is more than one message; put quotes around it: tocsin publish --user ann \"Hello, world\"");
    }
    line_.publish.message = words.front();
    return base::Ok();
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
        names_.emplace_back("--count");
        app_.add_option("--count", line_.tail.count);
        app_.add_flag("--json", json_);
        break;
      case Command::kToken:
        AddSettings({"data_dir", "jwt_hs256_secret", "jwt_issuer", "jwt_audience", "jwt_user_claim"});
        AddText("user", line_.token.user);
        AddText("ttl", line_.token.ttl);
        names_.emplace_back("--topics");
        app_.add_option("--topics", line_.token.topics)->delimiter(',')->allow_extra_args(false);
        break;
      case Command::kVersion:
      case Command::kHelp:
        break;
    }
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
  bool help_ = false;
  bool json_ = false;
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
