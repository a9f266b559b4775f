//! Pages: the squares that a virtual texture is cut into, and their names.

use crate::error::RequestError;

/// A picture of a [`Tiles`](super::Tiles), by number; [`sample_virtual`](wavetile_shaders::wgsl) knows it by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PictureId(pub(crate) u32);

impl PictureId {
    /// The number that shaders take.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// A page of one picture. Columns and rows are counted from coordinate 0 of the output grid of its reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    /// Resolution levels that are discarded, 0 = full size.
    pub reduce: u32,
    /// Column of pages.
    pub x: u32,
    /// Row of pages.
    pub y: u32,
}

impl PageId {
    /// The page of the next coarser level that shows the same place, if the level were without end.
    #[must_use]
    pub const fn parent(self) -> Self {
        Self { reduce: self.reduce + 1, x: self.x >> 1, y: self.y >> 1 }
    }
}

/// A page among all pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageKey {
    /// Whose page.
    pub picture: PictureId,
    /// Which of them.
    pub page: PageId,
}

/// The size of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageLayout {
    side: u32,
    border: u32,
}

impl PageLayout {
    /// Pages of `side` x `side` texels, 128, 256 or 512, with `border` texels of their neighbours around them, 1 to 8.
    ///
    /// # Errors
    /// [`RequestError::Unmet`] for other numbers.
    pub fn new(side: u32, border: u32) -> Result<Self, RequestError> {
        if !matches!(side, 128 | 256 | 512) || !(1..=8).contains(&border) {
            let reason = format!(
                "pages of {side} texels with a border of {border}: take a side of 128, 256 or 512 and a border of 1 to 8"
            );
            return Err(RequestError::Unmet(reason));
        }
        Ok(Self { side, border })
    }

    /// Texels of a row of a page, without border.
    #[must_use]
    pub const fn side(self) -> u32 {
        self.side
    }

    /// Texels of the border on each side.
    #[must_use]
    pub const fn border(self) -> u32 {
        self.border
    }

    /// Texels of a row of a page in the atlas, with its border.
    #[must_use]
    pub const fn slot_side(self) -> u32 {
        self.side + 2 * self.border
    }
}

impl Default for PageLayout {
    /// 256 with a border of 4: enough for bilinear filtering and for anisotropic filtering of 4 to 1.
    fn default() -> Self {
        Self { side: 256, border: 4 }
    }
}

/// How urgent something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// It is looked at, or stands in for what is looked at.
    Visible,
    /// It may be looked at soon.
    Prefetch,
    /// It was looked at.
    Recent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_checked() {
        assert_eq!(PageLayout::new(256, 4), Ok(PageLayout::default()));
        assert_eq!(PageLayout::default().slot_side(), 264);
        for (side, border) in [(0, 4), (255, 4), (1024, 4), (256, 0), (256, 9)] {
            assert!(PageLayout::new(side, border).is_err());
        }
    }
}
