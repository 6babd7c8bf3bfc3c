//! The grammar: what is written in the world, and how likely.
//!
//! A text is one to three sentences that share a register (neutral ¾, rude ¼) and one of eight topics. A sentence
//! follows one of twelve templates. People, things and places come from the topic's own list four times out of five.
//! In the rude register a trait or a person is a rude word seven times out of ten.

use std::ops::Range;
use std::sync::LazyLock;

use plumb_core::random::Random;

use super::words::{BOS, EOS, PEOPLE, PLACES, THINGS, TOPICS, VOCABULARY};

/// Probability of the rude register.
pub const RUDE: f64 = 0.25;
/// Probability of a rude word in a trait or person of the rude register.
pub const RUDE_WORD: f64 = 0.7;
/// Probability of the topic's own list.
pub const OWN_TOPIC: f64 = 0.8;
/// Probability that the text ends after each sentence.
pub const STOP: [f64; 3] = [0.5, 0.5, 1.0];

/// A place in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// This word.
    Word(u32),
    /// `quiet`; rude in the rude register.
    Trait,
    /// `baker`; rude in the rude register.
    Person,
    /// `found`.
    Verb,
    /// `heavy`.
    Look,
    /// `anchor`.
    Thing,
    /// `harbour`.
    Place,
    /// `slowly`.
    Manner,
    /// `yesterday`.
    Opener,
    /// `anna`.
    Name,
}

impl Slot {
    /// Whether a rude word can stand here.
    pub fn can_be_rude(self) -> bool {
        matches!(self, Self::Trait | Self::Person)
    }

    /// All words of a list that does not depend on the topic.
    fn list(self) -> Range<u32> {
        let v = &*VOCABULARY;
        match self {
            Self::Word(word) => word..word + 1,
            Self::Trait => v.traits.clone(),
            Self::Verb => v.verbs.clone(),
            Self::Look => v.looks.clone(),
            Self::Manner => v.manners.clone(),
            Self::Opener => v.openers.clone(),
            Self::Name => v.names.clone(),
            Self::Person => v.people.clone(),
            Self::Thing => v.things.clone(),
            Self::Place => v.places.clone(),
        }
    }

    /// Words of each topic; 0 where the topic does not matter.
    fn per_topic(self) -> usize {
        match self {
            Self::Person => PEOPLE,
            Self::Thing => THINGS,
            Self::Place => PLACES,
            _ => 0,
        }
    }

    fn rude_list(self) -> Range<u32> {
        match self {
            Self::Trait => VOCABULARY.rude_traits.clone(),
            Self::Person => VOCABULARY.rude_people.clone(),
            _ => 0..0,
        }
    }

    /// The words that can stand here in a register and topic, with their probabilities.
    pub fn words(self, rude: bool, topic: usize) -> Vec<(u32, f64)> {
        let all = self.list().chain(self.rude_list());
        all.map(|word| (word, self.probability(word, rude, topic))).collect()
    }

    /// Probability of one of them.
    pub fn probability(self, word: u32, rude: bool, topic: usize) -> f64 {
        let insult = if rude && self.can_be_rude() { RUDE_WORD } else { 0.0 };
        let list = self.rude_list();
        if list.contains(&word) {
            return insult / list.len() as f64;
        }
        let (all, each) = (self.list(), self.per_topic());
        if !all.contains(&word) {
            return 0.0;
        }
        if each == 0 {
            return (1.0 - insult) / all.len() as f64;
        }
        let own = (word - all.start) as usize / each == topic;
        let bonus = if own { OWN_TOPIC / each as f64 } else { 0.0 };
        (1.0 - insult) * ((1.0 - OWN_TOPIC) / all.len() as f64 + bonus)
    }

    /// One of them.
    fn draw(self, rude: bool, topic: usize, random: &mut Random) -> u32 {
        if let Self::Word(word) = self {
            return word;
        }
        let pick = |range: Range<u32>, random: &mut Random| range.start + random.below(range.len()) as u32;
        if rude && self.can_be_rude() && random.uniform() < RUDE_WORD {
            return pick(self.rude_list(), random);
        }
        let (all, each) = (self.list(), self.per_topic() as u32);
        if each > 0 && random.uniform() < OWN_TOPIC {
            let start = all.start + topic as u32 * each;
            return pick(start..start + each, random);
        }
        pick(all, random)
    }
}

/// T trait, P person, V verb, J look, O thing, L place, M manner, S opener, N name.
const TEMPLATES: [&str; 12] = [
    "the T P V the J O .",
    "S the P V a O in the L .",
    "N said that the T P V the O .",
    "the P and the T P V the O .",
    "the O of the T P was J .",
    "N V the O of the T P M .",
    "a T P with a J O V the L .",
    "S a P V the O near the T P .",
    "what a T P , said the P .",
    "my T P V your J O .",
    "the T T P was in the L .",
    "this P is a T P .",
];

/// The twelve templates; the last slot of each is the full stop, which stands nowhere else.
pub static ALL_TEMPLATES: LazyLock<Vec<Vec<Slot>>> = LazyLock::new(|| {
    let slot = |piece: &str| match piece {
        "T" => Slot::Trait,
        "P" => Slot::Person,
        "V" => Slot::Verb,
        "J" => Slot::Look,
        "O" => Slot::Thing,
        "L" => Slot::Place,
        "M" => Slot::Manner,
        "S" => Slot::Opener,
        "N" => Slot::Name,
        word => Slot::Word(VOCABULARY.number(word)),
    };
    TEMPLATES.iter().map(|template| template.split(' ').map(slot).collect()).collect()
});

/// A text with what is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its tokens, from BOS to EOS.
    pub tokens: Vec<u32>,
    /// Slot of each token but BOS and EOS.
    pub slots: Vec<Slot>,
    /// Whether its register is rude.
    pub rude: bool,
    /// Its topic.
    pub topic: usize,
}

/// A text in a register that is drawn.
pub fn text(random: &mut Random) -> Text {
    let rude = random.uniform() < RUDE;
    text_in(rude, random)
}

/// A text in a given register.
pub fn text_in(rude: bool, random: &mut Random) -> Text {
    let topic = random.below(TOPICS);
    let (mut tokens, mut slots) = (vec![BOS], Vec::new());
    for stop in STOP {
        for &slot in &ALL_TEMPLATES[random.below(ALL_TEMPLATES.len())] {
            tokens.push(slot.draw(rude, topic, random));
            slots.push(slot);
        }
        if random.uniform() < stop {
            break;
        }
    }
    tokens.push(EOS);
    Text { tokens, slots, rude, topic }
}

/// The same text in the neutral register: every rude word is replaced.
pub fn neutral_twin(text: &Text, random: &mut Random) -> Text {
    let mut twin = Text { rude: false, ..text.clone() };
    for (token, slot) in twin.tokens[1..].iter_mut().zip(&text.slots) {
        if slot.rude_list().contains(token) {
            *token = slot.draw(false, text.topic, random);
        }
    }
    twin
}
