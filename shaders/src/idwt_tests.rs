//! The wavelet twins against T.800 F.3 and F.4 written out sample by sample.
#![allow(clippy::unwrap_used)]

use crate::idwt::{IdwtJob, Scratch, run};
use proptest::prelude::*;
use wavetile_testing::compare::difference;

/// A signal that knows where it starts, and answers beyond its ends by PSE_O (F-4).
struct Signal<T> {
    begin: i64,
    samples: Vec<T>,
}

impl<T: Copy> Signal<T> {
    fn end(&self) -> i64 {
        self.begin + self.samples.len() as i64
    }

    fn extended(&self, i: i64) -> T {
        let period = 2 * (self.end() - self.begin - 1);
        let m = (i - self.begin).rem_euclid(period);
        self.samples[m.min(period - m) as usize]
    }

    /// One lifting step over an extended copy: every sample of one parity in `range` becomes
    /// `step(itself, left, right)`.
    fn lift(
        line: &mut std::collections::BTreeMap<i64, T>,
        parity: i64,
        range: std::ops::Range<i64>,
        step: impl Fn(T, T, T) -> T,
    ) {
        for i in range.filter(|i| i & 1 == parity) {
            let value = step(line[&i], line[&(i - 1)], line[&(i + 1)]);
            line.insert(i, value);
        }
    }

    fn extend(&self, by: i64) -> std::collections::BTreeMap<i64, T> {
        (self.begin - by..self.end() + by).map(|i| (i, self.extended(i))).collect()
    }

    fn crop(&self, line: &std::collections::BTreeMap<i64, T>) -> Vec<T> {
        (self.begin..self.end()).map(|i| line[&i]).collect()
    }
}

trait Filter {
    type T: Copy + PartialEq + std::fmt::Debug + bytemuck::Pod;
    fn inverse(signal: &Signal<Self::T>) -> Vec<Self::T>;
    fn forward(signal: &Signal<Self::T>) -> Vec<Self::T>;
    const FLAGS: u32;
}

struct F53;
impl Filter for F53 {
    type T = i32;
    const FLAGS: u32 = 0;

    fn inverse(y: &Signal<i32>) -> Vec<i32> {
        if y.samples.len() == 1 {
            return vec![if y.begin & 1 == 0 { y.samples[0] } else { y.samples[0] >> 1 }];
        }
        let mut x = y.extend(3);
        Signal::lift(&mut x, 0, y.begin - 2..y.end() + 2, |s, a, b| {
            let sum = i64::from(a.wrapping_add(b).wrapping_add(2));
            s.wrapping_sub((sum as f64 / 4.0).floor() as i32)
        });
        Signal::lift(&mut x, 1, y.begin - 1..y.end() + 1, |s, a, b| {
            s.wrapping_add((f64::from(a.wrapping_add(b)) / 2.0).floor() as i32)
        });
        y.crop(&x)
    }

    fn forward(x: &Signal<i32>) -> Vec<i32> {
        if x.samples.len() == 1 {
            return vec![if x.begin & 1 == 0 { x.samples[0] } else { x.samples[0] * 2 }];
        }
        let mut y = x.extend(3);
        Signal::lift(&mut y, 1, x.begin - 2..x.end() + 2, |s, a, b| s - (a + b).div_euclid(2));
        Signal::lift(&mut y, 0, x.begin - 1..x.end() + 1, |s, a, b| s + (a + b + 2).div_euclid(4));
        x.crop(&y)
    }
}

const TABLE_F4: [f64; 5] =
    [-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971, 1.230174104914001];

struct F97;
impl Filter for F97 {
    type T = f32;
    const FLAGS: u32 = IdwtJob::IRREVERSIBLE;

    fn inverse(y: &Signal<f32>) -> Vec<f32> {
        let (begin, end) = (y.begin, y.end());
        if y.samples.len() == 1 {
            return vec![if begin & 1 == 0 { y.samples[0] } else { y.samples[0] / 2.0 }];
        }
        let [alpha, beta, gamma, delta, k] = TABLE_F4;
        let mut x = y.extend(5);
        for (i, sample) in &mut x {
            *sample *= if i & 1 == 0 { k as f32 } else { (1.0 / k) as f32 };
        }
        Signal::lift(&mut x, 0, begin - 4..end + 4, |s, a, b| s - delta as f32 * (a + b));
        Signal::lift(&mut x, 1, begin - 3..end + 3, |s, a, b| s - gamma as f32 * (a + b));
        Signal::lift(&mut x, 0, begin - 2..end + 2, |s, a, b| s - beta as f32 * (a + b));
        Signal::lift(&mut x, 1, begin - 1..end + 1, |s, a, b| s - alpha as f32 * (a + b));
        y.crop(&x)
    }

