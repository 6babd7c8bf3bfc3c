//! The crowd before the few: bringing thousands of singular values of a convolution down together.
//!
//! A random 3×3 convolution has thousands of singular values just above the target, so that steps on a handful
//! of singular triplets would go on for ever. Away from the border a convolution acts on every spatial frequency
//! ω by itself, through the small matrix `K(ω) = Σ_t W_t e^{−i⟨ω, t⟩}` (for stride s, its s² aliases side by
//! side). `K` is a trigonometric polynomial of the kernel's degree, so a grid of a few points per tap stands
//! for all frequencies.
//!
//! On that grid this minimises `Φ(W) = ½ mean_ω Σ_i (σ_i(ω) − c)₊²` over kernels, by L-BFGS. The gradient is
//! FastClip's, for all directions at once: `Σ_i (σ_i − c)₊ ∂σ_i/∂W`. Per frequency only the singular values
//! near or above c are followed, by subspace iteration that starts from the last step's subspace. It all stays
//! in kernel space, so nothing has to be cut off afterwards. The true operator has the last word: see
//! [`gauss_newton`](super::gauss_newton).

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par, Side, c32};
use plumb_core::random::Random;
use plumb_core::{Cancelled, Ctl};
use rayon::prelude::*;

use super::lbfgs::Lbfgs;
use crate::geometry::{Geometry, PaddingMode};

/// Grid points per tap and axis: enough that nothing noticeable happens between them.
const POINTS_PER_TAP: usize = 4;
/// Vectors followed beside those above the target.
const GUARD: usize = 4;
/// Vectors followed at first: this share of the small side …
const FIRST_SHARE: usize = 28;
/// … and subspace steps until they have settled.
const FIRST_STEPS: usize = 4;
/// Most evaluations of Φ.
const MAX_ROUNDS: usize = 40;

/// A kernel (out, in / groups, kh, kw) with the frequencies it is looked at.
pub(super) struct FrequencyClip {
    outputs: usize,
    inputs: usize,
    groups: usize,
    taps: usize,
    stride: [usize; 2],
    /// Coarse frequencies that the operator itself has, about.
    pixels: f64,
    /// Singular values that the operator has, about.
    count: f64,
    /// One entry per coarse frequency up to conjugation.
    frequencies: Vec<Frequency>,
    /// One entry per group and frequency.
    followed: Vec<Followed>,
}

struct Frequency {
    /// How many frequencies of the grid it stands for, divided by their number.
    weight: f32,
    /// `e^{−i⟨ω, t⟩} / sqrt(aliases)` for each alias and tap.
    phases: Vec<Vec<c32>>,
}

/// What is followed at one frequency of one group.
struct Followed {
    /// Orthonormal columns on the output side.
    left: Mat<c32>,
    started: bool,
}

/// Φ at one kernel.
struct Value {
    phi: f64,
    gradient: Vec<f32>,
    top: f64,
    /// Singular values of the operator that stand above the aim, about.
    above: f64,
}

/// How far [`FrequencyClip::run`] came.
pub(super) struct FrequencyOutcome {
    pub weight: Vec<f32>,
    /// Largest singular value on the grid.
    pub top: f64,
    /// How many singular values of the operator stand above the level, about.
    pub above: f64,
    pub rounds: usize,
}

impl FrequencyClip {
    /// For a convolution's weight shape (three or four axes).
    pub fn new(weight_shape: &[usize], geometry: &Geometry, seed: u64) -> Self {
        let flat = weight_shape.len() == 3;
        let kernel = if flat { [1, weight_shape[2]] } else { [weight_shape[2], weight_shape[3]] };
        let stride = if flat { [1, geometry.stride[1].max(geometry.stride[0])] } else { geometry.stride };
        let coarse = [0, 1].map(|axis| {
            let (k, s) = (kernel[axis], stride[axis]);
            let n = geometry.input[axis].div_ceil(geometry.dilation[axis].max(1));
            let own = if geometry.padding_mode == PaddingMode::Circular { n } else { n + k - 1 };
            let points = (POINTS_PER_TAP * k).min(own.max(1));
            if k == 1 && s == 1 { 1 } else { points.div_ceil(s) }
        });
        let count = (coarse[0] * coarse[1]) as f32;
        let mut frequencies = Vec::new();
        for a in 0..coarse[0] {
            for b in 0..coarse[1] {
                let mirror = ((coarse[0] - a) % coarse[0], (coarse[1] - b) % coarse[1]);
                if mirror < (a, b) {
                    continue;
                }
                let twice = if mirror == (a, b) { 1.0 } else { 2.0 };
                frequencies.push(Frequency { weight: twice / count, phases: phases([a, b], coarse, kernel, stride) });
            }
        }
        let mut clip = Self {
            outputs: weight_shape[0] / geometry.groups,
            inputs: weight_shape[1],
            groups: geometry.groups,
            taps: kernel[0] * kernel[1],
            stride,
            pixels: (0..2).map(|axis| (geometry.input[axis] / stride[axis]).max(1) as f64).product(),
            count: 0.0,
            frequencies,
            followed: Vec::new(),
        };
        let (rows, columns) = clip.block();
        clip.count = clip.pixels * (rows.min(columns) * clip.groups) as f64;
        clip.followed = clip.start(seed);
        clip
    }

