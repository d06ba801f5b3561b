-- A user's log: the list KEYS[2]. Its first element is the head, the rest are entries, oldest first.
--
-- head     msgpack array: last (ms, seq), floor (ms, seq), entries, trimmed, unread, unseen, unread of each of the four
--          priorities, a table of the unread of each category (false: none); then, for each ingest stream, its tag
--          (6 bytes of a hash of its name) and, for each priority that came from there, five numbers: priority and the
--          id of the last entry taken, in halves. Before all of them, where the user has preferences: 'prefs' and five
--          numbers, the second of which is their tag.
-- element  state(1) id(6 + 2) and the entry as docs/format.md has it: 01 priority nid json..., 03 priority nid traits
--          json..., or 02 for a change; the JSON is shortened (redis_element.h), which concerns no script
-- A hash beside the log has for each collapse key the id of the newest item with it, while that is in the log.
local LAST, FLOOR, ENTRIES, TRIMMED, UNREAD, UNSEEN, BY_PRIORITY, CATEGORIES, SOURCES = 1, 3, 5, 6, 7, 8, 9, 13, 14
local CHANGE, ITEM_WITH_TRAITS = 2, 3  -- tags of entries
local CATEGORY, COLLAPSE_KEY, REPLACES = 99, 107, 'r'  -- traits
local MOST_CATEGORIES, OTHER_CATEGORIES = 100, '*'
local TOMBSTONE = '\255'

local function is_item(element) return byte(element, 10) ~= CHANGE end

local function id_of(element) return unpack_bytes('>I6I2', element, 2) end

local function read_head()
  local packed = call('LINDEX', KEYS[2], 0)
  if not packed then return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false}, false end
  local head = cmsgpack.unpack(packed)
  local categories = head[CATEGORIES]
  if categories ~= false and type(categories) ~= 'table' then  -- from before they were counted
    table.insert(head, CATEGORIES, false)
  end
  return head, true
end

