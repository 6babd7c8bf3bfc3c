//! Features that fire on rude words only: how the ten of `presets/steer/sweep-smollm2.ron` were chosen.
//!
//! `cargo run --release -p plumb-steer --example rude_features -- MODEL INDEX CACHE` prints those whose largest
//! activations in the index all lie on words of the list that ships, the ones that fire most often first.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;

use plumb_core::Ctl;
use plumb_core::source::Cache;
use plumb_steer::index::{FeatureIndex, Window};
use plumb_text::Tokenizer;
use plumb_text::classify::Lexicon;
use plumb_text::job::ModelSpec;

/// Largest activations that must all lie on rude words.
const LARGEST: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, index, cache] = arguments.as_slice() else {
        return Err("say the model, the folder of the index and the cache folder".into());
    };
    let cache = Cache::new(cache, &[]);
    let model = ModelSpec { model: model.clone(), ..ModelSpec::default() }.open(&cache, &Ctl::new(0))?;
    let tokenizer = model.tokenizer().ok_or("the model has no tokenizer")?;
    let index = FeatureIndex::open(&PathBuf::from(index))?;
    let lexicon = Lexicon::embedded();
    let mut found = Vec::new();
    for row in index.rows() {
        let windows = index.card(row.feature)?.windows;
        let largest: Vec<&Window> = windows.iter().filter(|window| window.group == 0).take(LARGEST).collect();
        let words: Vec<Option<String>> =
            largest.iter().map(|window| rude_word(window, tokenizer, &lexicon)).collect::<Result<_, _>>()?;
        // A window without a rude word leaves its feature out.
        let words: Option<Vec<String>> = words.into_iter().collect();
        if let Some(words) = words.filter(|words| words.len() == LARGEST) {
            found.push((row.density, row.feature, row.max, words.into_iter().collect::<BTreeSet<_>>()));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (density, feature, max, words) in found {
        println!("{feature:>6}  fires at {:.3} % of the tokens, largest {max:.2}: {words:?}", 100.0 * density);
    }
    Ok(())
}

/// The rude word that the window's token is a part of.
fn rude_word(window: &Window, tokenizer: &Tokenizer, lexicon: &Lexicon) -> Result<Option<String>, Box<dyn Error>> {
    let end = |count: usize| Ok::<_, Box<dyn Error>>(tokenizer.decode(&window.tokens[..count], false)?.len());
    let (start, end) = (end(window.centre)?, end(window.centre + 1)?);
    let text = tokenizer.decode(&window.tokens, false)?;
    let word = lexicon.find(&text).into_iter().find(|(place, _)| place.start < end && place.end > start);
    Ok(word.map(|(_, word)| word.to_lowercase()))
}