    fn forward(x: &Signal<f32>) -> Vec<f32> {
        let (begin, end) = (x.begin, x.end());
        if x.samples.len() == 1 {
            return vec![if begin & 1 == 0 { x.samples[0] } else { x.samples[0] * 2.0 }];
        }
        let [alpha, beta, gamma, delta, k] = TABLE_F4;
        let wide = x.samples.iter().map(|&sample| f64::from(sample)).collect();
        let wide = Signal { begin, samples: wide };
        let mut y = wide.extend(5);
        Signal::lift(&mut y, 1, begin - 4..end + 4, |s, a, b| s + alpha * (a + b));
        Signal::lift(&mut y, 0, begin - 3..end + 3, |s, a, b| s + beta * (a + b));
        Signal::lift(&mut y, 1, begin - 2..end + 2, |s, a, b| s + gamma * (a + b));
        Signal::lift(&mut y, 0, begin - 1..end + 1, |s, a, b| s + delta * (a + b));
        let scaled = y.iter().map(|(&i, &s)| (i, if i & 1 == 0 { s / k } else { s * k })).collect();
        wide.crop(&scaled).into_iter().map(|sample| sample as f32).collect()
    }
}

/// Interleaved samples of the window `x0..x1`, `y0..y1`, row by row.
struct Plane<T> {
    x0: i64,
    y0: i64,
    rows: Vec<Vec<T>>,
}

impl<T: Copy> Plane<T> {
    fn map_rows(&mut self, f: impl Fn(&Signal<T>) -> Vec<T>) {
        for row in &mut self.rows {
            *row = f(&Signal { begin: self.x0, samples: row.clone() });
        }
    }

    fn map_columns(&mut self, f: impl Fn(&Signal<T>) -> Vec<T>) {
        for x in 0..self.rows[0].len() {
            let samples = self.rows.iter().map(|row| row[x]).collect();
            for (row, value) in self.rows.iter_mut().zip(f(&Signal { begin: self.y0, samples })) {
                row[x] = value;
            }
        }
    }
}

/// 2D_SR (F.3.2): HOR_SR, then VER_SR.
fn literal<F: Filter>(plane: &mut Plane<F::T>) {
    plane.map_rows(F::inverse);
    plane.map_columns(F::inverse);
}

/// Runs the twin: `input` is the interleaved window; `out` are columns and rows inside it.
fn twin<F: Filter>(input: &Plane<F::T>, out: [u32; 4]) -> Vec<Vec<F::T>> {
    let (x0, y0) = (input.x0 as u32, input.y0 as u32);
    let (width, height) = (input.rows[0].len() as u32, input.rows.len() as u32);
    let [out_x0, out_y0, out_x1, out_y1] = out;
    let mut arena = vec![0xDEAD_BEEF_u32; 3];
    let mut offsets = [0; 4];
    for (band, offset) in offsets.iter_mut().enumerate() {
        *offset = arena.len() as u32;
        for (y, row) in (input.y0..).zip(&input.rows) {
            for (x, sample) in (input.x0..).zip(row) {
                if (x & 1) as usize == band & 1 && (y & 1) as usize == band >> 1 {
                    arena.push(*bytemuck::cast_ref(sample));
                }
            }
        }
    }
    let out_row = out_x1 - out_x0 + 2;
    let job = IdwtJob {
        x0,
        y0,
        x1: x0 + width,
        y1: y0 + height,
        out_x0,
        out_y0,
        out_x1,
        out_y1,
        ll: offsets[0],
        hl: offsets[1],
        lh: offsets[2],
        hh: offsets[3],
        out: arena.len() as u32,
        out_row,
        flags: F::FLAGS,
        padding: 0,
    };
    let input_words = arena.clone();
    arena.resize(arena.len() + (out_row * (out_y1 - out_y0)) as usize, 0xABCD);
    let mut scratch = Scratch::default();
    run(&job, &mut arena, &mut scratch);
    let again = arena.clone();
    run(&job, &mut arena, &mut scratch);
    assert_eq!(again, arena, "a used scratch changes nothing");
    let (bands, result) = arena.split_at(input_words.len());
    assert_eq!(bands, input_words, "the bands are left alone");
    let result: Vec<_> = result.chunks(out_row as usize).collect();
    assert!(result.iter().all(|row| row.ends_with(&[0xABCD; 2])), "nothing is written beside a row");
    result
        .iter()
        .map(|row| row[..row.len() - 2].iter().map(|word| *bytemuck::cast_ref(word)).collect())
        .collect()
}

