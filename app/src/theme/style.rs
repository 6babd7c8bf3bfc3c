//! Tokens into egui's style: one style for each theme, set once.

use egui::style::{ScrollStyle, Selection, WidgetVisuals, Widgets};
use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Theme, Visuals, vec2,
};

use super::{SEMIBOLD, Tokens, fonts};

/// Text style of page names.
pub const TITLE: &str = "title";

/// Fonts, image loaders and both styles.
pub fn apply(ctx: &Context) {
    fonts::install(ctx);
    egui_extras::install_image_loaders(ctx);
    for theme in [Theme::Dark, Theme::Light] {
        ctx.set_style_of(theme, style(theme));
    }
    // The shell binds these keys itself, so that they stand in the command table and the scale is saved.
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
}

/// Turn movement off where every picture must be the same (tests), or on.
pub fn animations(ctx: &Context, on: bool) {
    ctx.all_styles_mut(|style| {
        style.animation_time = if on { 0.1 } else { 0.0 };
        style.visuals.text_cursor.blink = on;
        if !on {
            style.scroll_animation = egui::style::ScrollAnimation::none();
        }
    });
}

fn style(theme: Theme) -> Style {
    let tokens = Tokens::of(theme);
    let sizes = tokens.sizes;
    let semibold = FontFamily::Name(SEMIBOLD.into());
    let mut style = Style { visuals: visuals(theme, tokens), animation_time: 0.1, ..Style::default() };
    style.text_styles = [
        (TextStyle::Small, FontId::new(sizes.small, FontFamily::Proportional)),
        (TextStyle::Body, FontId::new(sizes.body, FontFamily::Proportional)),
        (TextStyle::Button, FontId::new(sizes.body, FontFamily::Proportional)),
        (TextStyle::Heading, FontId::new(sizes.heading, semibold.clone())),
        (TextStyle::Name(TITLE.into()), FontId::new(sizes.title, semibold)),
        (TextStyle::Monospace, FontId::new(sizes.mono, FontFamily::Monospace)),
    ]
    .into();
    style.drag_value_text_style = TextStyle::Monospace;
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(tokens.space_3, 6.0);
    spacing.button_padding = vec2(10.0, 4.0);
    spacing.interact_size = vec2(32.0, tokens.row_height);
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(16);
    spacing.icon_width = 15.0;
    spacing.icon_width_inner = 8.0;
    spacing.icon_spacing = 6.0;
    spacing.indent = 16.0;
    spacing.slider_width = 160.0;
    spacing.slider_rail_height = 4.0;
    spacing.combo_width = 120.0;
    spacing.tooltip_width = 360.0;
    spacing.menu_width = 320.0;
    spacing.scroll = ScrollStyle { bar_width: 8.0, ..ScrollStyle::thin() };
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;
    style.url_in_tooltip = true;
    style.explanation_tooltips = false;
    style
}

fn visuals(theme: Theme, tokens: &Tokens) -> Visuals {
    let radius = CornerRadius::same(tokens.radius);
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    let state = |fill: Color32, edge: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, edge),
        corner_radius: radius,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    visuals.widgets = Widgets {
        noninteractive: state(tokens.surface, tokens.border, tokens.text),
        inactive: WidgetVisuals {
            // Rails of sliders and insides of check boxes, which must show on cards.
            bg_fill: tokens.surface_sunken,
            ..state(tokens.surface_raised, tokens.border, tokens.text)
        },
        hovered: state(tokens.surface_hover, tokens.border_strong, tokens.text_strong),
        active: state(tokens.surface_pressed, tokens.accent, tokens.text_strong),
        open: state(tokens.surface_hover, tokens.border_strong, tokens.text_strong),
    };
    visuals.selection = Selection { bg_fill: tokens.accent_quiet, stroke: Stroke::new(1.0, tokens.accent) };
    visuals.weak_text_color = Some(tokens.text_weak);
    visuals.hyperlink_color = tokens.accent;
    visuals.faint_bg_color = tokens.surface_raised;
    visuals.extreme_bg_color = tokens.surface_field;
    visuals.text_edit_bg_color = Some(tokens.surface_field);
    visuals.code_bg_color = tokens.surface_sunken;
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.danger;
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals.window_fill = tokens.surface_raised;
    visuals.window_stroke = Stroke::new(1.0, tokens.border);
    visuals.panel_fill = tokens.surface;
    let shadow = Shadow { offset: [0, 6], blur: 20, spread: 0, color: tokens.shadow };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = Shadow { offset: [0, 3], blur: 10, ..shadow };
    visuals.slider_trailing_fill = true;
    visuals.striped = false;
    visuals.image_loading_spinners = false;
    visuals.indent_has_left_vline = false;
    visuals.interact_cursor = None;
    visuals
}
