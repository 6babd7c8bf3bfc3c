//! The training loop: cross-entropy, SGD with momentum, no augmentation, everything from one seed.

use std::collections::BTreeMap;
use std::time::Instant;

use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_nn::layers::{Mode, cross_entropy};
use plumb_nn::optim::{Schedule, Sgd};
use serde::{Deserialize, Serialize};

use crate::VisionError;
use crate::evaluate;
use crate::images::ImageSet;
use crate::nets::Net;

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoopSpec {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Learning rate at the start.
    pub rate: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Pull of every tensor towards zero, per step and unit of learning rate.
    pub weight_decay: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Seed of the start and of the order of images.
    pub seed: u64,
}

impl Default for LoopSpec {
    fn default() -> Self {
        Self {
            epochs: 12,
            batch: 32,
            rate: 0.1,
            momentum: 0.9,
            weight_decay: 5e-4,
            schedule: Schedule::Cosine,
            seed: 0,
        }
    }
}

/// One epoch in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from one.
    pub epoch: usize,
    /// Mean cross-entropy over the epoch's training steps, in nats.
    pub loss: f64,
    /// Share of training images that were right when they were trained on.
    pub train_accuracy: f64,
    /// Share of held-out images that are right at the end of the epoch.
    pub test_accuracy: f64,
    /// Wall time, evaluation included.
    pub seconds: f64,
    /// What hooks measured: `sigma1/WEIGHT` for the top singular value of a layer.
    pub metrics: BTreeMap<String, f64>,
}

/// All epochs so far. Also what a training job shows before its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// In order.
    pub epochs: Vec<EpochRecord>,
}

/// What happens between steps: clipping, measuring.
pub trait TrainHook: Send {
    /// After step `step` (counted from one over the whole run). May change the network's numbers.
    fn after_step(&mut self, step: usize, net: &mut Net, ctl: &Ctl) -> Result<(), VisionError>;
    /// After epoch `epoch` (counted from one), before its accuracy is measured. May add metrics.
    fn after_epoch(
        &mut self,
        epoch: usize,
        net: &mut Net,
        metrics: &mut BTreeMap<String, f64>,
        ctl: &Ctl,
    ) -> Result<(), VisionError>;
}

/// Nothing happens between steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHook;

impl TrainHook for NoHook {
    fn after_step(&mut self, _: usize, _: &mut Net, _: &Ctl) -> Result<(), VisionError> {
        Ok(())
    }
    fn after_epoch(
        &mut self,
        _: usize,
        _: &mut Net,
        _: &mut BTreeMap<String, f64>,
        _: &Ctl,
    ) -> Result<(), VisionError> {
        Ok(())
    }
}

fn check(spec: &LoopSpec, set: &ImageSet, net: &Net) -> Result<(), VisionError> {
    if spec.batch < 2 || spec.epochs == 0 {
        return Err(VisionError::Spec("training needs at least one epoch and two images per step".to_owned()));
    }
    if !(spec.rate > 0.0 && spec.rate.is_finite() && (0.0..1.0).contains(&spec.momentum) && spec.weight_decay >= 0.0) {
        return Err(VisionError::Spec(
            "the learning rate must be positive, momentum in 0..1, weight decay not negative".to_owned(),
        ));
    }
    if net.spec().input != set.shape || net.spec().classes < set.classes.len() {
        let (takes, has) = (net.spec().input, set.shape);
        return Err(VisionError::Spec(format!("the network takes {takes:?} images, the set {} has {has:?}", set.name)));
    }
    if set.train.len() < 2 {
        return Err(VisionError::Spec(format!("the set {} has no training images", set.name)));
    }
    Ok(())
}

/// Train in place. The history grows in `ctl`'s partial results after each epoch.
pub fn train(
    net: &mut Net,
    set: &ImageSet,
    spec: &LoopSpec,
    hook: &mut dyn TrainHook,
    ctl: &Ctl,
) -> Result<History, VisionError> {
    check(spec, set, net)?;
    let mut sgd = Sgd::new(net.params(), spec.momentum, spec.weight_decay);
    let mut random = Random::new(spec.seed, "order of images");
    let mut order = set.train.clone();
    // A last batch of one image has no batch statistics; it is left for the next epoch's order.
    let steps = order.len() / spec.batch + usize::from(order.len() % spec.batch >= 2);
    let total = (steps * spec.epochs) as u64;
    let mut history = History::default();
    let mut step = 0;
    for epoch in 1..=spec.epochs {
        let started = Instant::now();
        random.shuffle(&mut order);
        let (mut loss_sum, mut correct, mut seen) = (0.0, 0, 0);
        for (at, batch) in order.chunks(spec.batch).take(steps).enumerate() {
            ctl.check()?;
            ctl.progress(format!("Training, epoch {epoch} of {}", spec.epochs), step as u64, Some(total));
            step += 1;
            let (images, labels) = set.batch(batch, net.params().device())?;
            let logits = net.forward(&images, Mode::Train)?;
            let loss = cross_entropy(&logits, &labels)?;
            let value = f64::from(loss.to_scalar::<f32>()?);
            if !value.is_finite() {
                return Err(VisionError::Diverged { step, loss: value });
            }
            loss_sum += value * batch.len() as f64;
            correct += evaluate::count_correct(&logits, &labels)?;
            seen += batch.len();
            let point = (epoch - 1) as f64 + at as f64 / steps as f64;
            sgd.step(&loss.backward()?, spec.rate * spec.schedule.factor(point, spec.epochs))?;
            hook.after_step(step, net, ctl)?;
        }
        let mut metrics = BTreeMap::new();
        hook.after_epoch(epoch, net, &mut metrics, ctl)?;
        let test_accuracy = evaluate::accuracy(net, set, &set.test, ctl)?.accuracy;
        let record = EpochRecord {
            epoch,
            loss: loss_sum / seen as f64,
            train_accuracy: correct as f64 / seen as f64,
            test_accuracy,
            seconds: started.elapsed().as_secs_f64(),
            metrics,
        };
        ctl.say(&format!("Epoch {epoch}: loss {:.4}, held-out accuracy {:.2} %", record.loss, 100.0 * test_accuracy));
        history.epochs.push(record);
        ctl.partial(history.clone());
    }
    ctl.progress("Trained", total, Some(total));
    Ok(history)
}
