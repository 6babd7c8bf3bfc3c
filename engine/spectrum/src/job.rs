//! Specs as engine jobs: open, survey, clip, preview, accuracy. See [`detail`](crate::detail) and
//! [`export`](crate::export) for the other two.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};

use crate::clip::compose::{self, BatchNorm};
use crate::clip::{Layer, Target, batch_norm, clip};
use crate::geometry::OpKind;
use crate::layers::{BatchNormInfo, LayerInfo};
use crate::op::Real;
use crate::report::{Accuracy, ClipReport, ClippedLayer, SpectrumReport};
use crate::sidecar::GeometryTable;
use crate::spec::{ClipMethod, ClipSpec, SpectrumSpec};
use crate::subject::{Edits, Subject};
use crate::survey::{self, LayerError, finite_weight};

/// The last part of a source, for the names of jobs.
fn short(source: &str) -> &str {
    source.rsplit('/').next().unwrap_or(source)
}

/// Open a source and tell its layers.
#[derive(Clone, Debug)]
pub struct OpenJob {
    /// `embedded:NAME`, a path, or `hf:owner/repo/file`.
    pub source: String,
    /// Geometry that the user gave, by layer.
    pub overrides: GeometryTable,
    /// Where fetched and embedded files are kept.
    pub cache: Cache,
}

impl Job for OpenJob {
    type Output = Arc<Subject>;
    type Partial = ();

    fn name(&self) -> String {
        format!("Open {}", short(&self.source))
    }

    fn run(self, ctl: &Ctl) -> Result<Arc<Subject>, Error> {
        ctl.progress(format!("Opening {}", self.source), 0, None);
        let subject = Subject::open(&self.source, &self.cache, ctl)?;
        Ok(Arc::new(subject.with_geometry(&self.overrides)))
    }
}

/// The spectrum of every layer. Partial results are the rows so far.
#[derive(Clone, Debug)]
pub struct SurveyJob {
    /// What is looked at.
    pub subject: Arc<Subject>,
    /// Changed copies of tensors.
    pub edits: Edits,
    /// What is asked.
    pub spec: SpectrumSpec,
}

impl Job for SurveyJob {
    type Output = SpectrumReport;
    type Partial = SpectrumReport;

    fn name(&self) -> String {
        format!("Spectrum of {}", short(&self.subject.source))
    }

    fn run(self, ctl: &Ctl) -> Result<SpectrumReport, Error> {
        let chosen = self.subject.chosen(&self.spec.layers)?;
        let mut report = SpectrumReport {
            file: self.subject.source.clone(),
            layers: Vec::new(),
            skipped: self.subject.skipped.clone(),
        };
        let total = chosen.len() as u64;
        let by_name = !self.spec.layers.is_empty();
        for (done, layer) in (0..).zip(chosen) {
            ctl.check()?;
            ctl.progress(layer.name.as_str(), done, Some(total));
            let layer = layer.with_override(&self.spec.geometry, by_name);
            let row = survey::measure(&self.subject, &layer, &self.edits, &self.spec, ctl)?;
            if let Some(problem) = &row.problem {
                ctl.warn(row.name.as_str(), problem.as_str());
            } else if !row.converged {
                ctl.warn(row.name.as_str(), "did not reach the residual asked for");
            }
            report.layers.push(row);
            // All of a small file's layers one by one; of thousands, a hundred looks at the growing list.
            if done < 100 || done % total.div_ceil(100) == 0 {
                ctl.partial(report.clone());
            }
        }
        ctl.progress("Done", total, Some(total));
        Ok(report)
    }
}

/// Clip layers. Gives the changed tensors, those that were changed before included. Partial results are the
/// layers so far.
#[derive(Clone, Debug)]
pub struct ClipJob {
    /// What is clipped.
    pub subject: Arc<Subject>,
    /// Changed copies of tensors to start from.
    pub edits: Edits,
    /// What is asked.
    pub spec: ClipSpec,
}

impl Job for ClipJob {
    type Output = (ClipReport, Edits);
    type Partial = ClipReport;

    fn name(&self) -> String {
        format!("Clip {} to {}", short(&self.subject.source), self.spec.to)
    }

