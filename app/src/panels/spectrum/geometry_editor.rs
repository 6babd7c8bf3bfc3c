//! How the selected kernel is applied: what the file does not say can be corrected here.

use egui::{ComboBox, DragValue, Grid, RichText, ScrollArea, Ui};
use plumb_spectrum::geometry::{Geometry, OpKind, PaddingMode};
use plumb_spectrum::report::{GeometrySource, LayerReport};

use super::action::Action;
use super::layers::op_name;
use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::{format, keep, scroll, status};

/// What is being edited; starts over when another layer is selected.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    layer: String,
    op: Option<OpKind>,
    geometry: Geometry,
}

fn mode_name(mode: PaddingMode) -> &'static str {
    match mode {
        PaddingMode::Zeros => "zeros",
        PaddingMode::Circular => "circular",
        PaddingMode::Reflect => "reflect",
        PaddingMode::Replicate => "replicate",
    }
}

fn source_look(source: GeometrySource) -> (Mark, Tone, &'static str) {
    match source {
        GeometrySource::File => (Mark::Disc, Tone::Good, "from the file"),
        GeometrySource::Saved => (Mark::Check, Tone::Good, "from the table saved beside the file"),
        GeometrySource::Guessed => (Mark::Diamond, Tone::Caution, "guessed from shape and name: check it"),
        GeometrySource::Given => (Mark::Cut, Tone::Changed, "given by you"),
    }
}

/// Which maps a weight of this shape can stand for.
fn ops_for(rank: usize) -> &'static [OpKind] {
    match rank {
        1 => &[OpKind::BatchNorm],
        3 => &[OpKind::Conv1d, OpKind::ConvTranspose1d, OpKind::Dense],
        4 => &[OpKind::Conv2d, OpKind::ConvTranspose2d, OpKind::Dense],
        _ => &[OpKind::Dense],
    }
}

/// Why a geometry cannot be applied to a weight of this shape; `None` if it can.
pub fn problem(op: OpKind, shape: &[usize], geometry: &Geometry) -> Option<String> {
    if matches!(op, OpKind::Dense | OpKind::BatchNorm) {
        return None;
    }
    if geometry.stride.contains(&0) || geometry.dilation.contains(&0) {
        return Some("Stride and dilation are at least 1.".to_owned());
    }
    if geometry.groups == 0 || !shape.first().is_some_and(|n| n.is_multiple_of(geometry.groups)) {
        let n = shape.first().copied().unwrap_or(0);
        return Some(format!("{} groups do not divide {n} channels.", geometry.groups));
    }
    let kernel = match (op, shape) {
        (op, [.., k]) if op.has_one_axis() => [1, *k],
        (_, [.., h, w]) => [*h, *w],
        _ => return Some("A convolution needs a weight with three or four dimensions.".to_owned()),
    };
    for (axis, &reach) in kernel.iter().enumerate().skip(usize::from(op.has_one_axis())) {
        let name = if axis == 0 { "high" } else { "wide" };
        let size = geometry.input[axis];
        let [before, after] = geometry.sides(axis);
        let (padded, padding) = (size + before + after, before.max(after));
        let reach = geometry.dilation[axis] * (reach.max(1) - 1) + 1;
        if !op.is_transposed() && reach > padded {
            return Some(format!("The kernel reaches over {reach} pixels, the padded input is only {padded} {name}."));
        }
        let limit = match geometry.padding_mode {
            PaddingMode::Reflect => size.saturating_sub(1),
            PaddingMode::Circular => size,
            _ => usize::MAX,
        };
        if padding > limit {
            let mode = mode_name(geometry.padding_mode);
            return Some(format!("{mode} padding of {padding} does not fit an input {size} pixels {name}."));
        }
        if op.is_transposed() && geometry.output_padding[axis] >= geometry.stride[axis].max(geometry.dilation[axis]) {
            return Some("Output padding must be smaller than stride or dilation.".to_owned());
        }
    }
    None
}

