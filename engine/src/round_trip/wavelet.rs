//! The forward reversible wavelet, literally (T.800 F.4).

use crate::geometry::Rect;

/// Samples on a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plane {
    pub(super) rect: Rect,
    pub(super) samples: Vec<i32>,
}

impl Plane {
    pub(super) fn at(&self, x: u32, y: u32) -> i32 {
        let (column, row) = ((x - self.rect.x0) as usize, (y - self.rect.y0) as usize);
        self.samples[row * self.rect.width() as usize + column]
    }

    /// The samples inside `rect`, row by row.
    pub(super) fn crop(&self, rect: Rect) -> Vec<i32> {
        (rect.y0..rect.y1).flat_map(|y| (rect.x0..rect.x1).map(move |x| self.at(x, y))).collect()
    }

    /// One level: the LL, HL, LH and HH bands.
    pub(super) fn analyse(&self) -> [Self; 4] {
        let Rect { x0, y0, x1, y1 } = self.rect;
        let mut work = self.clone();
        let width = self.rect.width() as usize;
        for column in 0..width {
            let line: Vec<i32> = work.samples.iter().skip(column).step_by(width).copied().collect();
            let made = analyse_line(y0, &line);
            work.samples.iter_mut().skip(column).step_by(width).zip(made).for_each(|(to, from)| *to = from);
        }
        for row in work.samples.chunks_mut(width.max(1)) {
            let made = analyse_line(x0, row);
            row.copy_from_slice(&made);
        }
        let band = |high_x: u32, high_y: u32| {
            let half = |edge: u32, high: u32| (edge - high.min(edge)).div_ceil(2);
            let rect = Rect::new(half(x0, high_x), half(y0, high_y), half(x1, high_x), half(y1, high_y));
            let at = |u: u32, v: u32| work.at(2 * u + high_x, 2 * v + high_y);
            let samples = (rect.y0..rect.y1).flat_map(|v| (rect.x0..rect.x1).map(move |u| (u, v)));
            Self { rect, samples: samples.map(|(u, v)| at(u, v)).collect() }
        };
        [band(0, 0), band(1, 0), band(0, 1), band(1, 1)]
    }
}

/// Low-pass at even positions, high-pass at odd ones; the first sample is at `start` (T.800 F.4.8).
fn analyse_line(start: u32, line: &[i32]) -> Vec<i32> {
    let (first, last) = (i64::from(start), i64::from(start) + line.len() as i64 - 1);
    if first == last {
        return vec![if first % 2 == 0 { line[0] } else { line[0].wrapping_mul(2) }];
    }
    let extended = |at: i64| {
        let inside = if at < first { 2 * first - at } else { at };
        let inside = if inside > last { 2 * last - inside } else { inside };
        // Two samples: their extension bounces twice.
        let inside = if inside < first { 2 * first - inside } else { inside };
        i64::from(line[(inside - first) as usize])
    };
    let high = |at: i64| extended(at) - (extended(at - 1) + extended(at + 1)).div_euclid(2);
    let value = |at: i64| {
        if at % 2 == 0 { extended(at) + (high(at - 1) + high(at + 1) + 2).div_euclid(4) } else { high(at) }
    };
    (first..=last).map(|at| value(at) as i32).collect()
}
