//! From texels to colours: which channels are shown, as what, and which values are black and full.

use bytemuck::{Pod, Zeroable};

/// A matrix and an offset on texels from 0 to 1, whose result is clamped to 0..=1: `matrix * texel + offset`.
///
/// ```
/// use wavetile_shaders::shading::Shading;
/// // A slice of a tomogram: 12 bits, signed, air at -1000 black and bone at 400 white.
/// let bone = Shading::grey().window(-1000.0, 400.0, 12, true);
/// // Three of the channels of a microscope.
/// let dyes = Shading::false_colour([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0; 3]]);
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Shading {
    /// Columns: what each channel of the texel adds to red, green, blue and opacity.
    pub matrix: [[f32; 4]; 4],
    /// Red, green, blue and opacity of a texel of zeros.
    pub offset: [f32; 4],
}

impl Default for Shading {
    fn default() -> Self {
        Self::identity()
    }
}

impl Shading {
    /// Texels are the colours.
    #[must_use]
    pub const fn identity() -> Self {
        let mut matrix = [[0.0; 4]; 4];
        let mut channel = 0;
        while channel < 4 {
            matrix[channel][channel] = 1.0;
            channel += 1;
        }
        Self { matrix, offset: [0.0; 4] }
    }

    /// The first channel is grey, and all is opaque: for texels of one channel.
    #[must_use]
    pub const fn grey() -> Self {
        Self::channels([0, 0, 0])
    }

    /// The first channel is grey, the second opacity: for texels of two channels.
    #[must_use]
    pub const fn grey_and_opacity() -> Self {
        let mut shading = Self::grey();
        shading.matrix[1][3] = 1.0;
        shading.offset[3] = 0.0;
        shading
    }

    /// Red, green and blue are these channels, all is opaque. A channel above 3 is black.
    #[must_use]
    pub const fn channels(channels: [usize; 3]) -> Self {
        let mut matrix = [[0.0; 4]; 4];
        let mut colour = 0;
        while colour < 3 {
            if channels[colour] < 4 {
                matrix[channels[colour]][colour] = 1.0;
            }
            colour += 1;
        }
        Self { matrix, offset: [0.0, 0.0, 0.0, 1.0] }
    }

    /// Each channel adds its colour (red, green, blue from 0 to 1), all is opaque.
    #[must_use]
    pub const fn false_colour(colours: [[f32; 3]; 4]) -> Self {
        let mut matrix = [[0.0; 4]; 4];
        let mut channel = 0;
        while channel < 4 {
            let [red, green, blue] = colours[channel];
            matrix[channel] = [red, green, blue, 0.0];
            channel += 1;
        }
        Self { matrix, offset: [0.0, 0.0, 0.0, 1.0] }
    }

    /// The first three channels are windowed before: see [`Self::window_channel`].
    #[must_use]
    pub const fn window(self, low: f32, high: f32, depth: u32, signed: bool) -> Self {
        let windowed = self.window_channel(0, low, high, depth, signed);
        windowed.window_channel(1, low, high, depth, signed).window_channel(2, low, high, depth, signed)
    }

    /// A channel's values from `low` to `high` become 0 to 1 before the rest. `low`, `high`: samples as the picture counts
    /// them, of `depth` bits (1 to 32), signed or not; texels hold the lowest possible sample as 0 and the highest as 1.
    /// `high` below `low` turns the picture into its negative; if they are equal, they are taken for a thousandth of a
    /// sample apart. Channels above 3 are ignored.
    #[must_use]
    pub const fn window_channel(
        mut self,
        channel: usize,
        low: f32,
        high: f32,
        depth: u32,
        signed: bool,
    ) -> Self {
        if channel >= 4 {
            return self;
        }
        let depth = if depth > 32 { 32 } else { depth };
        let most = ((1_u64 << depth) - 1) as f64;
        let lowest = if signed && depth > 0 { -((1_u64 << (depth - 1)) as f64) } else { 0.0 };
        let width = if high == low { 0.001 } else { high as f64 - low as f64 };
        let gain = most / width;
        let bias = (lowest - low as f64) / width;
        let mut row = 0;
        while row < 4 {
            let share = self.matrix[channel][row] as f64;
            self.matrix[channel][row] = (share * gain) as f32;
            self.offset[row] = (self.offset[row] as f64 + share * bias) as f32;
            row += 1;
        }
        self
    }

