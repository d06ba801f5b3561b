-- What is known of an entry. KEYS[8]: that it was cancelled. ARGV: its member, what is above all members that begin so.
-- Answers when it is due ('' if it does not wait), weight (4) payload of it or of what was cancelled, 1 if it was
-- cancelled (else 0), and for each user it is held for: member, when.
local member = ARGV[1]
local due, row, cancelled = call('ZSCORE', DUE, member), '', 0
if due then
  row = call('HGET', ROWS, member) or ''
elseif call('ZSCORE', FIRING, member) then
  row = call('HGET', DONE, member)
  due = unpack_bytes('>I8', row)
  row = sub(row, 9)
else
  local known = call('GET', KEYS[8])
  if known then cancelled, row = 1, known end
end
local held = {}
for _, one in ipairs(call('ZRANGEBYLEX', HELD, '[' .. member, '(' .. ARGV[2])) do
  held[#held + 1], held[#held + 2] = one, exact(tonumber(call('ZSCORE', DUE, one) or '0'))
end
return {due and exact(tonumber(due)) or '', row, cancelled, held}
