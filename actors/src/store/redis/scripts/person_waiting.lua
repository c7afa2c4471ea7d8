-- ARGV from 6: how many at most, what names begin with, since when and under which name the one has waited that they come behind ('':
-- from the first on); or one group with a limit of 0, or the one that came last with a
-- limit of -1. Returns {group, since, who asked, 1 if the assistant answers} of each.
local function describe(name)
  local known = redis.pcall('HMGET', group_key(name), 'person', 'asked_at', 'asker', 'assistant')
  if known.err or known[1] ~= 'asked' then return nil end
  return {name, known[2], known[3], known[4] == '0' and 0 or 1}
end

local limit, begin, after_ms, after = tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9]
if limit == 0 then return {describe(begin)} end
if limit == -1 then
  for _, name in ipairs(redis.call('ZREVRANGE', waiting_key, 0, 49)) do
    local last = describe(name)
    if last then return {last} end
  end
  return {}
end
local queue = redis.call('ZRANGEBYSCORE', waiting_key, after_ms == '' and '-inf' or after_ms, '+inf', 'WITHSCORES')
local found = {}
for i = 1, #queue, 2 do
  local name = queue[i]
  local is_behind = after_ms == '' or tonumber(queue[i + 1]) > tonumber(after_ms) or name > after
  if is_behind and #found < limit and string.sub(name, 1, #begin) == begin then found[#found + 1] = describe(name) end
end
return found
