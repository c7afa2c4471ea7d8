-- ARGV from 6: group, epoch and seq up to which a node has delivered it. A log that stands behind that is of another
-- life. Returns what open.lua does of it.
local epoch, seq, began = open(ARGV[6])
if epoch == ARGV[7] and seq < tonumber(ARGV[8]) then
  begin_life('lost')
  epoch, seq, began = open(ARGV[6])
end
return {epoch, seq, trim(ARGV[6]) or seq + 1, began}
