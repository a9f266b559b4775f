//! Where the camera goes: pans, zooms, jumps and rests, all from a seed.

use std::time::Duration;
use wavetile_engine::Size;
use wavetile_testing::random::Random;

/// What the camera looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// The middle of the screen in pixels of full size.
    pub centre: [f64; 2],
    /// log2 of the pixels of full size that a pixel of the screen covers.
    pub zoom: f64,
}

impl Camera {
    /// What is on the screen, in pixels of full size: left, top, right, bottom.
    #[must_use]
    pub fn pixels(&self, viewport: Size) -> [f64; 4] {
        let scale = self.zoom.exp2();
        let half = [f64::from(viewport.width) / 2.0 * scale, f64::from(viewport.height) / 2.0 * scale];
        let [x, y] = self.centre;
        [x - half[0], y - half[1], x + half[0], y + half[1]]
    }

    /// The reduction that is drawn, before it is bounded by what there is.
    #[must_use]
    pub fn reduce(&self) -> u32 {
        // `as` saturates. A little more than a power of two may be less after rounding.
        (self.zoom + 1e-6).floor() as u32
    }
}

/// The way of a camera over a picture.
#[derive(Clone, Debug)]
pub struct Script {
    random: Random,
    size: [f64; 2],
    /// The most that zooms out.
    most_zoom: f64,
    camera: Camera,
    motion: Motion,
    /// Until it does something else.
    left: Duration,
}

/// What it does, by the second.
#[derive(Clone, Copy, Debug, Default)]
struct Motion {
    /// Pixels of the screen.
    pan: [f64; 2],
    zoom: f64,
}

impl Script {
    /// Starts with the whole of a picture of `size` on the screen.
    #[must_use]
    pub fn new(seed: u64, size: Size, viewport: Size) -> Self {
        let size = [f64::from(size.width), f64::from(size.height)];
        let most_zoom =
            (size[0] / f64::from(viewport.width)).max(size[1] / f64::from(viewport.height)).log2();
        let camera = Camera { centre: [size[0] / 2.0, size[1] / 2.0], zoom: most_zoom };
        let left = Duration::from_secs(1);
        Self { random: Random::new(seed), size, most_zoom, camera, motion: Motion::default(), left }
    }

    /// Where the camera is after `time` more.
    pub fn advance(&mut self, time: Duration) -> Camera {
        if self.left < time {
            self.turn();
        }
        self.left = self.left.saturating_sub(time);
        let (seconds, scale) = (time.as_secs_f64(), self.camera.zoom.exp2());
        for (axis, pan) in self.motion.pan.iter_mut().enumerate() {
            let centre = &mut self.camera.centre[axis];
            *centre += *pan * scale * seconds;
            if !(0.0..self.size[axis]).contains(centre) {
                *centre = centre.clamp(0.0, self.size[axis]);
                *pan = -*pan;
            }
        }
        self.camera.zoom = (self.camera.zoom + self.motion.zoom * seconds).clamp(0.0, self.most_zoom);
        self.camera
    }

    /// Where the camera is.
    #[must_use]
    pub const fn camera(&self) -> Camera {
        self.camera
    }

    /// Does something else.
    fn turn(&mut self) {
        let random = &mut self.random;
        let mut number = |most: f32| f64::from(random.float(most));
        let seconds = 2.5 + number(1.5);
        self.motion = Motion::default();
        match self.random.below(8) {
            0..3 => {
                let (angle, speed) =
                    (f64::from(self.random.float(3.2)), 300.0 + f64::from(self.random.float(200.0)));
                self.motion.pan = [angle.cos() * speed, angle.sin() * speed];
            }
            3..6 => {
                // Into it from far away, out of it from near.
                let is_far = self.camera.zoom > f64::from(self.random.below(1 + self.most_zoom as u32));
                self.motion.zoom = if is_far { -1.0 } else { 1.0 };
            }
            6 => {
                let at = |random: &mut Random, length: f64| f64::from(random.float(0.5) + 0.5) * length;
                self.camera.centre = [at(&mut self.random, self.size[0]), at(&mut self.random, self.size[1])];
                self.camera.zoom = f64::from(self.random.below(1 + self.most_zoom as u32));
            }
            _ => (),
        }
        self.left = Duration::from_secs_f64(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_stays_over_its_picture_and_goes_the_same_way_each_time() {
        let script = || Script::new(3, Size::new(1 << 18, 3 << 17), Size::new(1920, 1080));
        let (mut one, mut other) = (script(), script());
        let (mut places, mut nearest) = (0, f64::INFINITY);
        for _ in 0..20_000 {
            let before = one.camera();
            let camera = one.advance(Duration::from_millis(33));
            assert_eq!(camera, other.advance(Duration::from_millis(33)));
            assert!((0.0..=8.6).contains(&camera.zoom), "{camera:?}");
            assert!(camera.centre[0] >= 0.0 && camera.centre[0] <= 262_144.0, "{camera:?}");
            assert!(camera.centre[1] >= 0.0 && camera.centre[1] <= 393_216.0, "{camera:?}");
            places += u32::from(camera != before);
            nearest = camera.zoom.min(nearest);
        }
        assert!(places > 5000 && nearest == 0.0, "{places} {nearest}");
    }
}
