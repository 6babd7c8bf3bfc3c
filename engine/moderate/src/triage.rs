//! The cases that wait: what the model says of them, and where they go.

use plumb_core::Ctl;
use serde::{Deserialize, Serialize};

use crate::command::{Action, Command, SYSTEM};
use crate::desk::Desk;
use crate::model::{CaseId, ModId, Prediction, Reason, Time};
use crate::past;
use crate::precedent::{Precedent, Precedents};
use crate::route::{Router, Routing};
use crate::score::{self, Objective};
use crate::state::Phase;
use crate::store::Repository;
use crate::train::{Trained, WORST_CALIBRATION};
use crate::vote_model::{Contribution, VoteModel as _};
use crate::{Error, sandbox};

/// Parts of a text that are named as reasons.
const PARTS: usize = 5;

/// Commands written at a time.
const CHUNK: usize = 2_000;

/// What the model says of a case that waits. No moderator is named.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scored {
    /// The case.
    pub case: CaseId,
    /// What cases are ranked by.
    pub score: f64,
    /// Expected pairwise disagreement.
    pub disagreement: f64,
    /// Probability that the team's votes would differ, from the moderators' probabilities.
    pub non_unanimity: f64,
    /// Entropy of the mean probability of removal, in bits.
    pub entropy: f64,
    /// Consistency that a panel would gain.
    pub gain: f64,
    /// The words that say most about removal, where the model reads words.
    pub parts: Vec<Contribution>,
    /// The nearest past cases, where they were asked for.
    pub similar: Vec<Precedent>,
}

/// What is kept of the model's opinion, and the number the case is ranked by.
fn prediction(
    trained: &Trained,
    text: &str,
    roster: &[ModId],
    objective: Objective,
    panel: usize,
) -> (Prediction, f64) {
    let forecast = trained.model.forecast(text, roster);
    let s = forecast.p.iter().sum::<f64>() / forecast.p.len().max(1) as f64;
    let score = forecast.score(objective, panel);
    let prediction = Prediction {
        model: trained.card.version.clone(),
        disagreement: Some(score::disagreement(&forecast.p)),
        entropy: Some(score::entropy(s)),
        gain: Some(score::gain(s, panel)),
        p: roster.iter().cloned().zip(forecast.p).collect(),
    };
    (prediction, score)
}

/// The active moderators, or everybody the model knows where the team has not been entered.
fn roster<R: Repository>(desk: &Desk<R>, trained: &Trained) -> Vec<ModId> {
    let team = desk.state().moderators.values().filter(|m| m.active && !m.trainee).map(|m| m.id.clone());
    let team: Vec<ModId> = team.collect();
    if team.is_empty() { trained.model.moderators().into_iter().cloned().collect() } else { team }
}

fn command(key: String, now: Time, action: Action) -> Command {
    Command { key, actor: SYSTEM.to_owned(), at: now, expect: None, action }
}

/// Run commands as the system, a part at a time. What is refused, because somebody was faster, is left as it is.
fn run_all<R: Repository>(desk: &mut Desk<R>, commands: &[Command], what: &str, ctl: &Ctl) -> Result<(), Error> {
    for (i, chunk) in commands.chunks(CHUNK).enumerate() {
        ctl.check()?;
        ctl.progress(what, (i * CHUNK) as u64, Some(commands.len() as u64));
        for (place, error) in desk.run_all(chunk)? {
            ctl.warn(chunk[place].key.clone(), error.to_string());
        }
    }
    Ok(())
}

/// Score every case that is new or was scored before, highest first; with `keep`, write it into the log.
pub fn score_waiting<R: Repository>(
    desk: &mut Desk<R>,
    trained: &Trained,
    objective: Objective,
    keep: bool,
    now: Time,
    ctl: &Ctl,
) -> Result<Vec<Scored>, Error> {
    let roster = roster(desk, trained);
    let panel = desk.state().policy.panel_size;
    let waiting = desk.state().cases.values().filter(|case| matches!(case.phase, Phase::New | Phase::Scored));
    let waiting: Vec<(CaseId, String)> = waiting.map(|case| (case.case.id.clone(), case.case.text())).collect();
    let (mut found, mut commands) = (Vec::with_capacity(waiting.len()), Vec::new());
    for (i, (id, text)) in waiting.iter().enumerate() {
        ctl.check()?;
        ctl.progress("scoring", i as u64, Some(waiting.len() as u64));
        let (prediction, score) = prediction(trained, text, &roster, objective, panel);
        found.push(Scored {
            case: id.clone(),
            score,
            disagreement: prediction.disagreement.unwrap_or_default(),
            non_unanimity: score::non_unanimity(&prediction.p.iter().map(|(_, p)| *p).collect::<Vec<_>>()),
            entropy: prediction.entropy.unwrap_or_default(),
            gain: prediction.gain.unwrap_or_default(),
            parts: trained.model.explain(text, PARTS),
            similar: Vec::new(),
        });
        let key = format!("score {} {id}", trained.card.version);
        commands.push(command(key, now, Action::Score(id.clone(), Some(prediction))));
    }
    if keep {
        run_all(desk, &commands, "writing scores down", ctl)?;
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.case.cmp(&b.case)));
    Ok(found)
}