fn crop<T: Copy>(plane: &Plane<T>, [x0, y0, x1, y1]: [u32; 4]) -> Vec<Vec<T>> {
    let (dx, dy) = (plane.x0 as u32, plane.y0 as u32);
    let rows = &plane.rows[(y0 - dy) as usize..(y1 - dy) as usize];
    rows.iter().map(|row| row[(x0 - dx) as usize..(x1 - dx) as usize].to_vec()).collect()
}

/// The first column and row where the two differ, with both values.
fn first_difference<T: Copy + PartialEq>(a: &[Vec<T>], b: &[Vec<T>]) -> Option<(usize, usize, T, T)> {
    assert_eq!(a.len(), b.len());
    (0..a.len()).find_map(|y| {
        assert_eq!(a[y].len(), b[y].len());
        (0..a[y].len()).find(|&x| a[y][x] != b[y][x]).map(|x| (x, y, a[y][x], b[y][x]))
    })
}

/// Noise in -2^15..2^15, the same for the same seed.
fn noise(x0: u32, y0: u32, width: u32, height: u32, seed: u32) -> Plane<i32> {
    let sample = |x: u32, y: u32| {
        let mut h = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ seed;
        h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
        h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
        (h >> 16) as i32 - (1 << 15)
    };
    let rows = (0..height).map(|y| (0..width).map(|x| sample(x, y)).collect()).collect();
    Plane { x0: x0.into(), y0: y0.into(), rows }
}

fn floats(plane: &Plane<i32>) -> Plane<f32> {
    let rows = plane.rows.iter().map(|row| row.iter().map(|&s| s as f32 / 7.0).collect()).collect();
    Plane { x0: plane.x0, y0: plane.y0, rows }
}

fn check<F: Filter>(mut plane: Plane<F::T>, out: [u32; 4]) {
    let made = twin::<F>(&plane, out);
    literal::<F>(&mut plane);
    assert_eq!(first_difference(&made, &crop(&plane, out)), None, "{out:?}");
}

fn check_both(x0: u32, y0: u32, width: u32, height: u32, out: [u32; 4]) {
    let plane = noise(x0, y0, width, height, width ^ (height << 16));
    check::<F97>(floats(&plane), out);
    check::<F53>(plane, out);
}

#[test]
fn every_small_window_at_every_parity_is_bit_exact() {
    for (x0, y0) in [(0, 0), (1, 0), (0, 1), (7, 5)] {
        for width in 1..=9 {
            for height in 1..=11 {
                check_both(x0, y0, width, height, [x0, y0, x0 + width, y0 + height]);
            }
        }
    }
}

#[test]
fn windows_wider_than_a_strip_are_bit_exact() {
    for (x0, width) in [(0, 512), (1, 512), (3, 1030), (510, 513)] {
        check_both(x0, 4, width, 21, [x0, 4, x0 + width, 25]);
        check_both(x0, 4, width, 1, [x0 + 1, 4, x0 + width, 5]);
    }
}

#[test]
fn coordinates_at_the_end_of_the_grid_do_not_overflow() {
    let end = u32::MAX;
    check_both(end - 9, end - 7, 9, 7, [end - 9, end - 7, end, end]);
}

#[test]
fn the_largest_integers_wrap_alike() {
    let mut plane = noise(1, 0, 12, 13, 5);
    for (i, sample) in plane.rows.iter_mut().flatten().enumerate() {
        *sample = if (*sample & 1 == 0) ^ (i % 3 == 0) { i32::MAX } else { i32::MIN };
    }
    check::<F53>(plane, [1, 0, 13, 13]);
}

