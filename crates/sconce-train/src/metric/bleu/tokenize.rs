//! The tokens that BLEU counts.

/// Splits a text as the WMT evaluations' `mteval-v13a.pl` does, as far as sacreBLEU has it: a single space stands between tokens.
///
/// Every ASCII sign but apostrophe, full stop, comma and hyphen is a token; full stop and comma are unless a digit stands on both
/// sides, a hyphen is after a digit. Other scripts' signs stay where they are. A hyphen at the end of a line joins it with the
/// next one, and `&quot;`, `&amp;`, `&lt;` and `&gt;` become what they stand for.
///
/// # Source
/// `sacrebleu.tokenizers.tokenizer_13a`
///
/// # Example
/// ```
/// use sconce_train::tokenize_13a;
/// assert_eq!(tokenize_13a("He paid $1,234.50, didn't he?"), "He paid $ 1,234.50 , didn't he ?");
/// assert_eq!(tokenize_13a("«Ça va», 3-mal &amp; well-\nknown."), "«Ça va» , 3 - mal & wellknown .");
/// ```
pub fn tokenize_13a(text: &str) -> String {
    let mut text = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    for (entity, sign) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        text = text.replace(entity, sign);
    }
    let mut apart = String::from(" ");
    for c in text.chars() {
        match c {
            '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/' => apart.extend([' ', c, ' ']),
            _ => apart.push(c),
        }
    }
    apart.push(' ');
    let digit = |c: char| c.is_ascii_digit();
    let point = |c: char| matches!(c, '.' | ',');
    let apart = at_pairs(&apart, |a, b| !digit(a) && point(b), |a, b| [a, ' ', b, ' ']);
    let apart = at_pairs(&apart, |a, b| point(a) && !digit(b), |a, b| [' ', a, ' ', b]);
    let apart = at_pairs(&apart, |a, b| digit(a) && b == '-', |a, b| [a, ' ', b, ' ']);
    words(&apart).collect::<Vec<_>>().join(" ")
}

/// Puts spaces into all pairs of signs that match, from left to right; a sign belongs to one pair only.
fn at_pairs(
    text: &str,
    matches: impl Fn(char, char) -> bool,
    spaced: impl Fn(char, char) -> [char; 4],
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    while let Some(a) = signs.next() {
        match signs.next_if(|&b| matches(a, b)) {
            Some(b) => out.extend(spaced(a, b)),
            None => out.push(a),
        }
    }
    out
}

/// What stands between white space.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// Unicode's white space and, as in Python, the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}
