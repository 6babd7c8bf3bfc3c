//! A user's message as the models that answer messages were trained to read it.

use crate::Tokenizer;

/// How messages are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// `<|im_start|>role … <|im_end|>` (SmolLM2, Qwen), with the message that stands before all others, if there is one.
    ChatMl {
        /// What the model is told first.
        system: Option<String>,
    },
    /// `<start_of_turn>role … <end_of_turn>` (Gemma).
    Gemma,
    /// `<|start_header_id|>role<|end_header_id|> … <|eot_id|>` (Llama 3).
    Llama3,
}

/// What begins the first message in ChatML.
const SYSTEM: &str = "<|im_start|>system";

impl Template {
    /// The template of a model, told from the special tokens of its tokenizer. `source` is the template as its files have
    /// it (a Jinja program, which is not run): what it tells the model first is taken from there.
    pub fn of(tokenizer: &Tokenizer, source: Option<&str>) -> Option<Self> {
        let has = |token: &str| tokenizer.id(token).is_some();
        if has("<|im_start|>") && has("<|im_end|>") {
            Some(Self::ChatMl { system: source.and_then(system) })
        } else if has("<start_of_turn>") && has("<end_of_turn>") {
            Some(Self::Gemma)
        } else if has("<|start_header_id|>") && has("<|eot_id|>") {
            Some(Self::Llama3)
        } else {
            None
        }
    }

    /// The text up to where the answer begins. The token that begins every text is left to the tokenizer.
    pub fn prompt(&self, message: &str) -> String {
        let message = message.trim();
        match self {
            Self::ChatMl { system } => {
                let first = system.as_ref().map(|system| format!("{SYSTEM}\n{system}<|im_end|>\n")).unwrap_or_default();
                format!("{first}<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n")
            }
            Self::Gemma => format!("<start_of_turn>user\n{message}<end_of_turn>\n<start_of_turn>model\n"),
            Self::Llama3 => format!(
                "<|start_header_id|>user<|end_header_id|>\n\n{message}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
            ),
        }
    }
}

/// The fixed message that a template puts first.
fn system(source: &str) -> Option<String> {
    let (_, rest) = source.split_once(SYSTEM)?;
    let (text, _) = rest.split_once("<|im_end|>")?;
    // Inside a Jinja string a line's end is written as two characters.
    let text = text.replace("\\n", "\n");
    let text = text.trim();
    // Anything else is put together by the program.
    (!text.is_empty() && !text.contains(['{', '}', '+', '\''])).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let source =
            "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are kind<|im_end|>\\n' }}{% endif %}";
        assert_eq!(system(source).unwrap(), "You are kind");
        assert_eq!(system("{{'<|im_start|>system' + x + '<|im_end|>'}}"), None);
        let chat = Template::ChatMl { system: Some("You are kind".to_owned()) };
        let expected =
            "<|im_start|>system\nYou are kind<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(chat.prompt(" Hi\n"), expected);
        assert_eq!(Template::Gemma.prompt("Hi"), "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n");
    }

    #[test]
    fn tokens_tell_the_template() {
        let pieces = |more: &[&str]| {
            let all = ["[UNK]", "[CLS]", "[SEP]"].iter().chain(more).map(|piece| (*piece).to_owned());
            Tokenizer::from_pieces(all, true).unwrap()
        };
        assert_eq!(Template::of(&pieces(&["<start_of_turn>", "<end_of_turn>"]), None), Some(Template::Gemma));
        assert_eq!(
            Template::of(&pieces(&["<|im_start|>", "<|im_end|>"]), None),
            Some(Template::ChatMl { system: None })
        );
        assert_eq!(Template::of(&pieces(&[]), None), None);
    }
}
