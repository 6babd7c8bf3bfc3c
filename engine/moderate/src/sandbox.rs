//! A made-up community to try everything on: ten rules, 401 cases in 42 threads, eight moderators.
//!
//! The texts were written for this program and describe nobody. Each case names the rule it is about and how grey it
//! is, from 0 (harmless) to 4 (plainly against the rule). Everything else comes from a seeded process:
//!
//! * **Surroundings**: authors, times and reports. The greyer a case, the more reports and the more often one of a few
//!   troublesome authors.
//! * **Votes**: moderator `m` removes with probability `σ(1.7·(grey − 2) + strictness + leaning(rule) + tone)`, the last
//!   three being the moderator's own ([`Member`]) and `tone` depending on the words themselves ([`tones`]). The random
//!   number of a vote depends on the seed, the case and the moderator only.
//! * **The past**: all but the newest [`WAITING`] cases are decided, half of them by one moderator and half by three.

use plumb_core::Ctl;
use plumb_core::random::Random;
use serde::{Deserialize, Serialize};

mod team;

pub use team::{Member, RULES, Rule, TEAM, TONES, tones};

use crate::Error;
use crate::command::{Action, Command, SYSTEM};
use crate::desk::Desk;
use crate::import::into_log::into_log;
use crate::import::{Imported, Item, LoggedVote};
use crate::model::{Case, CaseKind, Moderator, Report, Source, Time};
use crate::store::Repository;

/// Said wherever the sandbox is shown.
pub const NOTICE: &str = "Windowsill is made up: its members, texts and votes were written or generated for practice.";

/// The community's name.
pub const COMMUNITY: &str = "windowsill";

/// The clock where the same seed has to give the same files and figures on any day: 1 September 2026.
pub const CLOCK: Time = 1_788_220_800;

/// The seed of the votes that everybody sees unless they ask for others.
pub const SEED: u64 = 1;

/// The newest cases, which nobody has decided.
pub const WAITING: usize = 120;

/// The first case.
const FIRST: &str = "w001";

/// Seconds between one thread and the next.
const THREAD: Time = 2 * 86_400;

/// A thread as its file has it.
#[derive(Deserialize)]
struct Thread {
    title: String,
    opening: String,
}

/// A case as its file has it.
#[derive(Deserialize)]
struct Written {
    thread: usize,
    rule: String,
    grey: u8,
    text: String,
    /// Answers the case before it instead of the thread's opening.
    #[serde(default)]
    reply: bool,
}

/// A case of the sandbox with what the process knows of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Made {
    /// The case as moderators see it.
    pub case: Case,
    /// The rule it is about.
    pub rule: String,
    /// 0 (harmless) to 4 (plainly against the rule).
    pub grey: u8,
}

fn lines<T: serde::de::DeserializeOwned>(text: &str, place: &str) -> Result<Vec<T>, Error> {
    let line = |line: &str| {
        serde_json::from_str(line).map_err(|error| Error::Import { place: place.to_owned(), why: error.to_string() })
    };
    text.lines().map(line).collect()
}

/// The cases, oldest first; the newest is younger than `now`. The surroundings depend on the texts only.
pub fn cases(now: Time) -> Result<Vec<Made>, Error> {
    let threads: Vec<Thread> = lines(include_str!("../assets/sandbox/threads.jsonl"), "the sandbox's threads")?;
    let written: Vec<Written> = lines(include_str!("../assets/sandbox/cases.jsonl"), "the sandbox's cases")?;
    let mut random = Random::new(SEED, "sandbox surroundings");
    let first = now - THREAD * threads.len() as Time;
    let mut made: Vec<Made> = Vec::with_capacity(written.len());
    let (mut at, mut thread_before) = (first, 0);
    for (i, written) in written.iter().enumerate() {
        let Some(thread) = threads.get(written.thread) else { continue };
        if written.thread != thread_before || i == 0 {
            (at, thread_before) = (first + THREAD * written.thread as Time, written.thread);
        }
        at += 600 + random.below(4 * 3600) as Time;
        let parent = made.last().filter(|_| written.reply).map_or(&thread.opening, |before| &before.case.body);
        let author = team::author(written.grey, &mut random);
        let reports = reports(written, &mut random);
        let case = Case {
            id: format!("w{:03}", i + 1),
            community: COMMUNITY.to_owned(),
            kind: CaseKind::Comment,
            title: None,
            body: written.text.clone(),
            parent_body: Some(parent.clone()),
            thread_title: Some(thread.title.clone()),
            source: if written.text.contains(".example") { Source::Filter } else { Source::Report },
            author,
            created_at: at,
            rule_hints: reports.first().map(|report| report.reason.clone()).into_iter().collect(),
            reports,
        };
        made.push(Made { case, rule: written.rule.clone(), grey: written.grey });
    }
    Ok(made)
}

