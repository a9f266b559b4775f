//! The twin of `sample_virtual` on made-up pictures, whose pages are cut out of their reductions as they are asked for.
#![allow(clippy::unwrap_used)]

use crate::page_table::{self, PageEntry};
use crate::sample_virtual::{TexelAtlas, VirtualScene};
use crate::shading::Shading;
use crate::virtual_frame::{VirtualFrame, VirtualPicture, page, texels, wanted_reduce};

/// One reduction of a grey picture.
struct Level {
    x: (u32, u32),
    y: (u32, u32),
    values: Vec<f32>,
}

impl Level {
    /// The value at a place on the output grid, the edge repeated.
    fn at(&self, x: i64, y: i64) -> f32 {
        let inside = |at: i64, (begin, end): (u32, u32)| {
            (at.clamp(begin.into(), i64::from(end) - 1) - i64::from(begin)) as usize
        };
        self.values[inside(y, self.y) * (self.x.1 - self.x.0) as usize + inside(x, self.x)]
    }

    fn new(x: (u32, u32), y: (u32, u32), value: impl Fn(i64, i64) -> f32) -> Self {
        let rows = i64::from(y.0)..y.1.into();
        let row = |y: i64| (i64::from(x.0)..x.1.into()).map(move |x| (x, y));
        let values = rows.flat_map(row).map(|(x, y)| value(x, y)).collect();
        Self { x, y, values }
    }

    /// The low band of a 5/3 wavelet.
    fn reduced(&self) -> Self {
        const LOW: [f32; 5] = [-0.125, 0.25, 0.75, 0.25, -0.125];
        let half = |(begin, end): (u32, u32)| (begin.div_ceil(2), end.div_ceil(2));
        let low = |value: &dyn Fn(i64) -> f32| {
            (-2..=2).zip(LOW).map(|(at, weight)| weight * value(at)).sum::<f32>()
        };
        let rows = Self::new(half(self.x), self.y, |x, y| low(&|step| self.at(2 * x + step, y)));
        Self::new(rows.x, half(self.y), |x, y| low(&|step| rows.at(x, 2 * y + step)))
    }
}

/// A picture with its reductions, and which of their pages are resident.
struct World {
    levels: Vec<Level>,
    frame: VirtualFrame,
    picture: VirtualPicture,
    pages: Vec<PageEntry>,
    table: Vec<PageEntry>,
}

const NUMBER: u32 = 2;

impl World {
    fn new(
        (x0, y0): (u32, u32),
        (width, height): (u32, u32),
        levels: u32,
        value: impl Fn(i64, i64) -> f32,
    ) -> Self {
        let mut made = vec![Level::new((x0, x0 + width), (y0, y0 + height), value)];
        for level in 0..levels as usize {
            made.push(made[level].reduced());
        }
        let shading = Shading::identity();
        let flags = VirtualPicture::PRESENT;
        Self {
            levels: made,
            frame: VirtualFrame {
                side: 64,
                border: 4,
                slots_across: 1,
                slots_layer: 1,
                picture_count: 3,
                ..VirtualFrame::default()
            },
            picture: VirtualPicture { x0, y0, width, height, levels, flags, finest: 0, padding: 0, shading },
            pages: Vec::new(),
            table: Vec::new(),
        }
    }

    fn side(mut self, side: u32, border: u32) -> Self {
        (self.frame.side, self.frame.border) = (side, border);
        self
    }

    /// Makes the pages resident that `wanted` says, with the time it gives.
    fn resident(mut self, wanted: impl Fn(u32, u32, u32) -> Option<u32>) -> Self {
        self.pages.clear();
        for (reduce, level) in (0..).zip(&self.levels) {
            let pages = |(begin, end): (u32, u32)| begin / self.frame.side..end.div_ceil(self.frame.side);
            for y in pages(level.y) {
                for x in pages(level.x) {
                    let slot = self.pages.len() as u32;
                    if let Some(since) = wanted(reduce, x, y) {
                        let tag = PageEntry::tag(NUMBER, reduce);
                        self.pages.push(PageEntry { x, y, tag, slot, since, padding: [0; 3] });
                    }
                }
            }
        }
        let length = page_table::length_for(self.pages.len() as u32);
        self.table = vec![PageEntry::default(); length as usize];
        self.frame.table_mask = length - 1;
        for &page in &self.pages {
            assert!(page_table::insert(&mut self.table, page).is_some());
        }
        self
    }

