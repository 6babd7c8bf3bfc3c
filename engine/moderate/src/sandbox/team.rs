//! The sandbox's rules, moderators and authors.

use plumb_core::random::Random;
use serde::Serialize;

/// A rule of the community.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its short name, as reports and decisions give it.
    pub key: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it asks.
    pub text: &'static str,
}

const fn rule(key: &'static str, title: &'static str, text: &'static str) -> Rule {
    Rule { key, title, text }
}

/// The rules, in the order of their numbers.
pub const RULES: [Rule; 10] = [
    rule("civil", "Argue about the thing, not the person", "No insults, no sneering at beginners."),
    rule("topic", "Stay with the thread", "A side remark is fine; a side story gets a thread of its own."),
    rule("advert", "No advertising unasked", "Say that you earn from it, do not repeat it, and no links to shops."),
    rule(
        "safety",
        "No advice that can hurt",
        "Electricity, poison, heights, medicine: say what can go wrong or say nothing.",
    ),
    rule(
        "privacy",
        "Leave people their privacy",
        "No names, addresses, pictures or habits of people who have not agreed.",
    ),
    rule(
        "source",
        "Say where it comes from",
        "Claims about health, law or people need a source that others can look at.",
    ),
    rule("effort", "Give enough to work with", "One word and a smile help nobody; code is explained, not thrown down."),
    rule("spoiler", "Keep endings covered", "Nothing beyond the chapters or minutes that the thread is about."),
    rule(
        "politics",
        "No election talk",
        "The town's plans may be discussed; parties and who should be voted for may not.",
    ),
    rule(
        "credit",
        "Credit other people's work",
        "Say whose text, picture or code it is, and do not share what is for sale.",
    ),
];

/// What in the words themselves moves a moderator, beside the rule.
pub const TONES: [&str; 5] = ["shouts", "jokes", "brief", "link", "code"];

/// Which of [`TONES`] a text has.
pub fn tones(text: &str) -> [bool; 5] {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (capitals, letters) = letters.fold((0, 0), |(up, all), c| (up + usize::from(c.is_uppercase()), all + 1));
    let emoji = |c: char| ('\u{1f300}'..='\u{1faff}').contains(&c) || ('\u{2600}'..='\u{27bf}').contains(&c);
    let lower = text.to_lowercase();
    [
        text.contains("!!") || (letters > 12 && 3 * capitals > letters),
        text.chars().any(emoji) || lower.contains("lol") || lower.contains("sticker"),
        text.split_whitespace().count() < 5,
        text.contains(".example"),
        text.contains('`'),
    ]
}

/// A moderator of the sandbox: what is added to the logit of removal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Member {
    /// The name.
    pub name: &'static str,
    /// In general.
    pub strictness: f64,
    /// By rule, in the order of [`RULES`].
    pub rules: [f64; 10],
    /// By tone, in the order of [`TONES`].
    pub tones: [f64; 5],
}

const fn member(name: &'static str, strictness: f64, rules: [f64; 10], tones: [f64; 5]) -> Member {
    Member { name, strictness, rules, tones }
}

/// The moderators. Amina guards people, Bertil guards the forum's order, Chidi lets talk run, Dolores was a nurse,
/// Emre cannot stand advertising, Fumiko asks for sources, Grzegorz likes a rough joke, Hana protects authors and
/// endings.
pub const TEAM: [Member; 8] = [
    member("amina", 0.2, [1.6, -0.8, 0.0, 0.6, 1.8, -0.4, -1.0, 0.0, 0.2, 0.0], [0.9, -0.3, -0.4, 0.2, 0.0]),
    member("bertil", 0.6, [0.2, 1.8, 0.6, 0.0, 0.0, 0.0, 1.6, 0.6, 0.8, 0.2], [0.6, 0.8, 1.2, 0.4, 0.3]),
    member("chidi", -1.0, [-0.6, -1.0, -0.4, 0.4, 0.6, -0.8, -1.0, 0.4, -0.6, -0.6], [-0.2, -0.6, -0.5, 0.0, -0.4]),
    member("dolores", 0.1, [0.4, -0.6, -0.2, 2.2, 0.6, 1.4, -0.6, -0.6, 0.0, -0.4], [0.2, 0.0, 0.0, 0.2, 0.4]),
    member("emre", 0.0, [-0.4, 0.0, 2.2, -0.2, 0.2, 0.0, 0.2, 0.0, -0.2, 0.4], [0.8, 0.2, 0.0, 1.6, 0.0]),
    member("fumiko", 0.2, [0.0, 0.2, 0.2, 0.6, 0.4, 2.0, 0.8, 0.0, 0.8, 1.0], [0.4, 0.3, 0.9, 0.2, -0.4]),
    member("grzegorz", -0.5, [-1.8, -0.4, 0.4, -0.6, 0.2, -0.4, -0.6, -0.2, -1.2, -0.6], [-0.6, -1.4, -0.2, 0.4, 0.0]),
    member("hana", 0.1, [0.6, -0.2, 0.0, 0.0, 0.8, 0.2, -0.4, 2.0, 1.0, 2.0], [0.3, -0.2, 0.0, 0.0, 0.6]),
];

/// Authors who are often in trouble.
const ROUGH: usize = 10;

/// One of 64 authors; of grey cases mostly one of the first ten.
pub(super) fn author(grey: u8, random: &mut Random) -> String {
    const FIRST: [&str; 8] = ["brass", "moss", "tin", "salt", "paper", "apple", "lamp", "wool"];
    const SECOND: [&str; 8] = ["fern", "kettle", "thimble", "finch", "ladder", "pocket", "harbour", "button"];
    let rough = random.below(10) < [1, 1, 3, 5, 7][usize::from(grey.min(4))];
    let i = if rough { random.below(ROUGH) } else { ROUGH + random.below(64 - ROUGH) };
    format!("{}_{}", FIRST[i % 8], SECOND[i / 8])
}
