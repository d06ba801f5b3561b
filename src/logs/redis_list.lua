-- Items before an id, newest first. KEYS: bucket, log. ARGV: ms, seq, most items, logs::ListFilter, bytes after which
-- a page ends, entries to look at.
-- Answers where the next page starts ('': this was the last), elements.
if not open_bucket('') then return NO_EPOCH end
local most, filter = tonumber(ARGV[3]), tonumber(ARGV[4])
local most_bytes, most_looks = tonumber(ARGV[5]), tonumber(ARGV[6])

local function passes(state, priority)
  if filter == 0 then return state ~= 3 end
  if filter == 1 then return state < 2 end
  if filter == 4 then return state < 2 and priority >= 2 end
  return filter == 3 or state == 3
end

local size = call('LLEN', KEYS[2])
if size == 0 then return {'', {}} end
local before_ms, before_seq = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = short_id(before_ms, math.min(before_seq, 65535))  -- looked at
local top = index_after(size, before_ms, before_seq - 1) - 1
local elements, bytes, looks, step = {}, 0, 0, 16
while top >= 1 do
  local bottom = math.max(1, top - step + 1)
  local chunk = call('LRANGE', KEYS[2], bottom, top)
  for at = #chunk, 1, -1 do
    if #elements == most or bytes >= most_bytes or looks == most_looks then
      return {last, elements}
    end
    looks = looks + 1
    local element = chunk[at]
    last = sub(element, 2, 9)
    if is_item(element) and passes(byte(element), byte(element, 11)) then
      elements[#elements + 1] = element
      bytes = bytes + #element - 9
    end
  end
  top, step = bottom - 1, math.min(step * 2, 128)
end
return {'', elements}
