-- Marks items of a topic for one user, and appends the change to the user's own log.
-- KEYS: bucket, log, watchers, mark ids, states of that topic, collapse keys. ARGV: op (model::MarkOp), device, clock ms, entries that a
-- log may have, mark id or '', topic, ms and seq of `upto` or '' and '', id of the oldest item that is kept (8 bytes);
-- then for each item its id (8 bytes), priority (1), 1 if it counts for the user else 0 (1), category behind its length
-- (1), nid.
-- Answers as redis_mark.lua does.
local READ, UNREAD_OP, SEEN, ARCHIVE, DELETE, DELETED = 0, 1, 2, 3, 4, 4
local KEPT_MS, KEPT = 24 * 3600 * 1000, 1024  -- of mark ids: how long, how many
local op, device, now, mid, topic = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[5], ARGV[6]
local upto_ms, upto_seq, oldest = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local epoch, floor_ms, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local head, exists = read_head()

local function reply(element, before)
  return {head_reply(head), counts_reply(head), element, before, call('HKEYS', KEYS[3])}
end

local function remember_mark()
  if call('HLEN', KEYS[4]) >= KEPT then
    local all = call('HGETALL', KEYS[4])
    local earliest, earliest_at, gone = nil, math.huge, 0
    for at = 1, #all, 2 do
      local marked_at = tonumber(all[at + 1])
      if now - marked_at >= KEPT_MS then
        call('HDEL', KEYS[4], all[at])
        gone = gone + 1
      elseif marked_at < earliest_at then
        earliest, earliest_at = all[at], marked_at
      end
    end
    if gone == 0 then call('HDEL', KEYS[4], earliest) end
  end
  call('HSET', KEYS[4], mid, now)
  call('PEXPIRE', KEYS[4], KEPT_MS)
end

if mid ~= '' then
  local marked_at = call('HGET', KEYS[4], mid)
  if marked_at and now - tonumber(marked_at) < KEPT_MS then return reply('', short_id(0, 0)) end
  remember_mark()
end
for _, id in ipairs(call('HKEYS', KEYS[5])) do
  if id < oldest then call('HDEL', KEYS[5], id) end
end

local function apply(state)
  if state == DELETED or op == DELETE then return DELETED end
  if op == READ then return math.max(state, 2) end
  if op == UNREAD_OP then return math.min(state, 1) end
  if op == SEEN then return math.max(state, 1) end
  return 3
end

local function zigzag(value) return varint(value >= 0 and 2 * value or -2 * value - 1) end

local delta = {0, 0, 0, 0, 0, 0}  -- unread, unseen, unread of each priority
local by_category, categories = {}, {}
local function add(priority, state, category, by)
  if state == 0 then delta[2] = delta[2] + by end
  if state < 2 then
    delta[1] = delta[1] + by
    delta[3 + priority] = delta[3 + priority] + by
    if category ~= '' then
      if not by_category[category] then categories[#categories + 1] = category end
      by_category[category] = (by_category[category] or 0) + by
    end
  end
end

local changed, named = 0, {}
for at = 10, #ARGV do
  local item = ARGV[at]
  local id = sub(item, 1, 8)
  local stored = call('HGET', KEYS[5], id)
  local state = stored and byte(stored) or 0
  local after = apply(state)
  if after ~= state then
    changed = changed + 1
    local category = sub(item, 12, 11 + byte(item, 11))
    call('HSET', KEYS[5], id, string.char(after))
    if not upto_ms then named[#named + 1] = text(sub(item, 12 + #category)) end
    if byte(item, 10) == 1 then
      local priority = byte(item, 9)
      add(priority, state, category, -1)
      if after ~= DELETED then add(priority, after, category, 1) end
    end
  end
end
if changed == 0 then return reply('', short_id(0, 0)) end

local parts = {'\2', string.char(op), text(device)}
if upto_ms then
  parts[4] = '\1' .. pack_bytes('>I8I8', upto_ms, upto_seq) .. '\0'
else
  parts[4] = '\0' .. varint(#named) .. table.concat(named)
end
parts[#parts + 1] = counts_text(head)
parts[#parts + 1] = text(topic)
for _, value in ipairs(delta) do parts[#parts + 1] = zigzag(value) end
table.sort(categories)
parts[#parts + 1] = varint(#categories)
for _, category in ipairs(categories) do parts[#parts + 1] = text(category) .. zigzag(by_category[category]) end

local before_ms, before_seq = head[LAST], head[LAST + 1]
if lost_ms > before_ms or (lost_ms == before_ms and lost_seq > before_seq) then
  before_ms, before_seq = lost_ms, lost_seq
end
local id = short_id(next_id(head, now, floor_ms, lost_ms, lost_seq))
local element = '\0' .. id .. table.concat(parts)
head[ENTRIES] = head[ENTRIES] + 1
if not exists then call('RPUSH', KEYS[2], '') end  -- the head's place
call('RPUSH', KEYS[2], element)
trim(head, tonumber(ARGV[4]), KEYS[6])
write_head(head)
return reply(element, short_id(before_ms, before_seq))
