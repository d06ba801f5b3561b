-- Marks items of a log and appends the change.
-- KEYS: bucket, log, watchers, mark ids, collapse keys. ARGV: op (model::MarkOp; RETRACT deletes what was not read),
-- device, clock ms, entries that a log may have, mark id or '', ms and seq of `upto` or '' and '', nids.
-- Answers head, counts after the mark, the appended element or '', the last id before it, watching nodes.
local READ, UNREAD_OP, SEEN, ARCHIVE, DELETE, EXPIRE, RETRACT = 0, 1, 2, 3, 4, 5, 255
local KEPT_MS, KEPT = 24 * 3600 * 1000, 1024  -- of mark ids: how long, how many
local op, device, now, mid = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[5]
local upto_ms, upto_seq = tonumber(ARGV[6]), tonumber(ARGV[7])
local spares_read = op == RETRACT
if spares_read then op = DELETE end
local removes = op == DELETE or op == EXPIRE
local epoch, floor_ms, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local head = read_head()

local function reply(element, before, counts)
  return {head_reply(head), counts or counts_reply(head), element, before, call('HKEYS', KEYS[3])}
end

local function remember_mark()
  if call('HLEN', KEYS[4]) >= KEPT then
    local all = call('HGETALL', KEYS[4])
    local oldest, oldest_at, gone = nil, math.huge, 0
    for at = 1, #all, 2 do
      local marked_at = tonumber(all[at + 1])
      if now - marked_at >= KEPT_MS then
        call('HDEL', KEYS[4], all[at])
        gone = gone + 1
      elseif marked_at < oldest_at then
        oldest, oldest_at = all[at], marked_at
      end
    end
    if gone == 0 then call('HDEL', KEYS[4], oldest) end
  end
  call('HSET', KEYS[4], mid, now)
  call('PEXPIRE', KEYS[4], KEPT_MS)
end

if mid ~= '' then
  local marked_at = call('HGET', KEYS[4], mid)
  if marked_at and now - tonumber(marked_at) < KEPT_MS then return reply('', short_id(0, 0)) end
  remember_mark()
end

local function apply(state)
  if op == READ then return math.max(state, 2) end
  if op == UNREAD_OP then return math.min(state, 1) end
  if op == SEEN then return math.max(state, 1) end
  return 3
end

-- Where in the request each nid is, and how many items are still to be met: from the newest down the scan goes until
-- nothing more can be meant.
local position, missing = {}, math.huge
if not upto_ms then
  missing = 0
  for at = #ARGV, 8, -1 do
    if not position[ARGV[at]] then missing = missing + 1 end
    position[ARGV[at]] = at
  end
elseif op == READ then
  missing = head[UNREAD]
elseif op == SEEN then
  missing = head[UNSEEN]
end

local is_below = false  -- the scan has come to `upto`
local function is_meant(element, state)
  if upto_ms then
    if state < (op == READ and 2 or op == SEEN and 1 or 0) then missing = missing - 1 end
    if not is_below then
      local ms, seq = id_of(element)
      is_below = ms < upto_ms or (ms == upto_ms and seq <= upto_seq)
    end
    return is_below
  end
  local nid = nid_of(element)
  local at = position[nid]
  if not at then return false end
  position[nid] = nil  -- the newest of that name is meant
  missing = missing - 1
  return true, at, nid
end

local size = call('LLEN', KEYS[2])
local changed, state_at, named = 0, {}, {}  -- state_at: by index in the list; GONE: none
local GONE = -1
local top, step = size - 1, 64
while top >= 1 and missing > 0 do
  local bottom = math.max(1, top - step + 1)
  local chunk = call('LRANGE', KEYS[2], bottom, top)
  for at = #chunk, 1, -1 do
    local element = chunk[at]
    if is_item(element) then
      local state = byte(element)
      local meant, asked_at, nid = is_meant(element, state)
      local after = removes and GONE or apply(state)
      if meant and after ~= state and not (spares_read and state >= 2) then
        changed = changed + 1
        state_at[bottom + at - 1] = after
        if nid then named[asked_at] = nid end
        if after == GONE then
          count_out(head, element, KEYS[5])
        else
          local category, priority = traits_of(element), byte(element, 11)
          count(head, priority, state, category, -1)
          count(head, priority, after, category, 1)
        end
      end
      if missing <= 0 then break end
    end
  end
  top, step = bottom - 1, math.min(step * 2, 256)
end
if changed == 0 then return reply('', short_id(0, 0)) end
if removes then head[ENTRIES] = head[ENTRIES] - changed end

if changed * 8 < size then
  for index, state in pairs(state_at) do
    if state == GONE then
      call('LSET', KEYS[2], index, TOMBSTONE)
    else
      call('LSET', KEYS[2], index, string.char(state) .. sub(call('LINDEX', KEYS[2], index), 2))
    end
  end
  if removes then call('LREM', KEYS[2], -changed, TOMBSTONE) end
else
  -- To find so many one by one costs more than to take all through once, off the front and on at the back.
  local index = 0
  while index < size do
    local kept = {}
    for _, element in ipairs(call('LPOP', KEYS[2], math.min(128, size - index))) do
      local state = state_at[index]
      index = index + 1
      if state == nil then
        kept[#kept + 1] = element
      elseif state ~= GONE then
        kept[#kept + 1] = string.char(state) .. sub(element, 2)
      end
    end
    if #kept > 0 then call('RPUSH', KEYS[2], unpack(kept)) end
  end
end

local parts = {'\2', string.char(op), text(device)}
if upto_ms then
  local ms, seq = head[LAST], head[LAST + 1]
  if upto_ms < ms or (upto_ms == ms and upto_seq < seq) then ms, seq = upto_ms, upto_seq end
  parts[4] = '\1' .. pack_bytes('>I8I8', ms, seq) .. '\0'
else
  parts[4] = '\0' .. varint(changed)
  for at = 8, #ARGV do
    if named[at] then parts[#parts + 1] = text(named[at]) end
  end
end
local counts = counts_reply(head)
parts[#parts + 1] = counts_text(head)

local before_ms, before_seq = head[LAST], head[LAST + 1]
if lost_ms > before_ms or (lost_ms == before_ms and lost_seq > before_seq) then
  before_ms, before_seq = lost_ms, lost_seq
end
local id = short_id(next_id(head, now, floor_ms, lost_ms, lost_seq))
local element = '\0' .. id .. table.concat(parts)
head[ENTRIES] = head[ENTRIES] + 1
call('RPUSH', KEYS[2], element)
trim(head, tonumber(ARGV[4]), KEYS[5])
write_head(head)
return reply(element, short_id(before_ms, before_seq), counts)
