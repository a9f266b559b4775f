//! What the implicit forms of cache models and needs (T.808 C.8) stand for in one picture, within bounds.

use super::served_picture::ServedPicture;
use crate::jpip::wire::cache_model::{BinSelector, CacheModel, Extent, Statement};
use crate::jpip::wire::fields::NumberRange;
use crate::jpip::wire::implicit::ImplicitForm;
use wavetile_engine::data_bin::PrecinctId;

/// Precincts and tiles that the implicit forms of a request may cost.
const MOST_LOOKED_AT: u32 = 1 << 15;

/// Runs of identifiers that one form may come to.
const MOST_RUNS: usize = 1 << 12;

/// How much may still be looked at for one request.
pub(super) struct Allowance(u32);

impl Default for Allowance {
    fn default() -> Self {
        Self(MOST_LOOKED_AT)
    }
}

impl ImplicitForm {
    /// In-class identifiers of the precincts of `picture`, as ascending runs; `None` if there are too many to
    /// tell.
    ///
    /// A range of tiles or positions is the rectangle between its first and its last (second hand). Where that
    /// is to be `wide`, it is every number between them, which holds the rectangle.
    fn runs(
        self,
        picture: &dyn ServedPicture,
        wide: bool,
        allowance: &mut Allowance,
    ) -> Option<Vec<NumberRange>> {
        if self.is_everything() {
            return Some(vec![NumberRange::ALL]);
        }
        let header = picture.header();
        let (components, tiles) = (header.size.components.len() as u32, header.tile_count());
        let mut ids = Vec::new();
        for tile in numbers(self.tiles, tiles.into(), header.tile_grid().0.into(), wide) {
            allowance.0 = allowance.0.checked_sub(1)?;
            let Ok(tile) = picture.tile(tile as u32) else { continue };
            for component in numbers(self.components, components.into(), 1, wide) {
                let Some(geometry) = tile.components.get(component as usize) else { continue };
                let count = geometry.resolutions.len() as u64;
                for resolution in numbers(self.resolutions, count, 1, wide) {
                    let level = &geometry.resolutions[resolution as usize];
                    let across = level.precincts_wide.into();
                    for position in numbers(self.positions, level.precinct_count(), across, wide) {
                        allowance.0 = allowance.0.checked_sub(1)?;
                        let precinct = level.first_precinct + position;
                        let id = PrecinctId { tile: tile.index, component: component as u32, precinct };
                        ids.extend(id.in_class_id(components, tiles));
                    }
                }
            }
        }
        ids.sort_unstable();
        let mut runs: Vec<NumberRange> = Vec::new();
        for id in ids {
            let count = runs.len();
            match runs.last_mut() {
                Some(run) if run.to.is_some_and(|to| to.checked_add(1) == Some(id)) => run.to = Some(id),
                _ if count == MOST_RUNS => return None,
                _ => runs.push(NumberRange::one(id)),
            }
        }
        Some(runs)
    }
}

/// The numbers below `count` of a range; with rows of `across`, those of a rectangle unless it is to be `wide`.
fn numbers(
    range: Option<NumberRange>,
    count: u64,
    across: u64,
    wide: bool,
) -> impl Iterator<Item = u64> + use<> {
    let NumberRange { from, to } = range.unwrap_or(NumberRange::ALL);
    let last = to.unwrap_or(u64::MAX).min(count.saturating_sub(1));
    let across = across.max(1);
    // Where the range goes on beyond the last, its columns are those that it names.
    let columns = from % across..=to.unwrap_or(last) % across;
    let exists = count > 0 && from <= last;
    let run = (exists && (wide || to.is_none())).then_some(from..=last);
    let rows = (exists && run.is_none() && !columns.is_empty()).then_some(from / across..=last / across);
    let of_row = move |row: u64| columns.clone().map(move |column| row * across + column);
    let rectangle = rows.into_iter().flatten().flat_map(of_row).filter(move |&number| number <= last);
    run.into_iter().flatten().chain(rectangle)
}

impl CacheModel {
    /// The same for codestream `number` of a file, which `picture` is, without implicit forms. One that comes to
    /// too many precincts is passed over if it adds and takes all of them if it subtracts: that costs bytes that
    /// are sent again, nothing else.
    pub(super) fn explicit(
        &self,
        picture: &dyn ServedPicture,
        number: u32,
        asked: bool,
        allowance: &mut Allowance,
    ) -> Self {
        let mut statements = Vec::with_capacity(self.statements.len());
        for statement in &self.statements {
            let about = statement.is_about(number.into(), asked);
            let form = match statement.bins {
                BinSelector::Implicit(form) if about => form,
                BinSelector::TileParts(tiles, parts) if about => {
                    statements.extend(tile_parts(picture, statement, tiles, parts, allowance));
                    continue;
                }
                BinSelector::Implicit(_) | BinSelector::TileParts(..) => continue,
                _ => {
                    statements.push(statement.clone());
                    continue;
                }
            };
            let runs = match form.runs(picture, statement.subtract, allowance) {
                Some(runs) => runs,
                None if statement.subtract => vec![NumberRange::ALL],
                None => Vec::new(),
            };
            statements.extend(
                runs.into_iter()
                    .map(|run| Statement { bins: BinSelector::Precincts(run), ..statement.clone() }),
            );
        }
        Self { statements }
    }

