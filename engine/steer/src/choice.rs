//! Multiple-choice questions: what the model still knows while it is steered.
//!
//! A choice's score is the log-probability of its tokens after the question. `accuracy` takes the largest sum,
//! `accuracy_norm` the largest sum per byte of the choice, as is usual.

use std::path::Path;

use plumb_core::Ctl;
use plumb_text::NoHooks;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attached::Attached;
use crate::intervene::{Intervention, SteeringHook};
use crate::metrics::log_softmax;
use crate::{Result, SteerError};

/// A question as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What comes before the choice.
    pub question: String,
    /// The choices.
    pub choices: Vec<String>,
    /// Which is right.
    pub answer: usize,
}

/// A question as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Tokens before the choice, BOS included.
    pub prompt: Vec<u32>,
    /// Tokens of each choice.
    pub choices: Vec<Vec<u32>>,
    /// Bytes of each choice.
    pub bytes: Vec<usize>,
    /// Which is right.
    pub answer: usize,
}

/// Share of questions answered right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// By total log-probability.
    pub accuracy: f64,
    /// By log-probability per byte.
    pub accuracy_norm: f64,
    /// Questions.
    pub count: usize,
}

/// The 60 questions that are part of Plumb.
const OWN: &str = include_str!("../../../assets/choices.jsonl");

/// The questions that are part of Plumb: easy ones on everyday things.
pub fn own() -> Result<Vec<Item>> {
    read(OWN, "the questions of Plumb")
}

/// Reads a JSONL file.
pub fn load(path: &Path) -> Result<Vec<Item>> {
    let text = std::fs::read_to_string(path).map_err(|error| SteerError::read(path, error))?;
    read(&text, &path.display().to_string())
}

/// Reads questions, one JSON object per line, in the forms that data sets use:
///
/// | question | choices | answer |
/// |---|---|---|
/// | `question`, `ctx`, `goal`, `query`, `sentence`, `input` | `choices`, `endings`, `options`: a list | `answer`, `label`, `gold`, `answerKey`: number or letter |
/// | the same; `question.stem` | `choices.text` with `choices.label`; `question.choices` with `text` and `label` each | one of the labels |
/// | the same | `sol1`, `sol2`; `option1`, `option2`; `A`, `B`, `C`, `D` | number, letter or the choice itself |
///
/// A letter counts from A. A number counts from 0, but from 1 where the choices are `option1`, `option2`, … or the
/// number is itself a label. In a `sentence` with `_`, the choice and what follows the gap is what is scored.
pub fn read(text: &str, place: &str) -> Result<Vec<Item>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let wrong = |what: String| SteerError::Config { place: format!("{place}, line {}", number + 1), what };
            let value: Value = serde_json::from_str(line).map_err(|error| wrong(format!("it is not JSON: {error}")))?;
            item(&value).map_err(|what| wrong(what.to_owned()))
        })
        .collect()
}

fn text<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| value.get(key)?.as_str())
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Choices and, where each has one, their labels.
fn choices(value: &Value) -> Option<(Vec<String>, Vec<String>)> {
    for key in ["choices", "endings", "options"] {
        let Some(found) = value.get(key).or_else(|| value.get("question")?.get(key)) else { continue };
        if let Some(choices) = texts(found) {
            return Some((choices, Vec::new()));
        }
        if let (Some(choices), Some(labels)) = (found.get("text").and_then(texts), found.get("label").and_then(texts)) {
            return Some((choices, labels));
        }
        let pair = |each: &Value| Some((text(each, &["text"])?.to_owned(), text(each, &["label"])?.to_owned()));
        return found.as_array()?.iter().map(pair).collect::<Option<Vec<_>>>().map(|all| all.into_iter().unzip());
    }
    for keys in [&["sol1", "sol2"][..], &["option1", "option2", "option3", "option4"], &["A", "B", "C", "D", "E"]] {
        let found: Vec<String> = keys.iter().map_while(|key| Some(value.get(key)?.as_str()?.to_owned())).collect();
        if found.len() >= 2 {
            let labels = if keys[0] == "option1" { ["1", "2", "3", "4"][..found.len()].to_vec() } else { Vec::new() };
            return Some((found, labels.into_iter().map(str::to_owned).collect()));
        }
    }
    None
}

