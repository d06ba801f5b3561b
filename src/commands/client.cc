#include "commands/client.h"

#include <algorithm>

#include "commands/arguments.h"

namespace tocsin::commands {
namespace {

constexpr size_t kQuoted = 128;  // bytes of what a client sent that an error repeats

std::string UnknownCommand(Arguments args) {
  std::string text =
      "ERR unknown command '" + std::string(args[0].substr(0, kQuoted)) + "', with args beginning with: ";
  std::string list;
  for (size_t i = 1; i < args.size() && list.size() < kQuoted; ++i) {
    list += "'" + std::string(args[i].substr(0, kQuoted - list.size())) + "' ";
  }
  return text + list;
}

}  // namespace

Client::Client(ClientContext& context, std::string peer, std::string local, std::string peer_ip)
    : context_(context),
      id_(context.db.figures().next_client_id.fetch_add(1, std::memory_order_relaxed)),
      peer_(std::move(peer)),
      local_(std::move(local)),
      peer_ip_(std::move(peer_ip)),
      since_us_(context.clock.MonotonicUs()),
      last_us_(since_us_),
      user_(auth::kDefaultKeyName),
      session_(std::make_shared<StoreSession>()) {
  Figures& figures = context_.db.figures();
  figures.clients.fetch_add(1, std::memory_order_relaxed);
  figures.connections_received.fetch_add(1, std::memory_order_relaxed);
  Reset();
}

Client::~Client() { context_.db.figures().clients.fetch_sub(1, std::memory_order_relaxed); }

void Client::Reset() {
  authenticated_ = context_.authentication == Authentication::kOff;
  scopes_ = authenticated_ ? auth::Scopes::All() : auth::Scopes();
  user_ = auth::kDefaultKeyName;
  name_.clear();
  version_ = wire::RespVersion::k2;
  replies_ = Replies::kOn;
  multi_.reset();
}

void Client::Become(const auth::ApiKey& key) {
  authenticated_ = true;
  scopes_ = key.scopes;
  user_ = key.name;
}

bool Client::LogIn(wire::RespWriter& reply, std::string_view name, std::string_view secret) {
  if (context_.authentication == Authentication::kOff) {
    // As Redis' default user without a password: any will do.
    if (name == auth::kDefaultKeyName) return true;
  } else {
    if (!context_.guesses.Allowed(peer_ip_)) {
      reply.Error("ERR too many wrong passwords came from this address: try again in " +
                  std::to_string(context_.guesses.RetryAfterSeconds(peer_ip_)) + " s");
      return false;
    }
    auto key = context_.keys.CheckNamed(name, secret);
    if (key.ok()) {
      Become(*key);
      return true;
    }
    context_.guesses.CountWrong(peer_ip_);
  }
  reply.Error("WRONGPASS invalid username-password pair or user is disabled.");
  return false;
}

bool Client::SetName(wire::RespWriter& reply, std::string_view name) {
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
  if (!printable) {
    reply.Error("ERR Client names cannot contain spaces, newlines or special characters.");
    return false;
  }
  name_ = name.substr(0, 4'096);
  return true;
}

void Client::SetLibrary(std::string_view attribute, std::string_view value) {
  (attribute == "lib-name" ? library_ : library_version_) = value.substr(0, 1'024);
}

Next Client::Take(Arguments args, Batch& batch) {
  const bool mute = replies_ != Replies::kOn;
  if (replies_ == Replies::kSkipNext) replies_ = Replies::kSkipThis;
  batch.SetMuted(mute);
  const size_t before = batch.ready_replies().size();
  const Next next = TakeOne(args, batch);
  if (replies_ == Replies::kSkipThis) {
    replies_ = Replies::kOn;
    batch.DropReadyReplies(before);
  } else if (replies_ != Replies::kOn) {
    batch.DropReadyReplies(before);
  }
  return next;
}

Next Client::TakeOne(Arguments args, Batch& batch) {
  batch_ = &batch;
  last_us_ = context_.clock.MonotonicUs();
  context_.db.figures().commands.fetch_add(1, std::memory_order_relaxed);
  // HTTP on this port: somebody's browser was made to talk to us (cross-protocol scripting). As Redis, no answer.
  if (Is(args[0], "post") || Is(args[0], "host:")) return Next::kClose;
  std::string refusal;
  wire::RespWriter refused(refusal, version_);
  const Command* command = Choose(args, refused);
  if (command == nullptr || !MayRun(*command, refused)) {
    if (multi_) multi_->refused = true;
    batch.ReadyReplies() += refusal;
    context_.db.figures().errors.fetch_add(1, std::memory_order_relaxed);
    return Next::kGoOn;
  }
  last_command_ = command;
  if (!multi_ || command->Has(kInMulti)) return Run(*command, args);
  wire::RespWriter reply(batch.ReadyReplies(), version_);
  Queue(*command, args, reply);
  return Next::kGoOn;
}

const Command* Client::Choose(Arguments args, wire::RespWriter& reply) {
  const Command* command = FindCommand(args[0]);
  if (command == nullptr) {
    reply.Error(UnknownCommand(args));
    return nullptr;
  }
  if (!command->subcommands.empty() && args.size() > 1) {
    const Command* subcommand = FindSubcommand(*command, args[1]);
    if (subcommand == nullptr) {
      reply.Error("ERR unknown subcommand '" + std::string(args[1].substr(0, kQuoted)) + "'. Try " + Upper(args[0]) +
                  " HELP.");
      return nullptr;
    }
    command = subcommand;
  }
  if (!command->TakesArguments(args.size())) {
    WrongArity(reply, command->FullName());
    return nullptr;
  }
  return command;
}

bool Client::MayRun(const Command& command, wire::RespWriter& reply) {
  if (!authenticated_ && !command.Has(kNoAuth)) {
    reply.Error("NOAUTH Authentication required.");
    return false;
  }
  if (!command.Has(kAnyScope) && !scopes_.Has(command.scope)) {
    reply.Error("NOPERM User " + user_ + " has no permissions to run the '" + command.FullName() + "' command");
    return false;
  }
  if (multi_ && command.Has(kNoMulti)) {
    reply.Error("ERR Command not allowed inside a transaction");
    return false;
  }
  return true;
}

Next Client::Run(const Command& command, Arguments args) {
  if (command.answer != nullptr) {
    wire::RespWriter reply(batch_->ReadyReplies(), version_);
    ConnectionCall call{.client = *this, .args = args, .reply = reply};
    const Next next = command.answer(call);
    if (next != Next::kStore) return next;
  }
  batch_->Add(command, args, version_, scopes_);
  const bool may_wait = command.Has(kBlocking) &&
                        std::any_of(args.begin(), args.end(), [](std::string_view arg) { return Is(arg, "block"); });
  return may_wait ? Next::kSubmit : Next::kGoOn;
}

void Client::BeginMulti() { multi_ = std::make_unique<Multi>(); }

void Client::Queue(const Command& command, Arguments args, wire::RespWriter& reply) {
  if (!multi_->refused) {
    for (const std::string_view arg : args) multi_->bytes += arg.size() + sizeof(std::string);
    if (multi_->bytes > kMaxQueued) {
      multi_->refused = true;
      multi_->queued.clear();
      return reply.Error("ERR the transaction is too large");
    }
    multi_->queued.push_back({&command, {args.begin(), args.end()}});
  }
  reply.Simple("QUEUED");
}

Next Client::Execute() {
  const std::unique_ptr<Multi> multi = std::move(multi_);
  if (multi->refused) return Next::kStore;  // which forgets what is watched, and answers
  auto transaction = std::make_unique<Batch>();
  const wire::RespVersion version = version_;
  Batch* const outer = batch_;
  batch_ = transaction.get();
  std::vector<std::string_view> args;
  for (const Queued& queued : multi->queued) {
    args.assign(queued.args.begin(), queued.args.end());
    static_cast<void>(Run(*queued.command, args));
  }
  batch_ = outer;
  batch_->AddTransaction(std::move(transaction), multi->queued.size(), version);
  return Next::kGoOn;
}

void Client::AskHost(HostRequest request) {
  host_request_ = std::move(request);
  host_request_.caller = id_;
  host_request_.version = version_;
}

std::string Client::Describe(const Sockets& sockets) const {
  const auto seconds = [&](int64_t since_us) { return std::to_string((sockets.now_us - since_us) / 1'000'000); };
  std::string flags;
  if (sockets.blocked) flags += 'b';
  if (multi_) flags += 'x';
  if (flags.empty()) flags = "N";
  const auto number = [](size_t value) { return std::to_string(value); };
  return "id=" + number(id_) + " addr=" + peer_ + " laddr=" + local_ + " fd=0 name=" + name_ +
         " age=" + seconds(since_us_) + " idle=" + seconds(last_us_) + " flags=" + flags +
         " db=0 sub=0 psub=0 ssub=0 multi=" + (multi_ ? number(multi_->queued.size()) : "-1") +
         " qbuf=" + number(sockets.input) + " qbuf-free=0 argv-mem=0 multi-mem=" + number(multi_ ? multi_->bytes : 0) +
         " rbs=0 rbp=0 obl=" + number(sockets.output) + " oll=0 omem=0 tot-mem=" +
         number(sizeof(*this) + sockets.input + sockets.output + (multi_ ? multi_->bytes : 0)) +
         " events=r cmd=" + (last_command_ == nullptr ? "NULL" : last_command_->FullName()) + " user=" + user_ +
         " redir=-1 resp=" + (version_ == wire::RespVersion::k3 ? "3" : "2") + " lib-name=" + library_ +
         " lib-ver=" + library_version_;
}

bool Client::Matches(const HostRequest& request, const Sockets& sockets) const {
  if (!request.ids.empty() && std::find(request.ids.begin(), request.ids.end(), id_) == request.ids.end()) return false;
  if (request.address && *request.address != peer_) return false;
  if (request.local_address && *request.local_address != local_) return false;
  if (request.user && *request.user != user_) return false;
  if (request.type && *request.type != "normal") return false;
  if (request.max_age_s && (sockets.now_us - since_us_) / 1'000'000 < *request.max_age_s) return false;
  return request.kind != HostRequest::Kind::kKill || !request.skip_caller || request.caller != id_;
}

}  // namespace tocsin::commands
