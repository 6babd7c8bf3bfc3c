//! A small world in which everything is known: a grammar that says how likely each text is, a language model trained on
//! it, and a ladder of SAEs of its stream.
//!
//! Because the grammar is known, fluency is a share of texts that parse, rudeness is a rude word, and the best possible
//! prediction can be worked out: a method that does not work here works nowhere.

pub mod exact;
pub mod grammar;
mod ladder;
pub mod learn;
pub mod net;
pub mod sets;
mod words;

pub use ladder::{HOOK, WIDTHS, embedded, ladder, spec};
pub use words::{
    BOS, EOS, UNKNOWN, is_rude, rude_tokens, text_of, tokenizer_json, topic_names, topic_of, vocabulary_size, word,
};

#[cfg(test)]
mod tests;
