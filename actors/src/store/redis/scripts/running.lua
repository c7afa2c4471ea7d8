-- KEYS: the answers being written for each group. ARGV: prefix of answers' keys.
-- Returns {answer, group, message, node, text, model, how it came about} of each.
local found = {}
for _, set in ipairs(KEYS) do
  for _, id in ipairs(redis.call('SMEMBERS', set)) do
    local key = ARGV[1] .. id
    local known = redis.call('HMGET', key, 'state', 'group', 'message', 'node', 'model', 'cache')
    if known[1] == 'running' then
      local text = redis.call('GET', key .. ':text') or ''
      found[#found + 1] = {id, known[2], known[3], known[4], text, known[5] or '', known[6] or ''}
    else
      redis.call('SREM', set, id)
    end
  end
end
return found
