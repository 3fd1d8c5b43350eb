//! TensorFlow's `Event` messages in protocol buffers' encoding, as far as scalars need them.

/// How a field's value is encoded.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// Field numbers of event.proto and summary.proto.
mod field {
    pub(super) const WALL_TIME: u64 = 1;
    pub(super) const STEP: u64 = 2;
    pub(super) const FILE_VERSION: u64 = 3;
    pub(super) const SUMMARY: u64 = 5;
    pub(super) const SESSION_LOG: u64 = 7;
    /// In `Summary`.
    pub(super) const VALUE: u64 = 1;
    /// In `Summary.Value`.
    pub(super) const TAG: u64 = 1;
    pub(super) const SIMPLE_VALUE: u64 = 2;
    /// In `SessionLog`.
    pub(super) const STATUS: u64 = 1;
}

/// An event, but for its time.
pub(super) struct Event {
    step: u64,
    /// The encoded field that says what happened.
    what: Vec<u8>,
}

impl Event {
    /// What every file begins with.
    pub(super) fn version() -> Self {
        let mut what = Vec::new();
        put_bytes(&mut what, field::FILE_VERSION, b"brain.Event:2");
        Self { step: 0, what }
    }

    pub(super) fn scalars(step: u64, values: &[(impl AsRef<str>, f64)]) -> Self {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut entry = Vec::new();
            put_bytes(&mut entry, field::TAG, tag.as_ref().as_bytes());
            put_key(&mut entry, field::SIMPLE_VALUE, FIXED_32);
            entry.extend((*value as f32).to_le_bytes());
            put_bytes(&mut summary, field::VALUE, &entry);
        }
        let mut what = Vec::new();
        put_bytes(&mut what, field::SUMMARY, &summary);
        Self { step, what }
    }

    /// A run begins at this step: what was written of it and of later ones before doesn't count.
    pub(super) fn session_start(step: u64) -> Self {
        const START: u64 = 1;
        let mut log = Vec::new();
        put_key(&mut log, field::STATUS, VARINT);
        put_varint(&mut log, START);
        let mut what = Vec::new();
        put_bytes(&mut what, field::SESSION_LOG, &log);
        Self { step, what }
    }

    pub(super) fn encoded(&self, wall_time: f64) -> Vec<u8> {
        let mut message = Vec::new();
        put_key(&mut message, field::WALL_TIME, FIXED_64);
        message.extend(wall_time.to_le_bytes());
        // A zero is what a missing field means.
        if self.step != 0 {
            put_key(&mut message, field::STEP, VARINT);
            put_varint(&mut message, self.step);
        }
        message.extend(&self.what);
        message
    }
}

fn put_bytes(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_key(message, number, BYTES);
    put_varint(message, bytes.len() as u64);
    message.extend(bytes);
}

fn put_key(message: &mut Vec<u8>, number: u64, encoding: u64) {
    put_varint(message, number << 3 | encoding);
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_of_protocol_buffers() {
        let mut bytes = Vec::new();
        for value in [0, 127, 128, 300, u64::MAX] {
            put_varint(&mut bytes, value);
        }
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(bytes[..6], [0, 127, 0x80, 1, 0xac, 2]);
        assert_eq!(bytes[6..], longest);

        // As `Event(wall_time=1.5, step=300, summary=Summary(value=[…])).SerializeToString()` has them.
        let event = Event::scalars(300, &[("ab", 0.5)]).encoded(1.5);
        let expected = [
            9, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x10, 0xac, 2, 0x2a, 11, 0x0a, 9, 0x0a, 2, b'a', b'b', 0x15, 0,
            0, 0, 0x3f,
        ];
        assert_eq!(event, expected);
        let version = Event::version().encoded(0.);
        assert_eq!(version[..11], [9, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 13]);
        assert_eq!(&version[11..], b"brain.Event:2");
        assert_eq!(Event::session_start(1).encoded(0.)[9..], [0x10, 1, 0x3a, 2, 8, 1]);
    }
}
