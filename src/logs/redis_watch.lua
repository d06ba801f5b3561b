-- Notes that a node has sessions of a user. KEYS: bucket, log, watchers. ARGV: node. Answers the log's head.
if not open_bucket('') then return NO_EPOCH end
call('HSET', KEYS[3], ARGV[1], 1)
return head_reply((read_head()))
