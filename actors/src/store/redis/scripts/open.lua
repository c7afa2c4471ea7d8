-- ARGV from 6: the groups. Returns epoch, last seq, first kept seq, and the seq after which the epoch began, of each.
local states = {}
for i = 6, #ARGV do
  local epoch, seq, began = open(ARGV[i])
  states[#states + 1] = epoch
  states[#states + 1] = seq
  states[#states + 1] = trim(ARGV[i]) or seq + 1
  states[#states + 1] = began
end
return states