-- Unread, unseen, unread of each priority: 24 bytes; then each category behind its length, with its unread.
local function counts_reply(head)
  local reply = pack_bytes('>I4I4I4I4I4I4', unpack(head, UNREAD, CATEGORIES - 1))
  if head[CATEGORIES] then
    for category, unread in pairs(head[CATEGORIES]) do
      reply = reply .. string.char(#category) .. category .. pack_bytes('>I4', unread)
    end
  end
  return reply
end

local PREFERENCES = 'prefs'  -- no stream's tag is that short

-- The tag of what the user has said about deliveries; 0: nothing.
local function preferences_of(head) return head[SOURCES] == PREFERENCES and head[SOURCES + 2] or 0 end

-- Whether that changes the head.
local function set_preferences(head, record_tag)
  if preferences_of(head) == record_tag then return false end
  if head[SOURCES] == PREFERENCES then
    for _ = 1, 6 do table.remove(head, SOURCES) end
  end
  if record_tag ~= 0 then
    for offset, value in ipairs({PREFERENCES, 0, record_tag, 0, 0, 0}) do table.insert(head, SOURCES + offset - 1, value) end
  end
  return true
end

-- Last, floor, entries, trimmed: what callers are told of it, 28 bytes; then the counts.
local function head_reply(head)
  return pack_bytes('>I6I2I6I2I6I6', unpack(head, LAST, UNREAD - 1)) .. counts_reply(head)
end

local function count_category(head, category, by)
  local counts = head[CATEGORIES] or {}
  if not counts[category] then
    local counted = 0
    for _ in pairs(counts) do counted = counted + 1 end
    if by < 0 or counted >= MOST_CATEGORIES then category = OTHER_CATEGORIES end
  end
  local unread = (counts[category] or 0) + by
  counts[category] = unread > 0 and unread or nil
  head[CATEGORIES] = next(counts) and counts or false
end

local function count(head, priority, state, category, by)
  if state == 0 then head[UNSEEN] = head[UNSEEN] + by end
  if state < 2 then
    head[UNREAD] = head[UNREAD] + by
    head[BY_PRIORITY + priority] = head[BY_PRIORITY + priority] + by
    if category ~= '' then count_category(head, category, by) end
  end
end

local function varint(value)
  local digits = ''
  while value >= 128 do
    digits = digits .. string.char(value % 128 + 128)
    value = math.floor(value / 128)
  end
  return digits .. string.char(value)
end

local function text(value) return varint(#value) .. value end

-- The counts as a state change has them.
local function counts_text(head)
  local parts, categories = {}, {}
  for at = UNREAD, CATEGORIES - 1 do parts[#parts + 1] = varint(head[at]) end
  for category in pairs(head[CATEGORIES] or {}) do categories[#categories + 1] = category end
  table.sort(categories)
  parts[#parts + 1] = varint(#categories)
  for _, category in ipairs(categories) do
    parts[#parts + 1] = text(category) .. varint(head[CATEGORIES][category])
  end
  return table.concat(parts)
end

-- The text at a place, behind its length (LEB128), and the place after it.
local function text_at(bytes, at)
  local size, unit = byte(bytes, at), 128
  if size >= 128 then
    size = size - 128
    repeat
      at = at + 1
      local digit = byte(bytes, at)
      size = size + digit % 128 * unit
      unit = unit * 128
    until digit < 128
  end
  return sub(bytes, at + 1, at + size), at + 1 + size
end

local function nid_of(element) return (text_at(element, 12)) end

-- Category and collapse key of an item; '': none.
local function traits_of(element)
  local category, key = '', ''
  if byte(element, 10) ~= ITEM_WITH_TRAITS then return category, key end
  local _, at = text_at(element, 12)
  local traits = text_at(element, at)
  at = 1
  while at <= #traits do
    local trait, value = byte(traits, at)
    value, at = text_at(traits, at + 1)
    if trait == CATEGORY then category = value elseif trait == COLLAPSE_KEY then key = value end
  end
  return category, key
end

-- Counts an item out that leaves the log. `keys`: the hash of collapse keys.
local function count_out(head, element, keys)
  local category, key = traits_of(element)
  count(head, byte(element, 11), byte(element), category, -1)
  if key ~= '' and call('HGET', keys, key) == sub(element, 2, 9) then call('HDEL', keys, key) end
end

-- max(last + 1, clock, floor of the bucket, loss mark + 1)
local function next_id(head, now, floor_ms, lost_ms, lost_seq)
  local ms, seq = head[LAST], head[LAST + 1]
  if lost_ms > ms or (lost_ms == ms and lost_seq > seq) then ms, seq = lost_ms, lost_seq end
  if now < floor_ms then now = floor_ms end
  if now > ms then
    ms, seq = now, 0
  elseif seq < 65535 then
    seq = seq + 1
  else
    ms, seq = ms + 1, 0
  end
  head[LAST], head[LAST + 1] = ms, seq
  return ms, seq
end

-- Takes the oldest entries off a log that has grown over `most`, a sixteenth of it more than needed. The last of them
-- is left where the head belongs: write_head comes after it.
local function trim(head, most, keys)
  local wanted = head[ENTRIES] - most
  if wanted <= 0 then return end
  wanted = wanted + math.floor(most / 16)
  local taken = 0
  while taken < wanted do
    local chunk = call('LRANGE', KEYS[2], taken + 1, math.min(taken + 128, wanted))
    if #chunk == 0 then break end
    for _, element in ipairs(chunk) do
      if is_item(element) then
        count_out(head, element, keys)
        head[TRIMMED] = head[TRIMMED] + 1
      end
    end
    taken = taken + #chunk
    head[FLOOR], head[FLOOR + 1] = id_of(chunk[#chunk])
  end
  head[ENTRIES] = head[ENTRIES] - taken
  call('LTRIM', KEYS[2], taken, -1)
end

local function write_head(head) call('LSET', KEYS[2], 0, cmsgpack.pack(head)) end

-- The index of the first entry behind (ms, seq): steps that double from the newest, then halves. `size`: of the list.
local function index_after(size, ms, seq)
  local function is_after(index)
    local its_ms, its_seq = id_of(call('LINDEX', KEYS[2], index))
    return its_ms > ms or (its_ms == ms and its_seq > seq)
  end
  local high, low, step = size, size - 1, 1  -- `high` is behind it or the end; `low` may be
  while low >= 1 and is_after(low) do
    high, low, step = low, low - step, step * 2
  end
  if low < 1 then low = 0 end  -- the head counts as not behind it
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if is_after(middle) then high = middle else low = middle end
  end
  return high
end
