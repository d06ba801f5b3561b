-- What a user has done with items of a topic. KEYS: bucket, log, states of that topic.
-- Answers the last id of the user's own log, ids and states.
if not open_bucket('') then return NO_EPOCH end
local head = read_head()
return {short_id(head[LAST], head[LAST + 1]), call('HGETALL', KEYS[3])}