    /// As [`explicit`](Self::explicit), for what is needed: of tile-parts the whole tiles, and all precincts where a form
    /// comes to too many.
    pub(super) fn explicit_need(
        &self,
        picture: &dyn ServedPicture,
        number: u32,
        allowance: &mut Allowance,
    ) -> Self {
        let mut statements = Vec::with_capacity(self.statements.len());
        for statement in self.statements.iter().filter(|one| one.is_about(number.into(), true)) {
            let runs = match statement.bins {
                BinSelector::Implicit(form) => {
                    let runs = form.runs(picture, false, allowance);
                    runs.unwrap_or_else(|| vec![NumberRange::ALL])
                        .into_iter()
                        .map(BinSelector::Precincts)
                        .collect()
                }
                BinSelector::TileParts(tiles, _) => vec![BinSelector::Tiles(tiles)],
                ref bins => vec![bins.clone()],
            };
            statements.extend(runs.into_iter().map(|bins| Statement { bins, ..statement.clone() }));
        }
        Self { statements }
    }

    /// Whether it takes the picture to know what any statement is about.
    pub(super) fn has_implicit(&self) -> bool {
        let implicit =
            |bins: &BinSelector| matches!(bins, BinSelector::Implicit(_) | BinSelector::TileParts(..));
        self.statements.iter().any(|statement| implicit(&statement.bins))
    }
}

/// What a statement about tile-parts says of the bytes of tile data-bins. Tiles beyond the allowance are passed over if it
/// adds, and all of them are taken if it subtracts.
fn tile_parts(
    picture: &dyn ServedPicture,
    statement: &Statement,
    tiles: NumberRange,
    parts: NumberRange,
    allowance: &mut Allowance,
) -> Vec<Statement> {
    let mut statements = Vec::new();
    let count = u64::from(picture.header().tile_count());
    for tile in numbers(Some(tiles), count, 1, true) {
        let Some(left) = allowance.0.checked_sub(1) else {
            let bins = BinSelector::Tiles(NumberRange { from: tile, to: None });
            statements.extend(statement.subtract.then(|| Statement { bins, ..statement.clone() }));
            break;
        };
        allowance.0 = left;
        let ends = picture.tile_part_ends(tile as u32);
        let end_of = |part: u64| ends.get(usize::try_from(part).unwrap_or(usize::MAX)).copied();
        let start = parts.from.checked_sub(1).map_or(Some(0), end_of);
        let last = parts.to.unwrap_or(u64::MAX).min((ends.len() as u64).saturating_sub(1));
        let (Some(start), Some(end)) = (start, end_of(last)) else { continue };
        let extent = match (statement.subtract, start) {
            (true, 0) => Extent::Whole,
            // No more than what is before them.
            (true, start) => Extent::Bytes(start),
            (false, 0) if ends.last() == Some(&end) => Extent::Whole,
            (false, 0) => Extent::Bytes(end),
            (false, start) => Extent::Between(start, end),
        };
        let bins = BinSelector::Tiles(NumberRange::one(tile));
        statements.push(Statement { bins, extent, ..statement.clone() });
    }
    statements
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::jpip::testing::{COMPONENTS, Synthetic};

    fn ids(text: &str, wide: bool) -> Vec<PrecinctId> {
        let picture = Synthetic::new();
        let form = ImplicitForm::parse(text).unwrap();
        let runs = form.runs(&picture, wide, &mut Allowance::default()).unwrap();
        let ids = runs.iter().flat_map(|run| run.from..=run.to.unwrap());
        ids.map(|id| PrecinctId::from_in_class_id(id, COMPONENTS, 4).unwrap()).collect()
    }

    #[test]
    fn a_form_names_the_precincts_of_its_tiles_components_resolutions_and_positions() {
        let tile = &Synthetic::new().tiles[0];
        let level = &tile.components[1].resolutions[3];
        assert!(level.precincts_wide > 1 && level.precincts_high > 1);
        let expected: Vec<PrecinctId> = (0..level.precinct_count())
            .map(|at| PrecinctId { tile: 0, component: 1, precinct: level.first_precinct + at })
            .collect();
        assert_eq!(ids("t0c1r3", false), expected);
        assert_eq!(ids("t0c1r3-99p*", false), expected);
        assert_eq!(ids("p1r3c1t0", false), expected[1..2]);
        assert_eq!(ids("t9", false), []);
        // From the second of the first row to the second of the second row.
        let second = 1 + level.precincts_wide as usize;
        let column = [expected[1], expected[second]];
        assert_eq!(ids(&format!("t0c1r3p1-{second}"), false), column);
        assert_eq!(ids(&format!("t0c1r3p1-{second}"), true), expected[1..=second]);
        assert!(ids("t0-2r0", false).iter().all(|id| id.tile != 1));
        assert!(ids("t0-2r0", true).iter().any(|id| id.tile == 1));
    }

    #[test]
    fn what_costs_too_much_is_not_told() {
        let picture = Synthetic::new();
        let form = ImplicitForm::parse("r0-18446744073709551615p0-18446744073709551615").unwrap();
        assert_eq!(form.runs(&picture, true, &mut Allowance(100)), None);
        let model = CacheModel::parse("-r3,r3").unwrap();
        let explicit = model.explicit(&picture, 0, true, &mut Allowance(1));
        assert_eq!(explicit.to_string(), "-P*");
        let everything = CacheModel::parse("t*c*:L2,[1]t0").unwrap();
        assert_eq!(everything.explicit(&picture, 0, true, &mut Allowance(0)).to_string(), "P*:L2");
    }
}
