//! The frame around a plot: title, controls of the caller, and a menu that copies or saves what is shown.

use egui::{Id, Rect, Role, Sense, Ui, Vec2, WidgetInfo, vec2};
use egui_plot::{
    Bar, BarChart, Corner, GridInput, GridMark, HLine, HoverPosition, Legend, Line, LineStyle, Plot, PlotPoint,
    PlotPoints, Points, Polygon,
};

use crate::theme::{Tokens, UiExt as _};
use crate::widgets::chart::{Chart, Draw, LegendPlace, Level, Series, place, value_at};
use crate::widgets::{format, picture};

/// A file the user asked for; the panel opens the dialog and writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveRequest {
    /// Suggested file name with its extension.
    pub name: String,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// What happened to a chart.
#[derive(Debug, Default)]
pub struct ChartOutcome {
    /// A draggable level was moved to this value.
    pub dragged: Option<f64>,
    /// The drag ended in this frame.
    pub drag_ended: bool,
    /// A point was clicked: number of the series, and of the point in it.
    pub clicked: Option<(usize, usize)>,
    /// A file is wanted.
    pub save: Option<SaveRequest>,
}

/// A click this near to a point means it, in points of the screen.
const NEAR: f32 = 14.0;

/// Size of a saved picture in points; it is drawn at twice as many pixels.
const PICTURE: Vec2 = vec2(900.0, 520.0);

/// Draw title, controls, menu and plot, `height` points in all.
pub fn chart_ui(ui: &mut Ui, id: Id, height: f32, chart: &Chart, controls: impl FnOnce(&mut Ui)) -> ChartOutcome {
    let mut outcome = ChartOutcome::default();
    ui.vertical(|ui| {
        let top = ui.cursor().top();
        egui::Sides::new().shrink_left().truncate().show(
            ui,
            |ui| {
                let title = egui::RichText::new(&chart.title).strong().color(ui.tokens().text_strong);
                ui.label(title).on_hover_text(&chart.title);
            },
            |ui| {
                let name = format!("Export {}", chart.title);
                let button = ui.menu_button("Export", |ui| menu(ui, chart, &mut outcome)).response;
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                button.on_hover_text("Copy or save what this plot shows");
                controls(ui);
            },
        );
        let left = (height - (ui.cursor().top() - top)).max(80.0);
        plot(ui, id, vec2(ui.available_width(), left), chart, &mut outcome);
    });
    outcome
}

fn menu(ui: &mut Ui, chart: &Chart, outcome: &mut ChartOutcome) {
    let stem = format::file_stem(&chart.title.to_lowercase());
    if ui.button("Copy CSV").clicked() {
        ui.ctx().copy_text(chart.csv());
        ui.close();
    }
    if ui.button("Save CSV…").clicked() {
        outcome.save = Some(SaveRequest { name: format!("{stem}.csv"), bytes: chart.csv().into_bytes() });
        ui.close();
    }
    if ui.button("Save PNG…").clicked() {
        let bytes = picture::png(ui.ctx(), PICTURE, |ui| {
            chart_ui_for_picture(ui, chart);
        });
        outcome.save = Some(SaveRequest { name: format!("{stem}.png"), bytes });
        ui.close();
    }
}

/// Title and plot without controls, for a picture.
pub fn chart_ui_for_picture(ui: &mut Ui, chart: &Chart) {
    let title = egui::RichText::new(&chart.title).heading().color(ui.tokens().text_strong);
    ui.label(title);
    let size = ui.available_size();
    plot(ui, Id::unique("picture"), size, chart, &mut ChartOutcome::default());
}

