//! Numbers as bytes: seven bits in each, the lowest first, and the eighth says that another one follows (LEB128).

/// Appends a number.
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a number that may be negative: 0, -1, 1, -2, … become 0, 1, 2, 3, …
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// The inverse of what [`put_signed`] makes of a number.
pub(crate) fn signed(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_one_byte_and_signed_ones_read_back() {
        let mut out = Vec::new();
        [0, 127, 128, u64::MAX].into_iter().for_each(|number| put(&mut out, number));
        assert_eq!(out[..4], [0, 127, 0x80, 1]);
        assert_eq!(out.len(), 4 + 10);
        for number in [0, -1, 1, i64::MIN, i64::MAX, -256] {
            let mut out = Vec::new();
            put_signed(&mut out, number);
            let unsigned = out.iter().rev().fold(0u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
            assert_eq!(signed(unsigned), number);
        }
    }
}
