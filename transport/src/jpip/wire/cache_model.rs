//! Cache-model statements (`model`, T.808 C.8): what a client says it holds of each data-bin.

use super::fields::{FieldError, NumberRange, number};
use super::implicit::ImplicitForm;
use std::fmt;
use wavetile_engine::data_bin::DataBinId;

/// A list of statements, in the order in which they take effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheModel {
    /// The statements.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Codestreams that it is about (`[a-b]`); `None` = those of the request.
    pub codestreams: Option<Vec<NumberRange>>,
    /// The client does not have it (`-`). With an extent: it has no more than that.
    pub subtract: bool,
    /// Data-bins that it is about.
    pub bins: BinSelector,
    /// How much of each.
    pub extent: Extent,
}

/// Data-bins of one class, or of a region of the codestream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BinSelector {
    /// The main header (`Hm`).
    MainHeader,
    /// Tile headers (`H3`, also `Ht3`).
    TileHeaders(NumberRange),
    /// Precincts by in-class identifier (`P7`).
    Precincts(NumberRange),
    /// Metadata-bins (`M0`).
    Metadata(NumberRange),
    /// Tiles (`T4`, JPT-streams).
    Tiles(NumberRange),
    /// Precincts by tile, component, resolution and position (`t0c1r2p3`).
    Implicit(ImplicitForm),
    /// Tile-parts by tile and number in the tile (`4.0-2`, JPT-streams), in fields of their own: `tpmodel` and `tpneed`.
    TileParts(NumberRange, NumberRange),
}

/// How much of a data-bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// All of it.
    Whole,
    /// The first bytes (`:200`).
    Bytes(u64),
    /// The first quality layers (`:L2`); precincts only.
    Layers(u16),
    /// Bytes from one number to another, not included, beside those at the beginning (`:200-300`): not of T.808, and said in a
    /// field of its own, `beyond`.
    Between(u64, u64),
}

impl CacheModel {
    /// Parses the decoded value of `model`.
    ///
    /// # Errors
    /// [`FieldError`] if a statement has none of the forms of T.808.
    pub fn parse(value: &str) -> Result<Self, FieldError> {
        let mut statements = Vec::new();
        let mut codestreams = None;
        let mut rest = value;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let error = || FieldError::new("model", rest, "the bracket is not closed");
                let (list, after) = inner.split_once(']').ok_or_else(error)?;
                let ranges = list.split([',', ';']).map(|part| NumberRange::parse("model", part));
                codestreams = Some(ranges.collect::<Result<_, _>>()?);
                rest = after.strip_prefix(',').unwrap_or(after);
                continue;
            }
            let (one, after) = rest.split_once(',').unwrap_or((rest, ""));
            statements.push(Statement { codestreams: codestreams.clone(), ..Statement::parse(one)? });
            rest = after;
        }
        Ok(Self { statements })
    }

    /// Parses the decoded value of `tpmodel` or `tpneed`: tile-parts, each as tile and number with a point between them.
    ///
    /// # Errors
    /// [`FieldError`] if it has another form.
    pub fn parse_tile_parts(field: &'static str, value: &str) -> Result<Self, FieldError> {
        let mut statements = Vec::new();
        for one in value.split(',').filter(|one| !one.is_empty()) {
            let rest = one.strip_prefix('-');
            let error = || FieldError::new(field, one, "not a tile, a point and a tile-part");
            let (tiles, parts) = rest.unwrap_or(one).split_once('.').ok_or_else(error)?;
            let (tiles, parts) = (NumberRange::parse(field, tiles)?, NumberRange::parse(field, parts)?);
            let bins = BinSelector::TileParts(tiles, parts);
            statements.push(Statement { subtract: rest.is_some(), ..Statement::has(bins) });
        }
        Ok(Self { statements })
    }

    /// What is said of data-bins, of tile-parts (`tpmodel`, `tpneed`), and of bytes behind gaps (`beyond`).
    #[must_use]
    pub fn split(&self) -> [Self; 3] {
        let mut split = [const { Self { statements: Vec::new() } }; 3];
        for statement in &self.statements {
            let kind = match (&statement.bins, statement.extent) {
                (BinSelector::TileParts(..), _) => 1,
                (_, Extent::Between(..)) => 2,
                _ => 0,
            };
            split[kind].statements.push(statement.clone());
        }
        split
    }

    /// The values of the fields that say this. A statement of no codestreams in particular that follows one of some
    /// begins another field: what stands in brackets holds for the rest of its own.
    pub fn values(&self) -> impl Iterator<Item = String> {
        let same = |a: &Statement, b: &Statement| a.codestreams.is_none() || b.codestreams.is_some();
        self.statements.chunk_by(same).map(|run| Self { statements: run.to_vec() }.to_string())
    }

    /// No statement.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

