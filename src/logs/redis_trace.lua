-- What has become of an item. KEYS: bucket, log, devices. ARGV: nid.
-- Answers the element or '', devices and their records.
if not open_bucket('') then return NO_EPOCH end
local found = ''
local top, step = call('LLEN', KEYS[2]) - 1, 64
while top >= 1 and found == '' do
  local bottom = math.max(1, top - step + 1)
  local chunk = call('LRANGE', KEYS[2], bottom, top)
  for at = #chunk, 1, -1 do
    if is_item(chunk[at]) and nid_of(chunk[at]) == ARGV[1] then
      found = chunk[at]
      break
    end
  end
  top, step = bottom - 1, math.min(step * 2, 256)
end
return {found, call('HGETALL', KEYS[3])}
