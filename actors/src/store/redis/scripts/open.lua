-- ARGV from 6: the groups. Returns epoch, last seq and first kept seq of each, one after the other.
local states = {}
for i = 6, #ARGV do
  local epoch, seq = open(ARGV[i])
  local first = trim(ARGV[i]) or seq + 1
  states[#states + 1] = epoch
  states[#states + 1] = seq
  states[#states + 1] = first
end
return states
