//! One layer from all sides: whole spectrum, other methods' numbers, traces, vectors, frequencies; and what
//! clipping would do to it.

use std::sync::Arc;
use std::time::Instant;

use plumb_core::{Ctl, Error, Job};

use crate::clip::{Clipped, Layer, Target, clip};
use crate::fourier::Fourier;
use crate::geometry::OpKind;
use crate::job::{check, compared, relative_change};
use crate::layers::LayerInfo;
use crate::op::{Kernelled, kernelled};
use crate::power_qr::{self, PowerQrOptions, power_qr};
use crate::report::{ChannelImages, ClipOutcome, ClipPreview, LayerDetail, Mark, MarkKind, Trace, Triplet};
use crate::singular::{SingularTriplets, SpectrumError, TopRequest, TraceStep, top_singular};
use crate::spec::{ClipMethod, ClipSpec, Method, SpectrumSpec};
use crate::subject::{Edits, Subject};
use crate::survey::{LayerError, Values, describe, empty_row, finite_weight, values};
use crate::{bounds, dense};

/// Steps of PowerQR that are shown beside Krylov.
const POWER_STEPS: usize = 100;
/// Values that are computed where the whole spectrum is too dear.
const TOP_VALUES: usize = 16;
/// Squarings of the Gram iteration.
const GRAM_ROUNDS: u32 = 5;

/// Everything about one layer. Partial results grow towards it.
#[derive(Clone, Debug)]
pub struct DetailJob {
    /// What is looked at.
    pub subject: Arc<Subject>,
    /// Changed copies of tensors.
    pub edits: Edits,
    /// Name of the layer.
    pub layer: String,
    /// Singular triplets to show.
    pub top: usize,
    /// Method, tolerance, precision, geometry and seed; `layers` and `top` are not used.
    pub spec: SpectrumSpec,
}

impl Job for DetailJob {
    type Output = LayerDetail;
    type Partial = LayerDetail;

    fn name(&self) -> String {
        format!("Details of {}", self.layer)
    }

    fn run(self, ctl: &Ctl) -> Result<LayerDetail, Error> {
        let started = Instant::now();
        let layer = self.subject.layer(&self.layer)?.with_override(&self.spec.geometry, true);
        let mut detail = LayerDetail {
            layer: empty_row(&layer, self.spec.method),
            complete: false,
            marks: Vec::new(),
            traces: Vec::new(),
            triplets: Vec::new(),
            frequency: None,
        };
        if let Err(error) = self.fill(&layer, &mut detail, ctl) {
            detail.layer.problem = Some(error.into_problem()?);
        }
        detail.layer.seconds = started.elapsed().as_secs_f64();
        Ok(detail)
    }
}

impl DetailJob {
    /// In 64-bit floats: this is where numbers are compared with each other.
    fn fill(&self, layer: &LayerInfo, detail: &mut LayerDetail, ctl: &Ctl) -> Result<(), LayerError> {
        let shape = layer.operator_shape();
        let weight: Vec<f64> = finite_weight(&self.subject, layer, &self.edits)?;
        let op = kernelled(layer.op, weight, &shape, &layer.geometry)?;
        let op = &*op;
        ctl.progress("Top singular triplets", 0, Some(4));
        let clock = Instant::now();
        let found = self.triplets(op, layer, ctl)?;
        let seconds = clock.elapsed().as_secs_f64();
        let complete = found.sigma.len() == op.input_len().min(op.output_len());
        let mut known = Values {
            sigma: found.sigma.clone(),
            method: found.method,
            iterations: found.iterations,
            residual: found.residual,
            converged: found.converged,
            complete,
        };
        describe(&mut detail.layer, op, &known, ctl)?;
        detail.layer.sigma.clone_from(&known.sigma);
        detail.triplets = images(op, &found, self.top.max(1));
        if found.method != Method::Dense {
            detail.traces.push(trace("Block Krylov", &found.trace));
        }
        ctl.partial(detail.clone());

        ctl.progress("Whole spectrum", 1, Some(4));
        if let Some(whole) = whole_spectrum(op, layer, ctl)? {
            let krylov = known;
            known = whole;
            if krylov.method != Method::Dense {
                detail.layer.iterations = krylov.iterations;
            }
            describe(&mut detail.layer, op, &known, ctl)?;
            detail.layer.sigma.clone_from(&known.sigma);
        }
        detail.complete = known.complete;
        ctl.partial(detail.clone());

        ctl.progress("Other methods", 2, Some(4));
        let best = known.sigma.first().copied().unwrap_or(0.0);
        let mut marks = Marks { list: Vec::new(), best };
        marks.known(&known, &found, seconds);
        self.add_marks(op, layer, &mut marks, detail, ctl)?;
        detail.marks = marks.list;
        ctl.partial(detail.clone());

        ctl.progress("Frequencies", 3, Some(4));
        if layer.op.is_convolution() {
            let fourier = Fourier::new(op.weight(), op.weight_shape(), &layer.geometry)?;
            if fourier.affordable() {
                detail.frequency = Some(fourier.map(ctl)?);
            }
        }
        Ok(())
    }

