-- KEYS: groups. ARGV: a member for each group. Returns the places of those that it is not in.
local missing = {}
for i, key in ipairs(KEYS) do
  -- A key of a wrong type is an error: nothing is missing that could be written.
  if redis.pcall('ZSCORE', key, ARGV[i]) == false then missing[#missing + 1] = i end
end
return missing
