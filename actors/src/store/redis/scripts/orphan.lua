-- KEYS: the leases. ARGV: prefix of answers' keys, for how long nobody else gets the same one in s, how many that are no more
-- are passed over at most, bytes of text at most. Returns what find.lua does, of one whose lease has run out, with all of its
-- text or none; or nothing.
local now = tonumber(redis.call('TIME')[1])
local gone, found = {}, false
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local key = ARGV[1] .. id
  local known = redis.call('HMGET', key, 'state', 'group', 'message', 'node', 'model', 'cache')
  if known[1] == 'running' or known[1] == 'owed' then
    local length, text = redis.call('STRLEN', key .. ':text'), ''
    if length > 0 and length <= tonumber(ARGV[4]) then text = redis.call('GET', key .. ':text') end
    found = {id, known[2], known[3], known[4], known[5] or '', known[6] or '', length, text, redis.call('EXISTS', key .. ':reasoning')}
    break
  end
  gone[#gone + 1] = id
end
if #gone > 0 then redis.call('ZREM', KEYS[1], unpack(gone)) end
if found then redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), found[1]) end
return found