    fn triplets(
        &self,
        op: &dyn Kernelled<f64>,
        layer: &LayerInfo,
        ctl: &Ctl,
    ) -> Result<SingularTriplets<f64>, SpectrumError> {
        let few = self.top.max(1);
        let k = if layer.op == OpKind::BatchNorm || dense::quick(op) { few } else { few.max(TOP_VALUES) };
        let method = match self.spec.method {
            // Vectors come from an iteration on the operator itself.
            Method::Fourier | Method::Auto => Method::Auto,
            Method::Dense if !dense::affordable(op) => Method::Krylov,
            asked => asked,
        };
        let request = TopRequest {
            k,
            method,
            tolerance: self.spec.tolerance,
            // The vectors are shown, so they have to be right too.
            accuracy: 0.0,
            max_iterations: self.spec.max_iterations,
            seed: self.spec.seed,
            warm: None,
        };
        top_singular(op, &request, ctl)
    }

    fn add_marks(
        &self,
        op: &dyn Kernelled<f64>,
        layer: &LayerInfo,
        marks: &mut Marks,
        detail: &mut LayerDetail,
        ctl: &Ctl,
    ) -> Result<(), LayerError> {
        if layer.op == OpKind::BatchNorm {
            return Ok(());
        }
        let clock = Instant::now();
        let options = PowerQrOptions::new(1, POWER_STEPS);
        let start = power_qr::start(op.input_len(), 1, self.spec.seed, None);
        let power = power_qr(op, start, &options, ctl)?;
        let note = "The paper's iteration with one vector and 100 steps: never above σ₁.";
        marks.add("PowerQR, 100 steps", note, power.sigma[0], MarkKind::LowerBound, clock);
        // The first R belongs to a start that is not orthonormal: it measures the start, not the operator.
        detail.traces.push(trace("PowerQR", power.trace.get(1..).unwrap_or_default()));

        let clock = Instant::now();
        let gouk = bounds::power_estimate(op, 5, self.spec.seed, ctl)?;
        marks.add(
            "Gouk",
            "Five power iterations from a random vector: never above σ₁.",
            gouk,
            MarkKind::LowerBound,
            clock,
        );

        if layer.op == OpKind::Dense {
            return Ok(());
        }
        let clock = Instant::now();
        let miyato = bounds::reshaped_norm(op.weight(), op.weight_shape(), ctl)?;
        let note = "Norm of the kernel reshaped to a matrix: another number, often far below σ₁.";
        marks.add("Reshaped kernel (Miyato)", note, miyato, MarkKind::Other, clock);
        if layer.op.is_transposed() {
            return Ok(());
        }
        let (weight, shape) = (op.weight(), op.weight_shape());
        let upper = |holds| if holds { MarkKind::UpperBound } else { MarkKind::Other };
        let clock = Instant::now();
        let four = bounds::fantastic_four(weight, shape, &layer.geometry, ctl)?;
        let note = "√(kh·kw) times the smallest norm of four reshapes of the kernel (Singla and Feizi): \
                    never below σ₁ for zero and circular padding.";
        marks.add("Four reshapes", note, four.value, upper(four.holds), clock);

        let fourier = Fourier::new(weight, shape, &layer.geometry)?;
        if fourier.affordable() {
            let clock = Instant::now();
            let gram = bounds::gram_bound(weight, shape, &layer.geometry, GRAM_ROUNDS, ctl)?;
            let note = "Gram iteration (Delattre): falls to σ₁ of the circular convolution from above.";
            marks.add("Gram iteration", note, gram.value, upper(gram.holds), clock);
            let clock = Instant::now();
            let sedghi = fourier.all_values(ctl)?.first().copied().unwrap_or(0.0);
            let kind = if fourier.exact() { MarkKind::Exact } else { MarkKind::Other };
            marks.add("Fourier (Sedghi)", fourier.note(), sedghi, kind, clock);
        }
        Ok(())
    }
}

