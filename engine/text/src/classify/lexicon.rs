//! A list of rude words: the crudest judge, whose reasons are plain to see.

use std::collections::BTreeSet;

/// The list that ships.
const EMBEDDED: &str = include_str!("../../../../assets/text/rude-words.txt");

/// Words that make a text rude.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexicon(BTreeSet<String>);

impl Lexicon {
    /// Profanity and insults in English, without slurs against groups.
    pub fn embedded() -> Self {
        Self::parse(EMBEDDED)
    }

    /// One word a line; empty lines and those that begin with `#` do not count.
    pub fn parse(list: &str) -> Self {
        let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(str::to_lowercase).collect())
    }

    /// Its words in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The rude words of a text with their places in bytes.
    pub fn find<'a>(&self, text: &'a str) -> Vec<(std::ops::Range<usize>, &'a str)> {
        let mut found = Vec::new();
        let mut at = 0;
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            if self.0.contains(&word.to_lowercase()) {
                found.push((at..at + word.len(), word));
            }
            at += word.len() + text[at + word.len()..].chars().next().map_or(0, char::len_utf8);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_in_any_case() {
        let lexicon = Lexicon::parse("# list\ndarn\n\n heck ");
        assert_eq!(lexicon.words().collect::<Vec<_>>(), ["darn", "heck"]);
        assert_eq!(lexicon.find("Äh, DARN it: heckling—heck!"), [(5..9, "DARN"), (25..29, "heck")]);
        assert!(lexicon.find("").is_empty());
        assert!(Lexicon::embedded().words().count() > 50);
    }
}