    /// Rows and columns of one frequency's matrix.
    fn block(&self) -> (usize, usize) {
        (self.outputs, self.inputs * self.stride[0] * self.stride[1])
    }

    fn start(&self, seed: u64) -> Vec<Followed> {
        let (rows, columns) = self.block();
        let small = rows.min(columns);
        let p = if small <= 16 { small } else { (small / FIRST_SHARE + GUARD).min(small) };
        let mut random = Random::new(seed, "frequency clip");
        (0..self.groups * self.frequencies.len())
            .map(|_| Followed { left: random_block(rows, p, &mut random), started: false })
            .collect()
    }

    /// The largest singular value on the grid, and about how many of the operator's are above `level`.
    pub fn look(&mut self, weight: &[f32], level: f64, ctl: &Ctl) -> Result<(f64, f64), Cancelled> {
        let value = self.value(weight, level, false, ctl)?;
        Ok((value.top, value.above))
    }

    /// Bring every singular value on the grid to `level · (1 + slack)` or below.
    pub fn run(&mut self, weight: Vec<f32>, level: f64, slack: f64, ctl: &Ctl) -> Result<FrequencyOutcome, Cancelled> {
        let aim = level * (1.0 - 0.5 * slack);
        let mut weight = weight;
        let mut value = self.value(&weight, aim, true, ctl)?;
        // Φ curves by at most 1, and by far less where most directions are below the level. A longer step than that
        // would turn singular vectors around instead of shortening them.
        let first = 1.0 + (1.0 - value.above / (0.3 * self.count)).max(0.0) as f32;
        let mut memory = Lbfgs::new(8);
        let mut rounds = 1;
        while value.top > level * (1.0 + 0.5 * slack) && rounds < MAX_ROUNDS {
            let direction = memory.direction(&value.gradient, first);
            let descent: f64 = direction.iter().zip(&value.gradient).map(|(d, g)| f64::from(d * g)).sum();
            let mut step = 1.0_f32;
            loop {
                let trial: Vec<f32> = weight.iter().zip(&direction).map(|(w, d)| w - step * d).collect();
                let next = self.value(&trial, aim, true, ctl)?;
                rounds += 1;
                if next.phi <= value.phi - 1e-4 * f64::from(step) * descent || step < 0.05 || rounds >= MAX_ROUNDS {
                    memory.learn(&weight, &trial, &value.gradient, &next.gradient);
                    (weight, value) = (trial, next);
                    break;
                }
                step *= 0.4;
            }
        }
        Ok(FrequencyOutcome { weight, top: value.top, above: value.above, rounds })
    }

    /// Φ, its gradient and the largest singular value; moves the followed subspaces on.
    fn value(&mut self, weight: &[f32], aim: f64, slope: bool, ctl: &Ctl) -> Result<Value, Cancelled> {
        let mut followed = std::mem::take(&mut self.followed);
        let value = self.value_of(weight, aim, &mut followed, slope, ctl);
        self.followed = followed;
        value
    }