struct Marks {
    list: Vec<Mark>,
    best: f64,
}

impl Marks {
    fn push(&mut self, label: &str, note: &str, value: f64, kind: MarkKind, seconds: f64) {
        let relative_error = if self.best > 0.0 { (value - self.best) / self.best } else { 0.0 };
        self.list.push(Mark { label: label.to_owned(), note: note.to_owned(), value, kind, relative_error, seconds });
    }

    fn add(&mut self, label: &str, note: &str, value: f64, kind: MarkKind, clock: Instant) {
        self.push(label, note, value, kind, clock.elapsed().as_secs_f64());
    }

    /// The value everything else is compared with, and the iteration's own.
    fn known(&mut self, known: &Values, found: &SingularTriplets<f64>, seconds: f64) {
        if known.complete && known.method == Method::Dense {
            self.push("Whole matrix", "SVD of the whole matrix: the exact value.", self.best, MarkKind::Exact, seconds);
        }
        if found.method == Method::Krylov {
            let value = found.sigma.first().copied().unwrap_or(0.0);
            let note = "Block Lanczos with a Rayleigh–Ritz finish: converged from below.";
            self.push("Block Krylov", note, value, MarkKind::Estimate, seconds);
        }
    }
}

/// All singular values, where they can be had in about half a minute.
fn whole_spectrum(op: &dyn Kernelled<f64>, layer: &LayerInfo, ctl: &Ctl) -> Result<Option<Values>, SpectrumError> {
    let exact = |method| SpectrumSpec { method, top: 0, ..SpectrumSpec::default() };
    if layer.op == OpKind::BatchNorm || dense::affordable(op) {
        return Ok(Some(values(op, layer, &exact(Method::Dense), ctl)?));
    }
    if layer.op.is_convolution() {
        let fourier = Fourier::new(op.weight(), op.weight_shape(), &layer.geometry)?;
        if fourier.exact() && fourier.affordable() {
            return Ok(Some(values(op, layer, &exact(Method::Fourier), ctl)?));
        }
    }
    Ok(None)
}

fn trace(label: &str, steps: &[TraceStep]) -> Trace {
    Trace {
        label: label.to_owned(),
        sigma: steps.iter().map(|step| step.sigma).collect(),
        applications: steps.iter().map(|step| step.applications as f64).collect(),
    }
}

/// Singular vectors as images, one per channel; a dense layer's are one row.
fn images(op: &dyn Kernelled<f64>, found: &SingularTriplets<f64>, most: usize) -> Vec<Triplet> {
    let image = |shape: &[usize], values: &[f64]| {
        let [channels, height, width] = match *shape {
            [channels, height, width] => [channels, height, width],
            [channels, width] => [channels, 1, width],
            _ => [1, 1, values.len()],
        };
        ChannelImages { channels, height, width, values: values.iter().map(|&v| v as f32).collect() }
    };
    let (inputs, outputs) = (op.input_len(), op.output_len());
    found
        .sigma
        .iter()
        .take(most)
        .zip(found.v.chunks_exact(inputs).zip(found.u.chunks_exact(outputs)))
        .map(|(&sigma, (v, u))| Triplet { sigma, right: image(op.input_shape(), v), left: image(op.output_shape(), u) })
        .collect()
}

/// What each method would do to one layer, on a copy. Partial results are the outcomes so far.
#[derive(Clone, Debug)]
pub struct PreviewJob {
    /// What is looked at.
    pub subject: Arc<Subject>,
    /// Changed copies of tensors.
    pub edits: Edits,
    /// Name of the layer.
    pub layer: String,
    /// Target, mode, tolerance and the method that is shown first.
    pub spec: ClipSpec,
}

