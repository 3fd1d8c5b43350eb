//! Inputs that hold several files or changes.

/// What stands between the separators.
pub(crate) fn pieces<'a>(separator: &[u8], mut data: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(end) = data
        .windows(separator.len())
        .position(|window| window == separator)
    {
        pieces.push(&data[..end]);
        data = &data[end + separator.len()..];
    }
    pieces.push(data);
    pieces
}
