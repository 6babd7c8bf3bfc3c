//! The models that ship with Plumb. `assets/README.md` says how they were made.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use candle_core::Device;
use plumb_core::Ctl;

use crate::evaluate::{self, AccuracyResult};
use crate::images::ImageSet;
use crate::{VisionError, digits, saved};

/// A file that is part of the program.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// How it is asked for: `embedded:NAME`.
    pub name: &'static str,
    /// Name of the file under `assets/`.
    pub file_name: &'static str,
    /// The file.
    pub bytes: &'static [u8],
    /// One line for a list.
    pub title: &'static str,
    /// Two sentences on what it is and how it was made.
    pub about: &'static str,
}

macro_rules! embedded {
    ($name:literal, $folder:literal, $extension:literal, $title:literal, $about:literal) => {
        Embedded {
            name: $name,
            file_name: concat!($name, ".", $extension),
            bytes: include_bytes!(concat!("../../../assets/", $folder, "/", $name, ".", $extension)),
            title: $title,
            about: $about,
        }
    };
}

/// The sample models; the first is what the Spectrum panel opens with.
pub const EMBEDDED: &[Embedded] = &[
    embedded!(
        "digits-resnet8",
        "models",
        "safetensors",
        "ResNet-8 on digits",
        "A residual network of widths 8, 16 and 32 with batch norm, trained on 1000 handwritten digits of 8×8 pixels. \
         Its layers were left free."
    ),
    embedded!(
        "digits-resnet8-clipped",
        "models",
        "safetensors",
        "ResNet-8 on digits, clipped",
        "The same network from the same seed; every ten steps of training FastClip brought each convolution and the \
         matrix to a spectral norm of at most 1. Batch norms were left alone."
    ),
    embedded!(
        "digits-simpleconv",
        "models",
        "safetensors",
        "SimpleConv on digits",
        "One 3×3 convolution with reflect padding, batch norm and one matrix, trained on 1000 handwritten digits of \
         8×8 pixels. Its layers were left free."
    ),
    embedded!(
        "digits-simpleconv-clipped",
        "models",
        "safetensors",
        "SimpleConv on digits, clipped",
        "The same network from the same seed; every ten steps of training FastClip brought the convolution and the \
         matrix to a spectral norm of at most 1. Batch norms were left alone."
    ),
];

/// The training runs of the sample models as JSON, with the same names. Wall times are left out (zero), so that
/// the files are the same each time they are made.
pub const RUNS: &[Embedded] = &[
    embedded!("digits-resnet8", "runs", "json", "ResNet-8 on digits", "Loss, accuracy and σ₁ of each layer per epoch."),
    embedded!(
        "digits-resnet8-clipped",
        "runs",
        "json",
        "ResNet-8 on digits, clipped",
        "Loss, accuracy and σ₁ of each layer per epoch, with FastClip every ten steps."
    ),
    embedded!(
        "digits-simpleconv",
        "runs",
        "json",
        "SimpleConv on digits",
        "Loss, accuracy and σ₁ of each layer per epoch."
    ),
    embedded!(
        "digits-simpleconv-clipped",
        "runs",
        "json",
        "SimpleConv on digits, clipped",
        "Loss, accuracy and σ₁ of each layer per epoch, with FastClip every ten steps."
    ),
];

/// The sample of that name.
pub fn find(name: &str) -> Option<&'static Embedded> {
    EMBEDDED.iter().find(|sample| sample.name == name)
}

/// The digits, read once.
fn embedded_digits() -> Result<&'static ImageSet, VisionError> {
    static DIGITS: OnceLock<ImageSet> = OnceLock::new();
    if let Some(set) = DIGITS.get() {
        return Ok(set);
    }
    let set = digits::load()?;
    Ok(DIGITS.get_or_init(|| set))
}

/// Accuracy on the 797 held-out digits of a model that Plumb trained, with some tensors replaced by others of
/// the same size (name → numbers, row-major). `checkpoint` is the whole file.
pub fn accuracy(
    checkpoint: &[u8],
    replaced: &BTreeMap<String, Vec<f32>>,
    ctl: &Ctl,
) -> Result<AccuracyResult, VisionError> {
    ctl.progress("Classifying held-out images", 0, None);
    let (net, data) = saved::from_bytes(checkpoint, &Device::Cpu)?;
    let set = embedded_digits()?;
    if data != set.name || net.spec().input != set.shape {
        return Err(VisionError::Spec(format!(
            "the model was trained on '{data}', and only the embedded digits are at hand to test on"
        )));
    }
    for (name, values) in replaced {
        net.params().replace(name, values)?;
    }
    evaluate::accuracy(&net, set, &set.test, ctl)
}
