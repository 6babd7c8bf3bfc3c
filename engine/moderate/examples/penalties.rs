//! How strongly the model on sentence vectors is held near zero: cross-validation on training parts alone, no test part
//! is read. For each pair of penalties (of the votes' weights, of the items') it prints, over all sets, the mean log loss
//! of votes and the mean AUC of “its votes differ”.
//!
//!     cargo run --release -p plumb-moderate --example penalties -- HS-Brexit_train.json … [--encoder DIR]
#![allow(clippy::unwrap_used)] // an example may fail where it stands

use std::path::PathBuf;

use plumb_core::Ctl;
use plumb_core::statistics::auc;
use plumb_moderate::import::file::{self, Format};
use plumb_moderate::score::Objective;
use plumb_moderate::train::{Quality, TrainSpec, train};
use plumb_moderate::vote_model::{Kind, Settings, VoteModel as _};

const FOLDS: usize = 5;

/// Held-out log loss of votes and AUC of split items.
fn measure(path: &str, encoder: Option<&PathBuf>, settings: Settings) -> (f64, f64) {
    let items = file::read(path.as_ref(), Format::Lewidi, None).unwrap().items;
    let (mut nll, mut votes, mut scores, mut split) = (0.0, 0.0, Vec::new(), Vec::new());
    for fold in 0..FOLDS {
        let (mut out, mut learnt) = (Vec::new(), Vec::new());
        for (i, item) in items.iter().enumerate() {
            if i % FOLDS == fold { out.push(item) } else { learnt.push(item.clone()) }
        }
        let spec = TrainSpec {
            kind: Some(Kind::Sentences),
            encoder: encoder.cloned(),
            model: Some(settings),
            half_life_days: 0.0,
            by_time: false,
            force: false,
        };
        let model = train(&learnt, &spec, None, &Ctl::new(1)).unwrap().0.model;
        let mut roster: Vec<String> = learnt.iter().flat_map(|i| &i.votes).map(|v| v.moderator.clone()).collect();
        roster.sort();
        roster.dedup();
        let quality = Quality::on(&model, &out).unwrap();
        nll += quality.nll * quality.votes as f64;
        votes += quality.votes as f64;
        for item in out {
            scores.push(model.forecast(&item.case.text(), &roster).score(Objective::Combined, 3));
            split.push(item.counts().split());
        }
    }
    (nll / votes, auc(&scores, &split).unwrap().value)
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let encoder = arguments.iter().position(|word| word == "--encoder").map(|at| {
        let folder = PathBuf::from(arguments.remove(at + 1));
        arguments.remove(at);
        folder
    });
    println!("text   items  log loss  AUC");
    for text in [0.01, 0.03, 0.1, 0.3, 1.0] {
        for items in [0.1, 0.3, 1.0, 3.0] {
            let settings = Settings { text, items, ..Settings::default() };
            let found: Vec<_> = arguments.iter().map(|path| measure(path, encoder.as_ref(), settings)).collect();
            let mean = |f: fn(&(f64, f64)) -> f64| found.iter().map(f).sum::<f64>() / found.len() as f64;
            println!("{text:<6} {items:<6} {:.5}   {:.4}  {found:.4?}", mean(|f| f.0), mean(|f| f.1));
        }
    }
}
