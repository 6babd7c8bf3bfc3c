//! The toxicity model, and how good it is on texts it has not seen. Of DATA, `toxicity/davidson_labeled_data.csv` is learnt
//! from; `toxicity/hatecheck_cases.csv`, `toxicity/dexperts_human_eval_toxicity.csv` and
//! `moderation/MD-Agreement_test.json` are only measured on. (Learning from HateCheck too finds more of its hateful kinds,
//! and takes five of six kind words about a group for hatred.)

use std::path::Path;

use plumb_core::Ctl;
use plumb_core::statistics::{auc, calibration_error, wilson};
use plumb_nn::logistic::{Calibration, softplus};
use plumb_text::classify::{Example, Functionality, Held, NgramClassifier, Quality, Source, train};

use crate::authored;
use crate::sets::{self, Labelled, Part};

/// Penalties tried; the calibration part chooses.
const PENALTIES: [f64; 3] = [0.03, 0.1, 0.3];

/// Most steps of the optimiser.
const STEPS: usize = 150;

/// From this probability on a text counts as toxic.
const TOXIC: f64 = 0.5;

/// Learns, chooses, measures, writes.
pub fn make(data: &Path, brown: &Path, mail: &Path, out: &Path) -> sets::Result<()> {
    let tweets = sets::davidson(&data.join("toxicity/davidson_labeled_data.csv"))?;
    let prose = sets::unlabelled(sets::brown(brown)?.into_iter().step_by(3));
    let cases = sets::hatecheck(&data.join("toxicity/hatecheck_cases.csv"))?;
    let rude = authored::rude_prose(&prose);
    let sources = [
        ("Davidson et al. 2017, tweets", "MIT", tweets),
        ("Brown corpus, every third sentence", "free to redistribute", prose),
        ("Brown sentences made rude by Plumb", "free to redistribute", rude),
        ("SpamAssassin, wanted mail, paragraphs", "CC0", sets::unlabelled(sets::mail(mail)?)),
        ("written for Plumb, sentences", "Plumb's", authored::sentences()),
    ];
    let all: Vec<&Labelled> = sources.iter().flat_map(|(.., texts)| texts).collect();
    let of = |part: Part| all.iter().copied().filter(move |item| item.part == part);
    let learn: Vec<Example> = of(Part::Learn).map(Labelled::example).collect();
    let calibrate: Vec<&Labelled> = of(Part::Calibrate).collect();

    let ctl = Ctl::new(0);
    let mut best: Option<(f64, f64, NgramClassifier)> = None;
    for penalty in PENALTIES {
        let made = train(&learn, penalty, STEPS, &ctl)?;
        let model = NgramClassifier::new(&made.weights, made.bias, Calibration::default());
        let items: Vec<(f64, f64)> = calibrate.iter().map(|item| (model.logit(&item.text), item.share)).collect();
        let fitted = Calibration::fit(&items);
        let loss = items.iter().map(|(z, y)| {
            let t = fitted.slope * z + fitted.shift;
            softplus(t) - y * t
        });
        let loss = loss.sum::<f64>() / items.len() as f64;
        println!("penalty {penalty}: {loss:.5} nats a text on the calibration part");
        if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
            best = Some((loss, penalty, model.calibrated(fitted)));
        }
    }
    let (_, penalty, model) = best.ok_or("no penalty was tried")?;
    let bytes = model.to_bytes()?;
    let judged: Vec<(&str, &Labelled, f64)> =
        cases.iter().map(|case| (case.kind.as_str(), &case.item, model.probability(&case.item.text))).collect();

    let measured: Vec<&Labelled> = of(Part::Measure).collect();
    let mut held_out = vec![held(&model, "all sources, their held-out part", &measured)];
    for (name, _, texts) in sources.iter().take(1) {
        let texts: Vec<&Labelled> = texts.iter().filter(|item| item.part == Part::Measure).collect();
        held_out.push(held(&model, &format!("{name}, held-out part"), &texts));
    }
    let (scores, truth): (Vec<f64>, Vec<bool>) = judged.iter().map(|(_, item, p)| (*p, item.toxic())).unzip();
    held_out.push(row("HateCheck, hateful or not; not learnt from", &scores, &truth));
    let others = [
        (
            "GPT-2's continuations, Perspective ≥ 0.5; not learnt from",
            sets::dexperts(&data.join("toxicity/dexperts_human_eval_toxicity.csv")),
        ),
        (
            "MD-Agreement 2023, test part, offensive; not learnt from",
            sets::agreement(&data.join("moderation/MD-Agreement_test.json")),
        ),
    ];
    for (name, texts) in others {
        match texts {
            Ok(texts) => held_out.push(held(&model, name, &texts.iter().collect::<Vec<_>>())),
            Err(error) => eprintln!("left out: {name}: {error}"),
        }
    }
    let mut names: Vec<&str> = judged.iter().map(|(name, ..)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let hatecheck = names.into_iter().map(|name| functionality(name, &judged)).collect();
    let quality = Quality {
        model: "Probability that people call an English text toxic (hateful or offensive): logistic regression on hashed n-grams.".to_owned(),
        command: "cargo run --release -p plumb-text --example make_text -- toxicity DATA BROWN MAIL".to_owned(),
        bytes: bytes.len(),
        parts: [learn.len(), calibrate.len(), measured.len()],
        penalty,
        sources: sources
            .iter()
            .map(|(name, licence, texts)| Source {
                name: (*name).to_owned(),
                licence: (*licence).to_owned(),
                texts: texts.len(),
                toxic: texts.iter().filter(|item| item.toxic()).count(),
            })
            .collect(),
        held_out,
        hatecheck,
    };
    println!("\n{quality}");
    std::fs::write(out.join("toxicity.safetensors"), bytes)?;
    std::fs::write(out.join("toxicity.json"), serde_json::to_string_pretty(&quality)? + "\n")?;
    Ok(())
}

