-- KEYS: what is known of something that several nodes hear. ARGV: this node, the name of this hearing of it, seconds after the
-- last one at which all is forgotten, when it was and since when the node hears everything (by this server's clock, in Unix
-- ms), how many equal ones are remembered. Returns which one of the equal ones this is. The first hearing of all names them, so that numbers that begin
-- anew mean others.
local key, node = KEYS[1], ARGV[1]
local known = redis.call('HMGET', key, 'first', 'count', 'last ' .. node, 'number ' .. node)
local first, count, number = known[1] or ARGV[2], tonumber(known[2] or 0), tonumber(known[4] or 0)
if known[3] ~= ARGV[2] then
  number = number + 1
  -- What others heard before this node listened was never heard here.
  while number <= count and tonumber(redis.call('HGET', key, 'at ' .. number) or 0) < tonumber(ARGV[5]) do
    number = number + 1
  end
  redis.call('HSET', key, 'first', first, 'last ' .. node, ARGV[2], 'number ' .. node, number)
  if number > count then
    redis.call('HSET', key, 'count', number, 'at ' .. number, ARGV[4])
    redis.call('HDEL', key, 'at ' .. (number - tonumber(ARGV[6])))
  end
end
redis.call('EXPIRE', key, ARGV[3])
return first .. ' ' .. number
