// The handlers that the table of commands names; each is described where it is defined.
#pragma once

#include "commands/command.h"

namespace tocsin::commands {

// Of the store.
void RunXadd(Call& call);
void RunXtrim(Call& call);
void RunXdel(Call& call);
void RunXsetid(Call& call);
void RunXlen(Call& call);
void RunXrange(Call& call);
void RunXrevrange(Call& call);
void RunXread(Call& call);
void RunXreadgroup(Call& call);
void RunXgroupCreate(Call& call);
void RunXgroupSetid(Call& call);
void RunXgroupDestroy(Call& call);
void RunXgroupCreateconsumer(Call& call);
void RunXgroupDelconsumer(Call& call);
void RunXgroupHelp(Call& call);
void RunXack(Call& call);
void RunXpending(Call& call);
void RunXclaim(Call& call);
void RunXautoclaim(Call& call);
void RunXdelex(Call& call);
void RunXackdel(Call& call);
void RunXnack(Call& call);
void RunXcfgset(Call& call);
void RunXinfoStream(Call& call);
void RunXinfoGroups(Call& call);
void RunXinfoConsumers(Call& call);
void RunXinfoHelp(Call& call);
void RunType(Call& call);
void RunExists(Call& call);
void RunDel(Call& call);
void RunKeys(Call& call);
void RunScan(Call& call);
void RunRandomkey(Call& call);
void RunDbsize(Call& call);
void RunRename(Call& call);
void RunRenamenx(Call& call);
void RunFlushall(Call& call);
void RunFlushdb(Call& call);
void RunExpire(Call& call);
void RunPexpire(Call& call);
void RunExpireat(Call& call);
void RunPexpireat(Call& call);
void RunTtl(Call& call);
void RunPttl(Call& call);
void RunExpiretime(Call& call);
void RunPexpiretime(Call& call);
void RunPersist(Call& call);
void RunObjectEncoding(Call& call);
void RunObjectRefcount(Call& call);
void RunObjectHelp(Call& call);
void RunInfo(Call& call);
void RunConfigGet(Call& call);
void RunConfigSet(Call& call);
void RunMemoryUsage(Call& call);
void RunMemoryHelp(Call& call);
void RunWatch(Call& call);
void RunUnwatch(Call& call);
void RunDiscard(Call& call);
void RunExecAbort(Call& call);
void RunReset(Call& call);

// Of the connection.
Next AnswerPing(ConnectionCall& call);
Next AnswerEcho(ConnectionCall& call);
Next AnswerHello(ConnectionCall& call);
Next AnswerAuth(ConnectionCall& call);
Next AnswerSelect(ConnectionCall& call);
Next AnswerQuit(ConnectionCall& call);
Next AnswerReset(ConnectionCall& call);
Next AnswerTime(ConnectionCall& call);
Next AnswerWait(ConnectionCall& call);
Next AnswerWaitaof(ConnectionCall& call);
Next AnswerMulti(ConnectionCall& call);
Next AnswerExec(ConnectionCall& call);
Next AnswerDiscard(ConnectionCall& call);
Next AnswerWatch(ConnectionCall& call);
Next AnswerClientId(ConnectionCall& call);
Next AnswerClientGetname(ConnectionCall& call);
Next AnswerClientSetname(ConnectionCall& call);
Next AnswerClientSetinfo(ConnectionCall& call);
Next AnswerClientInfo(ConnectionCall& call);
Next AnswerClientList(ConnectionCall& call);
Next AnswerClientKill(ConnectionCall& call);
Next AnswerClientUnblock(ConnectionCall& call);
Next AnswerClientReply(ConnectionCall& call);
Next AnswerClientNoEvict(ConnectionCall& call);
Next AnswerClientNoTouch(ConnectionCall& call);
Next AnswerClientGetredir(ConnectionCall& call);
Next AnswerClientTrackinginfo(ConnectionCall& call);
Next AnswerClientHelp(ConnectionCall& call);
Next AnswerCommand(ConnectionCall& call);
Next AnswerCommandCount(ConnectionCall& call);
Next AnswerCommandInfo(ConnectionCall& call);
Next AnswerCommandDocs(ConnectionCall& call);
Next AnswerCommandList(ConnectionCall& call);
Next AnswerCommandGetkeys(ConnectionCall& call);
Next AnswerCommandHelp(ConnectionCall& call);
Next AnswerConfigResetstat(ConnectionCall& call);
Next AnswerConfigHelp(ConnectionCall& call);

}  // namespace tocsin::commands
