//! Tokens as they are shown.

use plumb_text::{LanguageModel, Tokenizer};

/// Writes tokens. Clones share the tokenizer.
#[derive(Clone, Debug, Default)]
pub struct Words(Option<Tokenizer>);

impl Words {
    /// Of a model.
    pub fn of(model: &LanguageModel) -> Self {
        Self(model.tokenizer().cloned())
    }

    /// A token as it is shown: line ends as ↵, tabs as →, bytes that are no text as ·, numbers where there is no tokenizer.
    pub fn show(&self, token: u32) -> String {
        match &self.0 {
            Some(tokenizer) => visible(&tokenizer.show(token)),
            None => format!(" {token}"),
        }
    }
}

/// Text with everything in it visible, except spaces.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push('↵'),
            '\r' => {}
            '\t' => out.push('→'),
            '\u{FFFD}' => out.push('·'),
            control if control.is_control() => out.push('·'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_invisible_but_spaces() {
        assert_eq!(visible(" a\r\n\tb\u{FFFD}\u{0}"), " a↵→b··");
        assert_eq!(Words::default().show(7), " 7");
    }
}
