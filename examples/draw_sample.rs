//! Draws the bundled sample: an 8192 x 8192 relief of the Mandelbrot set with a ruled, numbered grid.
//!
//! ```sh
//! cargo run --release --example draw_sample -- mandelbrot.ppm
//! p='[256,256]'
//! opj_compress -i mandelbrot.ppm -o program/assets/mandelbrot.jp2 -I -n 8 -b 64,64 -p RPCL \
//!     -c "$p,$p,$p,$p,$p,$p,$p,$p" -r 1120,560,280,140,70 -PLT -TLM
//! ```
//!
//! The set has detail at every scale, so there is something to find at each zoom, and smooth water
//! around it, so that a few megabytes are enough. The numbers on the grid tell where one is.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

const SIDE: usize = 8192;
const ITERATIONS: u32 = 3000;
/// Grid lines are this many pixels apart.
const GRID: usize = 1024;
/// Width of the picture in the complex plane, and its centre.
const SPAN: f64 = 2.55;
const CENTRE: (f64, f64) = (-0.68, 0.0);

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: draw_sample OUT.ppm");
        std::process::exit(1);
    };
    let mut out = BufWriter::new(File::create(path)?);
    write!(out, "P6\n{SIDE} {SIDE}\n255\n")?;
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = mpsc::sync_channel::<(usize, Vec<u8>)>(4 * workers);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let y = next.fetch_add(1, Ordering::Relaxed);
                    if y >= SIDE || sender.send((y, draw_row(y))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = std::collections::BTreeMap::new();
        let mut y = 0;
        for (row, pixels) in receiver {
            waiting.insert(row, pixels);
            while let Some(pixels) = waiting.remove(&y) {
                out.write_all(&pixels)?;
                y += 1;
            }
        }
        out.flush()
    })
}

fn draw_row(y: usize) -> Vec<u8> {
    let mut row = Vec::with_capacity(SIDE * 3);
    for x in 0..SIDE {
        let mut colour = [0.0; 3];
        for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
            let sample = shade(to_plane(x as f64 + dx, y as f64 + dy));
            for (sum, value) in colour.iter_mut().zip(sample) {
                *sum += value / 4.0;
            }
        }
        rule(x, y, &mut colour);
        row.extend(colour.map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8));
    }
    row
}

fn to_plane(x: f64, y: f64) -> (f64, f64) {
    let step = SPAN / SIDE as f64;
    (CENTRE.0 + (x - SIDE as f64 / 2.0) * step, CENTRE.1 - (y - SIDE as f64 / 2.0) * step)
}

/// Colour of one point, each channel 0.0 to 1.0: the escape time, lit from the upper left by the slope
/// of the potential.
fn shade((cx, cy): (f64, f64)) -> [f64; 3] {
    const INSIDE: [f64; 3] = [0.045, 0.05, 0.085];
    // The main cardioid and the disc left of it never escape.
    let q = (cx - 0.25).powi(2) + cy * cy;
    if q * (q + cx - 0.25) <= 0.25 * cy * cy || (cx + 1.0).powi(2) + cy * cy <= 1.0 / 16.0 {
        return INSIDE;
    }
    let (mut x, mut y, mut dx, mut dy) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for iteration in 0..ITERATIONS {
        let size = x * x + y * y;
        if size > 1.0e6 {
            let smooth = f64::from(iteration) + 1.0 - (size.ln() / 2.0).ln() / 2f64.ln();
            // Distance to the set in pixels: what is thinner than a pixel fades into its shadow.
            let slope = (dx * dx + dy * dy).sqrt();
            let pixels = size.sqrt() * size.ln() / slope * SIDE as f64 / SPAN;
            let (ux, uy) =
                ((x * dx + y * dy) / (slope * size.sqrt()), (y * dx - x * dy) / (slope * size.sqrt()));
            let light = (0.72 + 0.42 * (-0.6 * ux + 0.8 * uy)).clamp(0.0, 1.2);
            let water = palette((smooth + 1.0).ln() * 0.62);
            let edge = (pixels / 2.5).min(1.0);
            return std::array::from_fn(|c| INSIDE[c] + (water[c] * light - INSIDE[c]) * edge);
        }
        (dx, dy) = (2.0 * (x * dx - y * dy) + 1.0, 2.0 * (x * dy + y * dx));
        (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
    }
    INSIDE
}

/// Deep blue, teal, sand, rust, plum and round again; `t` counts turns.
fn palette(t: f64) -> [f64; 3] {
    const STOPS: [[f64; 3]; 6] = [
        [0.07, 0.16, 0.34],
        [0.10, 0.45, 0.55],
        [0.62, 0.80, 0.70],
        [0.97, 0.87, 0.62],
        [0.86, 0.45, 0.22],
        [0.38, 0.15, 0.30],
    ];
    let place = t.rem_euclid(1.0) * STOPS.len() as f64;
    let (from, part) = (place as usize % STOPS.len(), place.fract());
    let part = part * part * (3.0 - 2.0 * part);
    std::array::from_fn(|c| STOPS[from][c] + (STOPS[(from + 1) % STOPS.len()][c] - STOPS[from][c]) * part)
}

/// Thin dotted lines every [`GRID`] pixels with the coordinates of each crossing beside it.
fn rule(x: usize, y: usize, colour: &mut [f64; 3]) {
    let (column, row) = (x % GRID, y % GRID);
    let on_line = (column == 0 || row == 0) && (x / 4 + y / 4).is_multiple_of(2);
    let on_digit = (8..15).contains(&row) && (8..80).contains(&column) && {
        let text = format!("{},{}", x - column, y - row);
        text.as_bytes().get((column - 8) / 6).is_some_and(|&glyph| {
            let bits = GLYPHS[usize::from(if glyph == b',' { 10 } else { glyph - b'0' })][row - 8];
            (column - 8) % 6 < 5 && bits & (0x10 >> ((column - 8) % 6)) != 0
        })
    };
    if on_line || on_digit {
        let ink = if colour.iter().sum::<f64>() > 1.5 { 0.0 } else { 1.0 };
        let strength = if on_digit { 0.9 } else { 0.35 };
        for value in colour {
            *value += (ink - *value) * strength;
        }
    }
}

/// The digits and the comma, five columns by seven rows.
const GLYPHS: [[u8; 7]; 11] = [
    [0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E],
    [0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E],
    [0x0E, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1F],
    [0x0E, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0E],
    [0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02],
    [0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E],
    [0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E],
    [0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08],
    [0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E],
    [0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C],
    [0x00, 0x00, 0x00, 0x00, 0x06, 0x04, 0x08],
];
