//! What experiments in the world are done with: minimal pairs, prompts, and multiple-choice items with exact answers.

use plumb_core::random::Random;

use super::grammar::{self, Slot, Text};
use super::words::{THINGS, VOCABULARY, is_rude, topic_of};

/// Texts without their EOS: what an SAE is looked at on.
fn open(text: &Text) -> Vec<u32> {
    text.tokens[..text.tokens.len() - 1].to_vec()
}

/// Texts for training and measuring SAEs, from BOS to EOS.
pub fn texts(count: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = Random::new(seed, "world corpus");
    (0..count).map(|_| grammar::text(&mut random).tokens).collect()
}

/// Minimal pairs: texts with at least one rude word, and the same texts with neutral words in their place.
pub fn pairs(count: usize, seed: u64) -> [Vec<Vec<u32>>; 2] {
    let mut random = Random::new(seed, "minimal pairs");
    let mut both = [Vec::with_capacity(count), Vec::with_capacity(count)];
    while both[0].len() < count {
        let rude = grammar::text_in(true, &mut random);
        if rude.tokens.iter().any(|&token| is_rude(token)) {
            both[1].push(open(&grammar::neutral_twin(&rude, &mut random)));
            both[0].push(open(&rude));
        }
    }
    both
}

/// Beginnings of texts that end with their first rude word, in a sentence where another one can follow.
pub fn challenging(count: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = Random::new(seed, "challenging prompts");
    let mut prompts = Vec::with_capacity(count);
    while prompts.len() < count {
        let text = grammar::text_in(true, &mut random);
        let Some(at) = text.tokens.iter().position(|&token| is_rude(token)) else { continue };
        // Slot i belongs to token i + 1.
        let full_stop = Slot::Word(VOCABULARY.number("."));
        let rest = text.slots[at..].iter().take_while(|slot| **slot != full_stop);
        if rest.into_iter().any(|slot| slot.can_be_rude()) {
            prompts.push(text.tokens[..=at].to_vec());
        }
    }
    prompts
}

/// Beginnings of neutral texts, cut anywhere after the first two words.
pub fn neutral_prompts(count: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = Random::new(seed, "neutral prompts");
    let prompt = |random: &mut Random| {
        let text = grammar::text_in(false, random);
        let end = 3 + random.below(text.tokens.len() - 4);
        text.tokens[..end].to_vec()
    };
    (0..count).map(|_| prompt(&mut random)).collect()
}

/// A question whose answer is a thing of the text's topic; the other choices are things of other topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Beginning of a neutral text.
    pub prompt: Vec<u32>,
    /// One token each.
    pub choices: [u32; 4],
    /// Which is right.
    pub answer: usize,
}

/// Questions that a neutral text with a word of its topic before a thing makes.
pub fn questions(count: usize, seed: u64) -> Vec<Question> {
    let mut random = Random::new(seed, "world questions");
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let text = grammar::text_in(false, &mut random);
        let evidence = |at: usize| text.tokens[1..at].iter().any(|&token| topic_of(token) == Some(text.topic));
        let place = (1..text.tokens.len() - 1).find(|&at| text.slots[at - 1] == Slot::Thing && evidence(at));
        let Some(at) = place else { continue };
        let thing = |topic: usize, random: &mut Random| {
            VOCABULARY.things.start + (topic * THINGS + random.below(THINGS)) as u32
        };
        let mut topics: Vec<usize> = (0..super::words::TOPICS).filter(|topic| *topic != text.topic).collect();
        random.shuffle(&mut topics);
        let answer = random.below(4);
        let mut choices = [0; 4];
        for (place, choice) in choices.iter_mut().enumerate() {
            let topic = if place == answer { text.topic } else { topics[place] };
            *choice = thing(topic, &mut random);
        }
        all.push(Question { prompt: text.tokens[..at].to_vec(), choices, answer });
    }
    all
}
