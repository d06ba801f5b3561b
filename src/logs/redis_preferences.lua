-- What a user has said about deliveries: the record lies beside the log, whose head has its tag, a number.
-- KEYS: bucket, log, preferences. ARGV: nothing, to read it; or the record and its tag ('' and 0: there are none now).
-- Answers the record, or ''.
if not open_bucket('') then return NO_EPOCH end
if #ARGV == 0 then return call('GET', KEYS[3]) or '' end
local record, record_tag = ARGV[1], tonumber(ARGV[2])
local head, exists = read_head()
if set_preferences(head, record_tag) then
  if not exists then call('RPUSH', KEYS[2], '') end  -- the head's place
  write_head(head)
end
if record_tag == 0 then
  call('DEL', KEYS[3])
else
  call('SET', KEYS[3], record)
end
return record
