//! What must hold of whatever stands behind the `?` of a chat's address.

use super::query::resume;

/// It is read or refused, and where a client left off is read as it was written, whatever stands around it.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(Some((seq, epoch))) = resume(text) {
        let again = format!("since={seq}&epoch={epoch}");
        assert_eq!(resume(&again).ok().flatten(), Some((seq, epoch)));
    }
    let [a, b, c, d, ..] = data else { return };
    let (seq, epoch) = (u64::from_le_bytes([*a, *b, *c, *d, *d, *c, *b, *a]), format!("e{a}{d}"));
    let around = text.replace("since", "sence").replace("epoch", "epic");
    let found = resume(&format!("{around}&since={seq}&{around}&epoch={epoch}&{around}"));
    assert_eq!(found.ok().flatten(), Some((seq, epoch.as_str().into())));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_addresses_hold() {
        sophie_kit::seeds::play("ws_queries", super::query);
    }
}
