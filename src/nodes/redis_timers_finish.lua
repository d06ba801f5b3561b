-- They are done. ARGV: fence, 1 if they are kept for a while (else 0), members.
local refused = refusal(ARGV[1])
if refused then return refused end
for at = 3, #ARGV do
  local member = ARGV[at]
  local number = call('ZSCORE', FIRING, member)
  if number then
    call('ZREM', FIRING, member)
    if ARGV[2] == '1' then
      call('ZADD', FIRED, exact(tonumber(number)), member)
    else
      call('HDEL', DONE, member)
    end
  end
end
return 1