fn plot(ui: &mut Ui, id: Id, size: Vec2, chart: &Chart, outcome: &mut ChartOutcome) {
    let tokens = ui.tokens();
    let (x_log, y_log) = (chart.x.log, chart.y.log);
    let mut plot = Plot::new((id, x_log, y_log))
        .width(size.x)
        .height(size.y)
        .x_axis_label(egui::RichText::new(&chart.x.label).small().color(tokens.text_weak))
        .y_axis_label(egui::RichText::new(&chart.y.label).small().color(tokens.text_weak))
        .grid_color(tokens.border_strong)
        .grid_fade(0.9)
        .allow_scroll(false)
        // Not a stop of the Tab key: there is nothing in a plot that a key could do.
        .sense(Sense::CLICK | Sense::DRAG)
        .allow_boxed_zoom(false)
        .set_margin_fraction(vec2(0.03, 0.08))
        .y_axis_min_width(44.0)
        .x_axis_formatter(move |mark, range| {
            // The last one would be cut off at the edge of the plot.
            let edge = range.end() - (range.end() - range.start()) * 0.015;
            if mark.value > edge { String::new() } else { axis_text(mark, range, x_log) }
        })
        .y_axis_formatter(move |mark, range| axis_text(mark, range, y_log))
        .label_formatter(|hover| hover_text(chart, hover));
    plot = if x_log {
        plot.x_grid_spacer(|input| log_marks(&input))
    } else {
        plot.x_grid_spacer(|input| even_marks(&input, 9.0))
    };
    plot = if y_log {
        plot.y_grid_spacer(|input| log_marks(&input))
    } else {
        plot.y_grid_spacer(|input| even_marks(&input, 4.5))
    };
    for height in chart.include_y.iter().filter_map(|y| place(*y, y_log)) {
        plot = plot.include_y(height);
    }
    let corner = match chart.legend {
        LegendPlace::None => None,
        LegendPlace::TopRight => Some(Corner::RightTop),
        LegendPlace::BottomRight => Some(Corner::RightBottom),
    };
    if let Some(corner) = corner {
        let legend = Legend::default()
            .position(corner)
            .follow_insertion_order(true)
            .text_style(egui::TextStyle::Small)
            .background_alpha(0.85);
        plot = plot.legend(legend);
    }
    let shown = plot.show(ui, |plot| {
        for band in &chart.bands {
            let corner = |x: usize, y: usize| Some([place(band.x[x], x_log)?, place(band.y[y], y_log)?]);
            let corners: Option<Vec<[f64; 2]>> =
                [(0, 0), (1, 0), (1, 1), (0, 1)].into_iter().map(|(x, y)| corner(x, y)).collect();
            if let Some(corners) = corners {
                let grey = tokens.text_weak.gamma_multiply(0.18);
                let edge = egui::Stroke::new(1.0, tokens.text_weak.gamma_multiply(0.5));
                plot.polygon(Polygon::new(&band.name, corners).fill_color(grey).stroke(edge).allow_hover(false));
            }
        }
        for series in &chart.series {
            draw_series(plot, series, chart, tokens);
        }
        for level in &chart.levels {
            if let Some(height) = place(level.value, y_log) {
                plot.hline(level_line(level, height, tokens));
            }
        }
    });
    let summary = chart.summary();
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &summary));
    if let Some(pointer) = shown.response.interact_pointer_pos().filter(|_| shown.response.clicked()) {
        outcome.clicked = nearest(chart, &shown.transform, pointer);
    }
    if chart.legend == LegendPlace::None {
        name_levels(ui, &shown.transform, chart, tokens);
    }
    for level in chart.levels.iter().filter(|level| level.draggable) {
        let Some(height) = place(level.value, y_log) else { continue };
        let y = shown.transform.position_from_point(&PlotPoint::new(0.0, height)).y;
        let frame = *shown.transform.frame();
        if !frame.y_range().contains(y) {
            continue;
        }
        let handle = Rect::from_x_y_ranges(frame.x_range(), (y - 5.0)..=(y + 5.0));
        let response = ui.interact(handle, id.with(("level", &level.name)), Sense::DRAG);
        response.widget_info(|| WidgetInfo::slider(true, level.value, &level.name));
        let response = response.on_hover_and_drag_cursor(egui::CursorIcon::ResizeVertical);
        if response.dragged()
            && let Some(pointer) = response.interact_pointer_pos()
        {
            outcome.dragged = Some(value_at(shown.transform.value_from_position(pointer).y, y_log));
        }
        outcome.drag_ended |= response.drag_stopped();
    }
}

/// The point next to the pointer, if one is near.
fn nearest(chart: &Chart, transform: &egui_plot::PlotTransform, pointer: egui::Pos2) -> Option<(usize, usize)> {
    let mut best = (NEAR, None);
    for (i, series) in chart.series.iter().enumerate() {
        for (j, point) in series.points.iter().enumerate() {
            if let (Some(x), Some(y)) = (place(point.x, chart.x.log), place(point.y, chart.y.log)) {
                let distance = transform.position_from_point(&PlotPoint::new(x, y)).distance(pointer);
                if distance < best.0 {
                    best = (distance, Some((i, j)));
                }
            }
        }
    }
    best.1
}

fn draw_series<'a>(plot: &mut egui_plot::PlotUi<'a>, series: &'a Series, chart: &Chart, tokens: &Tokens) {
    let color = tokens.series[series.color % tokens.series.len()];
    let (x_log, y_log) = (chart.x.log, chart.y.log);
    let placed = || -> PlotPoints<'a> {
        if x_log || y_log {
            let points = series.points.iter().filter_map(|p| Some([place(p.x, x_log)?, place(p.y, y_log)?]));
            PlotPoints::new(points.collect())
        } else {
            PlotPoints::Borrowed(&series.points)
        }
    };
    match series.draw {
        Draw::Line => plot.line(Line::new(&series.name, placed()).color(color).width(2.0)),
        Draw::Dashed => plot
            .line(Line::new(&series.name, placed()).color(color).width(2.0).style(LineStyle::Dashed { length: 6.0 })),
        Draw::Dots => {
            plot.line(Line::new(&series.name, placed()).color(color).width(1.5));
            plot.points(Points::new(&series.name, placed()).color(color).radius(2.5));
        }
        Draw::Bars(width) => {
            let bars = series.points.iter().map(|p| Bar::new(p.x, p.y).width(width * 0.94)).collect();
            let name = series.name.clone();
            let chart = BarChart::new(&series.name, bars).color(color).element_formatter(Box::new(move |bar, _| {
                let half = bar.bar_width / 2.0;
                let ends = [bar.argument - half, bar.argument + half].map(format::number);
                format!("{name}\n{} to {}\n{}", ends[0], ends[1], format::number(bar.value))
            }));
            plot.bar_chart(chart);
        }
    }
}

