-- KEYS: the index of a day's names, the number of what its node has added last. ARGV: the number of this, how long it is
-- remembered in s, life in s, how many names are kept, how many sums there are, their names, then for each row its name, its
-- rank and its sums. A number that was there before is not added again, whoever gave up waiting for it.
if (tonumber(redis.call('GET', KEYS[2]) or 0) or 0) >= tonumber(ARGV[1]) then return end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
local count = tonumber(ARGV[5])
for at = 6 + count, #ARGV, 2 + count do
  local hash = KEYS[1] .. ':' .. ARGV[at]
  -- One that cannot be written (of another type, too large) is passed over; the others are not.
  redis.pcall('ZINCRBY', KEYS[1], ARGV[at + 1], ARGV[at])
  for i = 1, count do
    if ARGV[at + 1 + i] ~= '0' then redis.pcall('HINCRBY', hash, ARGV[5 + i], ARGV[at + 1 + i]) end
  end
  redis.call('EXPIRE', hash, ARGV[3])
end
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4])
if over > 0 then
  local least = redis.call('ZPOPMIN', KEYS[1], over)
  for at = 1, #least, 2 do redis.call('DEL', KEYS[1] .. ':' .. least[at]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