impl Statement {
    /// The client has all of `bins`.
    #[must_use]
    pub const fn has(bins: BinSelector) -> Self {
        Self { codestreams: None, subtract: false, bins, extent: Extent::Whole }
    }

    /// The client has nothing of `bins`.
    #[must_use]
    pub const fn lacks(bins: BinSelector) -> Self {
        Self { codestreams: None, subtract: true, bins, extent: Extent::Whole }
    }

    /// Whether it is about codestream `number`; `asked`: the request asks for that codestream.
    #[must_use]
    pub fn is_about(&self, number: u64, asked: bool) -> bool {
        self.codestreams.as_ref().map_or(asked, |ranges| ranges.iter().any(|range| range.holds(number)))
    }

    fn parse(text: &str) -> Result<Self, FieldError> {
        let error = |reason| FieldError::new("model", text, reason);
        let (subtract, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (bins, extent) = match rest.split_once(':') {
            None => (rest, Extent::Whole),
            Some((bins, extent)) => (bins, Extent::parse(extent)?),
        };
        let mut letters = bins.chars();
        let class = letters.next().ok_or_else(|| error("empty statement"))?;
        let ids = letters.as_str();
        let range = |ids| NumberRange::parse("model", ids);
        let bins = match class {
            'H' if ids == "m" => BinSelector::MainHeader,
            'H' => BinSelector::TileHeaders(range(ids.strip_prefix('t').unwrap_or(ids))?),
            'P' => BinSelector::Precincts(range(ids)?),
            'M' => BinSelector::Metadata(range(ids)?),
            'T' => BinSelector::Tiles(range(ids)?),
            't' | 'c' | 'r' | 'p' => BinSelector::Implicit(ImplicitForm::parse(bins)?),
            _ => return Err(error("unknown data-bin class")),
        };
        Ok(Self { codestreams: None, subtract, bins, extent })
    }
}

impl BinSelector {
    /// The data-bin, if it is one.
    pub(in crate::jpip) fn one(&self) -> Option<DataBinId> {
        let single = |range: &NumberRange| Some(range.from).filter(|from| range.to == Some(*from));
        match self {
            Self::MainHeader => Some(DataBinId::MainHeader),
            Self::TileHeaders(range) => Some(DataBinId::TileHeader(single(range)?.try_into().ok()?)),
            Self::Precincts(range) => single(range).map(DataBinId::Precinct),
            Self::Metadata(range) => single(range).map(DataBinId::Metadata),
            Self::Tiles(range) => Some(DataBinId::Tile(single(range)?.try_into().ok()?)),
            Self::Implicit(_) | Self::TileParts(..) => None,
        }
    }

