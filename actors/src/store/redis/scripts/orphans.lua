-- KEYS: the leases. ARGV: prefix of answers' keys, how many at most.
-- Returns {answer, group, message, node, text, '', ''} of those whose lease has run out.
local found = {}
local lapsed = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(lapsed) do
  local key = ARGV[1] .. id
  local known = redis.call('HMGET', key, 'state', 'group', 'message', 'node')
  if known[1] == 'running' then
    found[#found + 1] = {id, known[2], known[3], known[4], redis.call('GET', key .. ':text') or '', '', ''}
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return found
