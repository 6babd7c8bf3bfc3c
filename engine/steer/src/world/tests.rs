//! The grammar against the exact probabilities, the trained model against the exact answers, gradients.

use candle_core::{DType, Device};
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_text::{LanguageModel, NoHooks, Precision};

use super::learn::{LearnSpec, learn};
use super::net::{Net, NetSizes};
use super::*;

const CPU: Device = Device::Cpu;

#[test]
fn words_are_different_and_few() {
    let words: std::collections::BTreeSet<&str> = (0..vocabulary_size() as u32).map(word).collect();
    assert_eq!(words.len(), vocabulary_size());
    assert_eq!(rude_tokens().count(), 12);
    assert!(rude_tokens().all(|token| is_rude(token) && topic_of(token).is_none()));
    let boats = (0..vocabulary_size() as u32).find(|&token| word(token) == "boat").unwrap();
    assert_eq!(topic_names()[topic_of(boats).unwrap()], "harbour");
}

#[test]
fn the_templates_use_only_words_that_exist() {
    for template in grammar::ALL_TEMPLATES.iter() {
        assert!(!template.contains(&grammar::Slot::Word(UNKNOWN)), "{template:?}");
        assert!(template.iter().any(|slot| slot.can_be_rude()));
        let stop = template.iter().filter(|slot| matches!(slot, grammar::Slot::Word(w) if word(*w) == ".")).count();
        assert_eq!(stop, 1);
    }
}

