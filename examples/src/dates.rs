//! Written dates with their translations to ISO 8601, as characters.

use crate::Draws;
use std::collections::BTreeSet;

/// Every character of dates and translations, by number: padding, start and end come first.
pub const VOCABULARY: &str = "_<> ',-./0123456789ADFJMNOSabcdefghilmnoprstuvy";
/// What fills up a written date.
pub const PAD: u32 = 0;
/// What comes before a translation.
pub const START: u32 = 1;
/// What ends a translation.
pub const END: u32 = 2;
/// Characters of the longest written date.
pub const SOURCE: usize = 24;
/// Characters of a translation with its end.
pub const TARGET: usize = 11;

const FIRST_YEAR: usize = 1950;
const YEARS: usize = 100;
const MONTHS: [(&str, usize); 12] = [
    ("January", 31),
    ("February", 28),
    ("March", 31),
    ("April", 30),
    ("May", 31),
    ("June", 30),
    ("July", 31),
    ("August", 31),
    ("September", 30),
    ("October", 31),
    ("November", 30),
    ("December", 31),
];

/// A date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Date {
    /// As somebody wrote it.
    pub written: String,
    /// As ISO 8601 has it: year-month-day.
    pub iso: String,
}

impl Date {
    /// The written date's characters, filled up to [`SOURCE`].
    pub fn source(&self) -> Vec<u32> {
        let mut ids = encode(&self.written);
        ids.resize(SOURCE, PAD);
        ids
    }

    /// The translation's characters between [`START`] and [`END`].
    pub fn target(&self) -> Vec<u32> {
        let mut ids = vec![START];
        ids.extend(encode(&self.iso));
        ids.push(END);
        ids
    }
}

/// Dates from 1950 to 2049, to train with and to test: no date is in both, however it is written.
pub fn drawn(train: usize, test: usize, random: &Draws) -> (Vec<Date>, Vec<Date>) {
    let mut tested = BTreeSet::new();
    let draw = |count, is_free: &mut dyn FnMut(&Date) -> bool| {
        let mut dates = Vec::with_capacity(count);
        while dates.len() < count {
            let date = date(random);
            if is_free(&date) {
                dates.push(date);
            }
        }
        dates
    };
    let test = draw(test, &mut |date| tested.insert(date.iso.clone()));
    let train = draw(train, &mut |date| !tested.contains(&date.iso));
    (train, test)
}

/// A date in one of the ways to write it.
fn date(random: &Draws) -> Date {
    let (year, month) = (FIRST_YEAR + random.below(YEARS), random.below(MONTHS.len()));
    let (name, mut days) = MONTHS.get(month).copied().unwrap_or(("January", 31));
    // 2000, the only turn of a century here, was a leap year.
    if month == 1 && year % 4 == 0 {
        days += 1;
    }
    let (day, month) = (1 + random.below(days), month + 1);
    let (short, last) = (name.get(..3).unwrap_or(name), year % 100);
    let ending = match (day % 10, day) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    let written = match random.below(10) {
        0 => format!("{day} {name} {year}"),
        1 => format!("{name} {day}, {year}"),
        2 => format!("{day}{ending} of {name} {year}"),
        3 => format!("{name} {day}{ending} {year}"),
        4 => format!("{day}.{month}.{year}"),
        5 => format!("{month}/{day}/{year}"),
        6 => format!("{short} {day}, '{last:02}"),
        7 => format!("{day}-{short}-{year}"),
        8 => format!("{year}, {name} {day}"),
        _ => format!("{day:02}.{month:02}.{last:02}"),
    };
    Date {
        written,
        iso: format!("{year}-{month:02}-{day:02}"),
    }
}

fn encode(text: &str) -> Vec<u32> {
    let id = |char| VOCABULARY.chars().position(|known| known == char);
    text.chars().filter_map(id).map(|id| id as u32).collect()
}

/// The characters of a translation, up to its end.
pub fn decode(ids: &[u32]) -> String {
    let own = ids
        .iter()
        .skip_while(|&&id| id == START)
        .take_while(|&&id| id != END);
    own.filter_map(|&id| VOCABULARY.chars().nth(id as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_fit_and_come_back() {
        let (train, test) = drawn(5000, 300, &Draws::new(1, "dates"));
        assert_eq!((train.len(), test.len()), (5000, 300));
        let tested: BTreeSet<_> = test.iter().map(|date| &date.iso).collect();
        assert_eq!(tested.len(), 300);
        assert!(train.iter().all(|date| !tested.contains(&date.iso)));
        for date in train.iter().chain(&test) {
            // Every character is known, and none is cut off.
            assert_eq!(
                encode(&date.written).len(),
                date.written.chars().count(),
                "{date:?}"
            );
            assert!(date.written.chars().count() <= SOURCE && date.iso.len() == TARGET - 1);
            assert_eq!((date.source().len(), date.target().len()), (SOURCE, TARGET + 1));
            assert_eq!(decode(&date.target()), date.iso);
        }
        let written: Vec<&str> = train.iter().map(|date| date.written.as_str()).collect();
        for part in ["1st of", "2nd of", "3rd of", "11th", "12th", "13th", "21st", "'0"] {
            assert!(written.iter().any(|date| date.contains(part)), "{part}");
        }
        assert!(train.iter().any(|date| date.iso.ends_with("-02-29")));
        assert_eq!(
            drawn(9, 9, &Draws::new(2, "dates")),
            drawn(9, 9, &Draws::new(2, "dates"))
        );
    }
}
