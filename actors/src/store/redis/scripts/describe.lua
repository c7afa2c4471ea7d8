-- ARGV from 6: how much of the index to look at, at most how many groups, and where to begin and to end (as ZRANGEBYLEX
-- says it); or one group with a limit of 0. Returns {where to go on, or '', {name, created, expires, seq, assistant}...}.
local function describe(name)
  -- A key of a wrong type is no group, and keeps no other from being listed.
  local known = redis.pcall('HMGET', group_key(name), 'created', 'seq', 'assistant')
  if known.err or not known[1] then return nil end
  local left = redis.call('PTTL', group_key(name))
  return {name, tonumber(known[1]), now + left, tonumber(known[2]), tonumber(known[3])}
end

local look, limit, from, to = ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[9]
if limit == 0 then return {'', describe(from)} end
local names = redis.call('ZRANGEBYLEX', index, from, to, 'LIMIT', 0, look)
local found = {''}
for _, name in ipairs(names) do
  local group = describe(name)
  if group then
    found[#found + 1] = group
    if #found > limit then return found end
  else
    redis.call('ZREM', index, name)
  end
end
if #names == tonumber(look) then found[1] = '(' .. names[#names] end
return found