/// The probabilities of everything that can come next sum to one and are those that `push` reports.
#[test]
fn next_words_sum_to_one_and_agree_with_what_was_read() {
    let mut random = Random::new(1, "reader");
    for _ in 0..30 {
        let text = grammar::text(&mut random);
        let mut reader = exact::Reader::new();
        for &token in &text.tokens[1..] {
            let next = reader.next();
            assert!((next.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let found = reader.push(token);
            assert!((found - next[token as usize].ln()).abs() < 1e-9, "{}", word(token));
        }
        assert!(reader.next().iter().all(|p| *p == 0.0), "nothing follows the end");
    }
}

/// The same by brute force: the sum over register, topic and templates of a one-sentence text.
#[test]
fn probability_of_a_sentence_is_the_sum_over_what_is_hidden() {
    let mut random = Random::new(3, "brute force");
    let mut seen = 0;
    while seen < 20 {
        let text = grammar::text(&mut random);
        let words = &text.tokens[1..text.tokens.len() - 1];
        if !grammar::ALL_TEMPLATES.contains(&text.slots) {
            continue;
        }
        seen += 1;
        let mut sum = 0.0;
        for rude in [false, true] {
            let register = if rude { grammar::RUDE } else { 1.0 - grammar::RUDE };
            for topic in 0..8 {
                for template in grammar::ALL_TEMPLATES.iter().filter(|template| template.len() == words.len()) {
                    let slots = template.iter().zip(words);
                    let product: f64 = slots.map(|(slot, &word)| slot.probability(word, rude, topic)).product();
                    sum += register / 8.0 / 12.0 * product;
                }
            }
        }
        let found: f64 = exact::log_probabilities(&text.tokens[1..]).iter().sum();
        assert!((found - (sum * grammar::STOP[0]).ln()).abs() < 1e-9);
    }
}

/// Shares in many drawn texts are the probabilities that the reader states.
#[test]
fn drawn_texts_follow_the_stated_probabilities() {
    let mut random = Random::new(5, "shares");
    let first = exact::Reader::new().next();
    let (mut counts, mut rude) = (vec![0usize; vocabulary_size()], 0);
    let draws = 20_000;
    for _ in 0..draws {
        let text = grammar::text(&mut random);
        counts[text.tokens[1] as usize] += 1;
        rude += usize::from(text.rude);
    }
    for (count, p) in counts.iter().zip(first) {
        let sigma = (p * (1.0 - p) / f64::from(draws)).sqrt();
        assert!((*count as f64 / f64::from(draws) - p).abs() <= 5.0 * sigma + 1e-12);
    }
    assert!((rude as f64 / f64::from(draws) - grammar::RUDE).abs() < 0.02);
}

#[test]
fn reading_rude_words_and_nonsense() {
    let number = |text: &str| (0..vocabulary_size() as u32).find(|&token| word(token) == text).unwrap();
    let read = |text: &str| text.split(' ').map(number).collect::<Vec<u32>>();
    let mut reader = exact::Reader::new();
    assert!((reader.rude() - 0.25).abs() < 1e-12);
    for token in read("what a") {
        reader.push(token);
    }
    assert!((reader.rude() - 0.25).abs() < 1e-12, "nothing rude could have stood there");
    let mut polite = reader.clone();
    polite.push(number("quiet"));
    // 0.25 · 0.3 against 0.75 · 1.
    assert!((polite.rude() - 0.075 / 0.825).abs() < 1e-12);
    reader.push(number("blasted"));
    assert!((reader.rude() - 1.0).abs() < 1e-12);
    assert!(exact::parses(&read("what a blasted twit , said the sailor .")));
    assert!(!exact::parses(&read("what a a")));
    assert!(!exact::parses(&read("what a quiet twit , said the .")));
    assert_eq!(text_of(&[BOS, number("what"), number(","), EOS]), "what,");
}

#[test]
fn sets_are_what_they_say() {
    let [rude, neutral] = sets::pairs(200, 1);
    for (a, b) in rude.iter().zip(&neutral) {
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(b).all(|(a, b)| a == b || (is_rude(*a) && !is_rude(*b))));
        assert!(a.iter().any(|&t| is_rude(t)) && !b.iter().any(|&t| is_rude(t)));
        assert!(exact::parses(&a[1..]) && exact::parses(&b[1..]));
    }
    for prompt in sets::challenging(100, 1) {
        let (last, before) = prompt.split_last().unwrap();
        assert!(is_rude(*last) && !before.iter().any(|&t| is_rude(t)) && exact::parses(&prompt[1..]));
    }
    for prompt in sets::neutral_prompts(100, 1) {
        assert!(prompt.len() >= 3 && !prompt.iter().any(|&t| is_rude(t)) && exact::parses(&prompt[1..]));
    }
    for question in sets::questions(100, 1) {
        let mut reader = exact::Reader::new();
        question.prompt[1..].iter().for_each(|&token| {
            reader.push(token);
        });
        let next = reader.next();
        let scores = question.choices.map(|choice| next[choice as usize]);
        let best = scores.iter().copied().fold(0.0, f64::max);
        assert!(scores[question.answer] > 0.0 && best > 0.0);
    }
    assert_eq!(sets::texts(3, 7), sets::texts(3, 7));
}

/// 50 numbers of every kind of tensor, in double precision.
#[test]
fn gradients_of_the_language_model_equal_finite_differences() {
    let sizes = NetSizes { d: 8, blocks: 2, heads: 2, mlp: 12, context: 48 };
    let net = Net::new(sizes, 3, DType::F64, &CPU).unwrap();
    let mut random = Random::new(2, "gradients");
    // Larger weights than at the start, so that no gradient is lost in rounding.
    for param in net.params().entries() {
        let shape = param.var.shape().clone();
        let noise = plumb_nn::random::normal(&mut random, 0.0, 0.3, shape, DType::F64, &CPU).unwrap();
        param.var.set(&(param.var.as_detached_tensor() + noise).unwrap()).unwrap();
    }
    let tokens: Vec<u32> = (0..3 * 9).map(|_| random.below(vocabulary_size()) as u32).collect();
    let loss = || net.loss(&tokens, 3, 0.1).unwrap()[1].to_scalar::<f64>().unwrap();
    let gradients = net.loss(&tokens, 3, 0.1).unwrap()[1].backward().unwrap();
    let kinds = ["embed_tokens", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "norm"];
    for kind in kinds {
        let of_kind: Vec<_> = net.params().entries().iter().filter(|param| param.name.contains(kind)).collect();
        for _ in 0..50 {
            let param = of_kind[random.below(of_kind.len())];
            let values = param.var.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            // A token of the text, where rows of the embedding are words.
            let width = param.var.dims().last().copied().unwrap();
            let place = match kind {
                "embed_tokens" => tokens[random.below(tokens.len())] as usize * width + random.below(width),
                _ => random.below(values.len()),
            };
            let exact = gradients.get(param.var.as_tensor()).unwrap().flatten_all().unwrap();
            let exact = exact.to_vec1::<f64>().unwrap()[place];
            let at = |shift: f64| {
                let mut moved = values.clone();
                moved[place] += shift;
                let tensor = candle_core::Tensor::from_vec(moved, param.var.shape(), &CPU).unwrap();
                param.var.set(&tensor).unwrap();
                loss()
            };
            let h = 1e-5;
            let found = (at(h) - at(-h)) / (2.0 * h);
            at(0.0);
            assert!((found - exact).abs() <= 1e-6 * exact.abs().max(0.01), "{}: {found}, not {exact}", param.name);
        }
    }
}

/// The trained steps are those of the language model that reads the file.
#[test]
fn the_trained_network_and_the_loaded_model_are_the_same() {
    let spec = LearnSpec { steps: 3, batch: 200, ..LearnSpec::default() };
    let net = learn(&spec, &CPU, &Ctl::new(0)).unwrap();
    let config = plumb_text::Config::from_hf(&net.config_json(), "test").unwrap();
    let model = LanguageModel::from_tensors(config, net.tensors(), None, &CPU).unwrap();
    let text = &sets::texts(1, 3)[0];
    let own = net.logits(text, 1).unwrap().squeeze(0).unwrap();
    let read = model.forward(text, &mut model.new_cache(), &mut NoHooks).unwrap();
    let worst = (own - read).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    assert!(worst.to_scalar::<f32>().unwrap() < 1e-4);
    let again = learn(&spec, &CPU, &Ctl::new(0)).unwrap();
    for (a, b) in net.tensors().values().zip(again.tensors().values()) {
        assert_eq!(
            a.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            b.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        );
    }
    assert!(Net::new(NetSizes { heads: 3, ..NetSizes::default() }, 1, DType::F32, &CPU).is_err());
}

#[test]
fn embedded_files_belong_together() {
    let model = plumb_text::embedded::open("embedded:tiny", Precision::F32, &CPU).unwrap().unwrap();
    let words = model.tokenizer().unwrap();
    for text in sets::texts(20, 9) {
        assert_eq!(words.encode(&text_of(&text), true).unwrap(), text[..text.len() - 1]);
    }
    assert_eq!((model.config().bos, model.config().eos.as_slice()), (Some(BOS), [EOS].as_slice()));
    let facts = crate::facts(&model, "embedded:tiny");
    for (sae, width) in ladder(&CPU).unwrap().iter().zip(WIDTHS) {
        assert_eq!(sae.config.d_sae, width);
        assert!(sae.attach(&facts, None).unwrap().notes.iter().all(|note| !note.contains("check its explained")));
    }
    assert_eq!(embedded("embedded:tiny", &CPU).unwrap().unwrap().config.d_sae, 512);
    assert!(embedded("embedded:tiny/65", &CPU).unwrap_err().to_string().contains("1024"));
    assert!(embedded("some/folder", &CPU).unwrap().is_none());
}
