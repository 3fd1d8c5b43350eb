//! Sentences about made-up things, as numbers of words.

use crate::Draws;
use std::collections::BTreeSet;

/// The word that fills up a sentence.
pub const PAD: u32 = 0;
/// The word that begins a sentence, and the one that ends it.
const BEGIN: u32 = 1;
const END: u32 = 2;
/// The word that stands for a hidden one.
const MASK: u32 = 3;
/// The target where no word was hidden: what losses leave out.
const IGNORED: i64 = -100;
/// Words of a sentence, begin and end included.
pub const LENGTH: usize = 12;
/// Animals, tools, dishes, vehicles.
pub const KINDS: usize = 4;

/// What things of each kind do.
const DOES: [&[&str]; KINDS] = [
    &["eats", "sleeps", "hunts", "hides", "breeds", "drinks"],
    &["cuts", "rusts", "drills", "hammers", "bends", "measures"],
    &["cools", "boils", "tastes", "spoils", "bakes", "melts"],
    &["drives", "stops", "parks", "refuels", "turns", "overtakes"],
];
const WHEN: [&str; 8] = [
    "today",
    "often",
    "at night",
    "in spring",
    "again",
    "now and then",
    "slowly",
    "near the river",
];
/// What is said of things of any kind; the star is the thing.
const QUESTIONS: [&str; 6] = [
    "where is the *",
    "yesterday i saw a *",
    "who has lost the *",
    "tell me of your *",
    "the * is not mine",
    "they asked for a *",
];
/// How often a sentence says nothing of what the thing does, and how often it says what it can't do.
const NEUTRAL: f64 = 0.1;
const NONSENSE: f64 = 0.1;
/// How often a word is hidden, and how often then another word, or the word itself, stands there instead of the mask.
const HIDDEN: f64 = 0.15;
const OTHER: f64 = 0.1;
const SAME: f64 = 0.1;

/// Words by number.
pub struct Language {
    words: Vec<String>,
    /// The first thing's number; the things of each kind follow each other.
    first: usize,
    /// Things of each kind.
    things: usize,
}

/// Sentences, [`LENGTH`] words each.
pub struct Sentences {
    /// The words, of which some are hidden.
    pub ids: Vec<u32>,
    /// The hidden words, and −100 where none is hidden.
    pub hidden: Vec<i64>,
}

impl Language {
    /// With so many things of each kind, named at random.
    pub fn new(things: usize, draws: &Draws) -> Self {
        let mut words: Vec<String> = ["_", "<", ">", "?"].map(String::from).to_vec();
        let texts = DOES.iter().copied().flatten().chain(&WHEN).chain(&QUESTIONS);
        let common: BTreeSet<&str> = texts
            .flat_map(|text| text.split(' '))
            .filter(|word| *word != "*")
            .collect();
        words.extend(common.into_iter().chain(["and"]).map(String::from));
        let first = words.len();
        while words.len() < first + KINDS * things {
            let pick = |from: &[u8]| from.get(draws.below(from.len())).copied().map_or('a', char::from);
            let syllables = 2 + draws.below(3);
            let word: String = (0..syllables)
                .flat_map(|_| [pick(b"bdfgklmnprstvz"), pick(b"aeiou")])
                .collect();
            if !words.contains(&word) {
                words.push(word);
            }
        }
        Self { words, first, things }
    }

    /// The number of words.
    pub fn words(&self) -> usize {
        self.words.len()
    }