    /// Whether a data-bin is among those. Implicit forms hold none.
    pub(in crate::jpip) fn holds(&self, id: DataBinId) -> bool {
        match (self, id) {
            (Self::MainHeader, DataBinId::MainHeader) => true,
            (Self::TileHeaders(range), DataBinId::TileHeader(tile))
            | (Self::Tiles(range), DataBinId::Tile(tile)) => range.holds(tile.into()),
            (Self::Precincts(range), DataBinId::Precinct(id))
            | (Self::Metadata(range), DataBinId::Metadata(id)) => range.holds(id),
            _ => false,
        }
    }
}

impl Extent {
    fn parse(text: &str) -> Result<Self, FieldError> {
        match text.strip_prefix('L') {
            Some(layers) => {
                let layers: u64 = number("model", layers)?;
                Ok(Self::Layers(u16::try_from(layers).unwrap_or(u16::MAX)))
            }
            None => match text.split_once('-') {
                Some((from, to)) => Ok(Self::Between(number("model", from)?, number("model", to)?)),
                None => Ok(Self::Bytes(number("model", text)?)),
            },
        }
    }
}

/// The value of one field: see [`values`](CacheModel::values).
impl fmt::Display for CacheModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bracket = &None;
        for (index, statement) in self.statements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if statement.codestreams != *bracket
                && let Some(ranges) = &statement.codestreams
            {
                let ranges: Vec<String> = ranges.iter().map(|range| range.without_star()).collect();
                write!(f, "[{}]", ranges.join(";"))?;
            }
            bracket = &statement.codestreams;
            write!(f, "{statement}")?;
        }
        Ok(())
    }
}

/// Without the codestreams.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subtract {
            f.write_str("-")?;
        }
        match &self.bins {
            BinSelector::MainHeader => f.write_str("Hm")?,
            BinSelector::TileHeaders(range) => write!(f, "H{range}")?,
            BinSelector::Precincts(range) => write!(f, "P{range}")?,
            BinSelector::Metadata(range) => write!(f, "M{range}")?,
            BinSelector::Tiles(range) => write!(f, "T{range}")?,
            BinSelector::Implicit(form) => write!(f, "{form}")?,
            BinSelector::TileParts(tiles, parts) => write!(f, "{tiles}.{parts}")?,
        }
        match self.extent {
            Extent::Whole => Ok(()),
            Extent::Bytes(bytes) => write!(f, ":{bytes}"),
            Extent::Layers(layers) => write!(f, ":L{layers}"),
            Extent::Between(from, to) => write!(f, ":{from}-{to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_forms_of_the_standard_round_trip() {
        for text in [
            "Hm",
            "Hm,H*,M0,P0:20,P1",
            "-P0:20,P5-9:L3",
            "Hm:119,H0-3,-H7-",
            "[0-3]P1,P2",
            "[0;4-]-P*",
            "T4,M*",
            "t0c1-2r*p4:L1",
            "-t*r0",
        ] {
            assert_eq!(CacheModel::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(CacheModel::parse("Ht0").unwrap().to_string(), "H0");
        assert!(CacheModel::parse("").unwrap().is_empty());
    }

    #[test]
    fn brackets_hold_until_the_next_and_choose_codestreams() {
        let model = CacheModel::parse("P9,[1-2]P1,P2,[3-]Hm").unwrap();
        let about = |codestream| {
            let about =
                model.statements.iter().filter(|statement| statement.is_about(codestream, codestream == 0));
            about.map(Statement::to_string).collect::<Vec<_>>().join(",")
        };
        assert_eq!(about(0), "P9");
        assert_eq!(about(2), "P1,P2");
        assert_eq!(about(70), "Hm");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "X1",
            "P",
            "P-1",
            "P5-2",
            "P1:",
            "P1:x",
            "[0",
            "P1,,P2",
            "-",
            "pq",
            "P99999999999999999999",
            "t",
            "t0t1",
            "r1-0",
        ] {
            assert!(CacheModel::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics_and_what_parses_round_trips(text in "[HPMTtcrpmL0-9*:,;\\[\\]-]{0,40}") {
            if let Ok(model) = CacheModel::parse(&text) {
                prop_assert_eq!(CacheModel::parse(&model.to_string()).unwrap(), model);
            }
        }
    }
}
