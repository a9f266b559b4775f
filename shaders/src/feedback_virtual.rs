//! What a feedback pass writes: the page that each of its pixels wants, in two words of a texel `Rg32Uint`.

use crate::virtual_frame::{self, VirtualPicture};

/// A page that a pixel of a feedback pass wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WantedPage {
    /// The picture, 0 to [`Self::MOST_PICTURE`].
    pub picture: u32,
    /// The reduction, 0 to 31.
    pub reduce: u32,
    /// Column of the page, below 2^24.
    pub x: u32,
    /// Row of the page, below 2^24.
    pub y: u32,
}

impl WantedPage {
    crate::shared::shared! {
        prefix "VIRTUAL_";
        /// The last picture that a feedback pass can name.
        pub const MOST_PICTURE: u32 = 1023;
        /// The last column and row of pages that it can name. With pages of 256 texels, that is every one there can be.
        pub const MOST_PAGE: u32 = 0xFF_FFFF;
    }

    /// The two words: bits 0 to 23 of the first are the column, 24 to 31 the lower bits of the picture; bits 0 to 23 of the
    /// second are the row, 24 and 25 the upper bits of the picture, 26 to 30 the reduction, and bit 31 is set. Zeros, which
    /// say that nothing is wanted, if the page cannot be named.
    #[must_use]
    pub const fn pack(&self) -> [u32; 2] {
        let Self { picture, reduce, x, y } = *self;
        if picture > Self::MOST_PICTURE || reduce > 31 || x > Self::MOST_PAGE || y > Self::MOST_PAGE {
            return [0; 2];
        }
        [x | (picture & 0xFF) << 24, y | (picture >> 8) << 24 | reduce << 26 | 1 << 31]
    }

    /// What two words of a feedback pass say; `None`: nothing is wanted there. Any words are taken.
    #[must_use]
    pub const fn unpack(words: [u32; 2]) -> Option<Self> {
        let [first, second] = words;
        if second >> 31 == 0 {
            return None;
        }
        Some(Self {
            picture: first >> 24 | (second >> 24 & 3) << 8,
            reduce: second >> 26 & 31,
            x: first & Self::MOST_PAGE,
            y: second & Self::MOST_PAGE,
        })
    }

    /// The page that `feedback_virtual_at` writes for `picture` with its number: at `base + offset` full-size pixels from the
    /// upper left corner. `ddx`, `ddy`: full-size pixels from a pixel of the screen to the next one. `side`: texels of a page
    /// a side.
    #[must_use]
    pub fn at(
        number: u32,
        picture: &VirtualPicture,
        side: u32,
        base: [u32; 2],
        offset: [f32; 2],
        ddx: [f32; 2],
        ddy: [f32; 2],
    ) -> Option<Self> {
        if !picture.is_present() {
            return None;
        }
        let reduce = picture.reduce(ddx, ddy);
        let ([x, y], _) = picture.texel(picture.place(base, offset), reduce)?;
        let shift = virtual_frame::side_shift(side);
        Self::unpack(Self { picture: number, reduce, x: x >> shift, y: y >> shift }.pack())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_field_comes_back_at_both_ends_of_its_range() {
        for picture in [0, 1, 255, 256, 1023] {
            for reduce in [0, 1, 31] {
                for (x, y) in [(0, 0), (1, 0xFF_FFFF), (0xFF_FFFF, 2)] {
                    let page = WantedPage { picture, reduce, x, y };
                    assert_eq!(WantedPage::unpack(page.pack()), Some(page));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_named_is_not_wanted_and_the_clear_colour_is_nothing() {
        let page = WantedPage { picture: 0, reduce: 0, x: 0, y: 0 };
        for page in [
            WantedPage { picture: 1024, ..page },
            WantedPage { reduce: 32, ..page },
            WantedPage { x: 1 << 24, ..page },
            WantedPage { y: 1 << 24, ..page },
        ] {
            assert_eq!(page.pack(), [0; 2]);
        }
        assert_eq!(WantedPage::unpack([0; 2]), None);
        assert_eq!(WantedPage::unpack([u32::MAX, u32::MAX >> 1]), None);
        let all = WantedPage::unpack([u32::MAX; 2]).unwrap();
        assert_eq!(all, WantedPage { picture: 1023, reduce: 31, x: 0xFF_FFFF, y: 0xFF_FFFF });
    }

    #[test]
    fn a_pixel_wants_the_page_that_it_is_drawn_from() {
        let picture = VirtualPicture {
            x0: 100,
            y0: 0,
            width: 5000,
            height: 3000,
            levels: 3,
            flags: VirtualPicture::PRESENT,
            ..VirtualPicture::default()
        };
        let at = |base, step: f32| {
            WantedPage::at(7, &picture, 256, base, [0.5; 2], [step, 0.0], [0.0, step])
                .map(|page| (page.picture, page.reduce, page.x, page.y))
        };
        assert_eq!(at([155, 255], 1.0), Some((7, 0, 0, 0)));
        assert_eq!(at([156, 256], 1.0), Some((7, 0, 1, 1)));
        assert_eq!(at([156, 256], 1.9), Some((7, 0, 1, 1)));
        assert_eq!(at([411, 512], 2.0), Some((7, 1, 0, 1)));
        assert_eq!(at([4999, 2999], 1e9), Some((7, 3, 2, 1)));
        assert_eq!(at([u32::MAX, u32::MAX], 0.0), Some((7, 0, 19, 11)));
        let absent = VirtualPicture { flags: 0, ..picture };
        assert_eq!(WantedPage::at(7, &absent, 256, [0; 2], [0.0; 2], [1.0, 0.0], [0.0, 1.0]), None);
    }
}
