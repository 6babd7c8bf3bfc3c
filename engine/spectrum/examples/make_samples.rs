//! Makes the sample models and training runs under `assets/`: `cargo run --release -p plumb-spectrum --example
//! make_samples`. The same machine gives the same bytes each time; another processor may round differently.
//! With a folder as argument the files go there instead, to be compared.

use std::error::Error;
use std::path::{Path, PathBuf};

use plumb_core::Ctl;
use plumb_nn::device::DeviceChoice;
use plumb_nn::geometry::PaddingMode;
use plumb_spectrum::train::{ClipInTraining, SigmaCurve, TrainSpec, train};
use plumb_vision::job::NetTraining;
use plumb_vision::nets::{NetKind, NetSpec};
use plumb_vision::train::LoopSpec;

/// The seed of all samples.
const SEED: u64 = 1;

fn specs() -> Vec<(&'static str, TrainSpec)> {
    let simple = NetSpec {
        kind: NetKind::SimpleConv,
        widths: vec![16],
        padding_mode: PaddingMode::Reflect,
        ..NetSpec::default()
    };
    let model = |net, rate| NetTraining {
        net,
        training: LoopSpec { rate, seed: SEED, ..LoopSpec::default() },
        device: DeviceChoice::Cpu,
        ..NetTraining::default()
    };
    let (resnet, simple) = (model(NetSpec::default(), 0.1), model(simple, 0.05));
    let clip = Some(ClipInTraining::default());
    vec![
        ("digits-resnet8", TrainSpec { model: resnet.clone(), clip: None }),
        ("digits-resnet8-clipped", TrainSpec { model: resnet, clip: clip.clone() }),
        ("digits-simpleconv", TrainSpec { model: simple.clone(), clip: None }),
        ("digits-simpleconv-clipped", TrainSpec { model: simple, clip }),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::args_os().nth(1).map_or_else(|| root.join("assets"), PathBuf::from);
    for part in ["models", "runs"] {
        std::fs::create_dir_all(folder.join(part))?;
    }
    println!(
        "| sample | held-out accuracy | 95 % interval | largest σ₁ | σ₁ of the first and last layer | seconds | bytes |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, spec) in specs() {
        let ctl = Ctl::new(SEED);
        let mut report = train(&spec, &ctl)?;
        for warning in ctl.warnings() {
            eprintln!("{name}: {}: {}", warning.place, warning.what);
        }
        let last = |curve: &SigmaCurve| curve.sigma.last().copied().unwrap_or(f64::NAN);
        let sigmas: Vec<f64> = report.curves.iter().map(last).collect();
        println!(
            "| `{name}` | {:.2} % | {:.1}–{:.1} % | {:.3} | {:.3}, {:.3} | {:.1} | {} |",
            100.0 * report.accuracy.accuracy,
            100.0 * report.accuracy.interval[0],
            100.0 * report.accuracy.interval[1],
            sigmas.iter().copied().fold(0.0, f64::max),
            sigmas.first().copied().unwrap_or(f64::NAN),
            sigmas.last().copied().unwrap_or(f64::NAN),
            report.seconds,
            report.checkpoint.len(),
        );
        // Wall times would make the files differ each time.
        report.seconds = 0.0;
        for epoch in &mut report.history.epochs {
            epoch.seconds = 0.0;
        }
        std::fs::write(folder.join(format!("models/{name}.safetensors")), &report.checkpoint)?;
        std::fs::write(folder.join(format!("runs/{name}.json")), serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}