    fn value_of(
        &self,
        weight: &[f32],
        aim: f64,
        followed: &mut [Followed],
        slope: bool,
        ctl: &Ctl,
    ) -> Result<Value, Cancelled> {
        ctl.check()?;
        let len = self.outputs * self.inputs * self.taps;
        let kernels: Vec<Vec<f32>> = weight.chunks_exact(len).map(|group| self.by_tap(group)).collect();
        let per_group = self.frequencies.len();
        // One gradient per chunk of frequencies, added in order: the same sum for any number of threads.
        let chunk = per_group.div_ceil(8).max(1);
        let mut gradient = vec![0.0; weight.len()];
        let (mut phi, mut top, mut above) = (0.0, 0.0_f64, 0.0);
        for ((group, kernel), followed) in kernels.iter().enumerate().zip(followed.chunks_mut(per_group)) {
            let parts: Vec<(f64, f64, f64, Vec<f32>)> = followed
                .par_chunks_mut(chunk)
                .zip(self.frequencies.par_chunks(chunk))
                .map(|(followed, frequencies)| {
                    let (mut phi, mut top, mut above) = (0.0, 0.0_f64, 0.0);
                    let mut by_tap = if slope { vec![0.0; len] } else { Vec::new() };
                    let mut clock = 0_u32;
                    for (followed, frequency) in followed.iter_mut().zip(frequencies) {
                        clock += 1;
                        if clock.is_multiple_of(4) && ctl.is_cancelled() {
                            break;
                        }
                        let (part, largest, count) = self.visit(kernel, frequency, followed, aim, &mut by_tap);
                        phi += part;
                        top = top.max(largest);
                        above += count;
                    }
                    (phi, top, above, by_tap)
                })
                .collect();
            ctl.check()?;
            let target = &mut gradient[group * len..(group + 1) * len];
            for (part, largest, count, by_tap) in parts {
                phi += part;
                top = top.max(largest);
                above += count;
                for (tap, values) in by_tap.chunks_exact(self.outputs * self.inputs).enumerate() {
                    for (place, value) in values.iter().enumerate() {
                        let (input, output) = (place / self.outputs, place % self.outputs);
                        target[(output * self.inputs + input) * self.taps + tap] += value;
                    }
                }
            }
        }
        Ok(Value { phi, gradient, top, above })
    }

    /// The kernel with the taps outermost and the outputs innermost: (tap, in, out).
    fn by_tap(&self, group: &[f32]) -> Vec<f32> {
        let pairs = self.outputs * self.inputs;
        let mut sorted = vec![0.0; group.len()];
        for (place, taps) in group.chunks_exact(self.taps).enumerate() {
            for (tap, &value) in taps.iter().enumerate() {
                sorted[tap * pairs + (place % self.inputs) * self.outputs + place / self.inputs] = value;
            }
        }
        sorted
    }

    /// One frequency: its share of Φ, its largest singular value, and its part of the gradient.
    fn visit(
        &self,
        kernel: &[f32],
        at: &Frequency,
        followed: &mut Followed,
        aim: f64,
        by_tap: &mut [f32],
    ) -> (f64, f64, f64) {
        let (rows, columns) = self.block();
        let matrix = self.matrix(kernel, at);
        let steps = if followed.started { 1 } else { FIRST_STEPS };
        // Each half step leaves orthogonal columns, so that dividing by their lengths makes a basis.
        let mut basis = Mat::<c32>::zeros(columns, 0);
        let mut sigma = Vec::new();
        for _ in 0..steps {
            basis = Mat::zeros(columns, followed.left.ncols());
            matmul(&mut basis, Accum::Replace, matrix.adjoint(), &followed.left, c32::new(1.0, 0.0), Par::Seq);
            orthogonalise(&mut basis);
            let mut image = Mat::zeros(rows, basis.ncols());
            matmul(&mut image, Accum::Replace, &matrix, &basis, c32::new(1.0, 0.0), Par::Seq);
            let turn;
            (sigma, turn) = orthogonalise(&mut image);
            if let Some(turn) = turn {
                basis = &basis * &turn;
            }
            followed.left = image;
        }
        followed.started = true;
        let top = sigma.first().copied().unwrap_or(0.0);
        let above = sigma.iter().take_while(|&&sigma| sigma > aim).count();
        let part: f64 =
            sigma[..above].iter().map(|sigma| (sigma - aim).powi(2)).sum::<f64>() * 0.5 * f64::from(at.weight);
        if above > 0 && !by_tap.is_empty() {
            self.add_gradient(at, &followed.left, &sigma[..above], aim, &basis, by_tap);
        }
        if above + 1 >= sigma.len() && sigma.len() < rows.min(columns) {
            widen(followed, rows.min(columns), above);
        }
        (part, top, above as f64 * f64::from(at.weight) * self.pixels)
    }

    fn matrix(&self, kernel: &[f32], at: &Frequency) -> Mat<c32> {
        let (rows, columns) = self.block();
        let mut matrix = Mat::<c32>::zeros(rows, columns);
        for (alias, phases) in at.phases.iter().enumerate() {
            for (phase, values) in phases.iter().zip(kernel.chunks_exact(self.outputs * self.inputs)) {
                for input in 0..self.inputs {
                    let column = matrix.col_as_slice_mut(alias * self.inputs + input);
                    for (cell, &value) in column.iter_mut().zip(&values[input * self.outputs..]) {
                        cell.re += phase.re * value;
                        cell.im += phase.im * value;
                    }
                }
            }
        }
        matrix
    }