/// Names of the levels at their right ends, pushed apart where the levels are close.
fn name_levels(ui: &Ui, transform: &egui_plot::PlotTransform, chart: &Chart, tokens: &Tokens) {
    let frame = *transform.frame();
    let font = egui::TextStyle::Small.resolve(ui.style());
    let gap = font.size + 3.0;
    let height = |level: &Level| {
        let place = place(level.value, chart.y.log)?;
        Some(transform.position_from_point(&PlotPoint::new(0.0, place)).y).filter(|y| frame.y_range().contains(*y))
    };
    let mut named: Vec<(f32, &Level)> = chart.levels.iter().filter_map(|l| Some((height(l)?, l))).collect();
    named.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut next = frame.top() + gap * 0.6;
    let mut places = Vec::new();
    for (y, _) in &named {
        next = next.max(y - gap * 0.55);
        places.push(next);
        next += gap;
    }
    let over = (next - gap * 0.4 - frame.bottom()).max(0.0);
    let painter = ui.painter().with_clip_rect(frame);
    for ((_, level), y) in named.iter().zip(places) {
        let color = level.color.map_or(tokens.text_strong, |color| tokens.series[color % tokens.series.len()]);
        let text = format!("{} {}", level.name, format::number(level.value));
        let galley = painter.layout_no_wrap(text, font.clone(), color);
        let corner = egui::pos2(frame.right() - galley.size().x - 8.0, y - over - galley.size().y / 2.0);
        let back = Rect::from_min_size(corner, galley.size()).expand2(vec2(3.0, 0.0));
        painter.rect_filled(back, 2, tokens.surface_sunken.gamma_multiply(0.85));
        painter.galley(corner, galley, color);
    }
}

fn level_line(level: &Level, height: f64, tokens: &Tokens) -> HLine {
    let color = level.color.map_or(tokens.text_strong, |color| tokens.series[color % tokens.series.len()]);
    let line = HLine::new(&level.name, height).color(color);
    if level.draggable { line.width(2.0) } else { line.width(1.3).style(LineStyle::Dashed { length: 5.0 }) }
}

fn hover_text(chart: &Chart, hover: &HoverPosition<'_>) -> Option<String> {
    let HoverPosition::NearDataPoint { plot_name, position, .. } = hover else { return None };
    let x = value_at(position.x, chart.x.log);
    let y = value_at(position.y, chart.y.log);
    let (x_name, y_name) = (&chart.x.label, &chart.y.label);
    Some(format!("{plot_name}\n{x_name}: {}\n{y_name}: {}", format::tick(x), format::number(y)))
}

/// Steps of 1, 2 or 5 times a power of ten, at least `least` times as wide as the narrowest that can be seen.
fn even_marks(input: &GridInput, least: f64) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    let wanted = input.base_step_size * least;
    if !(wanted > 0.0 && low.is_finite() && high.is_finite()) {
        return Vec::new();
    }
    let power = 10f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= wanted).unwrap_or(wanted);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last.min(first + 200)).map(|i| GridMark { value: i as f64 * step, step_size: step }).collect()
}

/// Decades, and their parts where there are few decades.
fn log_marks(input: &GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    if !(low.is_finite() && high.is_finite()) || high - low > 400.0 {
        return Vec::new();
    }
    let mut marks = Vec::new();
    let stride = ((high - low) / 8.0).ceil().max(1.0);
    let mut decade = (low / stride).floor() * stride;
    while decade <= high {
        marks.push(GridMark { value: decade, step_size: stride });
        if high - low < 3.0 {
            for part in 2..10 {
                marks.push(GridMark { value: decade + f64::from(part).log10(), step_size: 0.3 });
            }
        }
        decade += stride;
    }
    marks.retain(|mark| (low..=high).contains(&mark.value));
    marks
}

fn axis_text(mark: GridMark, range: &std::ops::RangeInclusive<f64>, log: bool) -> String {
    if !log {
        return format::tick(mark.value);
    }
    let decades = range.end() - range.start();
    let lead = 10f64.powf(mark.value - mark.value.floor()).round();
    let whole = (mark.value - mark.value.round()).abs() < 1e-9;
    let shown = whole || decades < 0.8 || (decades < 2.0 && (lead == 2.0 || lead == 5.0));
    if shown { format::tick(10f64.powf(mark.value)) } else { String::new() }
}
