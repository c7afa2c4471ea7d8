-- KEYS: the answers being written for each group. ARGV: prefix of answers' keys, how many of a group at most, after how many
-- in all no other group is begun, bytes of texts at most. Returns how many groups were looked at, and of each answer there what
-- find.lua does; the text is all or nothing.
local most, enough, bytes = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local found, gone, looked_at = {}, {}, 0
for at, set in ipairs(KEYS) do
  looked_at = at
  for _, id in ipairs(redis.call('SRANDMEMBER', set, most)) do
    local key = ARGV[1] .. id
    local known = redis.call('HMGET', key, 'state', 'group', 'message', 'node', 'model', 'cache')
    if known[1] == 'running' then
      local length, text = redis.call('STRLEN', key .. ':text'), ''
      if length > 0 and length <= bytes then
        text = redis.call('GET', key .. ':text')
        bytes = bytes - length
      end
      found[#found + 1] = {id, known[2], known[3], known[4], known[5] or '', known[6] or '', length, text, redis.call('EXISTS', key .. ':reasoning')}
    else
      gone[#gone + 1] = {set, id}
    end
  end
  if #found >= enough then break end
end
for _, one in ipairs(gone) do redis.call('SREM', one[1], one[2]) end
return {looked_at, found}