    fn run(self, ctl: &Ctl) -> Result<(ClipReport, Edits), Error> {
        check(&self.spec)?;
        let by_name = !self.spec.layers.is_empty();
        let wanted = |layer: &&LayerInfo| by_name || layer.op != OpKind::BatchNorm || self.spec.batch_norm;
        let chosen: Vec<_> = self.subject.chosen(&self.spec.layers)?.into_iter().filter(wanted).collect();
        let mut report = ClipReport {
            file: self.subject.source.clone(),
            out: None,
            to: self.spec.to,
            layers: Vec::new(),
            skipped: self.subject.skipped.clone(),
        };
        let mut edits = self.edits.clone();
        let total = chosen.len() as u64;
        for (done, layer) in (0..).zip(chosen) {
            ctl.check()?;
            ctl.progress(layer.name.as_str(), done, Some(total));
            let layer = layer.with_override(&self.spec.geometry, by_name);
            let row = clip_layer(&self.subject, &layer, &mut edits, &self.spec, ctl)?;
            if let Some(problem) = &row.problem {
                ctl.warn(row.name.as_str(), problem.as_str());
            } else if !row.reached {
                ctl.warn(row.name.as_str(), format!("σ₁ ended at {:.4}, outside the tolerance", row.after));
            }
            report.layers.push(row);
            ctl.partial(report.clone());
        }
        ctl.progress("Done", total, Some(total));
        Ok((report, edits))
    }
}

/// Whether a target can be reached at all.
pub(crate) fn check(spec: &ClipSpec) -> Result<(), Error> {
    if !(spec.to > 0.0 && spec.to.is_finite()) {
        return Err(Error::Failed(format!("the target must be a positive number, not {}", spec.to)));
    }
    if !(spec.tolerance > 0.0 && spec.tolerance < 1.0) {
        return Err(Error::Failed(format!("the tolerance must lie between 0 and 1, not {}", spec.tolerance)));
    }
    Ok(())
}

/// Clip one layer into `edits`. A layer that cannot be clipped says why; only being stopped is an error.
fn clip_layer(
    subject: &Subject,
    layer: &LayerInfo,
    edits: &mut Edits,
    spec: &ClipSpec,
    ctl: &Ctl,
) -> Result<ClippedLayer, Error> {
    let started = Instant::now();
    let result = match (&layer.batch_norm, layer.op) {
        (Some(norm), OpKind::BatchNorm) => clip_norm(subject, norm, edits, spec),
        (Some(norm), _) if spec.compose => clip_composition(subject, layer, norm, edits, spec, ctl),
        _ if spec.double => clip_kernel::<f64>(subject, layer, edits, spec, ctl),
        _ => clip_kernel::<f32>(subject, layer, edits, spec, ctl),
    };
    let mut row = match result {
        Ok(row) => row,
        Err(error) => ClippedLayer { problem: Some(error.into_problem()?), ..unclipped(&layer.name) },
    };
    row.seconds = started.elapsed().as_secs_f64();
    Ok(row)
}

fn unclipped(name: &str) -> ClippedLayer {
    ClippedLayer {
        name: name.to_owned(),
        before: 0.0,
        after: 0.0,
        steps: 0,
        reached: false,
        weight_change: 0.0,
        seconds: 0.0,
        problem: None,
    }
}

/// ‖new − old‖ / ‖old‖.
pub(crate) fn relative_change<T: Real>(old: &[T], new: &[T]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let change = square(&mut old.iter().zip(new).map(|(a, b)| b.double() - a.double()));
    let whole = square(&mut old.iter().map(|w| w.double()));
    if whole > 0.0 { (change / whole).sqrt() } else { 0.0 }
}

fn store<T: Real>(edits: &mut Edits, name: &str, values: &[T]) {
    edits.insert(name.to_owned(), Arc::new(values.iter().map(|v| v.double() as f32).collect()));
}

fn clip_kernel<T: Real>(
    subject: &Subject,
    layer: &LayerInfo,
    edits: &mut Edits,
    spec: &ClipSpec,
    ctl: &Ctl,
) -> Result<ClippedLayer, LayerError> {
    let weight: Vec<T> = finite_weight(subject, layer, edits)?;
    let shape = layer.operator_shape();
    let whole = Layer { kind: layer.op, weight: &weight, weight_shape: &shape, geometry: &layer.geometry };
    let clipped = clip(&whole, spec.method, &Target::of(spec), ctl)?;
    if clipped.steps > 0 {
        store(edits, &layer.name, &clipped.weight);
    }
    Ok(ClippedLayer {
        before: clipped.before,
        after: clipped.after,
        steps: clipped.steps,
        reached: clipped.reached,
        weight_change: relative_change(&weight, &clipped.weight),
        ..unclipped(&layer.name)
    })
}

