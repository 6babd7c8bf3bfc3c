//! What the regions ask the engine for.

use std::collections::BTreeMap;

use plumb_core::Lane;
use plumb_steer::browse::{
    CausalTextsJob, FindTextsJob, JudgeJob, LiveJob, SplitTextsJob, SweepTextsJob, TextSearchJob, TokenSearchJob,
};
use plumb_steer::experiment::Judge;
use plumb_text::job::ModelSpec;

use super::act::cache;
use super::state::{SearchBy, State, Tab, lines};
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
            (None, Some(_)) => self.table.sort = super::features::USUAL,
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
        let key = (prompts.clone(), self.chat, self.sampling.clone());
        // Baselines do not depend on the rack: what is written already is not written again.
        let known = if self.live_key.as_ref() == Some(&key) { self.texts().cloned() } else { None };
        self.live_key = Some(key);
        let (intervention, sampling) = (self.edit.rack.intervention(), self.sampling.clone());
        let job = LiveJob { opened, prompts, chat: self.chat, intervention, sampling, known };
        self.live.request(cx.engine, Lane::Device, self.sampling.seed, job);
    }

    pub(super) fn ask_judge(&mut self, judge: Judge, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        self.judge = judge.clone();
        let model = ModelSpec { device: cx.settings.device, ..ModelSpec::default() };
        self.judging.clear();
        let job = JudgeJob { opened, model, judge, cache: cache(cx) };
        self.judging.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    pub(super) fn ask_find(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let (texts, spec) = (self.contrast_texts(), self.find_spec.clone());
        self.causal.clear();
        self.find.request(cx.engine, Lane::Device, self.sampling.seed, FindTextsJob { opened, texts, spec });
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
        let job = CausalTextsJob {
            candidates,
            prompts: self.prompts_to_measure(),
            chat: self.chat,
            neutral: opened.examples.neutral.clone(),
            spec: self.find_experiment().causal,
            opened,
        };
        self.causal.request(cx.engine, Lane::Device, self.sampling.seed, job);
    }

    pub(super) fn ask_sweep(&mut self, cx: &mut PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let asked = self.sweep_experiment();
        if asked.sweep.targets.is_empty() {
            cx.notify.warn("The rack is empty: put in the features that the sweep steers along");
            return;
        }
        self.swept_rack = Some(self.edit.rack.slots.clone());
        let job = SweepTextsJob {
            prompts: self.prompts_to_measure(),
            chat: self.chat,
            neutral: opened.examples.neutral.clone(),
            questions: asked.questions,
            spec: asked.sweep,
            opened,
        };
        self.sweep.clear();
        self.sweep.request(cx.engine, Lane::Device, asked.seed, job);
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
        let asked = self.splitting_experiment();
        let job = SplitTextsJob {
            opened,
            texts: self.contrast_texts(),
            concept: asked.concept,
            prompts: self.prompts_to_measure(),
            chat: self.chat,
            spec: asked.splitting,
            cache: cache(cx),
        };
        self.split.clear();
        self.split.request(cx.engine, Lane::Device, self.sampling.seed, job);
    }
}