/// Which choice an answer names.
fn chosen(answer: &Value, choices: &[String], labels: &[String]) -> Option<usize> {
    let said = match answer {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    if let Some(place) = labels.iter().position(|label| *label == said) {
        return Some(place);
    }
    if let Some(place) = choices.iter().position(|choice| choice.trim() == said) {
        return Some(place);
    }
    let place = match said.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => usize::from(letter.to_ascii_uppercase() - b'A'),
        _ => said.parse().ok()?,
    };
    (place < choices.len()).then_some(place)
}

fn item(value: &Value) -> Result<Item, &'static str> {
    const QUESTION: [&str; 7] = ["question", "ctx", "goal", "query", "sentence", "input", "prompt"];
    let stem = value.get("question").and_then(|question| text(question, &["stem"]));
    let question = stem.or_else(|| text(value, &QUESTION)).ok_or("there is no question: name it “question”")?;
    let (mut choices, labels) =
        choices(value).filter(|(all, _)| all.len() >= 2).ok_or("there are no two choices: list them in “choices”")?;
    let answer = ["answer", "label", "gold", "answerKey"].iter().find_map(|key| value.get(key));
    let answer = answer.ok_or("there is no answer: name it “answer”")?;
    let answer = chosen(answer, &choices, &labels).ok_or("the answer is none of the choices")?;
    let mut question = question.to_owned();
    if value.get("sentence").is_some()
        && let Some((before, after)) = question.split_once('_')
    {
        for choice in &mut choices {
            choice.push_str(after);
        }
        question = before.trim_end().to_owned();
    }
    Ok(Item { question, choices, answer })
}

impl Item {
    /// Its tokens. A space is put before choices that do not begin with one.
    pub fn tokens(&self, attached: Attached<'_>) -> Result<Question> {
        let prompt = attached.tokens(&self.question)?;
        let (mut choices, mut bytes) = (Vec::new(), Vec::new());
        for choice in &self.choices {
            let gap = if choice.starts_with(char::is_whitespace) { "" } else { " " };
            let whole = attached.tokens(&format!("{}{gap}{choice}", self.question))?;
            // A tokenizer may join the end of the question with the choice: then both begin a token earlier.
            let shared = prompt.iter().zip(&whole).take_while(|(a, b)| a == b).count().min(whole.len() - 1);
            choices.push((shared, whole));
            bytes.push(choice.len());
        }
        let shared = choices.iter().map(|(shared, _)| *shared).min().unwrap_or(0);
        if shared == 0 {
            return Err(SteerError::Spec(format!("the question “{}” makes no token of its own", self.question)));
        }
        let prompt = prompt[..shared].to_vec();
        let choices = choices.into_iter().map(|(_, whole)| whole[shared..].to_vec()).collect();
        Ok(Question { prompt, choices, bytes, answer: self.answer })
    }
}

