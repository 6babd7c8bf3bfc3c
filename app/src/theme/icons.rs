//! Icons: line drawings from Lucide (ISC licence, see `assets/icons/LICENSE.txt`) and the plumb bob, tinted by role.

use egui::{Color32, Image, ImageSource, Response, Ui, load::Bytes, vec2};

use super::UiExt as _;

macro_rules! icons {
    ($($(#[$doc:meta])* $name:ident => $file:literal,)*) => {
        /// One icon.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Icon {
            $(
                #[doc = concat!("`", $file, "`")]
                $name,
            )*
        }

        impl Icon {
            /// All of them, for the gallery.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            fn file(self) -> (&'static str, &'static [u8]) {
                match self {
                    $(
                        Self::$name => (
                            concat!("bytes://plumb/", $file, ".svg"),
                            include_bytes!(concat!("../../../assets/icons/", $file, ".svg")),
                        ),
                    )*
                }
            }
        }
    };
}

icons! {
    Activity => "activity",
    Archive => "archive",
    ArrowLeft => "arrow-left",
    ArrowRight => "arrow-right",
    Bell => "bell",
    Chart => "chart-line",
    Check => "check",
    ChevronDown => "chevron-down",
    ChevronRight => "chevron-right",
    CircleX => "circle-x",
    Close => "x",
    Columns => "columns-2",
    Compare => "git-compare",
    Copy => "copy",
    Cpu => "cpu",
    Download => "download",
    Error => "circle-alert",
    ExternalLink => "external-link",
    FileText => "file-text",
    Folder => "folder",
    FolderOpen => "folder-open",
    Help => "circle-question-mark",
    History => "history",
    Info => "info",
    Jobs => "list-checks",
    Layers => "layers",
    Loader => "loader",
    Menu => "menu",
    Monitor => "monitor",
    Moon => "moon",
    Play => "play",
    PlumbMark => "plumb-mark",
    Plus => "plus",
    Redo => "redo-2",
    Refresh => "refresh-cw",
    Reset => "rotate-ccw",
    Save => "save",
    Search => "search",
    Settings => "settings",
    Sliders => "sliders-horizontal",
    Stop => "square",
    Success => "circle-check",
    Sun => "sun",
    Trash => "trash-2",
    Undo => "undo-2",
    Upload => "upload",
    Warning => "triangle-alert",
}

impl Icon {
    /// The icon as an image of `size` points in `color`.
    pub fn image(self, size: f32, color: Color32) -> Image<'static> {
        let (uri, bytes) = self.file();
        Image::new(ImageSource::Bytes { uri: uri.into(), bytes: Bytes::Static(bytes) })
            .fit_to_exact_size(vec2(size, size))
            .tint(color)
            .show_loading_spinner(false)
    }

    /// The icon beside text of the size and strength of running text.
    pub fn small(self, ui: &Ui) -> Image<'static> {
        self.image(15.0, ui.tokens().text)
    }

    /// Draw the icon; `name` is read by screen readers.
    pub fn show(self, ui: &mut Ui, size: f32, color: Color32, name: &str) -> Response {
        ui.add(self.image(size, color).alt_text(name))
    }

    /// A button that shows only the icon; `name` is its name and its tooltip.
    pub fn button(self, ui: &mut Ui, name: &str) -> Response {
        let button = egui::Button::image(self.image(15.0, ui.tokens().text_weak)).frame_when_inactive(false);
        let response = ui.add(button);
        let enabled = ui.is_enabled();
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, name));
        response.on_hover_text(name)
    }
}
