//! Panel review for the people who moderate a community.
//!
//! After Koshy, Choi, Chiang, Sundaram, Chandrasekharan and Karahalios, “Venire: A Machine Learning-Guided
//! Panel Review System for Community Content Moderation” (2024). A model learnt from a team's own log of
//! decisions finds the cases on which its moderators would disagree; those go to a panel, the rest stay with
//! one person. The model orders work; it never decides a case. Where the paper's text leaves something open
//! (sizes, thresholds, aggregation), the choice here is this program's own and configurable in [`model::Policy`].
//!
//! Symbols: `p_m` probability that moderator `m` removes, `M` moderators in all, `s` their mean, `n` panel size,
//! `q` probability that a panel's majority removes, `D` expected pairwise disagreement, `N` non-unanimity,
//! `H` entropy of the mean, `G` consistency gained by a panel, `b` share of cases sent to panels, `g(b)` share
//! of the possible gain bought with it.
//!
//! The record is an append-only, hash-chained log of [`event::Event`]s; the present [`state::State`] is a fold of
//! it. [`command`] turns what somebody asks for into events, [`desk::Desk`] keeps a state and a
//! [`store::Repository`] in step.

pub mod account;
pub mod agreement;
pub mod audit;
pub mod ballot;
pub mod command;
pub mod desk;
pub mod draw;
pub mod drift;
mod error;
pub mod evaluate;
pub mod event;
pub mod experiment;
pub mod explore;
pub mod export;
pub mod import;
pub mod job;
pub mod model;
pub mod onboarding;
pub mod outlook;
pub mod past;
pub mod precedent;
pub mod queue;
pub mod route;
pub mod sandbox;
pub mod score;
pub mod session;
pub mod simulate;
pub mod snapshot;
pub mod state;
pub mod store;
pub mod train;
pub mod triage;
pub mod view;
pub mod vote_model;
pub mod workplace;

pub use error::Error;
