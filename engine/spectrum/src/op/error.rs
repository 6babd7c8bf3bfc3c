//! Why a weight and a geometry make no operator.

/// The geometry does not fit the weight or the input. The text is written for the person who set the geometry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// The weight has another number of axes than the operator needs.
    #[error("a {op} weight has {expected} axes, this one has {} (shape {shape:?})", shape.len())]
    Rank {
        /// The operator.
        op: &'static str,
        /// Axes it needs.
        expected: usize,
        /// Shape of the weight.
        shape: Vec<usize>,
    },
    /// The weight's numbers and its shape disagree.
    #[error("a weight of shape {shape:?} holds {expected} numbers, but {found} were given")]
    Count {
        /// Shape of the weight.
        shape: Vec<usize>,
        /// Numbers the shape asks for.
        expected: usize,
        /// Numbers there are.
        found: usize,
    },
    /// A size of zero.
    #[error("{what} is zero (sizes {sizes:?}): every size must be at least 1")]
    Zero {
        /// Which size.
        what: &'static str,
        /// All sizes of its kind.
        sizes: Vec<usize>,
    },
    /// Sizes whose product does not fit in memory.
    #[error("{what} of shape {shape:?} is larger than this machine can address")]
    TooLarge {
        /// Which array.
        what: &'static str,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The kernel does not fit into the padded input.
    #[error(
        "along the {axis} the kernel spans {span} pixels, but the padded input has only {padded} \
         (input {input} + padding {before} + {after}): make the input or the padding larger"
    )]
    KernelTooLarge {
        /// Height or width.
        axis: &'static str,
        /// Pixels the kernel spans, gaps of the dilation included.
        span: usize,
        /// Pixels of the padded input.
        padded: usize,
        /// Pixels of the input.
        input: usize,
        /// Pixels added before it.
        before: usize,
        /// Pixels added after it.
        after: usize,
    },
    /// More pixels are mirrored or wrapped than there are.
    #[error(
        "along the {axis} {mode} padding of {padding} needs an input of at least {needed} pixels, this one has {input}"
    )]
    PaddingTooLarge {
        /// Height or width.
        axis: &'static str,
        /// The padding mode.
        mode: &'static str,
        /// Pixels added, on the side where they are more.
        padding: usize,
        /// Smallest input that works.
        needed: usize,
        /// Pixels of the input.
        input: usize,
    },
    /// The channels cannot be divided into the groups.
    #[error("{channels} output channels cannot be divided into {groups} groups of equal size")]
    Groups {
        /// Output channels of the kernel.
        channels: usize,
        /// Groups asked for.
        groups: usize,
    },
    /// A setting that the operator does not have.
    #[error("{0}")]
    Unsupported(String),
    /// A candle function refused the input it was tried on.
    #[error("the function could not be applied to an input of shape {shape:?}: {reason}")]
    Function {
        /// Shape of the input.
        shape: Vec<usize>,
        /// What candle said.
        reason: String,
    },
    /// Two maps of a chain do not fit.
    #[error("step {step} of the chain gives {gives} numbers, the next takes {takes}")]
    Chain {
        /// Which step, from 0.
        step: usize,
        /// Numbers it gives.
        gives: usize,
        /// Numbers the next one takes.
        takes: usize,
    },
}

/// Product of the sizes, or an error that names the array.
pub(crate) fn checked_len(what: &'static str, shape: &[usize]) -> Result<usize, GeometryError> {
    let product = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    match product {
        // Rust allocates at most isize::MAX bytes; a batch of sixteen 8-byte vectors must fit too.
        Some(len) if len <= isize::MAX as usize / 128 => Ok(len),
        _ => Err(GeometryError::TooLarge { what, shape: shape.to_vec() }),
    }
}

/// Fails when any size is zero.
pub(crate) fn no_zero(what: &'static str, sizes: &[usize]) -> Result<(), GeometryError> {
    if sizes.contains(&0) { Err(GeometryError::Zero { what, sizes: sizes.to_vec() }) } else { Ok(()) }
}
