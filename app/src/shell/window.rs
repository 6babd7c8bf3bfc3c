//! The native window: renderer, size, icon, and what to say when no graphics adapter is found.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use egui::ViewportBuilder;
use plumb_core::Engine;

use crate::shell::dialogs::FileDialogs;
use crate::shell::home::Home;
use crate::shell::layout::Layout;
use crate::shell::workbench::{Setup, Waker, Workbench};
use crate::shell::{journal, layout};

/// Which renderer draws the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Renderer {
    /// Vulkan, Metal or DirectX.
    #[default]
    Wgpu,
    /// OpenGL: the safe mode.
    Glow,
}

/// What the command line says about the window.
#[derive(Clone, Debug)]
pub struct WindowOptions {
    /// Which renderer draws the window.
    pub renderer: Renderer,
    /// Where Plumb writes.
    pub home: Home,
    /// Files to open.
    pub files: Vec<PathBuf>,
    /// When the program started, for the time to the first frame.
    pub started: Option<Instant>,
}

/// Open the window and stay until it is closed.
pub fn run(options: &WindowOptions) -> ExitCode {
    let home = &options.home;
    journal::start(&home.log);
    let size = remembered_size(home);
    let native = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Plumb")
            .with_app_id("plumb")
            .with_inner_size(size)
            .with_min_inner_size([900.0, 600.0])
            .with_icon(icon()),
        renderer: match options.renderer {
            Renderer::Wgpu => eframe::Renderer::Wgpu,
            Renderer::Glow => eframe::Renderer::Glow,
        },
        centered: true,
        ..Default::default()
    };
    let waker = Waker::default();
    let create: eframe::AppCreator<'_> = Box::new(|cc| {
        waker.connect(&cc.egui_ctx);
        let engine = Engine::start(waker.closure())?;
        let setup = Setup {
            engine,
            home: home.clone(),
            persist: true,
            animate: true,
            theme: None,
            dialogs: FileDialogs::new(waker.closure()),
        };
        let mut workbench = Workbench::new(setup);
        workbench.prepare(&cc.egui_ctx);
        if let Some(started) = options.started {
            workbench.time_from(started);
        }
        for file in &options.files {
            workbench.open_path(file);
        }
        Ok(Box::new(workbench))
    });
    match eframe::run_native("plumb", native, create) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let reason = match &error {
                eframe::Error::Winit(_) | eframe::Error::WinitEventLoop(_) => "no display answers".to_owned(),
                other => other.to_string(),
            };
            eprintln!("plumb: the window could not be opened: {reason}\n\n{}", advice(options.renderer));
            log::error!("the window could not be opened: {error}");
            ExitCode::FAILURE
        }
    }
}

fn advice(renderer: Renderer) -> &'static str {
    match renderer {
        Renderer::Wgpu => {
            "What to try, in this order:\n  \
             plumb --renderer glow       the safe mode: draws with OpenGL\n  \
             a software renderer         Debian, Ubuntu: apt install mesa-vulkan-drivers libvulkan1\n  \
             newer graphics drivers\n\
             Without a display, every method also runs from the command line: plumb --help"
        }
        Renderer::Glow => {
            "What to try, in this order:\n  \
             plumb --renderer wgpu       draws with Vulkan, Metal or DirectX\n  \
             a software renderer         Debian, Ubuntu: apt install libgl1-mesa-dri libegl1\n  \
             a display                   is DISPLAY or WAYLAND_DISPLAY set?\n\
             Without a display, every method also runs from the command line: plumb --help"
        }
    }
}

fn remembered_size(home: &Home) -> [f32; 2] {
    let path = home.layout_file();
    let remembered = plumb_core::preset::read_ron::<Layout>(&path).ok().and_then(|layout| layout.window);
    match remembered {
        Some([width, height]) if width.is_finite() && height.is_finite() => {
            [width.clamp(900.0, 7680.0), height.clamp(600.0, 4320.0)]
        }
        _ => layout::FIRST_SIZE,
    }
}

/// The plumb bob on a rounded square, drawn here so that no picture has to be decoded before the first frame.
fn icon() -> egui::IconData {
    const SIDE: usize = 64;
    let tokens = crate::theme::Tokens::of(egui::Theme::Dark);
    let (ground, ink) = (tokens.surface_raised.to_array(), tokens.accent.to_array());
    let mut rgba = Vec::with_capacity(SIDE * SIDE * 4);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
            let corner = |value: f32| (12.0 - value).max(value - 52.0).max(0.0);
            let inside = corner(x).hypot(corner(y)) <= 12.0;
            let bar = (y - 12.0).abs() <= 2.5 && (16.0..=48.0).contains(&x);
            let line = (x - 32.0).abs() <= 2.0 && (12.0..=26.0).contains(&y);
            let head = (24.0..=34.0).contains(&y) && (x - 32.0).abs() <= 11.0;
            let tip = (34.0..=56.0).contains(&y) && (x - 32.0).abs() <= 11.0 * (56.0 - y) / 22.0;
            let pixel = if !inside {
                [0; 4]
            } else if bar || line || head || tip {
                ink
            } else {
                ground
            };
            rgba.extend_from_slice(&pixel);
        }
    }
    egui::IconData { rgba, width: SIDE as u32, height: SIDE as u32 }
}
