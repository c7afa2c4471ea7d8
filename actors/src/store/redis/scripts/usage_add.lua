-- KEYS: the index of a day's names. ARGV: life in seconds, how many names are kept, how many sums there are, their names,
-- then for each row its name, its rank and its sums.
local count = tonumber(ARGV[3])
for at = 4 + count, #ARGV, 2 + count do
  local hash = KEYS[1] .. ':' .. ARGV[at]
  redis.call('ZINCRBY', KEYS[1], ARGV[at + 1], ARGV[at])
  for i = 1, count do
    if ARGV[at + 1 + i] ~= '0' then redis.call('HINCRBY', hash, ARGV[3 + i], ARGV[at + 1 + i]) end
  end
  redis.call('EXPIRE', hash, ARGV[1])
end
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[2])
if over > 0 then
  local least = redis.call('ZPOPMIN', KEYS[1], over)
  for at = 1, #least, 2 do redis.call('DEL', KEYS[1] .. ':' .. least[at]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