    fn all(self) -> Self {
        self.resident(|_, _, _| Some(0))
    }

    fn draw<T>(&self, draw: impl FnOnce(VirtualScene<'_, Self>) -> T) -> T {
        let absent = VirtualPicture::default();
        draw(VirtualScene {
            frame: self.frame,
            pictures: &[absent, absent, self.picture],
            table: &self.table,
            atlas: self,
        })
    }

    /// At a place in full-size pixels, where a pixel of the screen has the sides `ddx` and `ddy`.
    fn at(&self, place: [f32; 2], ddx: [f32; 2], ddy: [f32; 2]) -> f32 {
        self.draw(|scene| scene.sample_at(NUMBER, [0; 2], place, ddx, ddy)[0])
    }

    /// Rows of the whole picture drawn with `step` full-size pixels a pixel of the screen.
    fn drawn(&self, step: f32) -> Vec<([f32; 2], f32)> {
        let pixels = |length: u32| (0..(length as f32 / step) as u32).map(move |at| (at as f32 + 0.5) * step);
        let places =
            pixels(self.picture.height).flat_map(|y| pixels(self.picture.width).map(move |x| [x, y]));
        places.map(|place| (place, self.at(place, [step, 0.0], [0.0, step]))).collect()
    }
}

impl TexelAtlas for World {
    fn texel(&self, slot: u32, x: u32, y: u32) -> [f32; 4] {
        let edge = self.frame.side + 2 * self.frame.border;
        assert!(x < edge && y < edge, "outside the slot");
        let page = &self.pages[slot as usize];
        let place =
            |page: u32, at: u32| i64::from(page * self.frame.side + at) - i64::from(self.frame.border);
        let value = self.levels[page.reduce() as usize].at(place(page.x, x), place(page.y, y));
        [value, 1.0 - value, 0.5, 1.0]
    }
}

fn noise(x: i64, y: i64) -> f32 {
    let h = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    let h = (h ^ (h >> 15)).wrapping_mul(0xC2B2_AE3D);
    (h >> 8 & 0xFF) as f32 / 255.0
}

fn waves(x: i64, y: i64) -> f32 {
    0.5 + 0.25 * (x as f32 * 0.31).sin() + 0.25 * (y as f32 * 0.23 + x as f32 * 0.05).cos()
}

#[test]
fn at_one_texel_a_pixel_every_reduction_comes_out_as_it_is() {
    let world = World::new((37, 101), (300, 210), 4, noise).all();
    for (reduce, level) in (0..).zip(&world.levels) {
        let step = (1 << reduce) as f32;
        for y in level.y.0..level.y.1 {
            for x in level.x.0..level.x.1 {
                let expected = level.at(x.into(), y.into()).clamp(0.0, 1.0);
                let place = [(x << reduce) - 37, (y << reduce) - 101];
                let found = world.draw(|scene| scene.sample_level_at(NUMBER, place, [0.5; 2], reduce));
                assert!((found[0] - expected).abs() < 1e-6, "{reduce} {x} {y}");
                let found =
                    world.draw(|scene| scene.sample_at(NUMBER, place, [0.5; 2], [step, 0.0], [0.0, step]));
                assert!((found[0] - expected).abs() < 1e-6, "{reduce} {x} {y}");
            }
        }
    }
}

#[test]
fn discs_and_thin_lines_stay_where_they_are_at_every_zoom() {
    // A disc, and a line two pixels wide that climbs a column in nine rows, each alone in its part.
    const DISC: [f32; 2] = [91.3, 118.8];
    let line = |y: f32| 270.4 + (y - 100.0) / 9.0;
    let cover = |distance: f32| (0.5 - distance).clamp(0.0, 1.0);
    let world = World::new((0, 0), (400, 240), 5, |x, y| {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        let disc = cover((x - DISC[0]).hypot(y - DISC[1]) - 22.0);
        let window = cover((y - 120.0).abs() - 70.0);
        0.2 + 0.5 * disc.max(window * cover((x - line(y)).abs() - 1.0))
    })
    .all();
    // Where the weight lies: of the disc, and of the line in its own slant.
    let centroids = |drawn: &[([f32; 2], f32)]| {
        let mut sums = [[0.0_f64; 3]; 2];
        for &([x, y], value) in drawn {
            let weight = f64::from(value - 0.2);
            let (part, x) = if x < 185.0 { (0, x) } else { (1, x - (line(y) - 270.4)) };
            sums[part][0] += weight;
            sums[part][1] += weight * f64::from(x);
            sums[part][2] += weight * f64::from(y);
        }
        sums.map(|[weight, x, y]| [x / weight, y / weight])
    };
    let [disc, stroke] = centroids(&world.drawn(1.0));
    assert!((disc[0] - 91.3).abs() < 0.02 && (disc[1] - 118.8).abs() < 0.02, "{disc:?}");
    assert!((stroke[0] - 270.4).abs() < 0.02, "{stroke:?}");
    let mut worst = 0.0_f64;
    let mut check = |name: std::fmt::Arguments<'_>, drawn: &[([f32; 2], f32)]| {
        let [disc_here, stroke_here] = centroids(drawn);
        let off = [disc_here[0] - disc[0], disc_here[1] - disc[1], stroke_here[0] - stroke[0]];
        assert!(off.iter().all(|off| off.abs() < 0.1), "{name}: {off:?}");
        worst = off.iter().fold(worst, |worst, off| worst.max(off.abs()));
    };
    for step in [0.4, 0.77, 1.2, 1.5, 1.9, 2.0, 2.7, 3.5, 4.0, 5.3, 6.9, 8.0] {
        check(format_args!("zoom 1:{step}"), &world.drawn(step));
    }
    for reduce in 1..=4 {
        let drawn: Vec<_> = world
            .drawn(1.0)
            .into_iter()
            .map(|(place, _)| {
                (place, world.draw(|scene| scene.sample_level_at(NUMBER, [0; 2], place, reduce)[0]))
            })
            .collect();
        check(format_args!("reduction {reduce}"), &drawn);
    }
    println!("centroids move by at most {worst:.3} pixels");
}

