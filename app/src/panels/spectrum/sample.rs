//! Made-up reports for tests: what the engine would say, without an engine.

use plumb_spectrum::geometry::{Geometry, OpKind};
use plumb_spectrum::report::{
    ChannelImages, ClipOutcome, ClipPreview, FrequencyMap, GeometrySource, LayerDetail, LayerReport, Mark, MarkKind,
    Skipped, SpectrumReport, Trace, Triplet,
};
use plumb_spectrum::spec::{ClipMethod, Method};

/// A layer with `count` singular values that fall off smoothly from `first`.
pub fn layer(name: &str, first: f64, count: usize) -> LayerReport {
    let sigma: Vec<f64> = (0..count).map(|i| first * (1.0 - i as f64 / count as f64).powi(2)).collect();
    let frobenius = sigma.iter().map(|s| s * s).sum::<f64>().sqrt();
    LayerReport {
        name: name.to_owned(),
        op: OpKind::Conv2d,
        weight_shape: vec![16, 8, 3, 3],
        input_shape: vec![8, 8, 8],
        output_shape: vec![16, 8, 8],
        geometry: Geometry { input: [8, 8], padding: [1, 1], ..Geometry::default() },
        geometry_source: GeometrySource::File,
        stable_rank: frobenius * frobenius / (first * first),
        sigma,
        count: 512,
        method: Method::Krylov,
        iterations: 24,
        residual: 3e-6,
        converged: true,
        frobenius,
        reshaped_norm: first * 0.62,
        condition: None,
        seconds: 0.021,
        problem: None,
    }
}

/// A report with one row of every kind.
pub fn report() -> SpectrumReport {
    let mut layers = vec![
        layer("stem.weight", 2.31, 4),
        layer("block1.conv1.weight", 1.87, 4),
        layer("block1.conv2.weight", 3.42, 4),
        layer("a.very.long.module.path.that.does.not.fit.into.a.column.conv.weight", 0.94, 4),
        layer("head.weight", 1.20, 10),
    ];
    layers[1].geometry_source = GeometrySource::Guessed;
    layers[2].converged = false;
    layers[3].sigma.clear();
    layers[3].problem = Some("the weight holds 3 values that are not numbers".to_owned());
    layers[4].op = OpKind::Dense;
    layers[4].method = Method::Dense;
    layers[4].condition = Some(14.2);
    let skipped =
        vec![Skipped { name: "position.table".to_owned(), reason: "a lookup table is not a linear map".to_owned() }];
    SpectrumReport { file: "embedded:digits-resnet8".to_owned(), layers, skipped }
}

/// A detail of the first layer.
pub fn detail() -> LayerDetail {
    let images = |channels: usize, flip: f32| ChannelImages {
        channels,
        height: 8,
        width: 8,
        values: (0..channels * 64).map(|i| flip * ((i % 8) as f32 - 3.5) * ((i / 8 % 8) as f32 - 3.0) / 12.0).collect(),
    };
    let mark = |label: &str, value: f64, kind: MarkKind| Mark {
        label: label.to_owned(),
        note: "What it is and when it is right.".to_owned(),
        value,
        kind,
        relative_error: (value - 2.31) / 2.31,
        seconds: 0.004,
    };
    LayerDetail {
        layer: layer("stem.weight", 2.31, 256),
        complete: false,
        marks: vec![
            mark("Block Krylov", 2.31, MarkKind::Estimate),
            mark("Fourier (Sedghi)", 2.36, MarkKind::Other),
            mark("Gram iteration", 2.52, MarkKind::UpperBound),
            mark("Reshaped kernel (Miyato)", 1.43, MarkKind::Other),
        ],
        traces: vec![Trace {
            label: "Block Krylov".to_owned(),
            sigma: vec![1.6, 2.1, 2.29, 2.31],
            applications: vec![4.0, 8.0, 12.0, 16.0],
        }],
        triplets: vec![
            Triplet { sigma: 2.31, right: images(8, 1.0), left: images(16, -1.0) },
            Triplet { sigma: 2.11, right: images(8, -0.5), left: images(16, 0.5) },
        ],
        frequency: Some(FrequencyMap {
            height: 8,
            width: 8,
            sigma: (0..64)
                .map(|i| 2.3 - 0.03 * ((i % 8) as f32 - 4.0).powi(2) - 0.05 * ((i / 8) as f32 - 4.0).powi(2))
                .collect(),
            exact: false,
            note: "The layer pads with zeros: near the border its response differs from this map.".to_owned(),
        }),
    }
}

/// A preview of clipping the first layer to one.
pub fn preview() -> ClipPreview {
    let before = detail().layer.sigma;
    let outcome = |method: ClipMethod, sigma: Vec<f64>, kept: f64| ClipOutcome {
        method,
        sigma,
        kept,
        near_target: 31,
        truncation_error: if method == ClipMethod::Fourier { 0.14 } else { 0.0 },
        weight_change: 0.21,
        steps: 4,
        reached: method != ClipMethod::Fourier,
        seconds: 0.011,
    };
    let clipped = before.iter().map(|s| s.min(1.0)).collect();
    let scaled = before.iter().map(|s| s / 2.31).collect();
    let fourier = before.iter().map(|s| s.min(1.14)).collect();
    ClipPreview {
        name: "stem.weight".to_owned(),
        to: 1.0,
        before,
        complete: false,
        outcomes: vec![
            outcome(ClipMethod::FastClip, clipped, 0.81),
            outcome(ClipMethod::Scale, scaled, 0.43),
            outcome(ClipMethod::Fourier, fourier, 0.84),
        ],
    }
}