    /// `Σ_i (σ_i − aim) u_i v_i*` at this frequency, taken back to the taps.
    fn add_gradient(
        &self,
        at: &Frequency,
        left: &Mat<c32>,
        sigma: &[f64],
        aim: f64,
        basis: &Mat<c32>,
        by_tap: &mut [f32],
    ) {
        let (rows, columns) = self.block();
        let scaled = Mat::from_fn(rows, sigma.len(), |i, j| left[(i, j)] * ((sigma[j] - aim) as f32 * at.weight));
        let mut residual = Mat::<c32>::zeros(rows, columns);
        let basis = basis.subcols(0, sigma.len());
        matmul(&mut residual, Accum::Replace, &scaled, basis.adjoint(), c32::new(1.0, 0.0), Par::Seq);
        for (alias, phases) in at.phases.iter().enumerate() {
            for (phase, values) in phases.iter().zip(by_tap.chunks_exact_mut(self.outputs * self.inputs)) {
                for input in 0..self.inputs {
                    let column = residual.col_as_slice(alias * self.inputs + input);
                    for (cell, value) in column.iter().zip(&mut values[input * self.outputs..]) {
                        // Re(conj(phase) · cell)
                        *value += phase.re * cell.re + phase.im * cell.im;
                    }
                }
            }
        }
    }
}

/// `e^{−i⟨ω, t⟩} / sqrt(s²)` for every alias of coarse frequency `at` and every tap.
fn phases(at: [usize; 2], coarse: [usize; 2], kernel: [usize; 2], stride: [usize; 2]) -> Vec<Vec<c32>> {
    let angle = |axis: usize, alias: usize| {
        let fine = (coarse[axis] * stride[axis]) as f64;
        std::f64::consts::TAU * (at[axis] + alias * coarse[axis]) as f64 / fine
    };
    let scale = 1.0 / ((stride[0] * stride[1]) as f64).sqrt();
    let mut all = Vec::new();
    for down in 0..stride[0] {
        for across in 0..stride[1] {
            let (wy, wx) = (angle(0, down), angle(1, across));
            let taps = (0..kernel[0]).flat_map(|y| (0..kernel[1]).map(move |x| (y, x)));
            all.push(
                taps.map(|(y, x)| {
                    let (sin, cos) = (wy * y as f64 + wx * x as f64).sin_cos();
                    c32::new((cos * scale) as f32, (-sin * scale) as f32)
                })
                .collect(),
            );
        }
    }
    all
}

fn random_block(rows: usize, columns: usize, random: &mut Random) -> Mat<c32> {
    let mut block = Mat::from_fn(rows, columns, |_, _| c32::new(random.normal() as f32, random.normal() as f32));
    orthogonalise(&mut block);
    block
}

/// Turn the columns so that they are orthogonal, longest first, and divide them by their lengths. Gives the
/// lengths and the turn. Columns shorter than rounding become zero.
fn orthogonalise(block: &mut Mat<c32>) -> (Vec<f64>, Option<Mat<c32>>) {
    let p = block.ncols();
    let mut gram = Mat::<c32>::zeros(p, p);
    matmul(&mut gram, Accum::Replace, block.adjoint(), &*block, c32::new(1.0, 0.0), Par::Seq);
    let Ok(eigen) = gram.self_adjoint_eigen(Side::Lower) else {
        return (vec![f64::NAN; p], None);
    };
    let turn = Mat::from_fn(p, p, |i, j| eigen.U()[(i, p - 1 - j)]);
    *block = &*block * &turn;
    let lengths: Vec<f64> = (0..p).map(|j| f64::from(eigen.S()[p - 1 - j].re.max(0.0)).sqrt()).collect();
    let floor = 1e-5 * lengths.first().copied().unwrap_or(0.0);
    for (j, &length) in lengths.iter().enumerate() {
        let scale = if length > floor { (1.0 / length) as f32 } else { 0.0 };
        for z in block.col_as_slice_mut(j) {
            *z *= scale;
        }
    }
    (lengths, Some(turn))
}

/// More vectors, as all that are followed are above the target.
fn widen(followed: &mut Followed, most: usize, above: usize) {
    let (rows, p) = (followed.left.nrows(), followed.left.ncols());
    let more = (above + 2 * GUARD).max(p + GUARD).min(most);
    let mut random = Random::new(p as u64, "widen");
    let fresh = random_block(rows, more - p, &mut random);
    followed.left = Mat::from_fn(rows, more, |i, j| if j < p { followed.left[(i, j)] } else { fresh[(i, j - p)] });
    followed.started = false;
}