#[test]
fn reversed_or_foreign_windows_do_nothing() {
    let sound = IdwtJob { x1: 4, y1: 4, out_x1: 4, out_y1: 4, out_row: 4, ..IdwtJob::default() };
    let wrong = [
        IdwtJob { out_x1: 5, ..sound },
        IdwtJob { out_y0: 3, out_y1: 2, ..sound },
        IdwtJob { y0: 1, ..sound },
        IdwtJob { out_x1: 0, ..sound },
    ];
    for job in wrong {
        let mut arena = [7; 64];
        run(&job, &mut arena, &mut Scratch::default());
        let irreversible = IdwtJob { flags: IdwtJob::IRREVERSIBLE, ..job };
        run(&irreversible, &mut arena, &mut Scratch::default());
        assert_eq!(arena, [7; 64]);
    }
}

#[test]
fn one_wrong_sample_is_noticed() {
    let plane = noise(3, 2, 20, 18, 1);
    let out = [3, 2, 23, 20];
    let mut made = twin::<F53>(&plane, out);
    let right = made.clone();
    assert_eq!(first_difference(&made, &right), None);
    made[17][19] ^= 1;
    assert_eq!(first_difference(&made, &right), Some((19, 17, made[17][19], right[17][19])));

    let plane = floats(&plane);
    let mut made = twin::<F97>(&plane, out);
    let right = made.clone();
    made[0][0] = f32::from_bits(made[0][0].to_bits() ^ 1);
    assert!(first_difference(&made, &right).is_some());
}

/// A window and a part of it: `[x0, y0, width, height]`, `[out_x0, out_y0, out_x1, out_y1]`.
fn window_and_part() -> impl Strategy<Value = ([u32; 4], [u32; 4])> {
    let axis = || {
        (0_u32..9, 1_u32..40).prop_flat_map(|(begin, length)| {
            (Just(begin), Just(length), 0..length).prop_flat_map(|(begin, length, skipped)| {
                (Just(begin), Just(length), Just(begin + skipped), begin + skipped + 1..=begin + length)
            })
        })
    };
    (axis(), axis()).prop_map(|(x, y)| ([x.0, y.0, x.1, y.1], [x.2, y.2, x.3, y.3]))
}

proptest! {
    #[test]
    fn part_of_a_window_equals_the_crop(((window, out), seed) in (window_and_part(), any::<u32>())) {
        let [x0, y0, width, height] = window;
        let plane = noise(x0, y0, width, height, seed);
        check::<F97>(floats(&plane), out);
        check::<F53>(plane, out);
    }

    /// The planner's promise: an input window cut at the filter's support gives the same samples.
    #[test]
    fn input_cut_at_the_filters_support_changes_nothing((window, out) in window_and_part()) {
        let [x0, y0, width, height] = window;
        let cut = |margin: u32| {
            let left = out[0].saturating_sub(margin).max(x0);
            let top = out[1].saturating_sub(margin).max(y0);
            [left, top, (out[2] + margin).min(x0 + width), (out[3] + margin).min(y0 + height)]
        };
        let narrow = |cut: [u32; 4], plane: &Plane<i32>| {
            Plane { x0: cut[0].into(), y0: cut[1].into(), rows: crop(plane, cut) }
        };
        let plane = noise(x0, y0, width, height, 9);
        let part = narrow(cut(2), &plane);
        prop_assert_eq!(twin::<F53>(&part, out), twin::<F53>(&plane, out));
        let part = floats(&narrow(cut(4), &plane));
        prop_assert_eq!(twin::<F97>(&part, out), twin::<F97>(&floats(&plane), out));
    }

    #[test]
    fn forward_transform_is_undone((window, _) in window_and_part()) {
        let [x0, y0, width, height] = window;
        let out = [x0, y0, x0 + width, y0 + height];
        let picture = noise(x0, y0, width, height, 3);

        let mut plane = noise(x0, y0, width, height, 3);
        plane.map_columns(F53::forward);
        plane.map_rows(F53::forward);
        prop_assert_eq!(&twin::<F53>(&plane, out), &picture.rows);

        let picture = floats(&picture);
        let mut plane = floats(&noise(x0, y0, width, height, 3));
        plane.map_columns(F97::forward);
        plane.map_rows(F97::forward);
        // Samples reach 4682; f32 holds them to 2^-11.
        let found = difference(&twin::<F97>(&plane, out).concat(), &picture.rows.concat()).unwrap();
        prop_assert!(found.peak < 1.0 / 64.0, "{:?}", found);
    }
}
