//! Taking in what the engine answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_core::Lane;
use plumb_steer::browse::{IndexTextsJob, QualityTextsJob};

use super::action::Action;
use super::pairs;
use super::state::{Corpus, State};
use crate::shell::panel::PanelCx;
use crate::shell::slots::settled;

impl State {
    /// Take in what has arrived.
    pub fn poll(&mut self, cx: &mut PanelCx<'_>) {
        let time = cx.egui.input(|input| input.time);
        self.undo.feed_state(time, &self.edit);
        if self.fetching.poll() && settled(&self.fetching) {
            cx.notify.success("The model is here");
            let pair = pairs::SMOLLM2;
            self.act(Action::OpenPair(pair.model.to_owned(), pair.sae.to_owned()), cx);
        }
        if self.opening.poll()
            && settled(&self.opening)
            && let Some(opened) = self.opening.value().cloned()
        {
            self.begin(&opened, cx);
            self.opened_for_preset(cx);
            self.take_answers();
        }
        if self.indexing.poll()
            && settled(&self.indexing)
            && let Some(opened) = self.indexing.value().cloned()
        {
            cx.notify.success("The index is built");
            self.begin(&opened, cx);
        }
        if self.judging.poll()
            && settled(&self.judging)
            && let Some(judged) = self.judging.value().cloned()
        {
            self.take_judge(&judged, cx);
        }
        if self.quality.poll()
            && settled(&self.quality)
            && let (Some(quality), Some(opened)) = (self.quality.value().cloned(), self.opened.clone())
        {
            self.opened = Some(Arc::new(opened.with(None, Some(quality))));
        }
        if self.naming.poll()
            && settled(&self.naming)
            && let Some(names) = self.naming.value().cloned()
        {
            self.auto = names;
            self.touch();
        }
        self.card.poll();
        if self.reading.poll()
            && settled(&self.reading)
            && let Some(reading) = self.reading.value()
        {
            let found: BTreeMap<usize, f32> = reading.firings.iter().map(|f| (f.feature, f.max)).collect();
            self.show_found(Some(found));
        }
        if self.token.poll()
            && settled(&self.token)
            && let Some(token) = self.token.value()
        {
            // What fires on the token goes before what only raises its logit.
            let mut found: BTreeMap<usize, f32> = token.raises.iter().copied().collect();
            found.extend(token.fires.iter().copied());
            self.show_found(Some(found));
        }
        self.live.poll();
        if self.find.poll()
            && let Some(report) = self.candidates()
        {
            self.contrast = report.candidates.iter().map(|c| (c.score.feature, c.score.mean_diff)).collect();
            self.touch();
        }
        self.causal.poll();
        self.sweep.poll();
        self.split.poll();
        self.poll_files(cx);
    }

    pub(super) fn poll_files(&mut self, cx: &mut PanelCx<'_>) {
        if self.labels_in.poll()
            && settled(&self.labels_in)
            && let Some(labels) = self.labels_in.value().cloned()
        {
            if std::mem::take(&mut self.labels_fresh) {
                self.edit.labels = labels;
                self.touch();
            } else {
                let count = labels.labels.len();
                self.edit.labels.merge(labels);
                self.keep_labels(cx);
                cx.notify.success(format!("{} read", crate::widgets::format::counted(count, "label", "labels")));
            }
            self.draft = None;
        }
        self.labels_kept.poll();
        for (slot, what) in
            [(&mut self.labels_out, "The labels were written to"), (&mut self.run, "The run folder was written:")]
        {
            if slot.poll()
                && settled(slot)
                && let Some(path) = slot.value()
            {
                cx.notify.success(format!("{what} {}", path.display()));
            }
        }
        if self.corpus.poll()
            && settled(&self.corpus)
            && let Some(texts) = self.corpus.value().cloned()
        {
            self.take_texts(texts, cx);
        }
        self.poll_preset(cx);
    }

    pub(super) fn take_texts(&mut self, texts: Vec<String>, cx: &PanelCx<'_>) {
        match (std::mem::take(&mut self.corpus_for), self.opened.clone()) {
            (Corpus::Index(corpus), Some(opened)) => {
                self.indexing.clear();
                self.indexing.request(
                    cx.engine,
                    Lane::Device,
                    cx.settings.seed,
                    IndexTextsJob { opened, texts, corpus },
                );
            }
            (Corpus::Quality, Some(opened)) => {
                self.quality.clear();
                self.quality.request(cx.engine, Lane::Device, cx.settings.seed, QualityTextsJob { opened, texts });
            }
            (Corpus::Contrast(kind), _) => {
                let one_line = |text: &String| text.replace('\n', " ");
                self.typed.contrast[kind] = texts.iter().map(one_line).collect::<Vec<_>>().join("\n");
            }
            _ => {}
        }
    }
}