fn clip_norm(
    subject: &Subject,
    norm: &BatchNormInfo,
    edits: &mut Edits,
    spec: &ClipSpec,
) -> Result<ClippedLayer, LayerError> {
    let (gamma, variance) = norm_numbers(subject, norm, edits)?;
    let before = batch_norm::norm(&gamma, &variance, norm.eps);
    let clamped = batch_norm::clamp(&gamma, &variance, norm.eps, spec.to);
    let after = batch_norm::norm(&clamped, &variance, norm.eps);
    let changed = clamped != gamma;
    if changed {
        store(edits, &norm.gamma, &clamped);
    }
    Ok(ClippedLayer {
        before,
        after,
        steps: usize::from(changed),
        reached: after <= spec.to * (1.0 + spec.tolerance),
        weight_change: relative_change(&gamma, &clamped),
        ..unclipped(&norm.gamma)
    })
}

fn norm_numbers(subject: &Subject, norm: &BatchNormInfo, edits: &Edits) -> Result<(Vec<f64>, Vec<f64>), LayerError> {
    let gamma: Vec<f64> = subject.numbers(&norm.gamma, edits)?;
    let variance: Vec<f64> = subject.numbers(&norm.variance, edits)?;
    let scale = batch_norm::scale(&gamma, &variance, norm.eps);
    if let Some(first) = scale.iter().position(|s| !s.is_finite()) {
        let count = scale.iter().filter(|s| !s.is_finite()).count();
        return Err(LayerError::NotFinite { count, total: scale.len(), first });
    }
    Ok((gamma, variance))
}

fn clip_composition(
    subject: &Subject,
    layer: &LayerInfo,
    info: &BatchNormInfo,
    edits: &mut Edits,
    spec: &ClipSpec,
    ctl: &Ctl,
) -> Result<ClippedLayer, LayerError> {
    let weight: Vec<f64> = finite_weight(subject, layer, edits)?;
    let (gamma, variance) = norm_numbers(subject, info, edits)?;
    let norm = BatchNorm { gamma, variance, eps: info.eps };
    let shape = layer.operator_shape();
    let whole = Layer { kind: layer.op, weight: &weight, weight_shape: &shape, geometry: &layer.geometry };
    let pair = compose::clip_pair(&whole, &norm, spec.method, &Target::of(spec), ctl)?;
    if pair.clipped.steps > 0 {
        store(edits, &layer.name, &pair.clipped.weight);
        store(edits, &info.gamma, &pair.gamma);
    }
    Ok(ClippedLayer {
        before: pair.clipped.before,
        after: pair.clipped.after,
        steps: pair.clipped.steps,
        reached: pair.clipped.reached,
        weight_change: relative_change(&weight, &pair.clipped.weight),
        ..unclipped(&layer.name)
    })
}

/// Accuracy of a model that Plumb trained, with changed tensors.
#[derive(Clone, Debug)]
pub struct AccuracyJob {
    /// The model.
    pub subject: Arc<Subject>,
    /// Changed copies of tensors.
    pub edits: Edits,
}

impl Job for AccuracyJob {
    type Output = Accuracy;
    type Partial = ();

    fn name(&self) -> String {
        format!("Accuracy of {}", short(&self.subject.source))
    }

    fn run(self, ctl: &Ctl) -> Result<Accuracy, Error> {
        if !self.subject.has_network() {
            return Err(Error::Failed(
                "the file does not say which network its weights belong to, so its accuracy cannot be measured; \
                 that works for the models Plumb trained"
                    .to_owned(),
            ));
        }
        self.subject.checkpoint().check_unchanged().map_err(|error| Error::failed(&error))?;
        let path = self.subject.path();
        let bytes = std::fs::read(path).map_err(|error| {
            Error::Failed(format!("{} could not be read ({error}); check that it is still there", path.display()))
        })?;
        let replaced: BTreeMap<String, Vec<f32>> =
            self.edits.iter().map(|(name, values)| (name.clone(), values.as_ref().clone())).collect();
        let found = plumb_vision::samples::accuracy(&bytes, &replaced, ctl)?;
        Ok(Accuracy { accuracy: found.accuracy, images: found.images, interval: found.interval })
    }
}

/// The methods a preview compares, the asked one first.
pub(crate) fn compared(asked: ClipMethod) -> Vec<ClipMethod> {
    let mut methods = vec![asked];
    for method in [ClipMethod::FastClip, ClipMethod::Scale, ClipMethod::Fourier] {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}
