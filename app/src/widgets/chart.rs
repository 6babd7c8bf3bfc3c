//! A chart as data: the same value is drawn in the window, drawn again into a picture and written as CSV.

use egui_plot::PlotPoint;

use crate::widgets::format;

/// One axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// Even ratios instead of even steps.
    pub log: bool,
}

impl Axis {
    /// An axis with even steps.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: false }
    }

    /// An axis with even ratios if `log` is set.
    pub fn scaled(label: impl Into<String>, log: bool) -> Self {
        Self { label: label.into(), log }
    }
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// A line.
    Line,
    /// A dashed line.
    Dashed,
    /// A line with a dot on every value: for few values.
    Dots,
    /// Upright bars of this width.
    Bars(f64),
}

/// Values that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend and in the CSV.
    pub name: String,
    /// x and y in the units of the axes.
    pub points: Vec<PlotPoint>,
    /// How to draw them.
    pub draw: Draw,
    /// Which of the theme's series colours.
    pub color: usize,
}

impl Series {
    /// Values against their position, counted from one.
    pub fn ranked(name: impl Into<String>, values: &[f64], draw: Draw, color: usize) -> Self {
        let points = values.iter().enumerate().map(|(i, y)| PlotPoint::new((i + 1) as f64, *y)).collect();
        Self { name: name.into(), points, draw, color }
    }

    /// Pairs.
    pub fn pairs(name: impl Into<String>, pairs: impl IntoIterator<Item = [f64; 2]>, draw: Draw, color: usize) -> Self {
        Self { name: name.into(), points: pairs.into_iter().map(|[x, y]| PlotPoint::new(x, y)).collect(), draw, color }
    }
}

/// A height that means something: a bound, a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Name in the legend and in the CSV.
    pub name: String,
    /// Height in the unit of the y axis.
    pub value: f64,
    /// Which of the theme's series colours; `None` for the accent colour.
    pub color: Option<usize>,
    /// Whether it can be dragged.
    pub draggable: bool,
}

/// A region that means something: where controls lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Name in the legend and in the CSV.
    pub name: String,
    /// From and to, in the unit of the x axis.
    pub x: [f64; 2],
    /// From and to, in the unit of the y axis.
    pub y: [f64; 2],
}

/// Where the legend stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LegendPlace {
    /// No legend: there is one series and the title names it.
    #[default]
    None,
    /// At the top right, for curves that fall.
    TopRight,
    /// At the bottom right, for curves that rise.
    BottomRight,
}

/// Everything a chart shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// Curves and bars.
    pub series: Vec<Series>,
    /// Horizontal lines.
    pub levels: Vec<Level>,
    /// Grey regions behind everything.
    pub bands: Vec<Band>,
    /// Legend.
    pub legend: LegendPlace,
    /// Heights that must be inside the frame.
    pub include_y: Vec<f64>,
}

impl Chart {
    /// `series,x,y` lines; levels have no x.
    pub fn csv(&self) -> String {
        let mut out = format::csv_line(["series", self.x.label.as_str(), self.y.label.as_str()]);
        for series in &self.series {
            for point in &series.points {
                out += &format::csv_line([series.name.as_str(), &point.x.to_string(), &point.y.to_string()]);
            }
        }
        for level in &self.levels {
            out += &format::csv_line([level.name.as_str(), "", &level.value.to_string()]);
        }
        for band in &self.bands {
            for corner in 0..2 {
                out += &format::csv_line([&band.name, &band.x[corner].to_string(), &band.y[corner].to_string()]);
            }
        }
        out
    }

    /// One sentence for the accessibility tree.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        for series in &self.series {
            let ys = series.points.iter().map(|p| p.y).filter(|y| y.is_finite());
            let (low, high) = ys.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| (a.min(y), b.max(y)));
            if low <= high {
                let count = format::counted(series.points.len(), "value", "values");
                let (low, high) = (format::number(low), format::number(high));
                parts.push(format!("{}: {count} from {low} to {high}", series.name));
            }
        }
        format!("{}. {}", self.title, parts.join("; "))
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.points.is_empty())
    }
}

/// Where a value stands on an axis; `None` where a logarithm has no place for it.
pub fn place(value: f64, log: bool) -> Option<f64> {
    let placed = if log { value.log10() } else { value };
    placed.is_finite().then_some(placed)
}

/// The value at a place.
pub fn value_at(place: f64, log: bool) -> f64 {
    if log { 10f64.powf(place) } else { place }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_holds_everything_the_picture_shows() {
        let chart = Chart {
            title: "Singular values".to_owned(),
            x: Axis::linear("index"),
            y: Axis::linear("σ"),
            series: vec![Series::ranked("before", &[2.0, 1.0], Draw::Line, 0)],
            levels: vec![Level { name: "target".to_owned(), value: 1.5, color: None, draggable: true }],
            ..Chart::default()
        };
        assert_eq!(chart.csv(), "series,index,σ\nbefore,1,2\nbefore,2,1\ntarget,,1.5\n");
        assert_eq!(chart.summary(), "Singular values. before: 2 values from 1.000 to 2.000");
        assert_eq!(place(0.0, true), None);
        assert!((value_at(2.0, true) - 100.0).abs() < 1e-9);
    }
}