fn held(model: &NgramClassifier, set: &str, texts: &[&Labelled]) -> Held {
    let scores: Vec<f64> = texts.iter().map(|item| model.probability(&item.text)).collect();
    let truth: Vec<bool> = texts.iter().map(|item| item.toxic()).collect();
    row(set, &scores, &truth)
}

fn row(set: &str, scores: &[f64], truth: &[bool]) -> Held {
    let share = |wanted: bool| {
        let side: Vec<f64> = scores.iter().zip(truth).filter(|(_, truth)| **truth == wanted).map(|(p, _)| *p).collect();
        side.iter().filter(|p| **p >= TOXIC).count() as f64 / side.len().max(1) as f64
    };
    let area = auc(scores, truth);
    Held {
        set: set.to_owned(),
        texts: truth.len(),
        toxic: truth.iter().filter(|toxic| **toxic).count(),
        auc: area.map_or(0.5, |area| area.value),
        auc_interval: area.map_or([0.0, 1.0], |area| area.interval),
        calibration_error: calibration_error(scores, truth, 15).unwrap_or(0.0),
        found: share(true),
        false_alarms: share(false),
    }
}

fn functionality(name: &str, judged: &[(&str, &Labelled, f64)]) -> Functionality {
    let own: Vec<(bool, f64)> =
        judged.iter().filter(|(of, ..)| *of == name).map(|(_, item, p)| (item.toxic(), *p)).collect();
    let right = own.iter().filter(|(toxic, p)| *toxic == (*p >= TOXIC)).count();
    Functionality {
        name: name.to_owned(),
        hateful: own.iter().any(|(toxic, _)| *toxic),
        cases: own.len(),
        right: right as f64 / own.len() as f64,
        interval: wilson(right, own.len()),
        mean: own.iter().map(|(_, p)| p).sum::<f64>() / own.len() as f64,
    }
}