    /// A sentence in letters.
    pub fn text(&self, ids: &[u32]) -> String {
        let is_word = |id: &&u32| ![PAD, BEGIN, END].contains(id);
        let words = ids
            .iter()
            .filter(is_word)
            .filter_map(|&id| self.words.get(id as usize));
        words.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// A sentence that nobody labelled: what a thing, or two of a kind, does.
    pub fn sentence(&self, draws: &Draws) -> Vec<u32> {
        if draws.chance(NEUTRAL) {
            return self
                .question(draws.below(KINDS * self.things), draws.below(QUESTIONS.len()))
                .0;
        }
        let kind = draws.below(KINDS);
        let said = if draws.chance(NONSENSE) {
            draws.below(KINDS)
        } else {
            kind
        };
        let pick = |from: &[&'static str]| from.get(draws.below(from.len())).copied().unwrap_or_default();
        let does = pick(DOES.get(said).copied().unwrap_or_default());
        let mut text = format!("the {}", self.thing(kind, draws));
        if draws.chance(0.3) {
            text += &format!(" and the {}", self.thing(kind, draws));
        }
        self.ids(&format!("{text} {does} {}", pick(&WHEN)))
    }

    /// All sentences that don't say what their thing does, each with the thing's kind, in random order.
    pub fn questions(&self, draws: &Draws) -> Vec<(Vec<u32>, usize)> {
        let order = draws
            .permutation(KINDS * self.things * QUESTIONS.len())
            .into_iter();
        order
            .map(|i| self.question(i / QUESTIONS.len(), i % QUESTIONS.len()))
            .collect()
    }

    /// Of a thing, counted through all kinds.
    fn question(&self, thing: usize, question: usize) -> (Vec<u32>, usize) {
        let question = QUESTIONS.get(question).copied().unwrap_or_default();
        let word = self.words.get(self.first + thing).map_or("", String::as_str);
        (self.ids(&question.replace('*', word)), thing / self.things)
    }

    /// Unlabelled sentences with words hidden, as BERT's authors hid them.
    pub fn masked(&self, count: usize, draws: &Draws) -> Sentences {
        let (mut ids, mut hidden) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut sentence = self.sentence(draws);
            let own = sentence
                .iter()
                .take_while(|&&id| id != END)
                .count()
                .saturating_sub(1);
            // One at least, so that every batch has something to guess.
            let sure = 1 + draws.below(own);
            for (at, id) in sentence.iter_mut().enumerate() {
                let is_own = (1..=own).contains(&at);
                if !is_own || (at != sure && !draws.chance(HIDDEN)) {
                    hidden.push(IGNORED);
                    continue;
                }
                hidden.push(i64::from(*id));
                let chance = draws.uniform();
                if chance < OTHER {
                    *id = (MASK as usize + 1 + draws.below(self.words() - MASK as usize - 1)) as u32;
                } else if chance >= OTHER + SAME {
                    *id = MASK;
                }
            }
            ids.extend(sentence);
        }
        Sentences { ids, hidden }
    }

    fn thing(&self, kind: usize, draws: &Draws) -> &str {
        let thing = self.first + kind * self.things + draws.below(self.things);
        self.words.get(thing).map_or("", String::as_str)
    }

    fn ids(&self, text: &str) -> Vec<u32> {
        let id = |word: &str| self.words.iter().position(|known| known == word);
        let mut ids = vec![BEGIN];
        ids.extend(
            text.split(' ')
                .filter_map(id)
                .map(|id| id as u32)
                .take(LENGTH - 2),
        );
        ids.push(END);
        ids.resize(LENGTH, PAD);
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_fit_and_hide_what_they_say() {
        let draws = Draws::new(4, "sentences");
        let language = Language::new(20, &draws);
        let Sentences { ids, hidden } = language.masked(500, &draws);
        assert_eq!((ids.len(), hidden.len()), (500 * LENGTH, 500 * LENGTH));
        let masked = ids.iter().filter(|&&id| id == MASK).count();
        let asked = hidden.iter().filter(|&&id| id != IGNORED).count();
        let share = masked as f64 / asked as f64;
        assert!((0.75..0.85).contains(&share), "{share}");
        for (ids, hidden) in ids.chunks(LENGTH).zip(hidden.chunks(LENGTH)) {
            assert!(hidden.iter().any(|&id| id != IGNORED));
            // Only words are hidden, and each of them is one.
            for (&id, &hidden) in ids.iter().zip(hidden) {
                assert!((id as usize) < language.words());
                assert!(hidden == IGNORED || hidden > i64::from(MASK));
                assert!(![PAD, BEGIN, END].contains(&id) || hidden == IGNORED);
            }
        }
    }

    #[test]
    fn every_word_of_every_text_is_known() {
        let language = Language::new(20, &Draws::new(0, "sentences"));
        for kind in DOES {
            for does in kind {
                for when in WHEN {
                    let text = format!("the and {does} {when}");
                    assert_eq!(language.text(&language.ids(&text)), text);
                }
            }
        }
        for question in QUESTIONS {
            let text = question.replace('*', "and");
            assert_eq!(language.text(&language.ids(&text)), text);
        }
        let questions = language.questions(&Draws::new(5, "sentences"));
        let distinct: BTreeSet<_> = questions.iter().map(|(ids, _)| ids).collect();
        assert_eq!((questions.len(), distinct.len()), (480, 480));
        let of_kind = |wanted| questions.iter().filter(|(_, kind)| *kind == wanted).count();
        assert_eq!([0, 1, 2, 3].map(of_kind), [120; 4]);
        let draws = Draws::new(1, "sentences");
        let longest = (0..300)
            .map(|_| language.sentence(&draws).iter().filter(|&&id| id != PAD).count())
            .max();
        assert!(longest.unwrap() <= LENGTH);
    }
}