impl Job for PreviewJob {
    type Output = ClipPreview;
    type Partial = ClipPreview;

    fn name(&self) -> String {
        format!("Preview of {} clipped to {}", self.layer, self.spec.to)
    }

    fn run(self, ctl: &Ctl) -> Result<ClipPreview, Error> {
        check(&self.spec)?;
        let layer = self.subject.layer(&self.layer)?.with_override(&self.spec.geometry, true);
        let weight: Vec<f32> = finite_weight(&self.subject, &layer, &self.edits)?;
        let shape = layer.operator_shape();
        let whole = Layer { kind: layer.op, weight: &weight, weight_shape: &shape, geometry: &layer.geometry };
        ctl.progress("Spectrum before", 0, None);
        let (before, complete) = spectrum(&whole, &layer, ctl)?;
        let mut preview =
            ClipPreview { name: layer.name.clone(), to: self.spec.to, before, complete, outcomes: Vec::new() };
        ctl.partial(preview.clone());
        let target = Target::of(&self.spec);
        // A batch norm is clamped, whatever the method.
        let norm = layer.op == OpKind::BatchNorm;
        let methods = if norm { vec![self.spec.method] } else { compared(self.spec.method) };
        let total = methods.len() as u64;
        for (done, method) in (0..).zip(methods) {
            ctl.progress("Clipping a copy", done, Some(total));
            let clock = Instant::now();
            let clipped = if norm { Ok(clamped(&weight, self.spec.to)) } else { clip(&whole, method, &target, ctl) };
            let clipped = match clipped {
                Ok(clipped) => clipped,
                Err(SpectrumError::WrongMethod(reason)) if method != self.spec.method => {
                    ctl.warn(layer.name.as_str(), reason);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let seconds = clock.elapsed().as_secs_f64();
            preview.outcomes.push(outcome(method, &whole, &layer, &preview, &clipped, seconds, ctl)?);
            ctl.partial(preview.clone());
        }
        Ok(preview)
    }
}

/// The scales of a batch norm, none longer than `to`.
fn clamped(scales: &[f32], to: f64) -> Clipped<f32> {
    let largest = |scales: &[f32]| scales.iter().fold(0.0, |top: f64, s| top.max(f64::from(s.abs())));
    let weight: Vec<f32> = scales.iter().map(|s| s.clamp(-to as f32, to as f32)).collect();
    Clipped {
        before: largest(scales),
        after: largest(&weight),
        steps: usize::from(weight != scales),
        reached: true,
        truncation_error: 0.0,
        weight,
    }
}

/// All singular values where that is quick enough for a slider, else the top ones.
fn spectrum(whole: &Layer<'_, f32>, layer: &LayerInfo, ctl: &Ctl) -> Result<(Vec<f64>, bool), SpectrumError> {
    let op = whole.operator()?;
    let spec = SpectrumSpec { top: TOP_VALUES, tolerance: 1e-3, ..SpectrumSpec::default() };
    let found = values(&*op, layer, &spec, ctl)?;
    Ok((found.sigma, found.complete))
}

fn outcome(
    method: ClipMethod,
    whole: &Layer<'_, f32>,
    layer: &LayerInfo,
    preview: &ClipPreview,
    clipped: &Clipped<f32>,
    seconds: f64,
    ctl: &Ctl,
) -> Result<ClipOutcome, SpectrumError> {
    let (sigma, _) = spectrum(&Layer { weight: &clipped.weight, ..*whole }, layer, ctl)?;
    let sum = |values: &[f64]| values.iter().sum::<f64>();
    let before = sum(&preview.before);
    Ok(ClipOutcome {
        method,
        kept: if before > 0.0 { sum(&sigma) / before } else { 1.0 },
        near_target: sigma.iter().filter(|&&sigma| sigma >= 0.9 * preview.to).count(),
        sigma,
        truncation_error: clipped.truncation_error,
        weight_change: relative_change(whole.weight, &clipped.weight),
        steps: clipped.steps,
        reached: clipped.reached,
        seconds,
    })
}
