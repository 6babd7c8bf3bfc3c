//! A prompt read up to a hook point: what lies before it does not depend on what is done there.

use candle_core::Tensor;

use super::{Cache, LanguageModel, Sequence};
use crate::Result;
use crate::hooks::{HookPoint, Hooks};

/// A prompt at a hook point, to go on from there in several ways.
#[derive(Debug)]
pub struct Prefix {
    tokens: Vec<u32>,
    point: HookPoint,
    resid: Tensor,
    cache: Cache,
}

impl Prefix {
    /// The prompt.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The hook point.
    pub fn point(&self) -> HookPoint {
        self.point
    }
}

impl LanguageModel {
    /// Reads a prompt up to `point`. `hooks` are called before that point, not there.
    pub fn prefix(&self, tokens: &[u32], point: HookPoint, hooks: &mut dyn Hooks) -> Result<Prefix> {
        self.check_point(point)?;
        let mut cache = self.new_cache();
        let resid = self.run(&mut [Sequence { tokens, cache: &mut cache, hooks }], None, Some(point))?;
        Ok(Prefix { tokens: tokens.to_vec(), point, resid, cache })
    }

    /// Logits `[V]` of a prompt's last position, and the cache behind it: as [`forward_last`](Self::forward_last) with an
    /// empty cache, of which only what follows the hook point is computed. `hooks` are called from that point on.
    pub fn forward_prefix(&self, prefix: &Prefix, hooks: &mut dyn Hooks) -> Result<(Tensor, Cache)> {
        let mut cache = prefix.cache.fork()?;
        let tokens = &prefix.tokens;
        let start = Some((prefix.point, &prefix.resid));
        let resid = self.run(&mut [Sequence { tokens, cache: &mut cache, hooks }], start, None)?;
        let last = resid.narrow(0, tokens.len() - 1, 1)?;
        Ok((self.logits(&last)?.squeeze(0)?, cache))
    }
}
