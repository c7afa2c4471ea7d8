-- Takes a member out of each group. KEYS: groups. ARGV: a member for each group. A key that is none of a group is left alone.
for i, key in ipairs(KEYS) do
  local removed = redis.pcall('ZREM', key, ARGV[i])
  if type(removed) ~= 'number' and not string.find(removed.err, 'WRONGTYPE', 1, true) then return removed end
end
