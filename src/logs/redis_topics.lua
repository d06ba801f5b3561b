-- What a user follows, and where one device stands in topics. KEYS: bucket, log, follows, cursors. ARGV: device or ''.
-- Answers topics and their records, topics and cursors.
if not open_bucket('') then return NO_EPOCH end
local cursors = {}
if ARGV[1] ~= '' then
  local prefix = ARGV[1] .. '\0'
  local all = call('HGETALL', KEYS[4])
  for at = 1, #all, 2 do
    if sub(all[at], 1, #prefix) == prefix then
      cursors[#cursors + 1] = sub(all[at], #prefix + 1)
      cursors[#cursors + 1] = all[at + 1]
    end
  end
end
return {call('HGETALL', KEYS[3]), cursors}