/// Steps of the screen of all kinds: square, turned, slanted, longer than wide.
const STEPS: [[[f32; 2]; 2]; 8] = [
    [[0.3, 0.0], [0.0, 0.3]],
    [[1.0, 0.0], [0.0, 1.0]],
    [[1.7, 0.0], [0.0, 1.7]],
    [[1.2, 1.2], [-1.2, 1.2]],
    [[5.9, 0.0], [0.0, 1.9]],
    [[0.4, 0.0], [0.0, 3.1]],
    [[4.0, 3.0], [-1.0, 1.2]],
    [[9.0, 0.0], [8.0, 0.4]],
];

#[test]
fn pages_side_by_side_are_drawn_as_one() {
    for border in [1, 2, 4, 8] {
        let pages = World::new((3, 5), (330, 250), 3, noise).side(64, border).all();
        let one = World::new((3, 5), (330, 250), 3, noise).side(1024, border).all();
        for [ddx, ddy] in STEPS {
            for at in 0..4000 {
                let place = [at as f32 * 0.081 + 0.01, at as f32 * 0.061 + 0.3];
                let (found, expected) = (pages.at(place, ddx, ddy), one.at(place, ddx, ddy));
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{border} {ddx:?} {ddy:?} {place:?}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn what_is_drawn_is_continuous_across_pages_even_of_odd_origins() {
    let world = World::new((63, 127), (200, 200), 2, waves).all();
    for reduce in 0..3 {
        let mut last = None;
        for at in 0..20_000 {
            let place = [at as f32 * 0.01, 100.0];
            let found = world.draw(|scene| scene.sample_level_at(NUMBER, [0; 2], place, reduce)[0]);
            assert!(last.is_none_or(|last: f32| (last - found).abs() < 0.01), "{reduce} {place:?}");
            last = Some(found);
        }
    }
}

#[test]
fn where_a_page_is_missing_the_next_coarser_one_stands_in() {
    let world = World::new((0, 0), (256, 256), 2, noise);
    let world = world.resident(|reduce, x, y| (reduce == 2 || (x == 1 && y != 1)).then_some(0));
    let resident = |x, y, step: f32| {
        world.draw(|scene| scene.resident_at(NUMBER, [x, y], [0.5; 2], [step, 0.0], [0.0, step]))
    };
    assert_eq!(resident(70, 10, 1.0), Some(0));
    assert_eq!(resident(10, 10, 1.0), Some(2));
    assert_eq!(resident(140, 10, 1.0), Some(1));
    assert_eq!(resident(140, 10, 3.0), Some(1));
    assert_eq!(resident(70, 70, 1.0), Some(2));
    assert_eq!(resident(70, 10, 100.0), Some(2));
    let expected = world.draw(|scene| scene.sample_level_at(NUMBER, [70, 70], [0.25; 2], 2));
    let found = world.draw(|scene| scene.sample_at(NUMBER, [70, 70], [0.25; 2], [1.0, 0.0], [0.0, 1.0]));
    assert_eq!(found, expected);
    assert_ne!(found[0], 0.0);
}

#[test]
fn nothing_is_drawn_of_what_is_not_there() {
    let world = World::new((0, 0), (128, 128), 1, |_, _| 1.0);
    let draw = |world: &World, picture| {
        world.draw(|scene| {
            let steps = [[0.01, 0.0], [0.0, 0.01]];
            let resident = scene.resident_at(picture, [0; 2], [0.5; 2], steps[0], steps[1]);
            (
                scene.sample(picture, [0.5; 2], steps[0], steps[1]),
                scene.sample_level(picture, [0.5; 2], 1),
                resident,
            )
        })
    };
    let nothing = ([0.0; 4], [0.0; 4], None);
    let mut world = world.resident(|_, _, _| None);
    assert_eq!(draw(&world, NUMBER), nothing);
    world = world.all();
    assert_eq!(draw(&world, NUMBER), ([1.0, 0.0, 0.5, 1.0], [1.0, 0.0, 0.5, 1.0], Some(0)));
    for picture in [0, 1, 3, u32::MAX] {
        assert_eq!(draw(&world, picture), nothing);
    }
    world.frame.picture_count = 2;
    assert_eq!(draw(&world, NUMBER), nothing);
    world.frame.picture_count = 3;
    world.picture.flags = 0;
    assert_eq!(draw(&world, NUMBER), nothing);
    world.picture.flags = VirtualPicture::PRESENT;
    world.picture.width = 0;
    assert_eq!(draw(&world, NUMBER), nothing);
}

#[test]
fn a_page_that_came_fades_in_over_those_that_were_drawn_before() {
    // Each reduction has its own grey.
    let greys = [0.8, 0.4, 0.1];
    let mut world = World::new((0, 0), (64, 64), 2, |_, _| 0.0);
    for (level, grey) in world.levels.iter_mut().zip(greys) {
        level.values.fill(grey);
    }
    let at = |world: &World| world.at([20.0; 2], [1.0, 0.0], [0.0, 1.0]);
    let mut world = world.resident(|reduce, _, _| Some([1000, 900, 0][reduce as usize]));
    world.frame.fade_ms = 200;
    for (now, fine, middle) in [(1000, 0.0, 0.5), (1050, 0.25, 0.75), (1150, 0.75, 1.0), (1200, 1.0, 1.0)] {
        world.frame.now_ms = now;
        let below = greys[2] + middle * (greys[1] - greys[2]);
        assert!((at(&world) - (below + fine * (greys[0] - below))).abs() < 1e-6, "{now}");
    }
    // Nothing was drawn before: there is nothing to fade from.
    world = world.resident(|reduce, _, _| (reduce == 1).then_some(1200));
    assert!((at(&world) - greys[1]).abs() < 1e-6);
    // The clock goes around.
    world = world.resident(|reduce, _, _| Some(if reduce == 0 { u32::MAX - 49 } else { 77 }));
    world.frame.now_ms = 50;
    world.frame.fade_ms = 200;
    assert!((at(&world) - 0.6).abs() < 1e-6);
    world.frame.fade_ms = 0;
    assert!((at(&world) - 0.8).abs() < 1e-6);
}

#[test]
fn magnified_more_than_twice_texels_are_squares_if_the_picture_says_so() {
    let mut world = World::new((5, 0), (100, 60), 2, noise).all();
    let texel = world.levels[0].at(5 + 30, 20);
    let corners = [[0.01, 0.01], [0.99, 0.01], [0.5, 0.5], [0.99, 0.99]];
    let draw = |world: &World, [x, y]: [f32; 2], step: f32| {
        world.draw(|scene| scene.sample_at(NUMBER, [30, 20], [x, y], [step, 0.0], [0.0, step])[0])
    };
    assert!(corners.iter().any(|&corner| (draw(&world, corner, 0.1) - texel).abs() > 0.05));
    world.picture.flags |= VirtualPicture::NEAREST;
    for corner in corners {
        assert_eq!(draw(&world, corner, 0.49), texel);
    }
    assert!(corners.iter().any(|&corner| (draw(&world, corner, 0.5) - texel).abs() > 0.05));
    // What stands in is not drawn in squares.
    let world = world.resident(|reduce, _, _| (reduce > 0).then_some(0));
    assert_ne!(draw(&world, corners[0], 0.1), draw(&world, corners[3], 0.1));
}

#[test]
fn huge_pictures_do_not_wobble_when_magnified() {
    // Of 2^20 pixels, the pages around one place: texels are black and white in turn, so a value is a position.
    const AT: u32 = (1 << 20) - 300;
    let frame = VirtualFrame {
        side: 256,
        border: 4,
        slots_across: 1,
        slots_layer: 1,
        picture_count: 1,
        table_mask: 1,
        ..VirtualFrame::default()
    };
    let flags = VirtualPicture::PRESENT;
    let picture =
        VirtualPicture { width: 1 << 20, height: 1 << 20, levels: 12, flags, ..VirtualPicture::default() };
    let tag = PageEntry::tag(0, 0);
    let mut table = [PageEntry::default(); 2];
    page_table::insert(&mut table, PageEntry { x: AT >> 8, y: AT >> 8, tag, ..PageEntry::default() })
        .unwrap();
    let atlas = |_: u32, x: u32, _: u32| [(x & 1) as f32; 4];
    let scene = VirtualScene { frame, pictures: &[picture], table: &table, atlas: &atlas };
    let step = 1.0 / 64.0;
    let mut uv_is_off = 0.0_f32;
    for pixel in 0..1280 {
        // Between the centres of an even texel and the next one, the value is the distance.
        let place = f64::from(pixel) / 64.0 + 1.0 / 128.0;
        let at = place - 0.5 + f64::from(AT & 1);
        let fraction = at.rem_euclid(2.0);
        let expected = if fraction < 1.0 { fraction } else { 2.0 - fraction } as f32;
        let found = scene.sample_at(0, [AT; 2], [place as f32; 2], [step, 0.0], [0.0, step])[0];
        assert!((found - expected).abs() * 64.0 < 0.001, "{pixel}: {found} instead of {expected}");
        let uv = ((f64::from(AT) + place) / f64::from(1 << 20)) as f32;
        let size = step / (1 << 20) as f32;
        let found = scene.sample(0, [uv; 2], [size, 0.0], [0.0, size])[0];
        uv_is_off = uv_is_off.max((found - expected).abs() * 64.0);
    }
    // That is what the exact positions are for.
    assert!(uv_is_off > 1.0 && uv_is_off <= 4.0, "{uv_is_off}");
}

#[test]
fn positions_beyond_the_picture_repeat_its_edge_and_odd_numbers_are_drawn_somehow() {
    let world = World::new((9, 9), (100, 80), 2, noise).all();
    let steps = [[0.01, 0.0], [0.0, 0.0125]];
    let at = |uv: [f32; 2]| world.draw(|scene| scene.sample(NUMBER, uv, steps[0], steps[1])[0]);
    let corner = world.levels[0].at(9 + 99, 9);
    for far in [1.0, 1.5, 1e9, 1e30, f32::INFINITY] {
        assert_eq!(at([far, -far]), corner);
    }
    let far = world.draw(|scene| {
        [
            scene.sample_level_at(NUMBER, [99, 0], [5.0, 0.0], 0),
            scene.sample_level_at(NUMBER, [u32::MAX, 3], [0.0, -9.0], 0),
            scene.sample_level_at(NUMBER, [200, 0], [-100.5, 0.5], 0),
        ]
    });
    assert_eq!(far.map(|colour| colour[0]), [corner; 3]);
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, f32::MAX] {
        let all = world.draw(|scene| {
            let a = scene.sample(NUMBER, [odd; 2], steps[0], steps[1]);
            let b = scene.sample(NUMBER, [0.3; 2], [odd, 0.0], [0.0, 1.0]);
            let c = scene.sample(NUMBER, [0.3; 2], [odd; 2], [odd; 2]);
            let d = scene.sample_level(NUMBER, [odd, 0.2], u32::MAX);
            [a, b, c, d]
        });
        assert!(all.iter().flatten().all(|value| value.is_nan() || (0.0..=1.0).contains(value)), "{odd}");
    }
}

#[test]
fn the_reduction_is_that_of_the_shorter_step_up_to_four_to_one() {
    let wanted = |x: f32, y: f32| wanted_reduce([x, 0.0], [0.0, y]);
    assert_eq!(
        [0.3, 0.5, 1.0, 1.9, 2.0, 3.9, 4.0, 1024.0].map(|step| wanted(step, step)),
        [-2, -1, 0, 0, 1, 1, 2, 10]
    );
    // Derivatives that are a little less than they should be.
    assert_eq!(wanted(1.9999, 1.9999), 1);
    assert_eq!([wanted(1.0, 3.9), wanted(1.0, 8.0), wanted(32.0, 1.0), wanted(0.0, 16.0)], [0, 1, 3, 2]);
    let picture = VirtualPicture { levels: 3, finest: 1, ..VirtualPicture::default() };
    assert_eq!([0.0, 1.0, 4.0, 1e30].map(|step| picture.reduce([step, 0.0], [0.0, step])), [1, 1, 2, 3]);
}

#[test]
fn the_page_drawn_of_a_reduction_is_the_parent_of_the_one_before() {
    for first in [0, 5, 255, 256, 1000] {
        for pixel in (0..3000).step_by(7) {
            for part in [0.1, 0.5, 0.9] {
                let pages: Vec<u32> =
                    (0..4).map(|reduce| page(pixel, part, first, 3000, reduce, 64).unwrap()).collect();
                for (reduce, pair) in (1..).zip(pages.windows(2)) {
                    // But where the parent has no texel.
                    let (begin, end) = texels(first, 3000, reduce);
                    let parent = pair[0] / 2;
                    assert!(
                        pair[1] == parent || begin >= (parent + 1) * 64 || end <= parent * 64,
                        "{first} {pixel} {pages:?}"
                    );
                }
            }
        }
    }
    // One pixel at an odd place has no texel of the next reduction.
    assert_eq!([texels(7, 1, 0), texels(7, 1, 1)], [(7, 8), (4, 4)]);
    assert_eq!(page(0, 0.5, 7, 1, 1, 64), None);
}

#[test]
fn a_coarse_reduction_without_texels_is_passed_over() {
    let mut world = World::new((7, 7), (1, 1), 0, |_, _| 0.625).all();
    world.picture.levels = 31;
    assert_eq!(world.at([0.5; 2], [1e6, 0.0], [0.0, 1e6]), 0.0);
    assert_eq!(world.at([0.5; 2], [1.0, 0.0], [0.0, 1.0]), 0.625);
}