    /// All is opaque, whatever the texels say.
    #[must_use]
    pub const fn opaque(mut self) -> Self {
        let mut channel = 0;
        while channel < 4 {
            self.matrix[channel][3] = 0.0;
            channel += 1;
        }
        self.offset[3] = 1.0;
        self
    }

    /// The colour of a texel.
    #[must_use]
    pub fn apply(&self, texel: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|row| {
            let channels = self.matrix.iter().zip(texel);
            let sum: f32 = channels.map(|(column, value)| column[row] * value).sum();
            (sum + self.offset[row]).clamp(0.0, 1.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_go_where_they_are_sent() {
        let texel = [0.1, 0.2, 0.3, 0.4];
        assert_eq!(Shading::identity().apply(texel), texel);
        assert_eq!(Shading::identity().opaque().apply(texel), [0.1, 0.2, 0.3, 1.0]);
        assert_eq!(Shading::grey().apply(texel), [0.1, 0.1, 0.1, 1.0]);
        assert_eq!(Shading::grey_and_opacity().apply(texel), [0.1, 0.1, 0.1, 0.2]);
        assert_eq!(Shading::channels([3, 9, 0]).apply(texel), [0.4, 0.0, 0.1, 1.0]);
        let dyes = Shading::false_colour([[1.0, 0.5, 0.0], [0.0; 3], [0.0; 3], [0.0, 1.0, 2.0]]);
        assert_eq!(dyes.apply([0.5, 1.0, 1.0, 0.25]), [0.5, 0.5, 0.5, 1.0]);
    }

    #[test]
    fn a_window_is_black_at_its_low_end_and_full_at_its_high_end() {
        // 12 bits, signed: -2048 to 2047.
        let texel = |sample: f32| [(sample + 2048.0) / 4095.0, 0.0, 0.0, 0.0];
        let shading = Shading::grey().window(-1000.0, 400.0, 12, true);
        for (sample, expected) in [(-2048.0, 0.0), (-1000.0, 0.0), (-300.0, 0.5), (400.0, 1.0), (2047.0, 1.0)]
        {
            let [red, green, blue, alpha] = shading.apply(texel(sample));
            assert!((red - expected).abs() < 1e-5, "{sample}: {red}");
            assert_eq!([red, red, 1.0], [green, blue, alpha]);
        }
        let negative = Shading::grey().window(400.0, -1000.0, 12, true);
        assert!((negative.apply(texel(-300.0))[0] - 0.5).abs() < 1e-5);
        assert!(negative.apply(texel(-1000.0))[0] > 0.9999);
    }

    #[test]
    fn a_window_of_no_width_is_a_step_and_odd_arguments_change_nothing() {
        let step = Shading::grey().window(100.0, 100.0, 8, false);
        assert_eq!([99.0, 101.0].map(|sample| step.apply([sample / 255.0, 0.0, 0.0, 0.0])[0]), [0.0, 1.0]);
        assert_eq!(Shading::grey().window_channel(4, 1.0, 2.0, 8, true), Shading::grey());
        assert!(Shading::grey().window(0.0, 1.0, 0, true).apply([1.0; 4])[0].is_finite());
        assert!(
            (Shading::grey().window(0.0, u32::MAX as f32, 99, false).apply([0.5; 4])[0] - 0.5).abs() < 1e-6
        );
    }

    #[test]
    fn the_fourth_channel_keeps_its_meaning_under_a_window() {
        let shading = Shading::identity().window(0.0, 127.5, 8, false);
        assert_eq!(shading.apply([0.25, 0.5, 0.75, 0.5]), [0.5, 1.0, 1.0, 0.5]);
    }
}