/// Draw the region.
pub fn ui(ui: &mut Ui, draft: &mut Draft, layer: &LayerReport, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    if draft.layer != layer.name {
        *draft = Draft { layer: layer.name.clone(), op: Some(layer.op), geometry: layer.geometry.clone() };
    }
    let mut op = draft.op.unwrap_or(layer.op);
    let one_axis = op.has_one_axis();
    let spatial = !matches!(op, OpKind::Dense | OpKind::BatchNorm);
    scroll::show(ui, "Geometry", ScrollArea::vertical().id_salt("geometry").auto_shrink(false), |ui| {
        ui.horizontal(|ui| {
            ui.label(RichText::new("Geometry").strong().color(tokens.text_strong));
            let (mark, tone, word) = source_look(layer.geometry_source);
            badge(ui, mark, tone, word);
        });
        let shapes = format!(
            "Weight {}, input {}, output {}",
            format::shape(&layer.weight_shape),
            format::shape(&layer.input_shape),
            format::shape(&layer.output_shape)
        );
        ui.label(RichText::new(shapes).small().color(tokens.text_weak));
        ui.add_space(8.0);
        Grid::new("geometry fields").num_columns(2).spacing([16.0, 8.0]).show(ui, |ui| {
            let field = |ui: &mut Ui, name: &str, hover: &str| {
                ui.label(RichText::new(name).color(tokens.text_weak)).on_hover_text(hover);
            };
            field(ui, "Operator", "Which linear map the weight stands for");
            let combo = ComboBox::from_id_salt("operator").selected_text(op_name(op)).show_ui(ui, |ui| {
                for option in ops_for(layer.weight_shape.len()) {
                    ui.selectable_value(&mut op, *option, op_name(*option));
                }
            });
            name_combo(&combo.response, "Operator", op_name(op));
            ui.end_row();
            if spatial {
                let geometry = &mut draft.geometry;
                field(ui, "Input size", "Height and width of one input, in pixels");
                pair(ui, "Input", &mut geometry.input, 1..=4096, one_axis.then_some(1));
                ui.end_row();
                field(ui, "Stride", "Step between output pixels");
                pair(ui, "Stride", &mut geometry.stride, 1..=64, one_axis.then_some(1));
                ui.end_row();
                let only = one_axis.then_some(1);
                if let Some(end) = &mut geometry.padding_end {
                    field(ui, "Padding before", "Pixels added above and to the left");
                    pair(ui, "Padding before", &mut geometry.padding, 0..=512, only);
                    ui.end_row();
                    field(ui, "Padding after", "Pixels added below and to the right");
                    pair(ui, "Padding after", end, 0..=512, only);
                } else {
                    field(ui, "Padding", "Pixels added on each side");
                    pair(ui, "Padding", &mut geometry.padding, 0..=512, only);
                }
                ui.end_row();
                field(ui, "Padding mode", "What the added pixels hold");
                let mode = geometry.padding_mode;
                let combo = ComboBox::from_id_salt("padding mode").selected_text(mode_name(mode)).show_ui(ui, |ui| {
                    for option in
                        [PaddingMode::Zeros, PaddingMode::Circular, PaddingMode::Reflect, PaddingMode::Replicate]
                    {
                        ui.selectable_value(&mut geometry.padding_mode, option, mode_name(option));
                    }
                });
                name_combo(&combo.response, "Padding mode", mode_name(mode));
                ui.end_row();
                field(ui, "Dilation", "Step between the taps of the kernel");
                pair(ui, "Dilation", &mut geometry.dilation, 1..=64, one_axis.then_some(1));
                ui.end_row();
                field(ui, "Groups", "Channel groups that do not mix");
                number(ui, "Groups", &mut geometry.groups, 1..=65536);
                ui.end_row();
                if op.is_transposed() {
                    field(ui, "Output padding", "Extra output rows and columns");
                    pair(ui, "Output padding", &mut geometry.output_padding, 0..=63, only);
                    ui.end_row();
                }
            }
        });
        draft.op = Some(op);
        ui.add_space(8.0);
        let problem = problem(op, &layer.weight_shape, &draft.geometry);
        if let Some(problem) = &problem {
            status::note(ui, problem);
            ui.add_space(4.0);
        }
        let changed = op != layer.op || draft.geometry != layer.geometry;
        ui.horizontal(|ui| {
            let apply = keep::button(ui, changed && problem.is_none(), "Apply and compute again");
            if apply.hover("Use this geometry for the layer and save it in a table beside the file").clicked() {
                let (layer, geometry) = (layer.name.clone(), draft.geometry.clone());
                actions.push(Action::SetGeometry { layer, op, geometry });
            }
            let revert = keep::button(ui, changed, "Revert");
            if revert.hover("Back to what the layer uses now").clicked() {
                draft.layer.clear();
            }
        });
        ui.add_space(4.0);
        let text =
            "The table is saved beside the file as NAME.geometry.ron. For embedded models it holds for this session.";
        ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
    });
}

fn name_combo(response: &egui::Response, name: &str, value: &str) {
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, format!("{name}: {value}")));
}

fn number(ui: &mut Ui, name: &str, value: &mut usize, range: std::ops::RangeInclusive<usize>) {
    let response = ui.add(DragValue::new(value).range(range).speed(0.1));
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::drag_value(true, *value as f64);
        info.label = Some(name.to_owned());
        info
    });
    response.on_hover_text(name);
}

/// Two numbers, or only one of them where there is one axis.
fn pair(ui: &mut Ui, name: &str, values: &mut [usize; 2], range: std::ops::RangeInclusive<usize>, only: Option<usize>) {
    ui.horizontal(|ui| {
        if let Some(axis) = only {
            number(ui, name, &mut values[axis], range);
        } else {
            number(ui, &format!("{name}, height"), &mut values[0], range.clone());
            ui.label("×");
            number(ui, &format!("{name}, width"), &mut values[1], range);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometry_that_does_not_fit_says_why() {
        let shape = [8, 4, 7, 7];
        let mut geometry = Geometry { input: [4, 4], ..Geometry::default() };
        assert!(problem(OpKind::Conv2d, &shape, &geometry).is_some_and(|p| p.contains("reaches over 7")));
        geometry.padding = [3, 3];
        assert_eq!(problem(OpKind::Conv2d, &shape, &geometry), None);
        geometry.groups = 3;
        assert!(problem(OpKind::Conv2d, &shape, &geometry).is_some_and(|p| p.contains("groups")));
        assert_eq!(problem(OpKind::Dense, &[3, 4], &geometry), None);
    }
}