/// One to a dozen reports, the first reason being the most frequent; one in six gives another rule.
fn reports(written: &Written, random: &mut Random) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    for _ in 0..=random.below(1 + 3 * usize::from(written.grey)) {
        let reason = if random.below(6) == 0 { RULES[random.below(RULES.len())].key } else { &written.rule };
        match reports.iter_mut().find(|report| report.reason == reason) {
            Some(report) => report.count += 1,
            None => reports.push(Report { reason: reason.to_owned(), count: 1 }),
        }
    }
    reports.sort_by_key(|report| std::cmp::Reverse(report.count));
    reports
}

/// The probability with which `member` removes `made`: what the vote model is to find out.
pub fn probability(member: &Member, made: &Made) -> f64 {
    let rule = RULES.iter().position(|rule| rule.key == made.rule);
    let tone: f64 = tones(&made.case.body).iter().zip(&member.tones).filter(|(has, _)| **has).map(|(_, t)| t).sum();
    let z = 1.7 * (f64::from(made.grey) - 2.0) + member.strictness + rule.map_or(0.0, |rule| member.rules[rule]) + tone;
    plumb_nn::logistic::sigmoid(z)
}

/// The vote of `member` on `made`.
pub fn vote(member: &Member, made: &Made, seed: u64) -> bool {
    let mut random = Random::new(seed, &format!("sandbox vote {} {}", made.case.id, member.name));
    random.uniform() < probability(member, made)
}

/// Every moderator's vote on every case: for simulations, and to look behind the curtain.
pub fn full(now: Time, seed: u64) -> Result<Vec<Item>, Error> {
    let judged = |made: Made| {
        let votes = TEAM.iter().map(|member| logged(member, &made, seed)).collect();
        Item { case: made.case, votes }
    };
    Ok(cases(now)?.into_iter().map(judged).collect())
}

/// The log of the team as it would really be: past cases with one vote or three, the newest [`WAITING`] with none.
pub fn log(now: Time, seed: u64) -> Result<Imported, Error> {
    let made = cases(now)?;
    let past = made.len().saturating_sub(WAITING);
    let mut random = Random::new(seed, "sandbox duty");
    let items = made.into_iter().enumerate().map(|(i, made)| {
        let mut order: Vec<usize> = (0..TEAM.len()).collect();
        random.shuffle(&mut order);
        let judges = if i >= past { 0 } else { [1, 3][random.below(2)] };
        let votes = order.iter().take(judges).map(|m| logged(&TEAM[*m], &made, seed)).collect();
        Item { case: made.case, votes }
    });
    Ok(Imported { items: items.collect(), bad: Vec::new() })
}

fn logged(member: &Member, made: &Made, seed: u64) -> LoggedVote {
    let at = Some(made.case.created_at + 3600);
    LoggedVote { moderator: member.name.to_owned(), remove: vote(member, made, seed), at }
}

/// The sandbox as files, name and text: the cases with what the process knows of them, the rules, the team with its
/// leanings, and every moderator's vote on every case.
pub fn files(now: Time, seed: u64) -> Result<[(&'static str, String); 4], Error> {
    fn json(value: &impl Serialize) -> Result<String, Error> {
        serde_json::to_string(value).map_err(|error| Error::refused(error.to_string()))
    }
    let (mut texts, mut votes) = (String::new(), String::new());
    for made in cases(now)? {
        texts += &json(&made)?;
        texts.push('\n');
        for member in &TEAM {
            let LoggedVote { moderator, remove, at } = logged(member, &made, seed);
            let verdict = if remove { "remove" } else { "approve" };
            let row = serde_json::json!({
                "case": made.case.id, "community": COMMUNITY, "moderator": moderator, "verdict": verdict, "at": at,
                "text": made.case.body, "context": made.case.parent_body,
            });
            votes += &row.to_string();
            votes.push('\n');
        }
    }
    Ok([("cases.jsonl", texts), ("rules.json", json(&RULES)?), ("team.json", json(&TEAM)?), ("votes.jsonl", votes)])
}

/// Bring the team and its log into an empty desk. A second time changes nothing.
pub fn fill<R: Repository>(desk: &mut Desk<R>, now: Time, seed: u64, ctl: &Ctl) -> Result<(), Error> {
    if desk.state().cases.contains_key(FIRST) {
        return Ok(());
    }
    if !desk.state().cases.is_empty() {
        return Err(Error::refused("there are cases here already; the sandbox needs a database of its own"));
    }
    let join = |member: &Member| Command {
        key: format!("sandbox join {}", member.name),
        actor: SYSTEM.to_owned(),
        at: 0,
        expect: None,
        action: Action::SetModerator(Moderator { id: member.name.to_owned(), trainee: false, active: true }),
    };
    desk.run_all(&TEAM.iter().map(join).collect::<Vec<_>>())?;
    into_log(desk, &log(now, seed)?, now, ctl)?;
    Ok(())
}

#[cfg(test)]
mod tests;