impl Attached<'_> {
    /// Answers questions with the model as it is, or steered.
    pub fn accuracy(&self, questions: &[Question], intervention: Option<&Intervention>, ctl: &Ctl) -> Result<Accuracy> {
        use rayon::prelude::*;
        let right = |question: &Question| -> Result<[bool; 2]> {
            ctl.check()?;
            let scores = self.choice_scores(question, intervention)?;
            let best = |scores: &[f64]| {
                let scores = scores.iter().enumerate();
                // Of equal ones the first.
                scores.max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0))).map(|(place, _)| place)
            };
            let per_byte: Vec<f64> =
                scores.iter().zip(&question.bytes).map(|(score, &bytes)| score / bytes.max(1) as f64).collect();
            Ok([best(&scores) == Some(question.answer), best(&per_byte) == Some(question.answer)])
        };
        let answers = questions.par_iter().map(right).collect::<Result<Vec<_>>>()?;
        let share =
            |which: usize| answers.iter().filter(|right| right[which]).count() as f64 / answers.len().max(1) as f64;
        Ok(Accuracy { accuracy: share(0), accuracy_norm: share(1), count: answers.len() })
    }

    /// Log-probability of each choice. The question is read once.
    fn choice_scores(&self, question: &Question, intervention: Option<&Intervention>) -> Result<Vec<f64>> {
        let model = self.model;
        let mut hook = intervention
            .map(|i| SteeringHook::new(i, self.sae, self.at.point, model.config().bos, question.prompt.len()))
            .transpose()?;
        let mut cache = model.new_cache();
        let first = match &mut hook {
            Some(hook) => model.forward_last(&question.prompt, &mut cache, hook)?,
            None => model.forward_last(&question.prompt, &mut cache, &mut NoHooks)?,
        };
        let first = log_softmax(&first.to_vec1::<f32>()?);
        let of = |row: &[f64], token: u32| row.get(token as usize).copied().unwrap_or(f64::NEG_INFINITY);
        let mut scores = Vec::new();
        for choice in &question.choices {
            let mut score = choice.first().map_or(0.0, |&token| of(&first, token));
            if choice.len() > 1 {
                let (mut cache, read) = (cache.fork()?, &choice[..choice.len() - 1]);
                let rows = match &hook {
                    Some(hook) => model.forward(read, &mut cache, &mut hook.clone())?,
                    None => model.forward(read, &mut cache, &mut NoHooks)?,
                };
                for (row, &token) in rows.to_vec2::<f32>()?.iter().zip(&choice[1..]) {
                    score += of(&log_softmax(row), token);
                }
            }
            scores.push(score);
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_questions_are_sound() {
        let items = own().unwrap();
        assert_eq!(items.len(), 60);
        for item in &items {
            let mut choices = item.choices.clone();
            choices.sort();
            choices.dedup();
            assert_eq!(choices.len(), 4, "{item:?}");
        }
        // The place of the answer gives nothing away.
        for place in 0..4 {
            assert_eq!(items.iter().filter(|item| item.answer == place).count(), 15);
        }
    }

    #[test]
    fn usual_forms_are_read() {
        let lines = [
            r#"{"question": "Q", "choices": ["a", "b"], "answer": 1}"#,
            r#"{"question": "Q", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"}"#,
            r#"{"question": {"stem": "Q", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]}, "answerKey": "B"}"#,
            r#"{"ctx": "Q", "endings": ["a", "b"], "label": "1"}"#,
            r#"{"goal": "Q", "sol1": "a", "sol2": "b", "label": 1}"#,
            r#"{"question": "Q", "A": "a", "B": "b", "answer": "B"}"#,
            r#"{"input": "Q", "options": ["a", "b"], "answer": "b"}"#,
        ];
        for item in read(&lines.join("\n\n"), "test").unwrap() {
            assert_eq!(item, Item { question: "Q".into(), choices: vec!["a".into(), "b".into()], answer: 1 });
        }
        let gap = r#"{"sentence": "The _ is big.", "option1": "cup", "option2": "box", "answer": "2"}"#;
        let gap = read(gap, "test").unwrap().remove(0);
        assert_eq!((gap.question.as_str(), gap.choices[1].as_str(), gap.answer), ("The", "box is big.", 1));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (line, part) in [
            ("{", "not JSON"),
            (r#"{"choices": ["a", "b"], "answer": 0}"#, "no question"),
            (r#"{"question": "Q", "choices": ["a"], "answer": 0}"#, "two choices"),
            (r#"{"question": "Q", "choices": ["a", "b"]}"#, "no answer"),
            (r#"{"question": "Q", "choices": ["a", "b"], "answer": "C"}"#, "none of the choices"),
        ] {
            let error = read(&format!("\n{line}"), "f").unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("f, line 2"), "{error}");
        }
    }
}
