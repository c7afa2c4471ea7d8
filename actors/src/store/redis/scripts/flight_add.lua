-- KEYS[2]: the chunks. ARGV: the flight's id, lease in ms, life of chunks in s, how many were added before, then chunks.
-- Returns -1 if another one has taken its place or what was added before is lost, 1 if somebody follows, else 0. A flight
-- whose lease ran out is known again. Adding may be repeated.
local id = redis.call('HGET', KEYS[1], 'id')
if id and id ~= ARGV[1] then return -1 end
if #ARGV > 4 then
  local there = redis.call('LLEN', KEYS[2]) - tonumber(ARGV[4])
  if there < 0 then return -1 end
  if there < #ARGV - 4 then redis.call('RPUSH', KEYS[2], unpack(ARGV, 5 + there)) end
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
if not id then redis.call('HSET', KEYS[1], 'id', ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return is_followed() and 1 or 0
