//! What the headers of a codestream say (T.800 Annex A), as plain values.

mod coding_style;
mod main;
mod overrides;
mod pointer;
mod progression_change;
mod quantisation;
mod size;
#[cfg(test)]
pub(crate) mod testing;

pub use main::{Capabilities, Comment, MainHeader, main_header_length};
pub use pointer::{TilePartLength, concatenate_by_index};

use crate::geometry::Rect;

/// Image and tile size (SIZ, T.800 A.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// Capabilities ("Rsiz").
    pub capabilities: u16,
    /// The image area on the reference grid: `XOsiz..Xsiz`, `YOsiz..Ysiz`. Never empty.
    pub image: Rect,
    /// Left edge of the first tile on the reference grid ("XTOsiz").
    pub tile_x0: u32,
    /// Upper edge of the first tile on the reference grid ("YTOsiz").
    pub tile_y0: u32,
    /// Nominal tile width in grid units ("XTsiz"), at least 1.
    pub tile_width: u32,
    /// Nominal tile height in grid units ("YTsiz"), at least 1.
    pub tile_height: u32,
    /// One entry for each component ("Csiz" of them), 1 to 16 384.
    pub components: Vec<ComponentSize>,
}

/// Depth and sub-sampling of one component (T.800 A.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentSize {
    /// Bits of a sample, 1 to 38 ("Ssiz" + 1).
    pub depth: u8,
    /// Samples are signed.
    pub signed: bool,
    /// Horizontal separation in grid units ("XRsiz"), 1 to 255.
    pub dx: u8,
    /// Vertical separation in grid units ("YRsiz"), 1 to 255.
    pub dy: u8,
}

/// Progression order (T.800 Table A.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progression {
    /// Layer, resolution, component, position.
    Lrcp,
    /// Resolution, layer, component, position.
    Rlcp,
    /// Resolution, position, component, layer.
    Rpcl,
    /// Position, component, resolution, layer.
    Pcrl,
    /// Component, position, resolution, layer.
    Cprl,
}

/// The part of COD that holds for all components of a tile (SGcod and Scod, T.800 A.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodingStyle {
    /// Order of the packets where no POC says otherwise.
    pub progression: Progression,
    /// Quality layers, 1 to 65 535.
    pub layers: u16,
    /// A component transform is used on components 0 to 2 (RCT with 5/3, ICT with 9/7).
    pub component_transform: bool,
    /// SOP marker segments may stand before packets.
    pub sop: bool,
    /// EPH markers stand after packet headers.
    pub eph: bool,
}

/// The part of COD or COC that holds for one component (SPcod/SPcoc, T.800 A.6.1, A.6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentCodingStyle {
    /// Decomposition levels, 0 to 32.
    pub levels: u8,
    /// log2 of the nominal code-block width ("xcb"), 2 to 10.
    pub code_block_width_exponent: u8,
    /// log2 of the nominal code-block height ("ycb"), 2 to 10; the two add up to at most 12.
    pub code_block_height_exponent: u8,
    /// Coding options.
    pub code_block_style: CodeBlockStyle,
    /// Wavelet.
    pub transform: WaveletTransform,
    /// (PPx, PPy) of each resolution, coarsest first, `levels + 1` of them; (15, 15) where none was given.
    pub precinct_exponents: Vec<(u8, u8)>,
}

/// Code-block style bits (T.800 Table A.19, T.814 for HT).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CodeBlockStyle(pub u8);

impl CodeBlockStyle {
    /// Selective arithmetic coding bypass.
    pub const BYPASS: u8 = 0x01;
    /// Context probabilities are reset at each coding pass.
    pub const RESET: u8 = 0x02;
    /// Each coding pass is terminated.
    pub const TERMINATE_ALL: u8 = 0x04;
    /// Vertically causal contexts.
    pub const VERTICALLY_CAUSAL: u8 = 0x08;
    /// Predictable termination.
    pub const PREDICTABLE_TERMINATION: u8 = 0x10;
    /// Segmentation symbols.
    pub const SEGMENTATION_SYMBOLS: u8 = 0x20;
    /// High-throughput block coding (T.814).
    pub const HIGH_THROUGHPUT: u8 = 0x40;
    /// With [`HIGH_THROUGHPUT`](Self::HIGH_THROUGHPUT): each code-block has either coder (T.814).
    pub const MIXED: u8 = 0x80;

    /// Whether all bits of `mask` are set.
    #[must_use]
    pub const fn has(self, mask: u8) -> bool {
        self.0 & mask == mask
    }
}

/// Wavelet kernel (T.800 Table A.20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaveletTransform {
    /// 9/7 irreversible filter: coefficients are `f32`.
    Irreversible97,
    /// 5/3 reversible filter: coefficients are `i32`.
    Reversible53,
}

/// Quantisation of one component (QCD, QCC; T.800 A.6.4, A.6.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantisation {
    /// How the step sizes are given.
    pub style: QuantisationStyle,
    /// Guard bits ("G"), 0 to 7.
    pub guard_bits: u8,
    /// (exponent, mantissa) of each sub-band as signalled: one pair if derived, else LL, then HL, LH, HH
    /// of each resolution, coarsest first. The mantissa is 0 without quantisation.
    pub steps: Vec<(u8, u16)>,
}

/// Quantisation style (T.800 Table A.28).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantisationStyle {
    /// No quantisation (reversible).
    None,
    /// One step size; the others are derived from it (T.800 E-5).
    Derived,
    /// A step size for each sub-band.
    Expounded,
}

/// One progression order change (POC, T.800 A.6.6). All ends are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressionChange {
    /// First resolution level ("RSpoc").
    pub resolution_start: u8,
    /// First component ("CSpoc").
    pub component_start: u16,
    /// One past the last layer ("LYEpoc").
    pub layer_end: u16,
    /// One past the last resolution level ("REpoc").
    pub resolution_end: u8,
    /// One past the last component ("CEpoc"); 0 in the codestream is stored as 16 384.
    pub component_end: u16,
    /// Order inside these bounds ("Ppoc").
    pub progression: Progression,
}

/// The parameters that hold in one tile, main-header values overridden by tile-part headers
/// (precedence as in T.800 A.6: tile COC > tile COD > main COC > main COD, and alike for QCD/QCC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileParameters {
    /// Progression, layers, component transform, SOP and EPH.
    pub style: CodingStyle,
    /// Progression order changes, in force order; empty = `style.progression` throughout.
    pub progression_changes: Vec<ProgressionChange>,
    /// One entry for each component of the picture.
    pub components: Vec<ComponentParameters>,
}

/// The parameters of one tile-component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentParameters {
    /// Levels, code-blocks, precincts, wavelet.
    pub coding: ComponentCodingStyle,
    /// Step sizes.
    pub quantisation: Quantisation,
    /// Region-of-interest shift (RGN, "SPrgn"), 0 without.
    pub roi_shift: u8,
}
