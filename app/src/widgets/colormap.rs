//! Colour maps from the theme's stops.

use egui::Color32;

/// Colour at `position` in 0..=1 between evenly spaced stops.
pub fn sample(stops: &[Color32], position: f32) -> Color32 {
    let Some(last) = stops.len().checked_sub(1) else { return Color32::TRANSPARENT };
    if !position.is_finite() {
        return Color32::TRANSPARENT;
    }
    let at = position.clamp(0.0, 1.0) * last as f32;
    let low = (at.floor() as usize).min(last);
    let high = (low + 1).min(last);
    stops[low].lerp_to_gamma(stops[high], at - low as f32)
}

/// Which colours stand for a range of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMap {
    /// From small to large.
    Sequential,
    /// Negative, zero, positive.
    Diverging,
}

impl ColorMap {
    /// The theme's stops of this map.
    pub fn stops(self, tokens: &crate::theme::Tokens) -> Vec<Color32> {
        match self {
            Self::Sequential => tokens.heat.clone(),
            Self::Diverging => vec![tokens.series[0], tokens.surface_sunken, tokens.series[1]],
        }
    }

    /// The colour of `value` in `range`.
    pub fn color(stops: &[Color32], range: [f32; 2], value: f32) -> Color32 {
        let width = range[1] - range[0];
        let position = if width > 0.0 { (value - range[0]) / width } else { 0.5 };
        sample(stops, position)
    }
}

/// Smallest and largest finite value; `[0, 0]` where there is none.
pub fn range_of(values: &[f32]) -> [f32; 2] {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low <= high { [low, high] } else { [0.0, 0.0] }
}

/// A range around zero that holds all finite values.
pub fn symmetric_range(values: &[f32]) -> [f32; 2] {
    let [low, high] = range_of(values);
    let size = low.abs().max(high.abs());
    [-size, size]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_bad_values() {
        let stops = [Color32::TRANSPARENT, crate::theme::UNTINTED];
        assert_eq!(sample(&stops, 0.0), Color32::TRANSPARENT);
        assert_eq!(sample(&stops, 2.0), crate::theme::UNTINTED);
        assert_eq!(sample(&stops, f32::NAN), Color32::TRANSPARENT);
        assert_eq!(range_of(&[f32::NAN]), [0.0, 0.0]);
        assert_eq!(symmetric_range(&[-3.0, 1.0]), [-3.0, 3.0]);
    }
}
