-- KEYS: the sessions, as a sorted set. ARGV: prefix of rows, 'rank' or 'lex', where to begin and to end (both included),
-- how many at most. Returns how many were removed, as no node has a row for them, and {session, {node, row, ...}} of each.
local names
if ARGV[2] == 'lex' then
  names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[5])
else
  names = redis.call('ZRANGE', KEYS[1], ARGV[3], ARGV[4])
end
local gone, found = 0, {}
for i, name in ipairs(names) do
  local rows = redis.pcall('HGETALL', ARGV[1] .. name)
  if rows.err then rows = {} elseif #rows == 0 then gone = gone + redis.call('ZREM', KEYS[1], name) end
  found[i] = {name, rows}
end
return {gone, found}
