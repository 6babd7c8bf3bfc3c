//! What the regions ask the engine for.

use std::collections::BTreeMap;

use plumb_core::Lane;
use plumb_steer::browse::{
    CausalTextsJob, FindTextsJob, LiveJob, Opened, SplitTextsJob, SweepTextsJob, TextSearchJob, TokenSearchJob,
};
use plumb_steer::spec::{CausalSpec, SplittingSpec};

use super::act::cache;
use super::state::{SearchBy, State, Tab, lines};
use super::sweep::numbers;
use crate::shell::panel::PanelCx;

/// Most features a search by text lists.
const MOST_FIRINGS: usize = 500;

impl State {
    pub(super) fn search_for(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let text = self.search.clone();
        if text.trim().is_empty() {
            self.show_found(None);
            return;
        }
        match self.settings.search_by {
            SearchBy::Label => {}
            SearchBy::Token => {
                self.token.request(cx.engine, Lane::Store, cx.settings.seed, TokenSearchJob { opened, text });
            }
            SearchBy::Text => {
                let job = TextSearchJob { opened, text, most: MOST_FIRINGS };
                self.reading.request(cx.engine, Lane::Device, cx.settings.seed, job);
            }
        }
    }

    /// Show only what a search found, the best match first; everything again with nothing.
    pub(super) fn show_found(&mut self, found: Option<BTreeMap<usize, f32>>) {
        match (&found, &self.found) {
            (Some(_), _) => self.table.sort = Some((super::features::MATCH_AT, true)),
            (None, Some(_)) => self.table.sort = None,
            (None, None) => {}
        }
        self.found = found;
        self.touch();
    }

    /// The rack, a prompt or the sampling changed.
    pub(super) fn changed(&mut self, cx: &PanelCx<'_>) {
        if self.settings.live && (self.settings.tab == Tab::Steer || self.live.value().is_some()) {
            self.steer(cx);
        }
    }

    /// Write the continuations.
    pub fn steer(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let prompts = lines(&self.typed.prompts);
        if prompts.is_empty() {
            return;
        }
        let key = (prompts.clone(), self.sampling.clone());
        // Baselines do not depend on the rack: what is written already is not written again.
        let known = if self.live_key.as_ref() == Some(&key) { self.texts().cloned() } else { None };
        self.live_key = Some(key);
        let (intervention, sampling) = (self.edit.rack.intervention(), self.sampling.clone());
        let job = LiveJob { opened, prompts, intervention, sampling, known };
        self.live.request(cx.engine, Lane::Device, self.sampling.seed, job);
    }

    pub(super) fn ask_find(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let (texts, spec) = (self.contrast_texts(), self.find_spec.clone());
        self.causal.clear();
        self.find.request(cx.engine, Lane::Device, cx.settings.seed, FindTextsJob { opened, texts, spec });
    }

    pub(super) fn ask_causal(&mut self, cx: &PanelCx<'_>) {
        let (Some(opened), Some(report)) = (self.opened.clone(), self.find.value()) else { return };
        let candidates = report
            .candidates
            .iter()
            .map(|candidate| {
                let feature = candidate.score.feature;
                (feature, self.reference(feature).unwrap_or(candidate.reference))
            })
            .collect();
        let prompts = self.prompts_to_measure(&opened);
        let neutral = opened.examples.neutral.clone();
        let spec = CausalSpec { sampling: self.short_sampling(), ..CausalSpec::default() };
        let job = CausalTextsJob { opened, candidates, prompts, neutral, spec };
        self.causal.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// The prompts on screen and, where they are few, the examples too: one prompt measures nothing.
    pub(super) fn prompts_to_measure(&self, opened: &Opened) -> Vec<String> {
        let mut prompts = lines(&self.typed.prompts);
        for example in &opened.examples.prompts {
            if !prompts.contains(example) {
                prompts.push(example.clone());
            }
        }
        prompts
    }

    pub(super) fn short_sampling(&self) -> plumb_text::Sampling {
        let mut sampling = self.sampling.clone();
        sampling.max_tokens = sampling.max_tokens.min(32);
        sampling.temperature = sampling.temperature.max(0.5);
        sampling
    }

    pub(super) fn ask_sweep(&mut self, cx: &mut PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let intervention = self.edit.rack.intervention();
        let targets: Vec<_> = intervention.targets.into_iter().filter(|target| !target.muted).collect();
        if targets.is_empty() {
            cx.notify.warn("The rack is empty: put in the features that the sweep steers along");
            return;
        }
        let strengths = numbers(&self.typed.strengths);
        let mut spec = self.sweep_spec.clone();
        if !strengths.is_empty() {
            spec.strengths = strengths;
        }
        spec.targets = targets;
        spec.sampling = self.short_sampling();
        let prompts = self.prompts_to_measure(&opened);
        self.swept_rack = Some(self.edit.rack.slots.clone());
        self.sweep.clear();
        self.sweep.request(cx.engine, Lane::Device, cx.settings.seed, SweepTextsJob { opened, prompts, spec });
    }

    pub(super) fn load_point(&mut self, number: usize, cx: &mut PanelCx<'_>) {
        let Some(point) = self.swept().and_then(|report| report.points.get(number)).copied() else { return };
        let plumb_steer::report::Series::Tier(tier) = point.series else {
            cx.notify.info("This is a control: it steers along directions that are not in the rack");
            return;
        };
        self.edit.rack.set_tier(tier);
        if let Some(base) = self.swept_rack.clone() {
            self.edit.rack.slots = base;
        }
        for slot in &mut self.edit.rack.slots {
            slot.strength *= point.strength;
        }
        cx.notify.info(format!("Loaded into the rack: {}", point.series));
        self.changed(cx);
    }

    pub(super) fn ask_split(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let concept = self.typed.concept.split_whitespace().map(str::to_owned).collect();
        let prompts = self.prompts_to_measure(&opened);
        let spec =
            SplittingSpec { find: self.find_spec.clone(), sampling: self.short_sampling(), ..SplittingSpec::default() };
        let job = SplitTextsJob { texts: self.contrast_texts(), concept, prompts, spec, cache: cache(cx), opened };
        self.split.clear();
        self.split.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }
}
