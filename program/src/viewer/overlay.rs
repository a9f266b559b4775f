//! What the window tells in words.

use super::camera::Camera;
use super::canvas::Standing;
use super::source::Transfer;
use eframe::egui::{self, Color32};
use std::time::Duration;
use wavetile_engine::Image;

/// What is told of a frame, line by line.
pub(crate) fn lines(
    image: &Image,
    camera: &Camera,
    standing: &Standing,
    transfer: Option<Transfer>,
) -> Vec<String> {
    let size = image.area().size();
    let layers = image.header().tile_parameters.style.layers;
    let Standing { report, first_picture, device_bytes, error } = standing;
    let totals = &report.totals;
    let time = |duration: Option<_>| duration.map_or_else(|| "...".to_owned(), seconds);
    let mut lines = vec![
        format!("{} x {}, {layers} layers, {:.3}x", size.width, size.height, 1.0 / camera.scale),
        format!(
            "pages: {} of {} here, {} with all their packets; {} missing, {} queued",
            report.resident, report.visible, report.complete, report.missing, report.queued
        ),
        format!("atlas: {} of {} slots, {} MB", report.used, report.slots, device_bytes / 1_000_000),
        format!(
            "blocks: {} decoded, {} gone on with, {} reused; {} MB kept",
            totals.blocks_decoded,
            totals.blocks_resumed,
            totals.blocks_reused,
            totals.block_bytes / 1_000_000
        ),
    ];
    if report.coarser > 0 {
        lines.push(format!("{} levels coarser than the screen, to fit the atlas", report.coarser));
    }
    let failure = transfer.and_then(|transfer| {
        lines.push(format!("{} kB received from {}", transfer.bytes / 1000, transfer.from));
        transfer.failure
    });
    lines.push(format!("first picture {}, settled {}", time(*first_picture), time(report.settled_after)));
    lines.extend(failure);
    lines.extend(error.clone());
    lines
}

/// Shows them in the corner.
pub(crate) fn show(ui: &egui::Ui, lines: Vec<String>) {
    egui::Area::new(egui::Id::unique("overlay")).fixed_pos(ui.max_rect().min + egui::vec2(12.0, 12.0)).show(
        ui.ctx(),
        |ui| {
            egui::Frame::popup(ui.style()).fill(Color32::from_black_alpha(170)).show(ui, |ui| {
                ui.set_max_width(480.0);
                for line in lines {
                    ui.colored_label(Color32::WHITE, line);
                }
                ui.weak("drag to pan, scroll to zoom, Home for the whole, Esc to leave");
            });
        },
    );
}

/// "1.23 s" or "45 ms".
fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}
