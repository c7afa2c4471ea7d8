-- KEYS: rows of sessions. ARGV: node, prefix, then groups. Returns the places of the sessions without a row of the node. One
-- member of each group is looked at as well, and goes if no node has a row for it.
local gone = {}
for i, key in ipairs(KEYS) do
  if redis.pcall('HEXISTS', key, ARGV[1]) == 0 then gone[#gone + 1] = i end
end
local time = redis.call('TIME')
for i = 3, #ARGV do
  local members = ARGV[2] .. ':members:' .. ARGV[i]
  local size = redis.pcall('ZCARD', members)
  if type(size) == 'number' and size > 0 then
    -- Not math.random: it repeats itself.
    local rank = (tonumber(time[2]) * 7919 + i * 104729) % size
    local session = redis.call('ZRANGE', members, rank, rank)[1]
    if redis.call('EXISTS', ARGV[2] .. ':here:' .. session) == 0 then redis.call('ZREM', members, session) end
  end
end
return gone
