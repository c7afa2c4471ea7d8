-- KEYS: all ratings, those of the session, and the once-only key if there is one. ARGV: what is rated ('': the chat), the rating as JSON,
-- how many are kept of all and of the session, how long both live in s, how long the id is known in s, the worker's queue and its
-- life in s ('': the worker is not told), what tells the rating from others under the id.
-- Returns the server's Unix ms, or 'again' or 'conflict' if the id is known.
local once = KEYS[3] and redis.call('GET', KEYS[3])
if once then return once == ARGV[10] and 'again' or 'conflict' end
local subject, json, queue = ARGV[1], ARGV[2], ARGV[8]
local before = redis.call('HGET', KEYS[2], subject)
local kept = redis.call('HGETALL', KEYS[2])
local oldest, oldest_at
if not before and #kept / 2 >= tonumber(ARGV[4]) then
  for i = 1, #kept, 2 do
    local ms, n = string.match(kept[i + 1], '^(%d+)%-(%d+) ')
    local at = tonumber(ms or 0) * 1000 + tonumber(n or 0)
    if not oldest_at or at < oldest_at then
      oldest, oldest_at = kept[i], at
    end
  end
end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[3], '*', 'f', json)
redis.call('HSET', KEYS[2], subject, id .. ' ' .. json)
if KEYS[3] then redis.call('SET', KEYS[3], ARGV[10], 'EX', ARGV[7]) end
if before then redis.call('XDEL', KEYS[1], string.match(before, '^%S+')) end
if oldest then redis.call('HDEL', KEYS[2], oldest) end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[6])
local ms = string.match(id, '^%d+')
if queue ~= '' then
  local told = '{"told":"rated","at_ms":' .. ms .. ',' .. string.sub(json, 2)
  redis.call('XADD', queue, 'MAXLEN', '~', 1000000, '*', 't', told)
  redis.call('EXPIRE', queue, ARGV[9])
end
return ms