/// Past cases named beside a scored one.
const SIMILAR: usize = 3;

/// Name the nearest past cases of `scored`.
pub fn find_similar<R: Repository>(
    desk: &Desk<R>,
    trained: &Trained,
    scored: &mut [Scored],
    ctl: &Ctl,
) -> Result<(), Error> {
    let past = Precedents::of(&past::items(desk.state()), Some(&trained.model), ctl)?;
    for (i, one) in scored.iter_mut().enumerate() {
        ctl.check()?;
        ctl.progress("looking for past cases", i as u64, None);
        one.similar = past.nearest(&desk.state().case(&one.case)?.case.text_alone(), SIMILAR, &one.case);
    }
    Ok(())
}

/// How waiting cases are routed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSpec {
    /// How many, and by which threshold.
    pub routing: Routing,
    /// What cases are ranked by.
    pub objective: Objective,
    /// Seed of the audit.
    pub seed: u64,
    /// Only say what would happen.
    pub dry_run: bool,
}

impl Default for RouteSpec {
    fn default() -> Self {
        Self { routing: Routing::default(), objective: Objective::Combined, seed: sandbox::SEED, dry_run: false }
    }
}

/// What became of the waiting cases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Routed {
    /// Cases to panels because the model expects disagreement.
    pub model: Vec<CaseId>,
    /// Cases to panels as a random audit.
    pub audit: Vec<CaseId>,
    /// How many go to one moderator each.
    pub solo: usize,
    /// The score above which cases go to panels, where there is one.
    pub threshold: Option<f64>,
    /// Whether the model may route; otherwise only audits and second opinions open panels.
    pub trusted: bool,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Send scored cases to panels or to one moderator each, in the order in which they were written.
pub fn route_waiting<R: Repository>(
    desk: &mut Desk<R>,
    trained: &Trained,
    spec: &RouteSpec,
    now: Time,
    ctl: &Ctl,
) -> Result<Routed, Error> {
    let calibration = trained.card.held_out.as_ref().map_or(1.0, |quality| quality.ece);
    let mut router = Router::new(spec.routing, spec.seed);
    let roster = roster(desk, trained);
    let size = desk.state().policy.panel_size.max(1);
    let score = |text: &str| trained.model.forecast(text, &roster).score(spec.objective, size);
    // The window is the newest of what was scored before and, the first time, what waits: otherwise the first case would
    // always pass.
    let (mut waiting, mut past) = (Vec::new(), Vec::new());
    for case in desk.state().cases.values().filter(|case| case.prediction.is_some()) {
        if case.phase == Phase::Scored { &mut waiting } else { &mut past }.push((case.case.created_at, &case.case));
    }
    waiting.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
    past.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
    let few = past.len() < waiting.len();
    for (_, case) in &past[past.len().saturating_sub(spec.routing.window)..] {
        ctl.check()?;
        router.learn(score(&case.text()));
    }
    let mut scored = Vec::with_capacity(waiting.len());
    for (i, (_, case)) in waiting.iter().enumerate() {
        ctl.check()?;
        ctl.progress("scoring", i as u64, Some(waiting.len() as u64));
        scored.push((case.id.clone(), score(&case.text())));
    }
    if few {
        for (_, score) in &scored {
            router.learn(*score);
        }
    }
    let seats = desk.state().moderators.values().filter(|m| m.active && !m.trainee).count();
    let mut free = (seats / size).saturating_sub(desk.state().running.len());
    let mut routed = Routed {
        model: Vec::new(),
        audit: Vec::new(),
        solo: 0,
        threshold: None,
        trusted: calibration <= WORST_CALIBRATION.min(spec.routing.worst_calibration),
        dry_run: spec.dry_run,
    };
    let mut commands = Vec::new();
    for (id, score) in &scored {
        ctl.check()?;
        let (key, action) = if let Some(reason) = router.route(id, *score, calibration, free) {
            free = free.saturating_sub(1);
            if reason == Reason::Audit { &mut routed.audit } else { &mut routed.model }.push(id.clone());
            (format!("panel {id}"), Action::OpenPanel(id.clone(), reason, Vec::new()))
        } else {
            routed.solo += 1;
            (format!("solo {id}"), Action::Solo(id.clone()))
        };
        commands.push(command(key, now, action));
    }
    routed.threshold = router.threshold();
    if !spec.dry_run {
        run_all(desk, &commands, "opening panels", ctl)?;
    }
    Ok(routed)
}
