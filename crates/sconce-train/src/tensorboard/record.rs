//! The frames of a TFRecord file: length and payload, each with a masked checksum.

/// Payload in its frame: the length in 8 bytes, the length's checksum, the payload, the payload's checksum; all numbers with
/// the lowest byte first.
pub(super) fn frame(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    [
        &length[..],
        &masked(crc32c(&length)).to_le_bytes(),
        payload,
        &masked(crc32c(payload)).to_le_bytes(),
    ]
    .concat()
}

/// Turned and shifted, since the checksum of data that holds its own checksum says little.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The cyclic redundancy check with Castagnoli's polynomial, as RFC 3720 has it.
fn crc32c(bytes: &[u8]) -> u32 {
    // With its bits in reverse order.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            // A few hundred bytes an epoch need no table.
            crc = (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
        }
    }
    !crc
}

/// The payloads of a file's frames; an error names the frame whose length or checksum is wrong.
#[cfg(test)]
pub(super) fn payloads(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    while !bytes.is_empty() {
        let wrong = |what: &str| format!("frame {}: {what}", all.len());
        let (head, rest) = bytes.split_at_checked(12).ok_or_else(|| wrong("head cut off"))?;
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0u64, |sum, &byte| sum << 8 | u64::from(byte))
        };
        if number(&head[8..]) != u64::from(masked(crc32c(&head[..8]))) {
            return Err(wrong("the length's checksum"));
        }
        let length = number(&head[..8]) as usize;
        let (payload, rest) = rest
            .split_at_checked(length)
            .ok_or_else(|| wrong("payload cut off"))?;
        let (check, rest) = rest
            .split_at_checked(4)
            .ok_or_else(|| wrong("checksum cut off"))?;
        if number(check) != u64::from(masked(crc32c(payload))) {
            return Err(wrong("the payload's checksum"));
        }
        all.push(payload.to_vec());
        bytes = rest;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4, and the check value of the catalogue of such codes.
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        for (bytes, expected) in [
            (&[0; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
            (&falling, 0x113f_db5c),
            (b"123456789", 0xe306_9283),
            (b"", 0),
        ] {
            assert_eq!(crc32c(bytes), expected, "{bytes:?}");
        }
        assert_eq!(masked(0), 0xa282_ead8);
        // The head of every event file that TensorBoard's own writer begins: a payload of 24 bytes.
        assert_eq!(
            frame(&[0; 24])[..12],
            [0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]
        );
    }

    #[test]
    fn every_damaged_byte_is_seen() {
        let whole = [frame(b"one"), frame(b""), frame(b"three")].concat();
        let expected: Vec<Vec<u8>> = vec![b"one".to_vec(), vec![], b"three".to_vec()];
        assert_eq!(payloads(&whole).unwrap(), expected);
        for i in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[i] ^= 0x10;
            assert!(payloads(&damaged).is_err(), "byte {i}");
        }
        assert!(payloads(&whole[..whole.len() - 1]).is_err());
    }
}
