//! Reading and changing the residual stream while a model runs.
//!
//! A hook point is a place between two blocks; its name is the one TransformerLens gives it, so that a sparse
//! autoencoder's configuration can name it.

use std::fmt;
use std::str::FromStr;

use candle_core::Tensor;
use plumb_core::Ctl;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Where in a block the residual stream is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// Before the block adds anything. That of block 0 is the embedding (with positions, where they are learned).
    ResidPre,
    /// After the block's MLP has been added; the same numbers as the next block's `ResidPre`.
    ResidPost,
}

/// A place in the residual stream.
///
/// ```
/// use plumb_text::{HookPoint, Site};
/// let point: HookPoint = "blocks.7.hook_resid_post".parse()?;
/// assert_eq!(point, HookPoint { block: 7, site: Site::ResidPost });
/// assert_eq!(point.to_string(), "blocks.7.hook_resid_post");
/// # Ok::<(), plumb_text::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HookPoint {
    /// The block, from 0.
    pub block: usize,
    /// Before or after it.
    pub site: Site,
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = match self.site {
            Site::ResidPre => "resid_pre",
            Site::ResidPost => "resid_post",
        };
        write!(f, "blocks.{}.hook_{site}", self.block)
    }
}

impl FromStr for HookPoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.trim().strip_prefix("blocks.").and_then(|rest| rest.split_once(".hook_"));
        let point = parts.and_then(|(block, site)| {
            let site = match site {
                "resid_pre" => Site::ResidPre,
                "resid_post" => Site::ResidPost,
                _ => return None,
            };
            Some(Self { block: block.parse().ok()?, site })
        });
        point.ok_or_else(|| Error::HookPoint(text.to_owned()))
    }
}

impl TryFrom<String> for HookPoint {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<HookPoint> for String {
    fn from(point: HookPoint) -> Self {
        point.to_string()
    }
}

/// Something that watches or changes the residual stream of one sequence.
pub trait Hooks {
    /// Whether [`resid`](Self::resid) is to be called at this point. Asked at every forward pass.
    fn wants(&self, point: HookPoint) -> bool;

    /// The residual stream at `point`: `resid` is `[T, d]` of one sequence, its first row belongs to position
    /// `first_position`, and `tokens` are the `T` tokens at these positions. `None` leaves it as it is, a tensor of
    /// the same shape takes its place. Called with all prompt positions at prefill, and with one at each step of decoding.
    fn resid(
        &mut self,
        point: HookPoint,
        first_position: usize,
        tokens: &[u32],
        resid: &Tensor,
    ) -> Result<Option<Tensor>>;
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn wants(&self, _point: HookPoint) -> bool {
        false
    }

    fn resid(&mut self, _: HookPoint, _: usize, _: &[u32], _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// Other hooks, and the way to stop a long forward pass: between any two blocks it ends with [`Error::Cancelled`] once
/// `ctl` is cancelled, and no cache has advanced.
pub struct Stoppable<'a> {
    /// The hooks.
    pub inner: &'a mut dyn Hooks,
    /// What stops them.
    pub ctl: &'a Ctl,
}

impl Hooks for Stoppable<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        self.ctl.is_cancelled() || self.inner.wants(point)
    }

    fn resid(
        &mut self,
        point: HookPoint,
        first_position: usize,
        tokens: &[u32],
        resid: &Tensor,
    ) -> Result<Option<Tensor>> {
        self.ctl.check()?;
        self.inner.resid(point, first_position, tokens, resid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in ["blocks.0.hook_resid_pre", "blocks.12.hook_resid_post"] {
            assert_eq!(name.parse::<HookPoint>().unwrap().to_string(), name);
        }
        for name in ["", "blocks.x.hook_resid_pre", "blocks.1.hook_mlp_out", "blocks.-1.hook_resid_pre", "blocks.1"] {
            let error = name.parse::<HookPoint>().unwrap_err();
            assert!(error.to_string().contains("blocks.7.hook_resid_post"), "{error}");
        }
    }
}
