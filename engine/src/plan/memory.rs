//! What is remembered from one plan to the next.

use super::packets::Packets;
use super::{BlockOrigin, PlannedTile};
use crate::data_bin::{DataBinId, PrecinctId};
use crate::error::Result;

/// What is remembered from plan to plan of one picture, so that the next need not find it out again. All data of these
/// plans must come from the same bins.
pub(crate) trait Memory {
    /// A tile: as `find` finds it, or as it did before.
    fn tile(&self, index: u32, find: &dyn Fn(u32) -> Result<PlannedTile>) -> Result<PlannedTile>;

    /// Takes out what is known of a precinct.
    fn take_packets(&self, id: PrecinctId) -> Option<Box<Packets>>;

    /// Takes note of what is known of a precinct now.
    fn keep_packets(&self, id: PrecinctId, packets: Box<Packets>);

    /// Whether the coefficients of a block are at hand, with exactly so many passes: its bytes are not copied into the
    /// plan then, and it has no codeword segments there. They are `words` words.
    fn holds(&self, origin: BlockOrigin, words: usize) -> bool;

    /// Takes note that the plan depends on a bin; `settled` if nothing that may still come of it would change the plan.
    fn depends_on(&self, bin: DataBinId, settled: bool);
}
