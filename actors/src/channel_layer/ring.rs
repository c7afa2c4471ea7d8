//! Which of several hosts a name belongs to.

/// The host's place among `ring` hosts: the low 12 bits of CRC-32 cut into equal ranges, as channels_redis does.
pub(super) fn index(name: &str, ring: usize) -> usize {
    if ring <= 1 {
        return 0;
    }
    ((crc32fast::hash(name.as_bytes()) & 0xfff) as usize * ring) >> 12
}
