-- ARGV: the end, after how many windows (-1: if the writer's lease ran out). Returns {'ended', the end that stands}, {'not yet', ''} or
-- {'unknown', ''}.
local known = redis.call('HMGET', KEYS[1], 'keep', 'end', 'until')
if not known[1] then return {'unknown', ''} end
if known[2] then return {'ended', known[2]} end
local windows = tonumber(ARGV[2])
if windows < 0 then
  if tonumber(known[3]) > now_ms() then return {'not yet', ''} end
elseif redis.call('LLEN', KEYS[2]) ~= windows then
  return {'not yet', ''}
end
redis.call('HSET', KEYS[1], 'end', ARGV[1])
keep(known[1])
return {'ended', ARGV[1]}
